// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace coldframe::engine {

/// Calls `expire` once when the time is over, unless destroyed before. For operations that end when their
/// stream or socket is closed. On the executor's one thread.
class Deadline
{
public:
    template <typename Executor>
    Deadline(const Executor& executor, std::chrono::milliseconds after, std::function<void()> expire)
        : m_timer(std::make_shared<asio::steady_timer>(executor, after)), m_expired(std::make_shared<bool>(false))
    {
        m_timer->async_wait([timer = m_timer, expired = m_expired, expire = std::move(expire)](std::error_code error) {
            if (!error) {
                *expired = true;
                expire();
            }
        });
    }
    ~Deadline() { m_timer->cancel(); }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    bool hasExpired() const { return *m_expired; }

private:
    std::shared_ptr<asio::steady_timer> m_timer;
    std::shared_ptr<bool> m_expired;
};

inline asio::awaitable<void> pause(std::chrono::milliseconds time)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    std::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

} // namespace coldframe::engine
