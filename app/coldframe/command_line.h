// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace coldframe::cli {

/// Parses the words (without the program's name) and runs the command; prints errors. Returns the exit code.
int runCommandLine(const std::vector<std::string>& words);

/// Only the grammar: 0 when the words would be run, else the exit code; prints what `--help` or an error prints.
/// `command` receives "run", "policy allow", …
int parseOnly(const std::vector<std::string>& words, std::string& command);

} // namespace coldframe::cli
