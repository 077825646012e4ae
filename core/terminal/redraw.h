// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/terminal.h"

#include <cstddef>
#include <string>

namespace coldframe::terminal {

struct RedrawOptions
{
    std::size_t scrollbackLines = 0; ///< at most so many of the newest lines come before the screen
    std::string title;               ///< of the window, clean of controls; empty: not set
    /// The other terminal showed this program before and missed a part: its screen is cleared first. Otherwise it is taken to
    /// be as a shell left it, and what it shows moves up into its own scrollback.
    bool afterGap = false;
};

/// What makes another terminal of the same size show what this one shows, and behave as it does: lines, cursor, colours, modes.
/// It holds no questions, no bell, no clipboard and no notification, so that nothing happens a second time. The caller sends the
/// last `terminal.unfinishedBytes()` bytes of the program's output after it. Not carried over: what was saved of
/// modes and titles, and changed colours.
std::string redraw(const Terminal& terminal, const RedrawOptions& options);

struct ViewOptions
{
    int rows = 24; ///< of the other terminal
    int columns = 80;
    std::string title; ///< as of RedrawOptions
};

/// What makes a terminal of another size show this one's screen as it is now, from the top left. In a smaller one a part is seen,
/// and the cursor always. The program's own bytes, meant for this size, must not follow: each change is drawn by another call.
/// Nothing is cleared first, so that nothing flickers; what scrolls off is not added to the other terminal's scrollback.
std::string drawView(const Terminal& terminal, const ViewOptions& options);

} // namespace coldframe::terminal
