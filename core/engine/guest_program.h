// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exec_frames.h"
#include "engine/sandbox.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::engine {

/// A program that the engine itself has run in a sandbox.
struct GuestProgram
{
    std::vector<std::string> argv{};
    std::map<std::string, std::string> environment{};
    std::string folder = "/";
    bool asAgent = false;                                ///< else as root
    std::function<Result<std::string>()> input{};        ///< the next piece for its standard input, empty at the end; on the pool
    std::function<void(std::string_view)> output{};      ///< what it writes, both streams; engine's io thread
    /// Instead of `output`, for its standard output: takes each piece, on the pool; the next is read when it is done. An error ends the program.
    std::function<Result<void>(std::string_view)> take{};
};

/// Runs it to its end. Errors: Cancelled (it is ended), Closed (the sandbox went), what `input` failed with, or why it was not started.
asio::awaitable<Result<ExecExit>> runInGuest(EngineParts& parts, std::shared_ptr<Sandbox> sandbox, GuestProgram program, Steps steps);

} // namespace coldframe::engine
