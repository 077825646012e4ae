// SPDX-License-Identifier: Apache-2.0
// SM, RM, DECSET, DECRST, DECRQM: ECMA-48; DEC STD 070; xterm's ctlseqs.
#include "terminal/terminal.h"

namespace coldframe::terminal {

namespace {

/// The modes that are a switch and nothing more.
bool Modes::* switchOf(bool isPrivate, int mode)
{
    if (!isPrivate) {
        return mode == 4 ? &Modes::insert : mode == 20 ? &Modes::newLine : nullptr;
    }
    switch (mode) {
    case 1: return &Modes::applicationCursorKeys;
    case 5: return &Modes::reverseVideo;
    case 7: return &Modes::autoWrap;
    case 12: return &Modes::cursorBlink;
    case 25: return &Modes::cursorVisible;
    case 45: return &Modes::reverseWrap;
    case 66: return &Modes::applicationKeypad;
    case 67: return &Modes::backarrowSendsBackspace;
    case 1004: return &Modes::focusEvents;
    case 1006: return &Modes::sgrMouse;
    case 1007: return &Modes::alternateScroll;
    case 2004: return &Modes::bracketedPaste;
    case 2026: return &Modes::synchronizedOutput;
    case 2027: return &Modes::graphemes;
    case 2031: return &Modes::colorReports;
    default: return nullptr;
    }
}

MouseTracking trackingOf(int mode)
{
    switch (mode) {
    case 9: return MouseTracking::X10;
    case 1000: return MouseTracking::Press;
    case 1002: return MouseTracking::Drag;
    case 1003: return MouseTracking::Motion;
    default: return MouseTracking::None;
    }
}

} // namespace

void Terminal::setMode(bool isPrivate, int mode, bool on)
{
    Modes& modes = m_screen.modes;
    if (bool Modes::* const simple = switchOf(isPrivate, mode)) {
        modes.*simple = on;
        return;
    }
    if (!isPrivate) {
        return;
    }
    if (const MouseTracking tracking = trackingOf(mode); tracking != MouseTracking::None) {
        modes.mouse = on ? tracking : MouseTracking::None;
        return;
    }
    switch (mode) {
    case 6:
        modes.origin = on;
        m_screen.moveTo(0, 0);
        break;
    case 47:
    case 1047:
    case 1049: setAlternateScreen(mode, on); break;
    case 69:
        modes.leftRightMargins = on;
        if (!on) {
            m_screen.resetHorizontalMargins();
        }
        break;
    case 1048:
        if (on) {
            m_screen.saveCursor();
        } else {
            restoreCursor();
        }
        break;
    default: break;
    }
}

void Terminal::setAlternateScreen(int mode, bool on)
{
    const bool wasOn = modes().alternateScreen;
    if (on) {
        if (mode == 1049) {
            m_screen.saveCursor();
        }
        m_screen.useAlternate(true);
        if (mode == 1049) {
            m_screen.clearAlternate();
        }
    } else {
        if (mode == 1047 && wasOn) {
            m_screen.clearAlternate();
        }
        m_screen.useAlternate(false);
        if (mode == 1049) {
            restoreCursor();
        }
    }
    showKittyFlags();
}

/// 1 set, 2 reset, 0 not known, 3 always set, 4 always reset.
int Terminal::modeState(bool isPrivate, int mode) const
{
    const auto state = [](bool on) { return on ? 1 : 2; };
    if (const bool Modes::* const simple = switchOf(isPrivate, mode)) {
        return state(modes().*simple);
    }
    if (!isPrivate) {
        return mode == 12 ? 3 : mode == 2 || mode == 6 ? 4 : 0; // SRM: no local echo; KAM; ERM
    }
    if (const MouseTracking tracking = trackingOf(mode); tracking != MouseTracking::None) {
        return state(modes().mouse == tracking);
    }
    switch (mode) {
    case 6: return state(modes().origin);
    case 8: return 3;
    case 3:
    case 4:
    case 1005:
    case 1015: return 4;
    case 47:
    case 1047:
    case 1049: return state(modes().alternateScreen);
    case 69: return state(modes().leftRightMargins);
    default: return 0;
    }
}

void Terminal::saveMode(int mode)
{
    if (const int state = modeState(true, mode); state == 1 || state == 2) {
        m_savedModes[mode] = state == 1;
    }
}

void Terminal::restoreMode(int mode)
{
    if (const auto saved = m_savedModes.find(mode); saved != m_savedModes.end()) {
        setMode(true, mode, saved->second);
    }
}

} // namespace coldframe::terminal
