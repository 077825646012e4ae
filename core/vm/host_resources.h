// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace coldframe::vm {

struct HostMemory
{
    std::uint64_t totalMiB = 0;
    std::uint64_t availableMiB = 0; ///< MemAvailable: without swapping
};

/// Parses /proc/meminfo's text. Pure.
Result<HostMemory> parseMemInfo(std::string_view text);
Result<HostMemory> hostMemory();

/// Whether a microVM of that size fits now; NoSpace with figures when not. Guests take pages only as they touch them,
/// so three quarters of the size plus QEMU's own must be there.
Result<void> checkMemory(const HostMemory& memory, std::uint32_t neededMiB);

/// Which limits hold for microVMs on this host, said plainly.
struct Limits
{
    bool hasUserManager = false; ///< a systemd user manager can put each QEMU in a scope of its own
    std::string text{};          ///< a sentence for diagnose and inspect
};
Limits describeLimits();

} // namespace coldframe::vm
