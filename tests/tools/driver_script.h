// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/pty_child.h"
#include "tools/recording.h"
#include "tools/terminal_view.h"

#include <functional>
#include <istream>

namespace coldframe::terminal_tools {

/// A program in a PTY, joined to the engine: what it prints goes to the engine, what the engine answers goes to it.
struct Joined
{
    PtyChild& child;
    TerminalView& view;
    Recorder* recorder = nullptr;

    /// One step of at most so long. False: nothing came.
    bool pump(int milliseconds);
};

/// How the driver shows the screen, for `dump`; the text is what was given behind it.
using Dump = std::function<void(const std::string& text)>;

/// Carries out a script, a command a line (`#` begins a comment):
///   wait TEXT      until the screen shows TEXT     gone TEXT   until it no longer does
///   settle MS      until nothing has come for MS   end         until the program has ended
///   pause MS       goes on after so long, for recordings of what never falls silent
///   type TEXT      escapes as in escapes.h         key NAME    as in terminal_keys.h, encoded as the program asked for
///   mouse WHAT     as in terminal_keys.h           resize R C
///   screen FILE    until the screen is what the file holds, blanks and empty rows at the end left out
///   dump [TITLE]   shows the screen                deadline S  for each wait from here on (20)
/// Throws std::runtime_error with the line that failed and the screen as it was.
void runScript(std::istream& script, Joined& joined, const Dump& dump);

} // namespace coldframe::terminal_tools
