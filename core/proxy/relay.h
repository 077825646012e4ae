// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/buffered_reader.h"
#include "proxy/key_scanner.h"
#include "proxy/streams.h"

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>

namespace coldframe::proxy {

/// What went through a tunnel, seen from the sandbox.
struct RelayResult
{
    std::uint64_t bytesIn = 0;  ///< to the sandbox
    std::uint64_t bytesOut = 0; ///< out of it
    int keyTag = -1;            ///< a stored key came back; the tunnel was cut
    int sentinelTag = -1;       ///< a sentinel was about to leave; the tunnel was cut
    bool idle = false;          ///< cut for lack of movement
    bool broken = false;        ///< cut because it was no WebSocket
};

/// A read into a reader that is under way in a coroutine of its own, so that something else can be waited for meanwhile.
struct PendingRead
{
    explicit PendingRead(asio::io_context& io) : arrived(io) {}
    BufferedReaderPtr reader;
    bool done = false;
    Result<std::size_t> count = std::size_t{0};
    Notifier arrived; ///< may also wake for other reasons
    bool hasBytes() const { return done && count && *count > 0; }
};
using PendingReadPtr = std::shared_ptr<PendingRead>;
PendingReadPtr startRead(asio::io_context& io, BufferedReaderPtr reader);

struct RelayOptions
{
    PendingReadPtr clientRead; ///< a read of the client that is still under way; null = none
    std::chrono::milliseconds idle{900'000};
    /// How long the client's half stays open after the server's end; 0 = as long as it likes (a TCP half-close).
    std::chrono::milliseconds afterServer{0};
    std::shared_ptr<const PatternSet> keys;      ///< looked for in what comes back; null = not
    std::shared_ptr<const PatternSet> sentinels; ///< looked for in what goes out; null = not
    /// Whether what may be the beginning of a key waits. Only for a server that the key belongs to: any other could spell it out from that.
    bool holdsKeys = false;
    bool isWebSocket = false; ///< both are also looked for in the frames' payloads, over the bounds of frames and below the mask
};

/// Passes bytes both ways until both sides have ended; an end is passed on as an end, a reset as a reset. Bytes already in the
/// readers go first.
asio::awaitable<RelayResult> relay(asio::io_context& io, BufferedReaderPtr client, BufferedReaderPtr server,
                                   RelayOptions options);

} // namespace coldframe::proxy
