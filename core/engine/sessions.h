// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::engine {

class Sandbox;

/// A program in a sandbox that goes on without anybody looking at it. All of it is the guest's word, bounded.
struct GuestSession
{
    std::string id;      ///< letters, digits, "-", "_", "."
    std::string label;   ///< escaped for display
    bool isAgent = false;
    bool hasTerminal = false;
    std::uint64_t number = 0; ///< increases with every start
    double ageSeconds = 0;
    int rows = 0;
    int columns = 0;
    int viewers = 0;
    bool hasEnded = false;
    int exitCode = 0;
    int signal = 0;
};

/// The guest's answer to GET /sessions: hostile. Protocol when it is not such a list; the oldest come first.
Result<std::vector<GuestSession>> parseSessions(std::string_view json);

/// Asks the guest. None when the sandbox does not run; Unavailable when its guest is of an image that cannot tell.
asio::awaitable<Result<std::vector<GuestSession>>> sessionsOf(std::shared_ptr<Sandbox> sandbox);

/// The session that an id or a unique prefix of one means; empty: the agent's newest that runs, else the newest that runs, else the
/// newest that ended. `sandboxName` is for the sentences of NotFound and InvalidArgument.
Result<GuestSession> chooseSession(const std::vector<GuestSession>& sessions, const std::string& wanted, const std::string& sandboxName);

/// The agent's newest session on a terminal that runs, or null.
const GuestSession* runningAgent(const std::vector<GuestSession>& sessions);

/// Session of PROTOCOL.md.
nlohmann::json sessionJson(const GuestSession& session, const Sandbox& sandbox);

/// How a command is called in the list of sessions.
std::string sessionLabel(const std::vector<std::string>& argv);

} // namespace coldframe::engine
