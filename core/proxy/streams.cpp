// SPDX-License-Identifier: Apache-2.0
#include "proxy/streams.h"

#include <asio/buffer.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <poll.h>
#include <sys/socket.h>

namespace coldframe::proxy {

namespace {

constexpr std::uint32_t kConnectError = 10; // RFC 9113, section 7

class GuestStream : public ByteStream
{
public:
    explicit GuestStream(channel::StreamPtr stream) : m_stream(std::move(stream)) {}
    asio::awaitable<Result<std::size_t>> read(std::span<std::uint8_t> buffer) override
    {
        auto result = co_await m_stream->read(buffer);
        co_return result;
    }
    asio::awaitable<Result<void>> write(std::string_view data) override
    {
        const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
        auto result = co_await m_stream->write(bytes);
        co_return result;
    }
    asio::awaitable<void> finish() override
    {
        if (!m_finished) {
            m_finished = true;
            m_stream->finish();
        }
        co_return;
    }
    void abort() override { m_stream->reset(kConnectError); }

private:
    channel::StreamPtr m_stream;
    bool m_finished = false;
};

class SocketStream : public ByteStream
{
public:
    SocketStream(asio::io_context& io, UniqueFd fd) : m_socket(io, fd.release()) {}
    asio::awaitable<Result<std::size_t>> read(std::span<std::uint8_t> buffer) override
    {
        asio::error_code error;
        const std::size_t count = co_await m_socket.async_read_some(asio::buffer(buffer.data(), buffer.size()),
                                                                    asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::eof) {
            co_return std::size_t{0};
        }
        if (error) {
            co_return fail(ErrorCode::Closed, "The connection was lost.", error.message());
        }
        co_return count;
    }
    asio::awaitable<Result<void>> write(std::string_view data) override
    {
        asio::error_code error;
        co_await asio::async_write(m_socket, asio::buffer(data.data(), data.size()),
                                   asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return fail(ErrorCode::Closed, "The connection was lost.", error.message());
        }
        co_return Result<void>();
    }
    asio::awaitable<void> finish() override
    {
        if (m_socket.is_open()) {
            ::shutdown(m_socket.native_handle(), SHUT_WR);
        }
        co_return;
    }
    void abort() override
    {
        asio::error_code ignored;
        m_socket.close(ignored);
    }
    bool isQuiet() const
    {
        auto& socket = const_cast<asio::posix::stream_descriptor&>(m_socket);
        if (!socket.is_open()) {
            return false;
        }
        struct pollfd state = {socket.native_handle(), POLLIN, 0};
        return ::poll(&state, 1, 0) == 0;
    }

private:
    asio::posix::stream_descriptor m_socket;
};

class PrefixedStream : public ByteStream
{
public:
    PrefixedStream(std::string prefix, ByteStreamPtr stream) : m_prefix(std::move(prefix)), m_stream(std::move(stream)) {}
    asio::awaitable<Result<std::size_t>> read(std::span<std::uint8_t> buffer) override
    {
        if (m_at < m_prefix.size()) {
            const std::size_t count = std::min(buffer.size(), m_prefix.size() - m_at);
            std::copy_n(m_prefix.data() + m_at, count, buffer.data());
            m_at += count;
            if (m_at == m_prefix.size()) {
                m_prefix = std::string();
                m_at = 0;
            }
            co_return count;
        }
        auto result = co_await m_stream->read(buffer);
        co_return result;
    }
    asio::awaitable<Result<void>> write(std::string_view data) override { return m_stream->write(data); }
    asio::awaitable<void> finish() override { return m_stream->finish(); }
    void abort() override { m_stream->abort(); }

private:
    std::string m_prefix;
    std::size_t m_at = 0;
    ByteStreamPtr m_stream;
};

} // namespace

ByteStreamPtr makeGuestStream(channel::StreamPtr stream) { return std::make_shared<GuestStream>(std::move(stream)); }

ByteStreamPtr makeSocketStream(asio::io_context& io, UniqueFd fd)
{
    return std::make_shared<SocketStream>(io, std::move(fd));
}

bool isSocketQuiet(const ByteStream& stream)
{
    const auto* socket = dynamic_cast<const SocketStream*>(&stream);
    return socket && socket->isQuiet();
}

ByteStreamPtr makePrefixedStream(std::string prefix, ByteStreamPtr stream)
{
    return std::make_shared<PrefixedStream>(std::move(prefix), std::move(stream));
}

Watchdog::Watchdog(asio::io_context& io) : m_state(std::make_shared<State>(io)) {}

Watchdog::~Watchdog()
{
    disarm();
    ++m_state->generation;
    m_state->timer.cancel();
}

void Watchdog::arm(std::chrono::milliseconds limit, std::function<void()> action)
{
    m_state->limit = limit;
    m_state->action = std::move(action);
    touch();
    const auto due = m_state->last + limit;
    if (!m_state->wakesAt || *m_state->wakesAt > due) {
        wait(m_state, due);
    }
}

void Watchdog::wait(const std::shared_ptr<State>& state, std::chrono::steady_clock::time_point until)
{
    const std::uint64_t generation = ++state->generation;
    state->wakesAt = until;
    state->timer.expires_at(until);
    state->timer.async_wait([state, generation](const asio::error_code&) {
        if (state->generation != generation) {
            return;
        }
        state->wakesAt.reset();
        if (!state->action) {
            return;
        }
        const auto due = state->last + state->limit;
        if (std::chrono::steady_clock::now() < due) {
            wait(state, due);
            return;
        }
        state->fired = true;
        const std::function<void()> action = std::exchange(state->action, nullptr);
        action();
    });
}

Notifier::Notifier(asio::io_context& io) : m_timer(io) {}

asio::awaitable<void> Notifier::wait()
{
    m_timer.expires_at(asio::steady_timer::time_point::max());
    asio::error_code ignored;
    co_await m_timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<bool> Notifier::waitFor(std::chrono::milliseconds limit)
{
    const std::uint64_t before = m_count;
    m_timer.expires_after(limit);
    asio::error_code ignored;
    co_await m_timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    co_return m_count != before;
}

} // namespace coldframe::proxy
