// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/registry.h"

namespace coldframe::engine {

/// How often a sandbox is looked at: often while somebody is attached or one of short patience may be idle, else rarely, since
/// each look wakes its guest. Pure.
std::chrono::seconds lookEvery(bool isInUse, const std::string& whenIdle, double idleMinutes);

/// Looks at the running sandboxes for as long as the engine lives.
asio::awaitable<void> watchUsage(asio::io_context& io, Registry& registry, Settings& settings);

} // namespace coldframe::engine
