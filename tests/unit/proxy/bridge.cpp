// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <arpa/inet.h>
#include <array>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace proxytest {

using coldframe::UniqueFd;

namespace {

/// False at the end of either side.
bool passOn(int from, int to)
{
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(from, buffer.data(), buffer.size(), 0);
    for (ssize_t sent = 0; sent < count;) {
        const ssize_t more = ::send(to, buffer.data() + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
        if (more <= 0) {
            return false;
        }
        sent += more;
    }
    return count > 0;
}

} // namespace

void carryBothWays(int client, int guest)
{
    std::array<struct pollfd, 2> sides = {{{client, POLLIN, 0}, {guest, POLLIN, 0}}};
    while (sides[0].fd >= 0 && sides[1].fd >= 0 && ::poll(sides.data(), sides.size(), -1) > 0) {
        for (std::size_t side = 0; side < sides.size(); ++side) {
            const int to = side == 0 ? guest : client;
            if (sides[side].revents != 0 && !passOn(side == 0 ? client : guest, to)) {
                ::shutdown(to, SHUT_WR);
                sides[0].fd = side == 0 ? -1 : sides[0].fd;
                sides[1].fd = side == 1 ? -1 : sides[1].fd;
            }
        }
    }
    // One direction has ended; what the other still has comes until it ends too.
    while (sides[0].fd >= 0 && passOn(client, guest)) {
    }
    while (sides[1].fd >= 0 && passOn(guest, client)) {
    }
}

Bridge::Bridge(Harness& harness, std::string authority) : m_harness(harness), m_authority(std::move(authority))
{
    m_listener = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(m_listener.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address);
    ::listen(m_listener.get(), 128);
    socklen_t size = sizeof address;
    ::getsockname(m_listener.get(), reinterpret_cast<struct sockaddr*>(&address), &size);
    m_port = ntohs(address.sin_port);
    m_acceptor = std::thread([this] {
        while (true) {
            const int fd = ::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) {
                return;
            }
            const std::lock_guard lock(m_mutex);
            m_open.push_back(fd);
            m_threads.emplace_back([this, fd] { carry(fd); });
        }
    });
}

Bridge::~Bridge()
{
    ::shutdown(m_listener.get(), SHUT_RDWR);
    m_acceptor.join();
    {
        const std::lock_guard lock(m_mutex);
        for (const int fd : m_open) {
            ::shutdown(fd, SHUT_RDWR);
        }
    }
    for (std::thread& thread : m_threads) {
        thread.join();
    }
}

void Bridge::carry(int fd)
{
    const UniqueFd client(fd);
    const Harness::Opened opened = m_harness.connect(m_authority);
    if (opened.wire) {
        carryBothWays(fd, opened.wire->fd());
    }
    const std::lock_guard lock(m_mutex);
    std::erase(m_open, fd);
}

} // namespace proxytest
