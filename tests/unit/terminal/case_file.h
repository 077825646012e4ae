// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace coldframe::terminal_tools {

/// One case of a *.cases file: a transcript of what is done to the terminal and what is then seen. The form is described at the
/// top of conformance/README.md.
struct Case
{
    struct Line
    {
        int number = 0; ///< in the file
        std::string word;
        std::string rest;
    };
    std::string subject; ///< the file's name without ending
    std::string name;
    std::string source; ///< the standard that the expectation comes from
    int rows = 4;
    int columns = 10;
    bool reports = false;
    std::vector<Line> lines;
};

/// Throws std::runtime_error with file and line for what is no case.
std::vector<Case> loadCases(const std::string& path);

/// Carries it out, fed in pieces of `pieceBytes` (0: whole). Empty: everything was as expected; otherwise what was not, in words.
std::string failure(const Case& single, std::size_t pieceBytes);

} // namespace coldframe::terminal_tools
