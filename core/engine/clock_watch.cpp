// SPDX-License-Identifier: Apache-2.0
#include "engine/clock_watch.h"

#include "base/log.h"
#include "engine/deadline.h"

#include <ctime>

namespace coldframe::engine {

using namespace std::chrono_literals;

namespace {

constexpr auto kTolerance = 500ms;

std::chrono::nanoseconds read(clockid_t clock)
{
    struct timespec value{};
    ::clock_gettime(clock, &value);
    return std::chrono::seconds(value.tv_sec) + std::chrono::nanoseconds(value.tv_nsec);
}

bool movedApart(std::chrono::nanoseconds before, std::chrono::nanoseconds after)
{
    return after - before > kTolerance || before - after > kTolerance;
}

} // namespace

HostClocks HostClocks::now() { return {read(CLOCK_REALTIME), read(CLOCK_MONOTONIC), read(CLOCK_BOOTTIME)}; }

bool ClockWatch::hasJumped(const HostClocks& now)
{
    const bool jumped = m_last && (movedApart(m_last->real - m_last->monotonic, now.real - now.monotonic)
                                   || movedApart(m_last->boot - m_last->monotonic, now.boot - now.monotonic));
    m_last = now;
    return jumped;
}

asio::awaitable<void> keepGuestClocks(asio::io_context& io, Registry& registry)
{
    ClockWatch watch;
    while (!io.stopped()) {
        if (watch.hasJumped(HostClocks::now())) {
            logInfo("engine", "the computer slept, or its clock was set: the sandboxes are told the time");
            for (const auto& sandbox : registry.all()) {
                co_await sandbox->renewClock();
            }
        }
        co_await pause(5s);
    }
}

} // namespace coldframe::engine
