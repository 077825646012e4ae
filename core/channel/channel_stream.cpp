// SPDX-License-Identifier: Apache-2.0
#include "channel/channel_stream.h"

#include <asio/io_context.hpp>

namespace coldframe::channel {

namespace {

/// The data offered lies in the caller's memory: withdrawn however write() ends, also by cancellation.
class OutgoingGuard
{
public:
    explicit OutgoingGuard(Http2Stream& stream) : m_stream(stream) {}
    ~OutgoingGuard() { m_stream.outgoing = {}; }
    OutgoingGuard(const OutgoingGuard&) = delete;
    OutgoingGuard& operator=(const OutgoingGuard&) = delete;

private:
    Http2Stream& m_stream;
};

} // namespace

ChannelStream::ChannelStream(asio::io_context& io, std::weak_ptr<Http2Session> session, Http2StreamPtr state)
    : m_session(std::move(session)), m_state(std::move(state)), m_readerSignal(io), m_writerSignal(io)
{
    m_state->changed = [this] {
        m_readerSignal.notify();
        m_writerSignal.notify();
    };
}

ChannelStream::~ChannelStream()
{
    m_state->changed = nullptr;
    if (const auto session = m_session.lock()) {
        session->drop(m_state);
    }
}

asio::awaitable<Result<Headers>> ChannelStream::responseHeaders()
{
    while (!m_state->headersComplete && !m_state->isClosed) {
        co_await m_readerSignal.wait();
    }
    if (!m_state->headersComplete) {
        co_return whyClosed();
    }
    co_return m_state->peerHeaders;
}

Result<void> ChannelStream::respond(const Headers& headers, bool endStream)
{
    const auto session = m_session.lock();
    if (!session) {
        return whyClosed();
    }
    return session->respond(*m_state, headers, endStream);
}

asio::awaitable<Result<std::size_t>> ChannelStream::read(std::span<std::uint8_t> buffer)
{
    if (buffer.empty()) {
        co_return fail(ErrorCode::InvalidArgument, "A read needs room for a byte.");
    }
    while (m_state->buffered() == 0 && !m_state->peerEnded && !m_state->isClosed) {
        co_await m_readerSignal.wait();
    }
    const std::size_t count = m_state->take(buffer);
    if (count > 0) {
        if (const auto session = m_session.lock()) {
            session->consumed(*m_state, count);
        }
        co_return count;
    }
    if (m_state->errorCode == kHttp2NoError && m_state->peerEnded) {
        co_return std::size_t{0};
    }
    co_return whyClosed();
}

asio::awaitable<Result<void>> ChannelStream::write(std::span<const std::uint8_t> data)
{
    if (!m_state->isClosed && (!m_state->canSend || m_state->isFinishing)) {
        co_return fail(ErrorCode::InvalidArgument, "The stream is not open for writing.");
    }
    if (!m_state->outgoing.empty()) {
        co_return fail(ErrorCode::InvalidArgument, "Another write is under way on the stream.");
    }
    if (const auto session = m_session.lock()) {
        session->send(*m_state, data);
    }
    const OutgoingGuard guard(*m_state);
    while (!m_state->outgoing.empty() && !m_state->isClosed) {
        co_await m_writerSignal.wait();
    }
    if (m_state->isClosed) {
        co_return whyClosed();
    }
    co_return Result<void>{};
}

void ChannelStream::finish()
{
    if (const auto session = m_session.lock()) {
        session->finish(*m_state);
    }
}

void ChannelStream::reset(std::uint32_t code)
{
    if (const auto session = m_session.lock()) {
        session->reset(*m_state, code);
    }
}

std::optional<std::uint32_t> ChannelStream::resetCode() const
{
    if (!m_state->isClosed || m_state->errorCode == kHttp2NoError) {
        return std::nullopt;
    }
    return m_state->errorCode;
}

tl::unexpected<Error> ChannelStream::whyClosed() const
{
    if (m_state->sessionGone || m_state->errorCode == kHttp2NoError) {
        return fail(ErrorCode::Closed, "The stream is closed.", m_state->sessionGone ? "session ended" : "stream ended");
    }
    const auto code = m_state->errorCode == kHttp2RefusedStream ? ErrorCode::Busy : ErrorCode::Closed;
    return fail(code, "The stream was reset.", "HTTP/2 error " + std::to_string(m_state->errorCode));
}

} // namespace coldframe::channel
