// SPDX-License-Identifier: Apache-2.0
// Control sequences, by xterm's "Control Sequences" (ctlseqs), section "Functions using CSI".
#include "terminal/terminal.h"

#include <algorithm>
#include <cstdio>
#include <tuple>

namespace coldframe::terminal {

void Terminal::csi(const Csi& sequence)
{
    if (sequence.intermediates[0] != 0) {
        intermediateCsi(sequence);
        m_screen.forgetLast();
        return;
    }
    switch (sequence.prefix) {
    case 0: plainCsi(sequence); break;
    case '?': privateCsi(sequence); break;
    case '>': greaterCsi(sequence); break;
    case '<':
    case '=':
        if (sequence.final == 'u') {
            kittyKeyboard(sequence);
        } else if (sequence.final == 'c' && sequence.prefix == '=' && sequence.value(0, 0) == 0) {
            deviceAttributes('=');
        }
        break;
    default: break;
    }
    m_screen.forgetLast();
}

void Terminal::plainCsi(const Csi& sequence)
{
    Screen& screen = m_screen;
    const int count = sequence.count(0);
    switch (sequence.final) {
    case '@': screen.insertCharacters(count); break;
    case 'A':
    case 'k': screen.moveUp(count); break;
    case 'B': screen.moveDown(count); break;
    case 'C': screen.moveRight(count); break;
    case 'a': screen.moveByPosition(0, count); break;
    case 'e': screen.moveByPosition(count, 0); break;
    case 'D':
    case 'j': screen.moveLeft(count); break;
    case 'E':
        screen.moveDown(count);
        screen.carriageReturn();
        break;
    case 'F':
        screen.moveUp(count);
        screen.carriageReturn();
        break;
    case 'G':
    case '`': screen.moveToColumn(count - 1); break;
    case 'H':
    case 'f': screen.moveTo(count - 1, sequence.count(1) - 1); break;
    case 'I': screen.tab(count); break;
    case 'J':
        if (sequence.value(0, 0) == 3) {
            screen.clearScrollback();
        } else {
            screen.eraseInDisplay(sequence.value(0, 0), false);
        }
        break;
    case 'K': screen.eraseInLine(sequence.value(0, 0), false); break;
    case 'L': screen.insertLines(count); break;
    case 'M': screen.deleteLines(count); break;
    case 'P': screen.deleteCharacters(count); break;
    case 'S': screen.scrollUp(count); break;
    case 'T':
        if (sequence.size() <= 1) { // five parameters: highlight mouse tracking
            screen.scrollDown(count);
        }
        break;
    case '^': screen.scrollDown(count); break;
    case 'X': screen.eraseCharacters(count); break;
    case 'Z': screen.backTab(count); break;
    case 'b': screen.repeat(count); break;
    case 'c':
        if (sequence.value(0, 0) == 0) {
            deviceAttributes(0);
        }
        break;
    case 'd': screen.moveToRow(count - 1); break;
    case 'g':
        if (sequence.value(0, 0) == 0 || sequence.value(0, 0) == 3) {
            screen.clearTabStop(sequence.value(0, 0) == 3);
        }
        break;
    case 'h':
    case 'l':
        for (std::size_t i = 0; i < sequence.size(); ++i) {
            setMode(false, sequence.value(i, 0), sequence.final == 'h');
        }
        break;
    case 'm': selectGraphicRendition(sequence); break;
    case 'n': deviceStatus(sequence.value(0, 0), false); break;
    case 'r': setMargins(sequence, false); break;
    case 's':
        if (modes().leftRightMargins) {
            setMargins(sequence, true);
        } else {
            screen.saveCursor();
        }
        break;
    case 't': windowReport(sequence.value(0, 0)); break;
    case 'u': restoreCursor(); break;
    case 'x':
        if (sequence.value(0, 0) <= 1) { // DECREPTPARM: no parity, 8 bits, 38400 baud
            send(sequence.value(0, 0) == 0 ? "\x1b[2;1;1;128;128;1;0x" : "\x1b[3;1;1;128;128;1;0x");
        }
        break;
    default: break;
    }
}

void Terminal::setMargins(const Csi& sequence, bool horizontal)
{
    const int size = horizontal ? columns() : rows();
    const int first = sequence.count(0);
    const int last = sequence.value(1, 0) == 0 ? size : sequence.value(1, 0);
    if (horizontal) {
        m_screen.setHorizontalMargins(first - 1, last - 1);
    } else {
        m_screen.setVerticalMargins(first - 1, last - 1);
    }
}

void Terminal::privateCsi(const Csi& sequence)
{
    switch (sequence.final) {
    case 'h':
    case 'l':
        for (std::size_t i = 0; i < sequence.size(); ++i) {
            setMode(true, sequence.value(i, 0), sequence.final == 'h');
        }
        break;
    case 's':
        for (std::size_t i = 0; i < sequence.size(); ++i) {
            saveMode(sequence.value(i, 0));
        }
        break;
    case 'r':
        for (std::size_t i = 0; i < sequence.size(); ++i) {
            restoreMode(sequence.value(i, 0));
        }
        break;
    case 'J': m_screen.eraseInDisplay(sequence.value(0, 0), true); break;
    case 'K': m_screen.eraseInLine(sequence.value(0, 0), true); break;
    case 'm':
        if (sequence.value(0, 0) == 4) {
            send("\x1b[>4;" + std::to_string(modes().modifyOtherKeys) + "m");
        }
        break;
    case 'n': deviceStatus(sequence.value(0, 0), true); break;
    case 'u': send("\x1b[?" + std::to_string(kittyFlags()) + "u"); break;
    default: break;
    }
}

void Terminal::greaterCsi(const Csi& sequence)
{
    switch (sequence.final) {
    case 'c':
        if (sequence.value(0, 0) == 0) {
            deviceAttributes('>');
        }
        break;
    case 'q':
        if (sequence.value(0, 0) == 0) {
            send("\x1bP>|Coldframe 1\x1b\\");
        }
        break;
    case 'm':
        if (sequence.value(0, 0) == 4) {
            const int level = sequence.value(1, 0);
            m_screen.modes.modifyOtherKeys = static_cast<std::uint8_t>(level >= 0 && level <= 2 ? level : 0);
        } else if (sequence.size() == 0) {
            m_screen.modes.modifyOtherKeys = 0;
        }
        break;
    case 'n':
        if (sequence.value(0, 0) == 4) {
            m_screen.modes.modifyOtherKeys = 0;
        }
        break;
    case 'u': kittyKeyboard(sequence); break;
    default: break;
    }
}

/// sw.kovidgoyal.net/kitty/keyboard-protocol, "Progressive enhancement": the main and the alternate screen have stacks of their own.
void Terminal::kittyKeyboard(const Csi& sequence)
{
    constexpr int kAllFlags = 31;
    std::vector<std::uint8_t>& stack = m_kittyStacks[modes().alternateScreen ? 1 : 0];
    std::uint8_t& flags = kittyFlags();
    const auto given = static_cast<std::uint8_t>(sequence.value(0, 0) & kAllFlags);
    if (sequence.prefix == '>') {
        if (stack.size() == kMaxKittyStack) {
            stack.erase(stack.begin());
        }
        stack.push_back(flags);
        flags = given;
    } else if (sequence.prefix == '<') {
        for (int i = std::min(sequence.count(0), static_cast<int>(kMaxKittyStack)); i > 0; --i) {
            flags = stack.empty() ? std::uint8_t{0} : stack.back();
            if (!stack.empty()) {
                stack.pop_back();
            }
        }
    } else {
        switch (sequence.value(1, 1)) {
        case 1: flags = given; break;
        case 2: flags = static_cast<std::uint8_t>(flags | given); break;
        case 3: flags = static_cast<std::uint8_t>(flags & ~given); break;
        default: break;
        }
    }
    showKittyFlags();
}

void Terminal::intermediateCsi(const Csi& sequence)
{
    const char between = sequence.intermediates[1] == 0 ? sequence.intermediates[0] : '\0';
    if (sequence.prefix == '?' && between == '$' && sequence.final == 'p') {
        const int mode = sequence.value(0, 0);
        send("\x1b[?" + std::to_string(mode) + ";" + std::to_string(modeState(true, mode)) + "$y");
        return;
    }
    if (sequence.prefix != 0) {
        return;
    }
    const int count = sequence.count(0);
    switch (between) {
    case ' ':
        if (sequence.final == '@') {
            m_screen.scrollLeft(count);
        } else if (sequence.final == 'A') {
            m_screen.scrollRight(count);
        } else if (sequence.final == 'q' && sequence.value(0, 0) <= 6) {
            const int style = sequence.value(0, 0);
            m_screen.modes.cursorShape = style >= 5 ? CursorShape::Bar : style >= 3 ? CursorShape::Underline : CursorShape::Block;
            m_screen.modes.cursorBlink = style == 0 || style % 2 == 1;
        }
        break;
    case '!':
        if (sequence.final == 'p') {
            softReset();
        }
        break;
    case '"':
        if (sequence.final == 'q') {
            m_screen.pen.set(Pen::kProtected, sequence.value(0, 0) == 1);
            m_screen.protectsFromAll = false;
        } else if (sequence.final == 'p') {
            softReset(); // DECSCL: there is one level only
        }
        break;
    case '#':
        if (sequence.final == '{' || sequence.final == 'p') {
            pushPen();
        } else if (sequence.final == '}' || sequence.final == 'q') {
            popPen();
        }
        break;
    case '\'':
        if (sequence.final == '}') {
            m_screen.insertColumns(count);
        } else if (sequence.final == '~') {
            m_screen.deleteColumns(count);
        }
        break;
    case '*':
        if (sequence.final == 'x') {
            m_isRectangular = sequence.value(0, 0) == 2;
        } else if (sequence.final == 'y') {
            rectangleCsi(sequence);
        }
        break;
    case '$':
        if (sequence.final == 'p') {
            const int mode = sequence.value(0, 0);
            send("\x1b[" + std::to_string(mode) + ";" + std::to_string(modeState(false, mode)) + "$y");
        } else {
            rectangleCsi(sequence);
        }
        break;
    default: break;
    }
}

/// XTPUSHSGR: everything, whatever parts are asked.
void Terminal::pushPen()
{
    if (m_pens.size() == kMaxPens) {
        m_pens.erase(m_pens.begin());
    }
    m_pens.emplace_back(m_screen.pen, m_underlineColor);
}

void Terminal::popPen()
{
    if (!m_pens.empty()) {
        const bool isProtected = m_screen.pen.has(Pen::kProtected);
        std::tie(m_screen.pen, m_underlineColor) = m_pens.back();
        m_screen.pen.set(Pen::kProtected, isProtected);
        m_pens.pop_back();
        updateExtra();
    }
}

void Terminal::rectangleCsi(const Csi& sequence)
{
    // The rectangle begins at the first parameter but for DECFRA and DECRQCRA.
    const std::size_t first = sequence.final == 'x' ? 1 : sequence.final == 'y' ? 2 : 0;
    Rectangle r;
    const bool isStream = !m_isRectangular && (sequence.final == 'r' || sequence.final == 't');
    const bool isThere = m_screen.rectangle(sequence.value(first, 0), sequence.value(first + 1, 0), sequence.value(first + 2, 0),
                                            sequence.value(first + 3, 0), isStream, r);
    if (sequence.final == 'y') {
        if (m_options.testReports) {
            char text[32];
            std::snprintf(text, sizeof text, "\x1bP%d!~%04X\x1b\\", sequence.value(0, 0), isThere ? unsigned{m_screen.checksum(r)} : 0u);
            send(text);
        }
        return;
    }
    if (!isThere) {
        return;
    }
    // What SGR's attributes mean to one cell (DECCARA sets, DECRARA reverses).
    const auto attributes = [&](bool reverse) {
        return [&sequence, reverse](Pen& pen) {
            for (std::size_t i = 4; i < sequence.size(); ++i) {
                const int code = sequence.value(i, 0);
                const auto flag = static_cast<std::uint16_t>(code % 20 == 1 ? Pen::kBold : code % 20 == 5 ? Pen::kBlink : code % 20 == 7 ? Pen::kInverse : code % 20 == 8 ? Pen::kHidden : 0);
                if (code == 0) {
                    for (const std::uint16_t all : {Pen::kBold, Pen::kBlink, Pen::kInverse}) {
                        pen.set(all, reverse && !pen.has(all));
                    }
                    pen.setUnderline(reverse && pen.underline() == Underline::None ? Underline::Single : Underline::None);
                } else if (code == 4 || code == 24) {
                    const bool on = reverse ? pen.underline() == Underline::None : code == 4;
                    pen.setUnderline(on ? Underline::Single : Underline::None);
                } else if (code == 22) {
                    pen.set(Pen::kBold, false);
                } else if (flag != 0 && (code < 10 || (code >= 20 && code < 30))) {
                    pen.set(flag, reverse ? !pen.has(flag) : code < 20);
                }
            }
        };
    };
    switch (sequence.final) {
    case 'r': m_screen.changeRectangle(r, isStream, attributes(false)); break;
    case 't': m_screen.changeRectangle(r, isStream, attributes(true)); break;
    case 'v': m_screen.copyRectangle(r, sequence.value(5, 0), sequence.value(6, 0)); break;
    case 'x': {
        const int character = sequence.value(0, 32);
        if ((character >= 32 && character <= 126) || (character >= 160 && character <= 255)) {
            m_screen.fillRectangle(r, static_cast<char32_t>(character));
        }
        break;
    }
    case 'z': m_screen.eraseRectangle(r, false); break;
    case '{': m_screen.eraseRectangle(r, true); break;
    default: break;
    }
}

} // namespace coldframe::terminal
