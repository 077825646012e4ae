// SPDX-License-Identifier: Apache-2.0
#include "terminal/redraw.h"

#include "terminal/graphemes.h"
#include "terminal/utf8.h"

#include <algorithm>
#include <vector>

namespace coldframe::terminal {

namespace {

std::string number(int value) { return std::to_string(value); }

std::string styleSequence(const Pen& pen, Color underlineColor) { return "\x1b[" + sgrParameters(pen, underlineColor) + "m"; }

Pen penOf(const Style& style)
{
    Pen pen;
    pen.foreground = style.foreground;
    pen.background = style.background;
    pen.set(Pen::kBold, style.bold);
    pen.set(Pen::kDim, style.dim);
    pen.set(Pen::kItalic, style.italic);
    pen.set(Pen::kBlink, style.blink);
    pen.set(Pen::kInverse, style.inverse);
    pen.set(Pen::kHidden, style.hidden);
    pen.set(Pen::kStrike, style.strike);
    pen.set(Pen::kOverline, style.overline);
    pen.set(Pen::kProtected, style.isProtected);
    pen.setUnderline(style.underline);
    return pen;
}

std::string styleSequence(const Style& style) { return styleSequence(penOf(style), style.underlineColor); }

void appendText(std::string& out, std::u32string_view text)
{
    if (text.empty()) {
        out += ' ';
    }
    for (const char32_t c : text) {
        out += encodeUtf8(c);
    }
}

bool isEmpty(const Row& row, int column)
{
    const std::u32string_view text = row.text(column);
    return (text.empty() || text == U" ") && row.width(column) == 1 && row.style(column) == Style{} && row.linkId(column) == 0;
}

std::string protection(bool isProtected) { return isProtected ? "\x1b[1\"q" : "\x1b[0\"q"; }

/// The cells of a row from `from` up to the last that shows something, in `columns` columns; the rest of the row is erased.
void appendRow(std::string& out, const Row& row, int columns, int from = 0)
{
    int end = std::min(row.columns(), from + columns);
    if (end > from && row.width(end - 1) == 2) {
        --end; // cut in half by a narrower screen
    }
    const bool isFull = end == from + columns;
    const int whole = end;
    while (end > from && isEmpty(row, end - 1)) {
        --end;
    }
    Style style;
    std::uint32_t link = 0;
    // Cells whose text would join the one before, printed when that was not so: they are drawn when something else was printed between.
    std::vector<int> apart;
    std::u32string_view before;
    out += "\x1b[0m";
    const auto isApart = [&](int column) {
        const std::u32string_view text = row.text(column);
        return !text.empty() && !before.empty() && joins(before, text.front());
    };
    for (int column = from; column < end; ++column) {
        if (row.width(column) == 0 && column > from) {
            continue;
        }
        if (row.linkId(column) != link) {
            link = row.linkId(column);
            out += link == 0 ? std::string("\x1b]8;;\x1b\\") : "\x1b]8;id=" + std::to_string(link) + ";" + std::string(row.link(column)) + "\x1b\\";
        }
        if (!(row.style(column) == style)) {
            if (row.style(column).isProtected != style.isProtected) {
                out += protection(row.style(column).isProtected);
            }
            style = row.style(column);
            out += styleSequence(style);
        }
        if (isApart(column)) {
            apart.push_back(column);
            out.append(static_cast<std::size_t>(row.width(column)), ' ');
        } else {
            appendText(out, row.text(column));
        }
        before = row.text(column);
    }
    if (link != 0) {
        out += "\x1b]8;;\x1b\\";
    }
    if (style.isProtected) {
        out += protection(false);
    }
    if (!isFull || end < whole) {
        out += "\x1b[0m\x1b[K";
    }
    for (auto column = apart.rbegin(); column != apart.rend(); ++column) {
        out += "\x1b[" + number(*column - from + 1) + "G" + styleSequence(row.style(*column));
        appendText(out, row.text(*column));
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
    if (modes.reverseWrap || afterGap) {
        set(45, modes.reverseWrap);
    }
    if (!modes.graphemes || afterGap) {
        set(2027, modes.graphemes);
    }
    set(1000, false);
    set(1002, false);
    set(1003, false);
    if (modes.mouse != MouseTracking::None) {
        set(modes.mouse == MouseTracking::X10 ? 9 : modes.mouse == MouseTracking::Press ? 1000 : modes.mouse == MouseTracking::Drag ? 1002 : 1003, true);
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
    if (modes.modifyOtherKeys != 0 || afterGap) {
        out += "\x1b[>4;" + number(modes.modifyOtherKeys) + "m";
    }
}

std::string moveTo(int row, int column) { return "\x1b[" + number(row + 1) + ";" + number(column + 1) + "H"; }

void appendCharsets(std::string& out, const Charsets& charsets)
{
    constexpr std::string_view kDesignators = "()*+";
    for (std::size_t i = 0; i < 4; ++i) {
        if (i < 2 || charsets.sets[i] != Charset::Ascii) {
            out += {'\x1b', kDesignators[i], charsets.sets[i] == Charset::Graphics ? '0' : charsets.sets[i] == Charset::British ? 'A' : 'B'};
        }
    }
    out += charsets.left == 1 ? "\x0e" : "\x0f";
    if (charsets.left >= 2) {
        out += charsets.left == 2 ? "\x1bn" : "\x1bo";
    }
    if (charsets.single != 0) {
        out += charsets.single == 2 ? "\x1bN" : "\x1bO";
    }
}

/// What prints next: where, how it looks, in which character set.
void appendCursor(std::string& out, const Terminal& terminal, const Screen::Saved& state)
{
    const Screen& screen = terminal.screen();
    const int top = state.origin ? screen.topMargin() : 0;
    const int left = state.origin ? screen.leftMargin() : 0;
    Position cursor = state.cursor;
    if (state.wrapPending) {
        // Only a character that is printed there leaves the cursor behind the last column.
        Row row;
        terminal.readScreenRow(cursor.row, row);
        if (cursor.column > 0 && row.width(cursor.column) == 0) {
            --cursor.column;
        }
        out += moveTo(cursor.row - top, cursor.column - left) + protection(row.style(cursor.column).isProtected) + styleSequence(row.style(cursor.column));
        appendText(out, row.text(cursor.column));
    } else {
        out += moveTo(cursor.row - top, cursor.column - left);
    }
    if (state.pen.has(Pen::kProtected) || state.wrapPending) {
        out += protection(state.pen.has(Pen::kProtected));
    }
    const Extras::Extra extra = screen.extraOf(state.pen);
    out += styleSequence(state.pen, extra.underlineColor);
    if (extra.linkId != 0) {
        out += "\x1b]8;id=" + std::to_string(extra.linkId) + ";" + extra.target + "\x1b\\";
    }
    appendCharsets(out, state.charsets);
}

void appendTabStops(std::string& out, const Screen& screen)
{
    const std::vector<bool>& stops = screen.tabStops();
    bool isUsual = true;
    for (std::size_t i = 0; i < stops.size(); ++i) {
        isUsual = isUsual && stops[i] == (i > 0 && i % 8 == 0);
    }
    if (isUsual) {
        return;
    }
    out += "\x1b[3g";
    for (std::size_t i = 0; i < stops.size(); ++i) {
        if (stops[i]) {
            out += "\x1b[" + number(static_cast<int>(i) + 1) + "G\x1bH";
        }
    }
}

/// Tab stops, margins, the saved cursor, the cursor.
void appendState(std::string& out, const Terminal& terminal)
{
    const Screen& screen = terminal.screen();
    appendTabStops(out, screen);
    if (screen.topMargin() != 0 || screen.bottomMargin() != screen.rows() - 1) {
        out += "\x1b[" + number(screen.topMargin() + 1) + ";" + number(screen.bottomMargin() + 1) + "r";
    }
    if (screen.modes.leftRightMargins) {
        out += "\x1b[?69h\x1b[" + number(screen.leftMargin() + 1) + ";" + number(screen.rightMargin() + 1) + "s";
    }
    const Screen::Saved& saved = screen.saved(screen.modes.alternateScreen);
    const Screen::Saved now{screen.cursor(), screen.pen, screen.charsets, screen.modes.origin, screen.wrapPending()};
    const auto append = [&](const Screen::Saved& state) {
        out += state.origin ? "\x1b[?6h" : "\x1b[?6l";
        appendCursor(out, terminal, state);
    };
    if (!(saved.cursor == Position{}) || !(saved.pen == Pen{}) || !(saved.charsets == Charsets{}) || saved.origin) {
        Screen::Saved place = saved;
        place.wrapPending = false; // it would print at a place where something else may be now
        append(place);
        out += "\x1b" "7\x1b]8;;\x1b\\";
    }
    append(now);
}

} // namespace

std::string redraw(const Terminal& terminal, const RedrawOptions& options)
{
    const Screen& screen = terminal.screen();
    const int rows = terminal.rows();
    const int columns = terminal.columns();
    std::string out;
    if (options.afterGap) {
        out += "\x18\x1b[?47l\x1b[r\x1b[?69l\x1b[?6l\x1b[0m\x1b]8;;\x1b\\\x1b[H\x1b[2J"; // CAN: whatever sequence it was in is over
    }
    out += "\x1b[0m\x1b[0\"q\x1b[?7l\x1b[4l\x1b[20l\x1b(B\x1b)B\x0f\r";
    // Rows that end with a line feed fill the screen from wherever the cursor was, and nothing that was there is lost.
    const std::size_t above = terminal.scrollbackRows();
    Row row;
    for (std::size_t i = above - std::min(options.scrollbackLines, above); i < above; ++i) {
        screen.readScrollback(i, row);
        appendRow(out, row, columns);
        out += "\r\n";
    }
    for (int i = 0; i < rows; ++i) {
        terminal.readMainRow(i, row);
        appendRow(out, row, columns);
        if (i + 1 < rows) {
            out += "\r\n";
        }
    }
    if (terminal.modes().alternateScreen) {
        const Screen::Saved& main = screen.saved(false);
        out += moveTo(main.cursor.row, main.cursor.column) + styleSequence(main.pen, screen.extraOf(main.pen).underlineColor);
        appendCharsets(out, main.charsets);
        out += "\x1b[?1049h\x1b[0m\x1b(B\x1b)B\x0f\x1b[2J";
        for (int i = 0; i < rows; ++i) {
            out += moveTo(i, 0);
            terminal.readScreenRow(i, row);
            appendRow(out, row, columns);
        }
    }
    appendModes(out, terminal.modes(), options.afterGap);
    appendState(out, terminal);
    if (!options.title.empty()) {
        out += "\x1b]2;" + options.title + "\x07";
    }
    return out;
}

std::string drawView(const Terminal& terminal, const ViewOptions& options)
{
    const Position cursor = terminal.cursor();
    const int top = std::max(0, cursor.row - options.rows + 1);
    const int left = std::max(0, cursor.column - options.columns + 1);
    // Held until it is whole, by terminals that can. 47 may be said again and again, unlike 1049, and clears nothing.
    std::string out = "\x18\x1b[?2026h\x1b[4l\x1b[20l\x1b(B\x0f\x1b[0\"q";
    out += terminal.modes().alternateScreen ? "\x1b[?47h" : "\x1b[?47l";
    out += "\x1b[r\x1b[?69l\x1b[?6l";
    Modes modes = terminal.modes();
    modes.insert = false;
    modes.newLine = false;
    modes.autoWrap = false; // the last column of a row that is cut
    modes.cursorVisible = false;
    appendModes(out, modes, true);
    Row shown;
    for (int row = 0; row < options.rows; ++row) {
        out += moveTo(row, 0);
        if (top + row < terminal.rows()) {
            terminal.readScreenRow(top + row, shown);
            appendRow(out, shown, options.columns, left);
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
