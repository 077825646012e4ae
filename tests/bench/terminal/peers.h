// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "payloads.h"

#include <map>
#include <optional>
#include <string>
#include <tuple>

namespace coldframe::bench {

/// MB/s of one stream, or why there is no figure.
struct Figure
{
    std::optional<double> megabytesPerSecond;
    std::string why; ///< "hung", "crashed", "not installed"
};

/// libvterm in a process of its own with a time limit: foreign bytes can hang it and break its memory.
Figure vtermFigure(const Payload& payload, int rows, int columns, double seconds);

/// By name of the case, rows and columns.
using XtermFigures = std::map<std::tuple<std::string, int, int>, double>;

/// Everything through xterm.js in one process of Node, which has warmed up by the second case. Empty, with `why` set, when npm
/// has it not.
XtermFigures xtermFigures(const std::vector<std::pair<int, int>>& sizes, double seconds, std::string& why);

/// Resident memory for scrollback: what a terminal of its own process takes for ten megabytes of lines of a build log.
struct MemoryFigure
{
    double megabytesFed = 0;
    double megabytesKept = 0; ///< of those, the bytes of the lines that can be scrolled back to
    double megabytesResident = 0;
};
MemoryFigure scrollbackMemory(int rows, int columns);

} // namespace coldframe::bench
