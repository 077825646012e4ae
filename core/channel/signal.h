// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

namespace coldframe::channel {

/// Wakes the coroutines that wait now; it remembers nothing, so they wait in a loop around their condition.
/// On one io_context thread. notify() runs nobody at once, so it may be called from anywhere on that thread.
class Signal
{
public:
    explicit Signal(asio::io_context& io) : m_timer(io, asio::steady_timer::time_point::max()) {}

    void notify() { m_timer.cancel(); }

    asio::awaitable<void> wait()
    {
        asio::error_code cancelled; // by notify(); a real cancellation throws at the caller's next co_await
        co_await m_timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }

private:
    asio::steady_timer m_timer;
};

} // namespace coldframe::channel
