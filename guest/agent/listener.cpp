// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/listener.h"

#include <cerrno>
#include <cstring>
#include <ifaddrs.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace coldframe::guest {

namespace {

constexpr int kIp6OriginalDestination = 80; // IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h

void enable(int socket, int level, int option, int value = 1)
{
    ::setsockopt(socket, level, option, &value, sizeof value);
}

} // namespace

Result<UniqueFd> bindAnyAddress(int type, unsigned short port)
{
    UniqueFd socket(::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket) {
        enable(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
        enable(socket.get(), SOL_SOCKET, SO_REUSEADDR);
        if (type == SOCK_DGRAM) {
            enable(socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO); // also given for IPv4, in mapped form
        }
        struct sockaddr_in6 any
        {
        };
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(port);
        if (::bind(socket.get(), reinterpret_cast<const struct sockaddr*>(&any), sizeof any) == 0) {
            return socket;
        }
    }
    socket.reset(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket) {
        enable(socket.get(), SOL_SOCKET, SO_REUSEADDR);
        if (type == SOCK_DGRAM) {
            enable(socket.get(), IPPROTO_IP, IP_PKTINFO);
        }
        struct sockaddr_in any
        {
        };
        any.sin_family = AF_INET;
        any.sin_port = htons(port);
        if (::bind(socket.get(), reinterpret_cast<const struct sockaddr*>(&any), sizeof any) == 0) {
            return socket;
        }
    }
    return failErrno("Cannot use port " + std::to_string(port) + ".", errno);
}

Result<std::shared_ptr<asio::ip::tcp::acceptor>> listenAnyAddress(asio::io_context& io, unsigned short port)
{
    COLDFRAME_TRY(UniqueFd socket, bindAnyAddress(SOCK_STREAM, port));
    int domain = AF_INET6;
    socklen_t size = sizeof domain;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size);
    if (::listen(socket.get(), 1024) != 0) {
        return failErrno("Cannot listen on port " + std::to_string(port) + ".", errno);
    }
    return std::make_shared<asio::ip::tcp::acceptor>(
        io, domain == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), socket.release());
}

asio::ip::address unmapped(const asio::ip::address& address)
{
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    return address;
}

Result<asio::ip::tcp::endpoint> originalDestination(int socket)
{
    struct sockaddr_storage peer
    {
    };
    socklen_t size = sizeof peer;
    ::getpeername(socket, reinterpret_cast<struct sockaddr*>(&peer), &size);
    const bool isV6 = peer.ss_family == AF_INET6 &&
                      !IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const struct sockaddr_in6*>(&peer)->sin6_addr);
    if (isV6) {
        struct sockaddr_in6 to
        {
        };
        size = sizeof to;
        if (::getsockopt(socket, IPPROTO_IPV6, kIp6OriginalDestination, &to, &size) != 0) {
            return failErrno("The connection was not redirected.", errno);
        }
        asio::ip::address_v6::bytes_type bytes;
        std::memcpy(bytes.data(), &to.sin6_addr, bytes.size());
        return asio::ip::tcp::endpoint(asio::ip::address_v6(bytes), ntohs(to.sin6_port));
    }
    struct sockaddr_in to
    {
    };
    size = sizeof to;
    if (::getsockopt(socket, IPPROTO_IP, SO_ORIGINAL_DST, &to, &size) != 0) {
        return failErrno("The connection was not redirected.", errno);
    }
    return asio::ip::tcp::endpoint(asio::ip::address_v4(ntohl(to.sin_addr.s_addr)), ntohs(to.sin_port));
}

bool isOwnAddress(const asio::ip::address& address)
{
    const asio::ip::address wanted = unmapped(address);
    if (wanted.is_loopback()) {
        return true;
    }
    struct ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) {
        return false;
    }
    bool found = false;
    for (const struct ifaddrs* entry = all; entry && !found; entry = entry->ifa_next) {
        if (!entry->ifa_addr) {
            continue;
        }
        if (wanted.is_v4() && entry->ifa_addr->sa_family == AF_INET) {
            found = ntohl(reinterpret_cast<const struct sockaddr_in*>(entry->ifa_addr)->sin_addr.s_addr) ==
                    wanted.to_v4().to_uint();
        } else if (wanted.is_v6() && entry->ifa_addr->sa_family == AF_INET6) {
            const auto bytes = wanted.to_v6().to_bytes();
            found = std::memcmp(&reinterpret_cast<const struct sockaddr_in6*>(entry->ifa_addr)->sin6_addr,
                                bytes.data(), bytes.size()) == 0;
        }
    }
    ::freeifaddrs(all);
    return found;
}

void resetAndClose(asio::ip::tcp::socket& socket)
{
    asio::error_code ignored;
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

} // namespace coldframe::guest
