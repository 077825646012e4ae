// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/registry.h"

#include <nlohmann/json_fwd.hpp>

namespace coldframe::engine {

/// Something on this computer's disk that nothing needs any more.
struct PruneItem
{
    std::string id;   ///< kind and what it is, for choosing it again
    std::string kind; ///< "disk", "snapshot", "template", "image", "sandbox"
    std::string name; ///< for people
    std::uint64_t bytes = 0;
    std::string why;
};

struct PruneWish
{
    int stoppedDays = 0;               ///< sandboxes too that were not used for so long; 0: none
    bool all = true;                   ///< else only those in `only`
    std::set<std::string> only{};      ///< ids
};

/// Whether a sandbox is put up for removal: stopped for that long, and nobody said that it is a service. Pure.
bool isLongStopped(const SandboxRecord& record, std::chrono::system_clock::time_point lastChange, int days, std::chrono::system_clock::time_point now);

/// What there is. Blocking in part, on the pool.
asio::awaitable<std::vector<PruneItem>> findPrunable(EngineParts& parts, Registry& registry, PruneWish wish);

/// Gives it up; the bytes. Each is looked at again: what is needed by now stays.
asio::awaitable<std::uint64_t> pruneNow(EngineParts& parts, Registry& registry, PruneWish wish, Steps steps);

nlohmann::json pruneItemsJson(const std::vector<PruneItem>& items);

} // namespace coldframe::engine
