// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

/// The parts of the grammar that no option parser knows. Pure: no engine, no files but for absolutising.
namespace coldframe::cli {

/// The words as typed, cut into what the option parser reads and what belongs to a program in the sandbox:
/// everything after `--` for run and create; for exec everything from the first word after the sandbox that is
/// no option of exec.
struct SplitWords
{
    std::vector<std::string> own;
    std::vector<std::string> passed;
    bool separated = false; ///< there was a `--`
};
SplitWords splitWords(const std::vector<std::string>& words);

struct Workspace
{
    std::string path; ///< absolute bytes, not encoded
    bool readOnly = false;
    bool operator==(const Workspace&) const = default;
};

/// PATH or PATH:ro (or :rw), made absolute against `currentFolder`; "." and ".." and doubled or trailing slashes are
/// resolved by name only, so that the sandbox has the path the user knows. Whether it may be used is the
/// engine's to say. An existing file name that really ends in ":ro" is taken as it is.
Workspace parseWorkspace(const std::string& word, const std::string& currentFolder);

/// What `run WORD` means. The first word that names an existing sandbox re-attaches; else it must be an agent.
struct RunTarget
{
    std::string sandboxId; ///< set: an existing sandbox
    std::string agent;     ///< set: an agent's own name (aliases resolved)
};
Result<RunTarget> resolveRunTarget(const std::string& word, const nlohmann::json& sandboxes,
                                   const nlohmann::json& agents);
/// Only the agent half, for create.
Result<std::string> resolveAgent(const std::string& word, const nlohmann::json& agents);

/// The sandbox that `run AGENT FOLDER` was given before: same agent, same first workspace (and the same name where
/// one was asked for). Empty when there is none.
std::string findExisting(const nlohmann::json& sandboxes, const std::string& agent, const std::string& encodedPath,
                         const std::string& name);

/// The running sandbox that a command without a name means: the only one, or the only one that has the current folder. Its id.
Result<std::string> runningSandbox(const nlohmann::json& sandboxes, const std::string& currentFolder);

/// "2g", "2048m", "2048" (MiB) → MiB; at least 256.
Result<int> parseMemory(const std::string& text);

/// The candidate closest to `word` when it is close enough to be a typing mistake; else "".
std::string closest(const std::string& word, const std::vector<std::string>& candidates);

} // namespace coldframe::cli
