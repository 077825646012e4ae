// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/terminal.h"

#include <string>
#include <string_view>

namespace coldframe::terminal {

enum class Key { Up, Down, Right, Left, Home, End, PageUp, PageDown, Insert, Delete, Backspace, Tab, Enter, Escape, Function };

struct Modifiers
{
    bool shift = false;
    bool alt = false;
    bool control = false;
};

/// The bytes xterm sends for a named key ("PC-style function keys", xterm's ctlseqs); `functionNumber` 1…12.
std::string encodeKey(Key key, Modifiers modifiers, const Modes& modes, int functionNumber = 0);

/// A character typed: UTF-8, with Control and Alt applied; in the kitty "disambiguate" mode ambiguous
/// combinations become CSI u (sw.kovidgoyal.net/kitty/keyboard-protocol).
std::string encodeCharacter(char32_t character, Modifiers modifiers, const Modes& modes);

enum class MouseAction { Press, Release, Move };

/// Button: 0 left, 1 middle, 2 right, 3 none, 64 wheel up, 65 wheel down. Position 0-based. Empty when the
/// program did not ask for it or the position has no encoding.
std::string encodeMouse(MouseAction action, int button, Position position, Modifiers modifiers, const Modes& modes);

std::string encodeUtf8(char32_t character);

} // namespace coldframe::terminal
