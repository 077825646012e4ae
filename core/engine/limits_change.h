// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "engine/sandbox_record.h"

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace coldframe::engine {

/// What sandbox.set may change, and sandbox.create may give; what is not there stays as it is.
struct LimitsChange
{
    std::optional<int> cpus{};
    std::optional<int> memoryMiB{};
    std::optional<int> diskGiB{};
    std::optional<int> processes{};
    std::optional<int> openFiles{};
    std::optional<bool> isService{};
    std::optional<std::string> whenIdle{}; ///< "" and "default": as the settings say
    std::optional<double> idleMinutes{};
    std::optional<std::optional<bool>> dockerAtStart{}; ///< Docker's daemon runs from the start on, not from its first use; nothing in it: as its agent needs it
};

/// InvalidArgument names what is out of its range.
Result<LimitsChange> limitsChangeFrom(const nlohmann::json& params);
/// "nothing", "pause" or "stop", after at least six seconds and at most a month.
Result<void> checkIdleRule(const std::string& whenIdle, double minutes);

/// A change as it would be made to a sandbox.
struct PlannedChange
{
    SandboxRecord record;           ///< as it would be written
    bool tellsGuest = false;        ///< the guest and the host are told now
    std::optional<int> balloonMiB{};///< the memory of the running microVM, now
    std::vector<std::string> notes; ///< what does not hold at once, and when it will: sentences
};

/// Pure. `isRunning`: there is a microVM; a paused one has one in its saved memory. InvalidArgument: a disk cannot become smaller.
Result<PlannedChange> planChange(const SandboxRecord& record, const LimitsChange& change, bool isRunning);

} // namespace coldframe::engine
