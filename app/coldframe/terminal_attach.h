// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "detach_keys.h"
#include "session_recording.h"

#include <optional>

namespace coldframe::cli {

struct AttachOptions
{
    bool tty = false;         ///< a PTY in the sandbox: the terminal here becomes raw
    bool interactive = false; ///< standard input is sent; else the program gets an empty one
    bool readOnly = false;    ///< nothing is sent, only the detach keys are heard
    DetachKeys detachKeys{};  ///< heard when input comes from a terminal
    std::string attachAgain{}; ///< the command that attaches again; said when the session was left
    std::optional<SessionRecording> recording{}; ///< of a terminal only
    std::string title{};      ///< of the recording
};

/// Connects this process's standard streams with an attached connection until the program ends. Returns the exit code
/// to leave with: the program's own, 128 + signal when one ended it. An error when it never started (NotFound,
/// NotAllowed or others: see attachExitCode) or the stream broke; 0 when the session was left by its keys. Ends by SIGTERM or SIGHUP here leave the program to
/// the engine (a terminal's goes on and can be attached again).
Result<int> attachStreams(int socket, AttachOptions options);

/// As `docker exec`: 127 no such program, 126 cannot be run, 125 anything else.
int attachExitCode(const Error& error);

} // namespace coldframe::cli
