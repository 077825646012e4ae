// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/terminal.h"

#include <string>
#include <string_view>

namespace coldframe::terminal_tools {

/// What the terminal sends for a key that is named as people write it: "a", "ctrl+c", "shift+alt+up", "f5", "enter", "space".
/// Throws std::invalid_argument for a key that there is not.
std::string keyBytes(std::string_view name, const terminal::Modes& modes);

/// What it sends for the mouse: "press left 3,4", "release right 1,1 ctrl+shift", "move none 2,2", "press wheelup 1,1". The
/// position is row,column from 1.
std::string mouseBytes(std::string_view what, const terminal::Modes& modes);

} // namespace coldframe::terminal_tools
