// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/registry.h"

#include <chrono>
#include <optional>

namespace coldframe::engine {

/// The host's clocks at one moment (clock_gettime(2)).
struct HostClocks
{
    std::chrono::nanoseconds real{};      ///< CLOCK_REALTIME
    std::chrono::nanoseconds monotonic{}; ///< CLOCK_MONOTONIC: stands still while the host sleeps
    std::chrono::nanoseconds boot{};      ///< CLOCK_BOOTTIME: does not

    static HostClocks now();
};

/// Tells whether the host slept, or its time was set, since it was last asked: its clocks moved apart by more than half a
/// second. What a guest takes for the time is wrong then.
class ClockWatch
{
public:
    bool hasJumped(const HostClocks& now);

private:
    std::optional<HostClocks> m_last;
};

/// Every five seconds; after a jump each running sandbox is told the time.
asio::awaitable<void> keepGuestClocks(asio::io_context& io, Registry& registry);

} // namespace coldframe::engine
