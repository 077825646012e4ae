// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <chrono>

namespace coldframe::guest {

/// Flushes every writable disk (syncfs(2) of each mounted file system with a block device).
Result<void> flushDisks();

/// Processes other than this one and the kernel's.
int processCount();

/// Ends every process (TERM, after `grace` KILL), flushes and makes the disks read-only. True when all of it
/// worked. Only as PID 1; elsewhere it does nothing and returns false.
asio::awaitable<bool> stopEverything(asio::io_context& io, std::chrono::milliseconds grace);

/// Switches the machine off. Only as PID 1.
void powerOff();

} // namespace coldframe::guest
