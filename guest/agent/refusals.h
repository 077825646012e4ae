// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "channel/connection.h"
#include "guest/agent/names.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace coldframe::guest {

/// One refused packet, from the copy that the kernel logged.
struct RefusedPacket
{
    std::string protocol; ///< "udp", "icmp", "tcp" or "other"
    std::string host;     ///< the destination's address
    unsigned port = 0;    ///< 0 without ports
    bool fromContainer = false;

    bool operator==(const RefusedPacket&) const = default;
};

/// The packets in what one read of an NFLOG socket gave (linux/netfilter/nfnetlink_log.h).
std::vector<RefusedPacket> parseNflog(std::string_view datagram);

/// Tells the host which packets were refused, each destination with a count, once a second while there are
/// some. These are the guest's own words: what enforces is that there is no network card.
class Refusals
{
public:
    static constexpr std::size_t kMaxEntries =
        1024; ///< more destinations in a second are counted under "(many)"

    Refusals(asio::io_context& io, channel::Connection* net, const NameMap& names)
        : m_io(io), m_net(net), m_names(names)
    {
    }
    Result<void> start();
    void add(RefusedPacket packet);

private:
    asio::awaitable<void> listen();
    asio::awaitable<void> report();

    asio::io_context& m_io;
    channel::Connection* m_net;
    const NameMap& m_names;
    std::optional<asio::posix::stream_descriptor> m_socket;
    std::map<std::tuple<std::string, std::string, unsigned, bool>, std::uint64_t> m_counts;
};

} // namespace coldframe::guest
