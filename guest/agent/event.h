// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

namespace coldframe::guest {

/// Wakes every coroutine that waits. One thread only, so "check, then wait" has no gap. Waiters keep the
/// owner alive.
class Event
{
public:
    explicit Event(asio::io_context& io) : m_timer(io, asio::steady_timer::time_point::max()) {}
    void notify() { m_timer.cancel(); }
    asio::awaitable<void> wait()
    {
        asio::error_code cancelled;
        co_await m_timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }

private:
    asio::steady_timer m_timer;
};

/// Pauses a coroutine.
inline asio::awaitable<void> pause(asio::io_context& io, std::chrono::milliseconds time)
{
    asio::steady_timer timer(io, time);
    asio::error_code cancelled;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

} // namespace coldframe::guest
