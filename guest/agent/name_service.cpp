// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/name_service.h"

#include "guest/agent/event.h"
#include "guest/agent/listener.h"

#include <array>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>

namespace coldframe::guest {

namespace {

constexpr std::size_t kMaxQuery = 4096;
constexpr int kMaxTcpClients = 64;

/// Receives one query and sends its answer. The reply leaves from the very address the query came to: a
/// redirected query arrives at 127.0.0.1, and the kernel undoes the redirection only for a reply from there.
bool answerOne(int socket, NameMap& map)
{
    char query[kMaxQuery];
    struct sockaddr_storage peer
    {
    };
    alignas(struct cmsghdr) char control[256];
    struct iovec part
    {
        query, sizeof query
    };
    struct msghdr message
    {
    };
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket, &message, MSG_DONTWAIT);
    if (got < 0) {
        return errno != EAGAIN && errno != EWOULDBLOCK;
    }
    auto reply = answerQuery(std::string_view(query, static_cast<std::size_t>(got)),
                             [&](const std::string& name) { return resolve(map, name); });
    if (!reply) {
        return true;
    }
    part.iov_base = reply->data();
    part.iov_len = reply->size();
    for (struct cmsghdr* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info
            {
            };
            std::memcpy(&info, CMSG_DATA(item), sizeof info);
            info.ipi6_ifindex = 0; // let routing choose the interface, keep the address
            std::memcpy(CMSG_DATA(item), &info, sizeof info);
        }
    }
    ::sendmsg(socket, &message, MSG_DONTWAIT);
    return true;
}

asio::awaitable<void> serveUdp(std::shared_ptr<asio::posix::stream_descriptor> socket, NameMap& map)
{
    for (;;) {
        asio::error_code error;
        co_await socket->async_wait(asio::posix::stream_descriptor::wait_read,
                                    asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return;
        }
        for (int i = 0; i < 64 && answerOne(socket->native_handle(), map); ++i) {
        }
    }
}

asio::awaitable<void> serveClient(asio::ip::tcp::socket socket, NameMap& map, std::shared_ptr<int> clients)
{
    // A client that stays silent loses its place.
    asio::steady_timer limit(socket.get_executor(), std::chrono::seconds(10));
    limit.async_wait([&socket](const asio::error_code& error) {
        if (!error) {
            asio::error_code ignored;
            socket.close(ignored);
        }
    });
    for (;;) {
        std::array<unsigned char, 2> length{};
        asio::error_code error;
        co_await asio::async_read(socket, asio::buffer(length),
                                  asio::redirect_error(asio::use_awaitable, error));
        const std::size_t size = static_cast<std::size_t>(length[0]) << 8 | length[1];
        if (error || size == 0 || size > kMaxQuery) {
            break;
        }
        std::string query(size, '\0');
        co_await asio::async_read(socket, asio::buffer(query),
                                  asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            break;
        }
        const auto reply = answerQuery(query, [&](const std::string& name) { return resolve(map, name); });
        if (!reply) {
            break;
        }
        std::string framed;
        framed += static_cast<char>(reply->size() >> 8);
        framed += static_cast<char>(reply->size() & 0xFF);
        framed += *reply;
        co_await asio::async_write(socket, asio::buffer(framed),
                                   asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            break;
        }
    }
    limit.cancel();
    --*clients;
    // The timer's handler refers to the socket: let a cancelled one run first.
    co_await pause(
        static_cast<asio::io_context&>(asio::query(socket.get_executor(), asio::execution::context)),
        std::chrono::milliseconds(1));
}

asio::awaitable<void> serveTcp(asio::io_context& io, std::shared_ptr<asio::ip::tcp::acceptor> acceptor,
                               NameMap& map)
{
    const auto clients = std::make_shared<int>(0);
    for (;;) {
        asio::ip::tcp::socket socket(io);
        asio::error_code error;
        co_await acceptor->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (error) {
            co_await pause(io, std::chrono::milliseconds(100)); // out of descriptors
        } else if (*clients < kMaxTcpClients) {
            ++*clients;
            asio::co_spawn(io, serveClient(std::move(socket), map, clients), asio::detached);
        }
    }
}

} // namespace

Result<void> startNameService(asio::io_context& io, NameMap& map, unsigned short port)
{
    COLDFRAME_TRY(UniqueFd udp, bindAnyAddress(SOCK_DGRAM, port));
    auto datagrams = std::make_shared<asio::posix::stream_descriptor>(io, udp.release());
    COLDFRAME_TRY(auto acceptor, listenAnyAddress(io, port));
    asio::co_spawn(io, serveUdp(datagrams, map), asio::detached);
    asio::co_spawn(io, serveTcp(io, acceptor, map), asio::detached);
    return {};
}

} // namespace coldframe::guest
