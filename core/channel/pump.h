// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/connection.h"

#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>

namespace coldframe::channel {

struct PumpTotals
{
    std::uint64_t toStream = 0;   ///< bytes read from the descriptor and accepted by the stream
    std::uint64_t fromStream = 0; ///< bytes read from the stream and written to the descriptor
    /// Both directions came to their end (FIN); false when either was reset or failed.
    bool isClean = false;
};

/// Copies both ways until both directions have ended. An end of file on the descriptor becomes END_STREAM, END_STREAM
/// becomes shutdown(SHUT_WR) where the descriptor is a socket. A reset or failure on one side resets the other: the
/// stream with CONNECT_ERROR, a TCP socket by RST (linger 0). The descriptor is closed at the end either way.
/// The stream must be open for writing (at the server: after respond()). Both live until this returns.
asio::awaitable<PumpTotals> pump(Stream& stream, asio::posix::stream_descriptor& descriptor);

} // namespace coldframe::channel
