// SPDX-License-Identifier: Apache-2.0
// What the terminal answers. Everything is made from its own state: no answer holds text that the program chose.
#include "terminal/terminal.h"

namespace coldframe::terminal {

void Terminal::send(std::string_view bytes)
{
    if (m_callbacks.reply) {
        m_callbacks.reply(bytes);
    }
}

/// DA1: a VT420 with selective erase, horizontal scrolling, colour and rectangles. DA2: as xterm names itself. DA3: no unit.
void Terminal::deviceAttributes(char prefix)
{
    send(prefix == '>' ? "\x1b[>41;379;0c" : prefix == '=' ? "\x1bP!|00000000\x1b\\" : "\x1b[?64;6;21;22;28c");
}

void Terminal::deviceStatus(int what, bool isPrivate)
{
    if (!isPrivate) {
        if (what == 5) {
            send("\x1b[0n");
        } else if (what == 6) {
            const Position at = m_screen.reportedCursor();
            send("\x1b[" + std::to_string(at.row) + ";" + std::to_string(at.column) + "R");
        }
        return;
    }
    switch (what) {
    case 6: {
        const Position at = m_screen.reportedCursor();
        send("\x1b[?" + std::to_string(at.row) + ";" + std::to_string(at.column) + ";1R"); // page 1
        break;
    }
    case 15: send("\x1b[?13n"); break;       // no printer
    case 25: send("\x1b[?21n"); break;       // user keys are locked
    case 26: send("\x1b[?27;1;0;0n"); break; // North American keyboard
    case 53:
    case 55: send("\x1b[?53n"); break;       // no locator
    case 56: send("\x1b[?57;0n"); break;
    case 62: send("\x1b[0*{"); break;        // no room for macros
    case 75: send("\x1b[?70n"); break;       // no errors
    case 85: send("\x1b[?83n"); break;       // no multiple sessions
    case 996: send(isDark() ? "\x1b[?997;1n" : "\x1b[?997;2n"); break;
    default: break;
    }
}

bool Terminal::isDark() const
{
    const std::uint32_t background = m_colors.color(DynamicColor::Background);
    return ((background >> 16) & 255) + ((background >> 8) & 255) + (background & 255) < 384;
}

/// Titles are not told and sizes not changed; sizes are told in test mode only. The title's stack works.
void Terminal::windowReport(int what)
{
    const std::string size = std::to_string(rows()) + ";" + std::to_string(columns()) + "t";
    switch (what) {
    case 18:
        if (m_options.testReports) {
            send("\x1b[8;" + size);
        }
        break;
    case 19:
        if (m_options.testReports) {
            send("\x1b[9;" + size);
        }
        break;
    case 22:
        if (m_titles.size() == kMaxTitles) {
            m_titles.erase(m_titles.begin());
        }
        m_titles.push_back(m_title);
        break;
    case 23:
        if (!m_titles.empty()) {
            m_title = m_titles.back();
            m_titles.pop_back();
            if (m_callbacks.title) {
                m_callbacks.title(m_title);
            }
        }
        break;
    default: break;
    }
}

void Terminal::dcs(const Csi& introducer, std::string_view text)
{
    m_screen.forgetLast();
    if (introducer.final != 'q' || introducer.prefix != 0) {
        return;
    }
    if (introducer.intermediates[0] == '$') {
        statusString(text);
    } else if (introducer.intermediates[0] == '+') {
        send("\x1bP0+r\x1b\\"); // XTGETTCAP: no capability is told by name
    }
}

/// DECRQSS.
void Terminal::statusString(std::string_view what)
{
    const auto valid = [&](const std::string& value) { send("\x1bP1$r" + value + "\x1b\\"); };
    const auto pair = [](int first, int last) { return std::to_string(first + 1) + ";" + std::to_string(last + 1); };
    if (what == "m") {
        valid(sgrParameters(m_screen.pen, m_underlineColor, true) + "m");
    } else if (what == "r") {
        valid(pair(m_screen.topMargin(), m_screen.bottomMargin()) + "r");
    } else if (what == "s" && modes().leftRightMargins) {
        valid(pair(m_screen.leftMargin(), m_screen.rightMargin()) + "s");
    } else if (what == " q") {
        const int shape = modes().cursorShape == CursorShape::Bar ? 5 : modes().cursorShape == CursorShape::Underline ? 3 : 1;
        valid(std::to_string(modes().cursorBlink ? shape : shape + 1) + " q");
    } else if (what == "\"q") {
        valid(std::string(m_screen.pen.has(Pen::kProtected) ? "1" : "0") + "\"q");
    } else if (what == "\"p") {
        valid("64;1\"p");
    } else if (what == "*x") {
        valid(std::string(m_isRectangular ? "2" : "1") + "*x");
    } else {
        send("\x1bP0$r\x1b\\");
    }
}

} // namespace coldframe::terminal
