// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::engine {

/// What a guest says it uses. All of it is the guest's word, bounded.
struct GuestUsage
{
    std::uint64_t cpuMicroseconds = 0;
    std::uint64_t processes = 0;
    std::uint64_t mostProcesses = 0;
    std::uint64_t refusedProcesses = 0;
    std::uint64_t memoryBytes = 0;
    std::uint64_t mostMemoryBytes = 0;
    std::uint64_t killedForMemory = 0;
    std::uint64_t diskBytes = 0;
    std::uint64_t diskFreeBytes = 0;
    std::uint64_t connections = 0;
    std::uint64_t running = 0; ///< programs that were started from outside and run
    int cpus = 0;
    bool isLimited = false; ///< it keeps the user's programs in a control group
};

/// The guest's answer to GET /usage: hostile. Protocol when it is not such an object.
Result<GuestUsage> parseUsage(std::string_view json);

/// The part of Sandbox in PROTOCOL.md that tells of it.
nlohmann::json usageJson(const GuestUsage& usage);

/// A limit that a sandbox came up against.
struct LimitWarning
{
    std::string kind; ///< "disk", "disk-nearly", "memory", "processes"
    std::string text; ///< a sentence with the sandbox's name and what to do
    bool operator==(const LimitWarning&) const = default;
};

/// What to warn of. `before` is the look before this one, of the same boot.
std::vector<LimitWarning> limitWarnings(const std::string& name, const GuestUsage& before, const GuestUsage& now);

} // namespace coldframe::engine
