// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace coldframe::engine {

namespace detail {
template <typename F> asio::awaitable<std::invoke_result_t<F>> invokeThere(F f) { co_return f(); }
} // namespace detail

/// Runs f on the pool and resumes the caller on its own executor with f's result. For libvirt calls, scans, builds.
/// Give it a named lambda, moved: GCC 12 destroys a capturing lambda twice that is a temporary of a co_await expression.
template <typename F> asio::awaitable<std::invoke_result_t<F>> onPool(asio::thread_pool& pool, F f)
{
    co_return co_await asio::co_spawn(pool, detail::invokeThere(std::move(f)), asio::use_awaitable);
}

} // namespace coldframe::engine
