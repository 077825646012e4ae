// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <filesystem>

namespace coldframe::api {

inline constexpr const char* kRunningAlready = "A Coldframe engine is running already.";

/// Makes the folder (0700; one that others could enter or that belongs to another user is refused or closed) and
/// takes the flock'd file engine.lock in it. The descriptor is the lock. AlreadyExists when an engine runs.
/// The kernel drops the lock with the process, so a killed engine leaves nothing to clean up.
Result<UniqueFd> lockEngineFolder(const std::filesystem::path& folder);

/// Binds and listens; the lock is held, so a socket file that is there is stale and removed. Mode 0600.
Result<UniqueFd> listenOn(const std::filesystem::path& socketPath);

} // namespace coldframe::api
