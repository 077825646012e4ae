// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace coldframe::terminal {

enum class MouseTracking : std::uint8_t { None, X10, Press, Drag, Motion }; ///< modes 9, 1000, 1002, 1003
enum class CursorShape : std::uint8_t { Block, Underline, Bar };

/// What the program switched on; the view and the key encoder read it.
struct Modes
{
    bool applicationCursorKeys = false; ///< DECCKM
    bool applicationKeypad = false;     ///< DECKPAM
    bool bracketedPaste = false;        ///< 2004
    bool focusEvents = false;           ///< 1004
    bool sgrMouse = false;              ///< 1006
    bool autoWrap = true;               ///< DECAWM
    bool insert = false;                ///< IRM
    bool newLine = false;               ///< LNM
    bool origin = false;                ///< DECOM
    bool reverseWrap = false;           ///< 45
    bool leftRightMargins = false;      ///< DECLRMM, 69
    bool graphemes = true;              ///< 2027: a cell holds a whole grapheme cluster
    bool cursorVisible = true;          ///< DECTCEM
    bool cursorBlink = false;
    bool synchronizedOutput = false;    ///< 2026: hold painting (the view gives up after its own time limit)
    bool reverseVideo = false;          ///< DECSCNM
    bool colorReports = false;          ///< 2031: the program is told when light and dark change
    bool alternateScreen = false;
    bool alternateScroll = true;        ///< 1007: wheel sends arrows on the alternate screen
    bool backarrowSendsBackspace = false; ///< DECBKM, 67
    MouseTracking mouse = MouseTracking::None;
    CursorShape cursorShape = CursorShape::Block;
    std::uint8_t kittyKeyboard = 0;     ///< progressive enhancement flags of the screen that is shown
    std::uint8_t modifyOtherKeys = 0;   ///< 0, 1 or 2
};

} // namespace coldframe::terminal
