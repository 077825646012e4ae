// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/refusals.h"

#include "base/log.h"
#include "base/unique_fd.h"
#include "guest/agent/event.h"
#include "guest/agent/links.h"

#include <arpa/inet.h>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <cerrno>
#include <cstring>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace coldframe::guest {

namespace {

unsigned byteAt(std::string_view text, std::size_t at)
{
    return static_cast<unsigned char>(text[at]);
}

std::string protocolName(unsigned number)
{
    switch (number) {
    case 1:
    case 58:
        return "icmp";
    case 6:
        return "tcp";
    case 17:
        return "udp";
    default:
        return "other";
    }
}

/// IPv4 (RFC 791) or IPv6 (RFC 8200) without extension headers.
std::optional<RefusedPacket> parsePacket(std::string_view packet)
{
    if (packet.empty()) {
        return std::nullopt;
    }
    RefusedPacket refused;
    unsigned protocol = 0;
    std::size_t headerSize = 0;
    char address[INET6_ADDRSTRLEN] = "";
    if (byteAt(packet, 0) >> 4 == 4 && packet.size() >= 20) {
        headerSize = (byteAt(packet, 0) & 15) * 4;
        protocol = byteAt(packet, 9);
        ::inet_ntop(AF_INET, packet.data() + 16, address, sizeof address);
    } else if (byteAt(packet, 0) >> 4 == 6 && packet.size() >= 40) {
        headerSize = 40;
        protocol = byteAt(packet, 6);
        ::inet_ntop(AF_INET6, packet.data() + 24, address, sizeof address);
    } else {
        return std::nullopt;
    }
    refused.protocol = protocolName(protocol);
    refused.host = address;
    if ((protocol == 6 || protocol == 17) && packet.size() >= headerSize + 4) {
        refused.port = byteAt(packet, headerSize + 2) << 8 | byteAt(packet, headerSize + 3);
    }
    return refused;
}

/// Netlink's attributes: length and type in host order, payload, padding to four.
template <typename F> void forEachAttribute(std::string_view attributes, F&& f)
{
    while (attributes.size() >= sizeof(struct nlattr)) {
        struct nlattr head
        {
        };
        std::memcpy(&head, attributes.data(), sizeof head);
        if (head.nla_len < sizeof head || head.nla_len > attributes.size()) {
            return;
        }
        f(head.nla_type & NLA_TYPE_MASK, attributes.substr(sizeof head, head.nla_len - sizeof head));
        attributes.remove_prefix(std::min<std::size_t>((head.nla_len + 3u) & ~3u, attributes.size()));
    }
}

std::string configMessage(unsigned char family, unsigned short group, unsigned short type,
                          std::string_view payload)
{
    struct nlmsghdr header
    {
    };
    header.nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
    header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    const struct nfgenmsg general
    {
        family, NFNETLINK_V0, htons(group)
    };
    const struct nlattr attribute
    {
        static_cast<unsigned short>(sizeof(struct nlattr) + payload.size()), type
    };
    std::string message(reinterpret_cast<const char*>(&header), sizeof header);
    message.append(reinterpret_cast<const char*>(&general), sizeof general);
    message.append(reinterpret_cast<const char*>(&attribute), sizeof attribute);
    message.append(payload);
    message.resize((message.size() + 3) & ~std::size_t{3});
    const auto size = static_cast<std::uint32_t>(message.size());
    std::memcpy(message.data(), &size, sizeof size);
    return message;
}

Result<void> configure(int socket, const std::string& message)
{
    char reply[4096];
    if (::send(socket, message.data(), message.size(), 0) < 0 || ::recv(socket, reply, sizeof reply, 0) < 0) {
        return failErrno("Refused packets cannot be recorded.", errno);
    }
    struct nlmsgerr error
    {
    };
    std::memcpy(&error, reply + sizeof(struct nlmsghdr), sizeof error);
    if (error.error != 0) {
        return failErrno("Refused packets cannot be recorded.", -error.error);
    }
    return {};
}

} // namespace

std::vector<RefusedPacket> parseNflog(std::string_view datagram)
{
    std::vector<RefusedPacket> found;
    while (datagram.size() >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr header
        {
        };
        std::memcpy(&header, datagram.data(), sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) {
            break;
        }
        const std::size_t bodyAt = sizeof header + sizeof(struct nfgenmsg);
        if (header.nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) && header.nlmsg_len >= bodyAt) {
            std::optional<RefusedPacket> packet;
            bool forwarded = false;
            forEachAttribute(
                datagram.substr(bodyAt, header.nlmsg_len - bodyAt), [&](int type, std::string_view data) {
                    if (type == NFULA_PAYLOAD) {
                        packet = parsePacket(data);
                    } else if (type == NFULA_IFINDEX_INDEV) {
                        forwarded = true; // it came in somewhere, so it is not a process of this machine
                    }
                });
            if (packet) {
                packet->fromContainer = forwarded;
                found.push_back(std::move(*packet));
            }
        }
        datagram.remove_prefix(std::min<std::size_t>((header.nlmsg_len + 3u) & ~3u, datagram.size()));
    }
    return found;
}

Result<void> Refusals::start()
{
    UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!socket) {
        return failErrno("Refused packets cannot be recorded.", errno);
    }
    const struct nfulnl_msg_config_cmd bind
    {
        NFULNL_CFG_CMD_BIND
    };
    struct nfulnl_msg_config_mode mode
    {
    };
    mode.copy_range = htonl(128);
    mode.copy_mode = NFULNL_COPY_PACKET;
    COLDFRAME_CHECK(
        configure(socket.get(), configMessage(AF_UNSPEC, kNflogGroup, NFULA_CFG_CMD,
                                              {reinterpret_cast<const char*>(&bind), sizeof bind})));
    COLDFRAME_CHECK(
        configure(socket.get(), configMessage(AF_UNSPEC, kNflogGroup, NFULA_CFG_MODE,
                                              {reinterpret_cast<const char*>(&mode), sizeof mode})));
    m_socket.emplace(m_io, socket.release());
    m_socket->non_blocking(true);
    asio::co_spawn(m_io, listen(), asio::detached);
    asio::co_spawn(m_io, report(), asio::detached);
    return {};
}

void Refusals::add(RefusedPacket packet)
{
    std::tuple key(packet.protocol, packet.host, packet.port, packet.fromContainer);
    if (m_counts.size() >= kMaxEntries && !m_counts.contains(key)) {
        key = std::tuple(packet.protocol, std::string("(many)"), 0u, packet.fromContainer);
    }
    ++m_counts[key];
}

asio::awaitable<void> Refusals::listen()
{
    std::string buffer(64 * 1024, '\0');
    for (;;) {
        asio::error_code error;
        const std::size_t got = co_await m_socket->async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (error) {
            co_await pause(m_io,
                           std::chrono::milliseconds(100)); // ENOBUFS: some were lost; the rest counts on
            continue;
        }
        for (RefusedPacket& packet : parseNflog(std::string_view(buffer).substr(0, got))) {
            in_addr address{};
            if (::inet_pton(AF_INET, packet.host.c_str(), &address) == 1) {
                packet.host = m_names.nameOf(ntohl(address.s_addr)).value_or(packet.host);
            }
            add(std::move(packet));
        }
    }
}

asio::awaitable<void> Refusals::report()
{
    for (;;) {
        co_await pause(m_io, std::chrono::seconds(1));
        if (m_counts.empty() || !m_net || !m_net->isAlive()) {
            continue;
        }
        auto list = nlohmann::json::array();
        for (const auto& [key, count] : m_counts) {
            nlohmann::json entry;
            entry["protocol"] = std::get<0>(key);
            entry["host"] = std::get<1>(key);
            entry["port"] = std::get<2>(key);
            entry["count"] = count;
            entry["source"] = std::get<3>(key) ? "container" : "process";
            list.push_back(std::move(entry));
        }
        nlohmann::json body;
        body["refused"] = std::move(list);
        const std::string text = body.dump();
        channel::Headers headers;
        headers[":method"] = "POST";
        headers[":scheme"] = "http";
        headers[":path"] = "/report";
        headers[":authority"] = "coldframe";
        auto stream = m_net->open(headers);
        if (!stream) {
            continue;
        }
        m_counts.clear();
        const auto written = co_await (*stream)->write(
            std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
        if (written) {
            (*stream)->finish();
            (void)co_await (*stream)->responseHeaders();
        }
    }
}

} // namespace coldframe::guest
