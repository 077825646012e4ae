// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"

#include <cstddef>
#include <deque>
#include <vector>

namespace coldframe::terminal {

/// A position on the grid: 0-based.
struct Position
{
    int row = 0;
    int column = 0;
    bool operator==(const Position&) const = default;
};

/// How much of what scrolled away is kept.
struct ScrollbackLimits
{
    std::size_t lines = 20000;
    std::size_t cells = 2'000'000;
};

/// The scrollback: the oldest lines are dropped above the limits, so hostile output is bounded.
class Scrollback
{
public:
    explicit Scrollback(ScrollbackLimits limits = {}) : m_limits(limits) {}

    void push(Line line);
    bool popNewest(Line& line);
    void clear();
    std::size_t size() const { return m_lines.size(); }
    /// 0 = the oldest. index < size().
    const Line& at(std::size_t index) const { return m_lines[index]; }
    /// How many lines were dropped from the front since the start; views keep their place with it.
    std::size_t dropped() const { return m_dropped; }

private:
    ScrollbackLimits m_limits;
    std::deque<Line> m_lines;
    std::size_t m_cells = 0;
    std::size_t m_dropped = 0;
};

/// One grid of cells with cursor, margins and attributes: what the primary and the alternate screen each are.
/// Every operation clamps its arguments: nothing from the program can index outside. Sizes are 1…1000 rows and
/// 2…1000 columns. Not thread-safe.
class Screen
{
public:
    Screen(int rows, int columns, Scrollback* scrollback);

    int rows() const { return m_rows; }
    int columns() const { return m_columns; }
    const Line& line(int row) const { return m_lines[static_cast<std::size_t>(row)]; }
    Position cursor() const { return m_cursor; }
    bool wrapPending() const { return m_wrapPending; }

    void resize(int rows, int columns);
    void put(char32_t character, bool autoWrap, bool insertMode);
    void moveTo(int row, int column);          ///< absolute, clamped to the grid
    void moveBy(int rows, int columns);        ///< relative, stops at margins as CUU/CUD do
    void carriageReturn();
    void lineFeed();
    void reverseLineFeed();
    void backspace();
    void tab(int count);
    void backTab(int count);
    void setTabStop();
    void clearTabStop(bool all);
    void setMargins(int top, int bottom);      ///< 0-based, inclusive; an empty region resets
    void scrollUp(int count);
    void scrollDown(int count);
    void insertLines(int count);
    void deleteLines(int count);
    void insertCharacters(int count);
    void deleteCharacters(int count);
    void eraseCharacters(int count);
    void eraseInLine(int mode);    ///< 0 to the end, 1 from the start, 2 all
    void eraseInDisplay(int mode); ///< as eraseInLine, 3 = scrollback too
    void fill(char32_t character); ///< DECALN
    void saveCursor();
    void restoreCursor();
    void reset();

    Style style;
    bool originMode = false;
    /// DEC special graphics in G0/G1 and which is active.
    bool graphics[2] = {false, false};
    int activeCharset = 0;

    int topMargin() const { return m_top; }
    int bottomMargin() const { return m_bottom; }

private:
    struct Saved
    {
        Position cursor;
        Style style;
        bool originMode = false;
        bool graphics[2] = {false, false};
        int activeCharset = 0;
        bool wrapPending = false;
    };

    Line blankLine() const;
    Cell blankCell() const;
    Line& current() { return m_lines[static_cast<std::size_t>(m_cursor.row)]; }
    void scrollRegionUp(int top, int bottom, int count, bool keep);
    void scrollRegionDown(int top, int bottom, int count);
    void blank(int row, int from, int to);
    void breakWide(int row, int column);
    void combine(char32_t mark);
    void clampCursor();

    int m_rows;
    int m_columns;
    Scrollback* m_scrollback;
    std::vector<Line> m_lines;
    std::vector<bool> m_tabStops;
    Position m_cursor;
    bool m_wrapPending = false;
    int m_top = 0;
    int m_bottom = 0;
    Saved m_saved;
};

} // namespace coldframe::terminal
