// SPDX-License-Identifier: Apache-2.0
// Controls and escape sequences. CSI is in terminal_csi.cpp, modes, reports and OSC in files of their own.
#include "terminal/terminal.h"

namespace coldframe::terminal {

Terminal::Terminal(int rows, int columns, Callbacks callbacks, ScrollbackLimits scrollback, Options options)
    : m_callbacks(std::move(callbacks)), m_options(options), m_parser(*this), m_screen(rows, columns, scrollback)
{
}

void Terminal::resize(int rows, int columns) { m_screen.resize(rows, columns); }

void Terminal::setDefaultColors(std::uint32_t foreground, std::uint32_t background)
{
    const bool wasDark = isDark();
    m_colors.setDefault(DynamicColor::Foreground, foreground);
    m_colors.setDefault(DynamicColor::Cursor, foreground);
    m_colors.setDefault(DynamicColor::Background, background);
    if (modes().colorReports && wasDark != isDark()) {
        deviceStatus(996, true);
    }
}

void Terminal::readRow(std::size_t row, Row& out) const
{
    const std::size_t above = scrollbackRows();
    if (row < above) {
        m_screen.readScrollback(row, out);
    } else if (row < totalRows()) {
        m_screen.readGridRow(m_screen.grid(), static_cast<int>(row - above), out);
    } else {
        out.begin();
        out.end(false, RowMark::None);
    }
}

std::uint64_t Terminal::rowStamp(int screenRow) const
{
    return screenRow >= 0 && screenRow < rows() ? m_screen.grid().state(screenRow).stamp : 0;
}

void Terminal::execute(char control)
{
    m_screen.forgetLast();
    switch (control) {
    case '\a':
        if (m_callbacks.bell) {
            m_callbacks.bell();
        }
        break;
    case '\b': m_screen.backspace(); break;
    case '\t': m_screen.tab(1); break;
    case '\n':
    case '\v':
    case '\f':
        m_screen.lineFeed();
        if (modes().newLine) {
            m_screen.carriageReturn();
        }
        break;
    case '\r': m_screen.carriageReturn(); break;
    case 0x0E: m_screen.charsets.left = 1; break;
    case 0x0F: m_screen.charsets.left = 0; break;
    default: break;
    }
}

void Terminal::escape(std::string_view intermediates, char final)
{
    m_screen.forgetLast();
    Charsets& charsets = m_screen.charsets;
    if (intermediates.size() == 1) {
        constexpr std::string_view kDesignators = "()*+-./";
        const std::size_t which = kDesignators.find(intermediates[0]);
        if (which != std::string_view::npos) {
            const std::size_t set = which < 4 ? which : which - 3; // "-", "." and "/" are for sets of 96, from G1 on
            charsets.sets[set] = which < 4 && final == '0' ? Charset::Graphics : which < 4 && final == 'A' ? Charset::British : Charset::Ascii;
        } else if (intermediates == "#" && final == '8') {
            m_screen.alignmentPattern();
        }
        return;
    }
    if (!intermediates.empty()) {
        return;
    }
    switch (final) {
    case '6': m_screen.backIndex(); break;
    case '7': m_screen.saveCursor(); break;
    case '8': restoreCursor(); break;
    case '9': m_screen.forwardIndex(); break;
    case '=': m_screen.modes.applicationKeypad = true; break;
    case '>': m_screen.modes.applicationKeypad = false; break;
    case 'D': m_screen.lineFeed(); break;
    case 'E':
        m_screen.carriageReturn();
        m_screen.lineFeed();
        break;
    case 'H': m_screen.setTabStop(); break;
    case 'M': m_screen.reverseLineFeed(); break;
    case 'N': charsets.single = 2; break;
    case 'O': charsets.single = 3; break;
    case 'V':
        m_screen.pen.set(Pen::kProtected, true);
        m_screen.protectsFromAll = true;
        break;
    case 'W': m_screen.pen.set(Pen::kProtected, false); break;
    case 'Z': deviceAttributes(0); break;
    case 'c': fullReset(); break;
    case 'n': charsets.left = 2; break;
    case 'o': charsets.left = 3; break;
    default: break;
    }
}

void Terminal::restoreCursor()
{
    m_screen.restoreCursor();
    m_underlineColor = m_screen.extraOf(m_screen.pen).underlineColor;
    updateExtra();
}

void Terminal::updateExtra() { m_screen.pen.extra = m_screen.extra(m_underlineColor, m_linkId, m_linkTarget); }

/// DECSTR: VT420 Programmer Reference, table 5-9; the cursor and what is shown stay.
void Terminal::softReset()
{
    Modes& modes = m_screen.modes;
    modes.cursorVisible = true;
    modes.origin = false;
    modes.autoWrap = true;
    modes.reverseWrap = false;
    modes.insert = false;
    modes.applicationCursorKeys = false;
    modes.applicationKeypad = false;
    modes.leftRightMargins = false;
    m_screen.charsets = Charsets{};
    m_screen.pen = Pen{};
    m_screen.protectsFromAll = false;
    m_screen.resetMargins();
    m_screen.forgetSavedCursor();
    m_underlineColor = Color{};
    m_linkId = 0;
    m_linkTarget.clear();
    m_isRectangular = false;
    m_kittyFlags = {};
    showKittyFlags();
    modes.modifyOtherKeys = 0;
}

void Terminal::fullReset()
{
    softReset();
    m_screen.reset();
    m_kittyStacks = {};
    m_savedModes.clear();
    m_namedLinks.clear();
    m_titles.clear();
    m_pens.clear();
    m_colors.resetPalette();
    for (const DynamicColor which : {DynamicColor::Foreground, DynamicColor::Background, DynamicColor::Cursor}) {
        m_colors.set(which, std::nullopt);
    }
}

} // namespace coldframe::terminal
