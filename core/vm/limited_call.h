// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log.h"
#include "base/result.h"

#include <chrono>
#include <future>
#include <memory>
#include <thread>

namespace coldframe::vm {

/// Runs `call` (returning a Result) on a thread of its own and waits at most `limit`; libvirt's calls know no time
/// limit themselves. After a Timeout the call goes on unattended, so it must own all it touches.
template <typename F> auto limitedCall(std::chrono::milliseconds limit, const char* timeoutMessage, F call) -> decltype(call())
{
    using Outcome = decltype(call());
    auto promise = std::make_shared<std::promise<Outcome>>();
    auto future = promise->get_future();
    std::thread([promise, call = std::move(call)]() mutable {
        if (!topCatchAll("libvirt", [&] { promise->set_value(call()); })) {
            topCatchAll("libvirt", [&] { promise->set_value(fail(ErrorCode::Internal, "An internal error stopped the call.")); });
        }
    }).detach();
    if (future.wait_for(limit) != std::future_status::ready) {
        return fail(ErrorCode::Timeout, timeoutMessage);
    }
    return future.get();
}

} // namespace coldframe::vm
