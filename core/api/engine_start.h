// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <cstdint>
#include <optional>
#include <vector>

/// Starting the engine on demand, and the connection to it. Plain calls; nothing here needs Qt or asio.
namespace coldframe::api {

/// The engine's executable: $COLDFRAME_ENGINE when it is an absolute path, else coldframed beside the caller.
std::filesystem::path engineExecutable();

/// The variables an engine is started with: those of session, locale, libvirt and Coldframe. Nothing else is passed
/// on, since a shell's environment holds keys, and the engine's is inherited by QEMU and the proxies.
std::vector<std::string> engineEnvironment(const char* const* environment);

/// An engine that is starting.
struct SpawnedEngine
{
    UniqueFd process;        ///< a pidfd; none where systemd started it
    std::int64_t logStart = 0; ///< where its lines in the log begin
};

/// Starts the engine in a session of its own (as a transient user unit where systemd runs, so that it does not share
/// the caller's fate), its output in engine.log beside the socket. Returns when it was executed, not when it serves.
Result<SpawnedEngine> spawnEngine();

/// True when it is known to have ended.
bool hasEnded(const SpawnedEngine& engine);

/// Why the engine ended instead of serving, in its own words; nothing while it lives, or when it left the place to
/// another engine that was faster.
std::optional<Error> startFailure(const SpawnedEngine& engine);

/// Connects; Unavailable when nobody listens. The descriptor is blocking and close-on-exec.
Result<UniqueFd> connectEngine(const std::filesystem::path& socketPath);

/// True when the engine says anything within the time. One that was killed or is leaving still takes connections for a
/// moment; nothing is asked of it that it might do and not tell. What it said is left to be read.
bool isAnswering(int socket, std::chrono::steady_clock::time_point deadline);

/// Connects to an engine that answers, starting one where there is none and waiting for it. Unavailable, with the log's
/// path, when none serves within `timeout`.
Result<UniqueFd> connectOrStartEngine(const std::filesystem::path& socketPath,
                                      std::chrono::milliseconds timeout = std::chrono::seconds(20));

} // namespace coldframe::api
