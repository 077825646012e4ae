// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace coldframe::engine {

/// A pair of connected sockets, close-on-exec. `type` is SOCK_STREAM or SOCK_SEQPACKET.
Result<std::pair<UniqueFd, UniqueFd>> makeSocketPair(int type);

/// Starts proxy or dialler so that it outlives the engine: its own session, standard error to the log, no other
/// descriptors than those given. `descriptors` pairs an option name with what it should name: {"--engine-fd", fd}
/// becomes "--engine-fd 3". Blocking for the time of a fork only. The helper's process id.
Result<pid_t> startHelper(const std::filesystem::path& program, const std::vector<std::pair<std::string, int>>& descriptors,
                         const std::filesystem::path& log);

} // namespace coldframe::engine
