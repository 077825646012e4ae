// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>

namespace coldframe::proxy {

/// Every bound of a proxy process. The defaults are the product's; tests shorten the times.
struct Limits
{
    std::size_t maxConnections = 512;      ///< tunnels at a time; more are answered 503
    std::size_t maxStreams = 2048;         ///< HTTP/2 requests at a time over all connections; more are refused
    std::size_t maxPendingAsks = 64;
    std::size_t maxBufferedEvents = 4096;  ///< unsent log lines; more mean no new connections (HAZARDS 7)
    std::size_t maxBufferedBytes = 4u << 20;
    std::size_t maxIdleUpstreams = 32;
    std::chrono::milliseconds silence{300};             ///< a client this quiet may wait for the server to speak first
    std::chrono::milliseconds firstByte{60'000};        ///< emulated guests are slow between connect and the first byte
    std::chrono::milliseconds head{30'000};             ///< a request head or TLS hand-shake must be complete by then
    std::chrono::milliseconds idleBetweenRequests{300'000};
    std::chrono::milliseconds idleStream{900'000};      ///< no byte in either direction of a body, a WebSocket, a tunnel
    std::chrono::milliseconds dial{60'000};
    std::chrono::milliseconds upstreamHandshake{30'000};
    std::chrono::milliseconds ask{300'000};
    std::chrono::milliseconds upstreamIdle{20'000};     ///< an unused upstream connection is kept this long
    std::chrono::milliseconds alone{600'000};           ///< without an engine, the process leaves after this
    std::chrono::milliseconds adopt{5'000};
    std::chrono::milliseconds openReport{5'000};        ///< what is open for longer is on record before its end
};

} // namespace coldframe::proxy
