// SPDX-License-Identifier: Apache-2.0
#include "proxy/dial_link.h"

#include "base/log.h"
#include "proxy/streams.h"

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <utility>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kCategory = "proxy.dial";

struct Waiting
{
    explicit Waiting(asio::io_context& io) : arrived(io) {}
    Notifier arrived;
    bool done = false;
    Result<DialAnswer> answer = fail(ErrorCode::Unavailable, "The dialler is gone.");
};

/// One packet and the descriptor in it. An empty text = nothing there.
struct Packet
{
    std::string text;
    UniqueFd fd;
    bool ended = false;
};

Packet receivePacket(int socket)
{
    Packet packet;
    std::array<char, 4096> buffer{};
    alignas(struct cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 4)> control{};
    struct iovec part = {buffer.data(), buffer.size()};
    struct msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count <= 0) {
        packet.ended = count == 0 || (errno != EAGAIN && errno != EINTR);
        return packet;
    }
    for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t descriptors = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < descriptors; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            packet.fd.reset(fd); // only one is ever sent; an earlier one would be closed
        }
    }
    packet.text.assign(buffer.data(), static_cast<std::size_t>(count));
    return packet;
}

std::string textOf(const nlohmann::json& json, const char* name)
{
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace

struct DialLink::State
{
    State(asio::io_context& context, UniqueFd fd) : io(context), socket(context, fd.release()) {}
    asio::io_context& io;
    asio::posix::stream_descriptor socket;
    std::map<std::string, std::shared_ptr<Waiting>> waiting;
    std::uint64_t lastId = 0;
    std::function<void()> onGone;
    bool gone = false;
};

DialLink::DialLink(asio::io_context& io, UniqueFd fd) : m_state(std::make_shared<State>(io, std::move(fd))) {}

DialLink::~DialLink()
{
    m_state->gone = true;
    asio::error_code ignored;
    m_state->socket.close(ignored);
    for (auto& [id, waiting] : m_state->waiting) {
        waiting->done = true;
        waiting->arrived.notify();
    }
}

void DialLink::start(std::function<void()> onGone)
{
    m_state->onGone = std::move(onGone);
    asio::co_spawn(m_state->io, readLoop(m_state), asio::detached);
}

asio::awaitable<void> DialLink::readLoop(std::shared_ptr<State> state)
{
    while (!state->gone) {
        asio::error_code error;
        co_await state->socket.async_wait(asio::posix::stream_descriptor::wait_read,
                                          asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            break;
        }
        Packet packet = receivePacket(state->socket.native_handle());
        if (packet.ended) {
            logError(kCategory, "The dialler is gone; nothing can be reached any more.");
            break;
        }
        const nlohmann::json json = nlohmann::json::parse(packet.text, nullptr, false);
        if (!json.is_object()) {
            continue;
        }
        const auto found = state->waiting.find(textOf(json, "id"));
        if (found == state->waiting.end()) {
            continue; // given up meanwhile; the descriptor closes
        }
        const std::shared_ptr<Waiting> waiting = found->second;
        DialAnswer answer;
        answer.address = textOf(json, "address");
        answer.rule = textOf(json, "rule");
        answer.reason = textOf(json, "reason");
        const bool ok = json.contains("ok") && json["ok"].is_boolean() && json["ok"].get<bool>();
        if (ok && packet.fd) {
            answer.fd = std::move(packet.fd);
            waiting->answer = std::move(answer);
        } else if (!ok && !answer.rule.empty()) {
            waiting->answer = std::move(answer);
        } else {
            waiting->answer = fail(ErrorCode::Unavailable,
                                   answer.reason.empty() ? std::string("The connection could not be made.") : answer.reason);
        }
        waiting->done = true;
        waiting->arrived.notify();
    }
    const std::function<void()> onGone = state->gone ? nullptr : std::exchange(state->onGone, {});
    state->gone = true;
    for (auto& [id, waiting] : state->waiting) {
        waiting->done = true;
        waiting->arrived.notify();
    }
    if (onGone) {
        onGone();
    }
}

asio::awaitable<Result<DialAnswer>> DialLink::dial(const Identity& identity, std::chrono::milliseconds limit)
{
    const std::shared_ptr<State> state = m_state;
    if (state->gone) {
        co_return fail(ErrorCode::Unavailable, "The dialler is gone; nothing can be reached.");
    }
    const std::string id = std::to_string(++state->lastId);
    const std::string request = nlohmann::json({{"id", id}, {"host", identity.host}, {"port", identity.port},
                                                {"kind", identity.kind}})
                                    .dump();
    while (true) {
        const ssize_t sent = ::send(state->socket.native_handle(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            break;
        }
        if (errno != EAGAIN && errno != EINTR) {
            co_return fail(ErrorCode::Unavailable, "The dialler is gone; nothing can be reached.", std::strerror(errno));
        }
        asio::error_code error;
        co_await state->socket.async_wait(asio::posix::stream_descriptor::wait_write,
                                          asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return fail(ErrorCode::Unavailable, "The dialler is gone; nothing can be reached.");
        }
    }
    auto waiting = std::make_shared<Waiting>(state->io);
    state->waiting[id] = waiting;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!waiting->done) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            waiting->answer = fail(ErrorCode::Timeout, "The connection to " + identity.host + " was not made in time.");
            break;
        }
        co_await waiting->arrived.waitFor(left);
    }
    state->waiting.erase(id);
    if (waiting->answer && waiting->answer->fd) {
        const int one = 1; // small messages go at once; fails harmlessly on what is no TCP socket
        ::setsockopt(waiting->answer->fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    co_return std::move(waiting->answer);
}

} // namespace coldframe::proxy
