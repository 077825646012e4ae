// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/modes.h"
#include "terminal/screen.h"
#include "terminal/utf8.h"

#include <string>

namespace coldframe::terminal {

enum class Key {
    Up, Down, Right, Left, Home, End, PageUp, PageDown, Insert, Delete, Backspace, Tab, Enter, Escape,
    Function,  ///< KeyEvent::function says which
    Character, ///< KeyEvent::character says which
    CapsLock, ScrollLock, NumLock, PrintScreen, Pause, Menu,
    Shift, Control, Alt, Super ///< told to programs that want every key only
};

struct Modifiers
{
    bool shift = false;
    bool alt = false;
    bool control = false;
    bool super = false;
    bool capsLock = false;
    bool numLock = false;
};

enum class KeyAction { Press, Repeat, Release };

/// A key as the user moved it.
struct KeyEvent
{
    Key key = Key::Character;
    Modifiers modifiers;
    char32_t character = 0; ///< of Character: what the key makes without modifiers, a small letter
    int function = 0;       ///< of Function: 1 to 35
    KeyAction action = KeyAction::Press;
    char32_t shifted = 0;   ///< what it makes with Shift; 0: not known
    char32_t base = 0;      ///< the key at the same place of a US keyboard; 0: the same or not known
    std::u32string text;    ///< what it would type now; empty: nothing, or what character and modifiers make
    bool isKeypad = false;
};

/// The bytes for a program in these modes: xterm's (ctlseqs, "PC-style function keys"; modifyOtherKeys), or kitty's keyboard
/// protocol (sw.kovidgoyal.net/kitty/keyboard-protocol) when the program asked for any of it. Empty: nothing is told.
std::string encodeKey(const KeyEvent& event, const Modes& modes);

/// A press of a named key.
std::string encodeKey(Key key, Modifiers modifiers, const Modes& modes, int functionNumber = 0);
/// A press that types this character.
std::string encodeCharacter(char32_t character, Modifiers modifiers, const Modes& modes);

enum class MouseAction { Press, Release, Move };

/// Button: 0 left, 1 middle, 2 right, 3 none, 64 wheel up, 65 wheel down. Position 0-based. Empty when the
/// program did not ask for it or the position has no encoding.
std::string encodeMouse(MouseAction action, int button, Position position, Modifiers modifiers, const Modes& modes);

} // namespace coldframe::terminal
