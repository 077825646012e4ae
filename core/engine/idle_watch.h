// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/server.h"
#include "engine/registry.h"

#include <functional>

namespace coldframe::engine {

/// Calls `quit` when for settings.idleMinutes no sandbox was active, no client connected and no call running.
asio::awaitable<void> leaveWhenIdle(asio::io_context& io, api::Server& server, Registry& registry, Settings& settings,
                                    std::function<void()> quit);

} // namespace coldframe::engine
