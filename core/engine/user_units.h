// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coldframe::engine {

/// Processes that get a systemd scope of their own, with limits (0: none).
struct ScopeRequest
{
    std::string name;        ///< without ".scope"; letters, digits, '-', '_'; not in use
    std::string description; ///< what systemctl shows
    std::vector<pid_t> processes;
    unsigned cpuPercent = 0; ///< of one CPU
    std::uint64_t memoryMiB = 0;
    std::uint64_t tasks = 0; ///< processes and threads
    std::uint64_t memoryHighMiB = 0; ///< above it the kernel takes memory back, but ends nothing
};

/// Moves the processes into a transient scope of the user's systemd manager (org.freedesktop.systemd1.Manager,
/// StartTransientUnit), so that they neither end with the unit of whoever started them nor go beyond the limits
/// (HAZARDS 8, 19). Unavailable where no user manager is on the session bus. Blocking, up to 5 s; any thread.
Result<void> startScope(const ScopeRequest& request);

/// Changes the limits of a scope that startScope() made; its processes and what is 0 stay as they are. Blocking, up to 5 s.
Result<void> changeScope(const ScopeRequest& request);

/// Whether a process is in the same control group as this one.
bool sharesControlGroup(pid_t process);

} // namespace coldframe::engine
