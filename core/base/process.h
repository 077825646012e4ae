// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace coldframe {

/// An external program to run: no shell, arguments as given. Never put a secret into arguments or environment.
struct ProcessSpec
{
    std::vector<std::string> arguments;               ///< arguments[0] is found through PATH
    std::map<std::string, std::string> environment{}; ///< added to the caller's
    std::string workingFolder{};                      ///< empty: inherited
    std::string standardInput{};
    std::chrono::milliseconds timeout{std::chrono::minutes(1)};
    std::size_t maxOutputBytes = 1u << 20;            ///< older output is dropped from the front
    std::function<void(std::string_view line)> onLine{}; ///< each line of stdout and stderr, on the calling thread
    const std::atomic<bool>* cancelled = nullptr;     ///< set by another thread: the process group is killed
};

struct ProcessResult
{
    int exitCode = 0; ///< 128+signal when killed by one
    std::string standardOutput{};
    std::string standardError{};
};

/// Runs external programs. Tests inject a fake; the product uses SystemProcessRunner. Blocking; any thread.
class ProcessRunner
{
public:
    virtual ~ProcessRunner() = default;
    /// An error only when the program could not be started, timed out or was cancelled.
    virtual Result<ProcessResult> run(const ProcessSpec& spec) = 0;
};

class SystemProcessRunner : public ProcessRunner
{
public:
    Result<ProcessResult> run(const ProcessSpec& spec) override;
};

} // namespace coldframe
