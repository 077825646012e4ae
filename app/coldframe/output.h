// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::cli {

/// Exit codes, as documented in `coldframe --help`. `exec` and `run` give the program's own once it has started.
enum ExitCode : int {
    kOk = 0,
    kFailure = 1,
    kUsage = 2,       ///< the command line or a value in it is wrong
    kNotFound = 3,    ///< no such sandbox, agent, rule, key
    kUnavailable = 4, ///< no engine, no libvirt, no image, no keychain
    kRefused = 5,     ///< by policy, permissions or a missing consent
    kStreamFailed = 125,
    kCannotRun = 126,
    kNoProgram = 127,
    kInterrupted = 130,
};

int exitCodeOf(ErrorCode code);

/// "coldframe: <sentence>" on standard error, with the detail below where it adds something.
void printError(const Error& error);

/// Everything from the engine may have begun in a sandbox: control characters never reach the terminal.
void printLine(std::string_view text);
/// To standard error, for what is not the command's result.
void printNote(std::string_view text);
void printJson(const nlohmann::json& value);

/// Columns aligned by display width, two spaces apart, no trailing blanks.
class Table
{
public:
    explicit Table(std::vector<std::string> headings) { m_rows.push_back(std::move(headings)); }
    void add(std::vector<std::string> row) { m_rows.push_back(std::move(row)); }
    std::string text() const;
    void print() const;

private:
    std::vector<std::vector<std::string>> m_rows;
};

/// A string member, or "" when it is missing, null or of another kind.
std::string textOf(const nlohmann::json& object, const char* key);

} // namespace coldframe::cli
