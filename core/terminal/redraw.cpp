// SPDX-License-Identifier: Apache-2.0
#include "terminal/redraw.h"

#include "terminal/key_encoder.h"

#include <algorithm>

namespace coldframe::terminal {

namespace {

std::string number(int value) { return std::to_string(value); }

void appendColor(std::string& out, const Color& color, int base)
{
    switch (color.kind) {
    case Color::Kind::Default: break;
    case Color::Kind::Palette:
        if (color.red < 8) {
            out += ";" + number(base + color.red);
        } else if (color.red < 16) {
            out += ";" + number(base + 60 + color.red - 8);
        } else {
            out += ";" + number(base + 8) + ";5;" + number(color.red);
        }
        break;
    case Color::Kind::Rgb:
        out += ";" + number(base + 8) + ";2;" + number(color.red) + ";" + number(color.green) + ";" + number(color.blue);
        break;
    }
}

std::string styleSequence(const Style& style)
{
    std::string out = "\x1b[0";
    const auto flag = [&](bool on, const char* code) {
        if (on) {
            out += code;
        }
    };
    flag(style.bold, ";1");
    flag(style.dim, ";2");
    flag(style.italic, ";3");
    flag(style.underline == Underline::Single, ";4");
    flag(style.underline == Underline::Double, ";21");
    flag(style.underline == Underline::Curly, ";4:3");
    flag(style.blink, ";5");
    flag(style.inverse, ";7");
    flag(style.hidden, ";8");
    flag(style.strike, ";9");
    appendColor(out, style.foreground, 30);
    appendColor(out, style.background, 40);
    return out + "m";
}

void appendText(std::string& out, const Cell& cell)
{
    if (cell.text[0] == 0) {
        out += ' ';
        return;
    }
    for (const char32_t c : cell.text) {
        if (c != 0) {
            out += encodeUtf8(c);
        }
    }
}

bool isEmpty(const Cell& cell) { return (cell.text[0] == 0 || cell.text[0] == U' ') && cell.text[1] == 0 && cell.style == Style{}; }

/// The cells of a line from `from` up to the last that shows something, in `columns` columns; the rest of the row is erased.
void appendLine(std::string& out, const Line& line, int columns, int from = 0)
{
    const auto first = static_cast<std::size_t>(from);
    std::size_t size = std::min(line.cells.size(), first + static_cast<std::size_t>(columns));
    if (size > first && line.cells[size - 1].width == 2) {
        --size; // cut in half by a narrower screen
    }
    const bool isFull = size == first + static_cast<std::size_t>(columns);
    while (size > first && isEmpty(line.cells[size - 1]) && line.cells[size - 1].width == 1) {
        --size;
    }
    Style style;
    out += "\x1b[0m";
    for (std::size_t i = first; i < size; ++i) {
        const Cell& cell = line.cells[i];
        if (cell.width == 0 && i > first && line.cells[i - 1].width == 2) {
            continue;
        }
        if (!(cell.style == style)) {
            style = cell.style;
            out += styleSequence(style);
        }
        appendText(out, cell);
    }
    if (!isFull || size < first + static_cast<std::size_t>(columns)) {
        out += "\x1b[0m\x1b[K";
    }
}

/// Both ways, so that it does not matter how the other terminal was set.
void appendModes(std::string& out, const Modes& modes, bool afterGap)
{
    const auto set = [&](int mode, bool on) { out += "\x1b[?" + number(mode) + (on ? "h" : "l"); };
    set(1, modes.applicationCursorKeys);
    out += modes.applicationKeypad ? "\x1b=" : "\x1b>";
    set(5, modes.reverseVideo);
    set(7, modes.autoWrap);
    set(1000, false);
    set(1002, false);
    set(1003, false);
    if (modes.mouse != MouseTracking::None) {
        set(modes.mouse == MouseTracking::Press ? 1000 : modes.mouse == MouseTracking::Drag ? 1002 : 1003, true);
    }
    set(1006, modes.sgrMouse);
    set(1004, modes.focusEvents);
    set(2004, modes.bracketedPaste);
    set(25, modes.cursorVisible);
    if (modes.colorReports || afterGap) {
        set(2031, modes.colorReports);
    }
    if (!modes.alternateScroll || afterGap) {
        set(1007, modes.alternateScroll);
    }
    out += modes.insert ? "\x1b[4h" : "\x1b[4l";
    out += modes.newLine ? "\x1b[20h" : "\x1b[20l";
    // Only what a program asked for: the user's own shape and keyboard stay otherwise.
    const int shape = modes.cursorShape == CursorShape::Bar ? 5 : modes.cursorShape == CursorShape::Underline ? 3 : 1;
    if (shape != 1 || modes.cursorBlink || afterGap) {
        out += "\x1b[" + number(modes.cursorBlink ? shape : shape + 1) + " q";
    }
    if (modes.kittyKeyboard != 0 || afterGap) {
        out += (afterGap ? "\x1b[=" : "\x1b[>") + number(modes.kittyKeyboard) + "u";
    }
    if (modes.modifyOtherKeys || afterGap) {
        out += modes.modifyOtherKeys ? "\x1b[>4;2m" : "\x1b[>4;0m";
    }
}

std::string moveTo(int row, int column) { return "\x1b[" + number(row + 1) + ";" + number(column + 1) + "H"; }

/// Margins, origin, cursor, style and character sets of one screen.
void appendState(std::string& out, const Screen& screen)
{
    if (screen.topMargin() != 0 || screen.bottomMargin() != screen.rows() - 1) {
        out += "\x1b[" + number(screen.topMargin() + 1) + ";" + number(screen.bottomMargin() + 1) + "r";
    }
    if (screen.originMode) {
        out += "\x1b[?6h";
    }
    const int top = screen.originMode ? screen.topMargin() : 0;
    Position cursor = screen.cursor();
    if (screen.wrapPending()) {
        // Only a character that is printed there leaves the cursor behind the last column.
        const std::vector<Cell>& cells = screen.line(cursor.row).cells;
        if (cursor.column > 0 && cells[static_cast<std::size_t>(cursor.column)].width == 0) {
            --cursor.column;
        }
        const Cell& cell = cells[static_cast<std::size_t>(cursor.column)];
        out += moveTo(cursor.row - top, cursor.column) + styleSequence(cell.style);
        appendText(out, cell);
    } else {
        out += moveTo(cursor.row - top, cursor.column);
    }
    out += styleSequence(screen.style);
    out += screen.graphics[0] ? "\x1b(0" : "\x1b(B";
    out += screen.graphics[1] ? "\x1b)0" : "\x1b)B";
    out += screen.activeCharset == 1 ? '\x0e' : '\x0f';
}

} // namespace

std::string redraw(const Terminal& terminal, const RedrawOptions& options)
{
    const Screen& primary = terminal.primaryScreen();
    const Scrollback& scrollback = terminal.scrollback();
    std::string out;
    if (options.afterGap) {
        out += "\x18\x1b[?47l\x1b[r\x1b[?6l\x1b[0m\x1b[H\x1b[2J"; // CAN: whatever sequence it was in is over
    }
    out += "\x1b[0m\x1b[?7l\x1b[4l\x1b[20l\x1b(B\x1b)B\x0f\r";
    // Lines that end with a line feed fill the screen from wherever the cursor was, and nothing that was there is lost.
    const std::size_t count = std::min(options.scrollbackLines, scrollback.size());
    for (std::size_t i = scrollback.size() - count; i < scrollback.size(); ++i) {
        appendLine(out, scrollback.at(i), primary.columns());
        out += "\r\n";
    }
    for (int row = 0; row < primary.rows(); ++row) {
        appendLine(out, primary.line(row), primary.columns());
        if (row + 1 < primary.rows()) {
            out += "\r\n";
        }
    }
    if (terminal.modes().alternateScreen) {
        const Position cursor = primary.cursor();
        out += moveTo(cursor.row, cursor.column) + styleSequence(primary.style) + "\x1b[?1049h\x1b[0m\x1b[2J";
        const Screen& alternate = terminal.screen();
        for (int row = 0; row < alternate.rows(); ++row) {
            out += moveTo(row, 0);
            appendLine(out, alternate.line(row), alternate.columns());
        }
    }
    appendModes(out, terminal.modes(), options.afterGap);
    appendState(out, terminal.screen());
    if (!options.title.empty()) {
        out += "\x1b]2;" + options.title + "\x07";
    }
    return out;
}

std::string drawView(const Terminal& terminal, const ViewOptions& options)
{
    const Screen& screen = terminal.screen();
    const Position cursor = screen.cursor();
    const int top = std::max(0, cursor.row - options.rows + 1);
    const int left = std::max(0, cursor.column - options.columns + 1);
    // Held until it is whole, by terminals that can. 47 may be said again and again, unlike 1049, and clears nothing.
    std::string out = "\x18\x1b[?2026h\x1b[4l\x1b[20l\x1b(B\x0f";
    out += terminal.modes().alternateScreen ? "\x1b[?47h" : "\x1b[?47l";
    out += "\x1b[r\x1b[?6l";
    Modes modes = terminal.modes();
    modes.insert = false;
    modes.newLine = false;
    modes.autoWrap = false; // the last column of a row that is cut
    modes.cursorVisible = false;
    appendModes(out, modes, true);
    for (int row = 0; row < options.rows; ++row) {
        out += moveTo(row, 0);
        if (top + row < screen.rows()) {
            appendLine(out, screen.line(top + row), options.columns, left);
        } else {
            out += "\x1b[0m\x1b[J";
            break;
        }
    }
    out += moveTo(cursor.row - top, cursor.column - left) + "\x1b[0m";
    if (terminal.modes().cursorVisible) {
        out += "\x1b[?25h";
    }
    if (!options.title.empty()) {
        out += "\x1b]2;" + options.title + "\x07";
    }
    return out + "\x1b[?2026l";
}

} // namespace coldframe::terminal
