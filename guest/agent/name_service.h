// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "guest/agent/names.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

namespace coldframe::guest {

/// Answers DNS over UDP and TCP, IPv4 and IPv6, on `port` of every address: nftables redirects all of port 53
/// there. Runs for ever; `map` must live as long as the io_context.
Result<void> startNameService(asio::io_context& io, NameMap& map, unsigned short port);

} // namespace coldframe::guest
