// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <memory>

namespace coldframe::guest {

/// A socket on every IPv4 and IPv6 address (IPv4 alone where the kernel has no IPv6); datagram sockets also
/// report the address each packet came to.
Result<UniqueFd> bindAnyAddress(int type, unsigned short port);
Result<std::shared_ptr<asio::ip::tcp::acceptor>> listenAnyAddress(asio::io_context& io, unsigned short port);

/// Where a redirected connection wanted to go (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST); IPv4 is never in
/// mapped form.
Result<asio::ip::tcp::endpoint> originalDestination(int socket);

/// Is it an address of this machine, so that the peer is one of its own processes?
bool isOwnAddress(const asio::ip::address& address);

/// Closes with a reset instead of an orderly end.
void resetAndClose(asio::ip::tcp::socket& socket);

/// ::ffff:a.b.c.d as a.b.c.d, all else unchanged.
asio::ip::address unmapped(const asio::ip::address& address);

} // namespace coldframe::guest
