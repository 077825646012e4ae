// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/scanner.h"

#include <chrono>
#include <filesystem>

namespace coldframe::sync {

/// The guest's half of a workspace. Runs in a process of its own as the guest's user.
struct EndpointOptions
{
    /// For content on its way; best on the root's file system and outside the root, one per root.
    std::filesystem::path stagingFolder{};
    int seedDevice = -1; ///< the seed disk, opened for direct reading; borrowed. -1: there is none
    std::uint64_t maxEntries = 1'000'000;
    std::chrono::milliseconds idleLimit{std::chrono::hours(24 * 365)}; ///< the host may be silent for long
};

/// Serves one connection over the stream socket `fd` until it ends; answers 0 then, 1 on an error (logged). Makes
/// `root` when it does not exist. Blocking and single-threaded. May be run again with a new descriptor: the host
/// starts each connection with a full scan.
int runEndpoint(int fd, const std::filesystem::path& root, const EndpointOptions& options = {});

} // namespace coldframe::sync
