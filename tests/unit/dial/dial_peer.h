// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "policy/policy.h"

#include <arpa/inet.h>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <utility>

/// The proxy's end of a dialler, blocking with a deadline.
struct DialReply
{
    nlohmann::json json;
    coldframe::UniqueFd socket;
    bool ok() const { return json.value("ok", false); }
    std::string reason() const { return json.value("reason", ""); }
};

inline std::pair<coldframe::UniqueFd, coldframe::UniqueFd> socketPair(int type)
{
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) {
        qFatal("socketpair failed");
    }
    return {coldframe::UniqueFd(fds[0]), coldframe::UniqueFd(fds[1])};
}

inline void sendRequest(int fd, const char* id, const std::string& host, std::uint16_t port)
{
    const std::string text = nlohmann::json{{"id", id}, {"host", host}, {"port", port}, {"kind", "name"}}.dump();
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
        qFatal("send failed");
    }
}

inline bool readable(int fd, int milliseconds)
{
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, milliseconds) == 1;
}

inline std::optional<DialReply> takeReply(int fd, int milliseconds = 15000)
{
    if (!readable(fd, milliseconds)) {
        return std::nullopt;
    }
    char buffer[8192];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec data{buffer, sizeof buffer};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (count <= 0) {
        return std::nullopt;
    }
    DialReply reply;
    reply.json = nlohmann::json::parse(std::string(buffer, static_cast<std::size_t>(count)), nullptr, false);
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header && header->cmsg_type == SCM_RIGHTS) {
        int received = -1;
        std::memcpy(&received, CMSG_DATA(header), sizeof received);
        reply.socket.reset(received);
    }
    return reply;
}

/// A real server on 127.0.0.1.
class LoopbackServer
{
public:
    LoopbackServer() : m_socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        if (::bind(m_socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(m_socket.get(), 128) != 0
            || ::getsockname(m_socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
            qFatal("no loopback server");
        }
        m_port = ntohs(address.sin_port);
    }

    std::uint16_t port() const { return m_port; }
    bool wasReached(int milliseconds) const { return readable(m_socket.get(), milliseconds); }

    /// Accepts, sends `text`, and says whether it arrived through `client`.
    bool talksTo(int client) const
    {
        if (!wasReached(5000)) {
            return false;
        }
        const coldframe::UniqueFd accepted(::accept4(m_socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        char buffer[5] = {};
        return ::send(accepted.get(), "hello", 5, MSG_NOSIGNAL) == 5 && readable(client, 5000)
               && ::recv(client, buffer, sizeof buffer, 0) == 5 && std::memcmp(buffer, "hello", 5) == 0;
    }

private:
    coldframe::UniqueFd m_socket;
    std::uint16_t m_port = 0;
};

inline std::string policyLine(const char* type, const coldframe::policy::PolicySet& policy)
{
    return "{\"type\":\"" + std::string(type) + "\",\"policy\":" + coldframe::policy::toJson(policy) + "}\n";
}

inline coldframe::policy::Rule allowRule(const std::string& pattern)
{
    coldframe::policy::Rule rule;
    rule.id = pattern;
    rule.action = coldframe::policy::Action::Allow;
    rule.pattern = pattern;
    return rule;
}
