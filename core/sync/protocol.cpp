// SPDX-License-Identifier: Apache-2.0
#include "sync/protocol.h"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace coldframe::sync {

namespace {

constexpr std::size_t kHeaderBytes = 5;

std::uint32_t decodeLength(const char* data)
{
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
        value = (value << 8) | static_cast<std::uint8_t>(data[i]);
    }
    return value;
}

Result<void> waitFor(int fd, short events, std::chrono::milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd entry{fd, events, 0};
        const int ready = ::poll(&entry, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
        if (ready > 0) {
            return {};
        }
        if (ready == 0) {
            return fail(ErrorCode::Timeout, "The other side of the workspace sync does not answer.");
        }
        if (errno != EINTR) {
            return failErrno("Cannot wait for the workspace sync stream.", errno);
        }
    }
}

} // namespace

Result<bool> MessageParser::next(Message& message)
{
    if (buffered() < kHeaderBytes) {
        return false;
    }
    const char* data = m_buffer.data() + m_consumed;
    const std::uint32_t length = decodeLength(data);
    const auto type = static_cast<std::uint8_t>(data[4]);
    if (length == 0 || length > kMaxMessageBytes || type == 0 || type > static_cast<std::uint8_t>(kLastMessageType)) {
        return fail(ErrorCode::Protocol, "The workspace sync stream is damaged.",
                    "length " + std::to_string(length) + ", type " + std::to_string(type));
    }
    if (buffered() < 4 + length) {
        return false;
    }
    message.type = static_cast<MessageType>(type);
    message.payload.assign(data + kHeaderBytes, length - 1);
    m_consumed += 4 + length;
    if (m_consumed == m_buffer.size()) {
        m_buffer.clear();
        m_consumed = 0;
    } else if (m_consumed > (1u << 20)) {
        m_buffer.erase(0, m_consumed);
        m_consumed = 0;
    }
    return true;
}

Result<void> MessageStream::send(MessageType type, std::string_view payload)
{
    if (payload.size() + 1 > kMaxMessageBytes) {
        return fail(ErrorCode::Internal, "A workspace sync message is too long.");
    }
    Writer header;
    header.u32(static_cast<std::uint32_t>(payload.size() + 1));
    header.u8(static_cast<std::uint8_t>(type));
    m_out.append(header.data());
    m_out.append(payload);
    if (m_out.size() >= (256u << 10)) {
        return flush();
    }
    return {};
}

Result<void> MessageStream::flush()
{
    std::size_t sent = 0;
    while (sent < m_out.size()) {
        const ssize_t put = ::send(m_fd, m_out.data() + sent, m_out.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put > 0) {
            sent += static_cast<std::size_t>(put);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            COLDFRAME_CHECK(waitFor(m_fd, POLLOUT, m_idleLimit));
            continue;
        }
        if (errno != EINTR) {
            return fail(ErrorCode::Closed, "The workspace sync stream ended.");
        }
    }
    m_out.clear();
    return {};
}

Result<void> MessageStream::fill(std::chrono::milliseconds wait)
{
    char buffer[65536];
    for (;;) {
        const ssize_t got = ::recv(m_fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (got > 0) {
            m_parser.feed({buffer, static_cast<std::size_t>(got)});
            return {};
        }
        if (got == 0) {
            return fail(ErrorCode::Closed, "The workspace sync stream ended.");
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            COLDFRAME_CHECK(waitFor(m_fd, POLLIN, wait));
            continue;
        }
        if (errno != EINTR) {
            return fail(ErrorCode::Closed, "The workspace sync stream ended.");
        }
    }
}

Result<Message> MessageStream::receive()
{
    if (m_hasReady) {
        m_hasReady = false;
        return std::move(m_ready);
    }
    COLDFRAME_CHECK(flush());
    Message message;
    for (;;) {
        COLDFRAME_TRY(const bool complete, m_parser.next(message));
        if (complete) {
            return message;
        }
        COLDFRAME_CHECK(fill(m_idleLimit));
    }
}

Result<bool> MessageStream::pending()
{
    if (!m_hasReady) {
        COLDFRAME_TRY(m_hasReady, m_parser.next(m_ready));
    }
    if (m_hasReady) {
        return true;
    }
    pollfd entry{m_fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

} // namespace coldframe::sync
