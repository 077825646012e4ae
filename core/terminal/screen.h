// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell_store.h"
#include "terminal/graphemes.h"
#include "terminal/grid.h"
#include "terminal/modes.h"
#include "terminal/row.h"
#include "terminal/scrollback.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace coldframe::terminal {

/// A position on the grid: 0-based.
struct Position
{
    int row = 0;
    int column = 0;
    bool operator==(const Position&) const = default;
};

enum class Charset : std::uint8_t { Ascii, Graphics, British };

/// The character sets G0 to G3 and which is in use.
struct Charsets
{
    std::array<Charset, 4> sets{};
    std::uint8_t left = 0;   ///< GL: 0 to 3
    std::uint8_t single = 0; ///< for the next character only (SS2, SS3): 2 or 3; 0: none
    bool operator==(const Charsets&) const = default;
};

/// Rows and columns of a rectangle, 0-based, both ends included, inside the grid.
struct Rectangle
{
    int top = 0;
    int left = 0;
    int bottom = 0;
    int right = 0;
};

/// The two grids, main and alternate, one cursor, the scrollback of the main one. Every operation clamps its arguments: nothing
/// from the program can index outside. Sizes are 1 to 1000 rows and 2 to 1000 columns. Not thread-safe.
/// Sources: ECMA-48; DEC STD 070; VT420 Programmer Reference; xterm's ctlseqs.
class Screen
{
public:
    struct Saved ///< DECSC
    {
        Position cursor;
        Pen pen;
        Charsets charsets;
        bool origin = false;
        bool wrapPending = false;
    };

    Screen(int rows, int columns, ScrollbackLimits limits);

    Modes modes;
    Pen pen;
    Charsets charsets;
    bool protectsFromAll = false; ///< protected cells stay whatever erases (SPA), not only when erasing selectively (DECSCA)

    int rows() const { return m_main.rows(); }
    int columns() const { return m_main.columns(); }
    Position cursor() const { return m_cursor; }
    bool wrapPending() const { return m_wrapPending; }
    const Grid& main() const { return m_main; }
    const Grid& grid() const { return *m_grid; }
    const Scrollback& scrollback() const { return m_scrollback; }
    const Saved& saved(bool alternate) const { return m_saved[alternate ? 1 : 0]; }
    const std::vector<bool>& tabStops() const { return m_tabStops; }
    int topMargin() const { return m_top; }
    int bottomMargin() const { return m_bottom; }
    int leftMargin() const { return m_left; }
    int rightMargin() const { return m_right; }
    void readGridRow(const Grid& grid, int row, Row& out) const;
    void readScrollback(std::size_t row, Row& out) const { m_scrollback.read(row, m_extras, m_clusters, out); }
    Extras::Extra extraOf(const Pen& of) const { return m_extras.at(of.extra); }

    // Printing
    void printAscii(std::string_view text); ///< 0x20 to 0x7E only
    void print(std::u32string_view text);   ///< no controls
    void repeat(int count);                 ///< REP
    void forgetLast() { m_lastPrinted = 0; } ///< something came between the character and a REP

    // Cursor
    void moveTo(int row, int column); ///< absolute, or in the margins when in origin mode; clamped
    void moveToRow(int row);
    void moveToColumn(int column);
    void moveUp(int count);
    void moveDown(int count);
    void moveLeft(int count);
    void moveRight(int count);
    void moveByPosition(int rowCount, int columnCount); ///< VPR and HPR, which no margin holds
    void carriageReturn();
    void lineFeed();
    void reverseLineFeed();
    void backspace();
    void backIndex();    ///< DECBI
    void forwardIndex(); ///< DECFI
    void tab(int count);
    void backTab(int count);
    void setTabStop() { m_tabStops[static_cast<std::size_t>(m_cursor.column)] = true; }
    void clearTabStop(bool all);
    void resetTabStops();
    void saveCursor();
    void restoreCursor();
    void forgetSavedCursor() { m_saved[modes.alternateScreen ? 1 : 0] = {}; }
    Position reportedCursor() const; ///< 1-based, as CPR has it

    // Margins: 0-based, both ends included; an empty or impossible region changes nothing.
    void setVerticalMargins(int top, int bottom);
    void setHorizontalMargins(int left, int right);
    void resetMargins();
    void resetHorizontalMargins();

    // Editing
    void scrollUp(int count);
    void scrollDown(int count);
    void scrollLeft(int count);
    void scrollRight(int count);
    void insertLines(int count);
    void deleteLines(int count);
    void insertCharacters(int count);
    void deleteCharacters(int count);
    void insertColumns(int count);
    void deleteColumns(int count);
    void eraseCharacters(int count);
    void eraseInLine(int mode, bool selective);    ///< 0 to the end, 1 from the start, 2 all
    void eraseInDisplay(int mode, bool selective); ///< as eraseInLine
    void clearScrollback() { m_scrollback.clear(); }

    void alignmentPattern(); ///< DECALN

    // Rectangles (VT420)
    /// From parameters, 1-based, 0 or less meaning the default; false when it is empty. In a stream the last row may end left of
    /// where the first begins.
    bool rectangle(int top, int left, int bottom, int right, bool isStream, Rectangle& out) const;
    void fillRectangle(const Rectangle& r, char32_t character);
    void eraseRectangle(const Rectangle& r, bool selective);
    void copyRectangle(const Rectangle& r, int top, int left);
    /// Calls change(pen) for each cell; in a stream when asked (DECSACE), from the first to the last corner along the rows.
    template <typename Change> void changeRectangle(const Rectangle& r, bool isStream, Change&& change);
    std::uint16_t checksum(const Rectangle& r) const; ///< DECRQCRA, as xterm's

    // Surroundings
    void useAlternate(bool on);
    void clearAlternate();
    void resize(int rows, int columns);
    void reset();
    void markRow(RowMark mark);
    /// A pen's extra for this underline colour and link; 0 when there is neither or no room.
    std::uint16_t extra(Color underlineColor, std::uint32_t linkId, std::string_view target);

private:
    Cell blankCell() const;
    bool isInMargins() const;
    int rightLimit() const { return m_cursor.column <= m_right ? m_right : columns() - 1; }
    void wrap();
    void index();
    void endContinuation(int row);
    void regionUp(int top, int bottom, int count);
    void regionDown(int top, int bottom, int count);
    void shiftRight(int row, int column, int count);
    void shiftLeft(int row, int column, int count);
    void eraseSpan(int row, int from, int to, bool selective);
    void printOne(char32_t character);
    void put(std::uint32_t character, int width);
    void notePut(int row, int column);
    bool tryJoin(char32_t character, bool onlyMark);
    char32_t translated(char32_t character);
    void collectClusters();
    void collectExtras();
    void clampCursor();
    void reflow(int rows, int columns, Position& cursor, bool& wrapPending);

    const TraitsTable& m_traits = traits();
    std::uint64_t m_stamps = 0;
    Grid m_main;
    Grid m_alternate;
    Grid* m_grid = &m_main;
    Clusters m_clusters;
    Extras m_extras;
    std::size_t m_extraRefusals = 0;
    Scrollback m_scrollback;
    std::vector<bool> m_tabStops;
    Position m_cursor;
    bool m_wrapPending = false;
    int m_top = 0;
    int m_bottom = 0;
    int m_left = 0;
    int m_right = 0;
    std::array<Saved, 2> m_saved;
    char32_t m_lastPrinted = 0;
    /// Where the last character was put and the row's stamp then: if neither changed, the next may join it.
    Position m_lastPut{-1, -1};
    std::uint64_t m_lastStamp = 0;
};

template <typename Change> void Screen::changeRectangle(const Rectangle& r, bool isStream, Change&& change)
{
    for (int row = r.top; row <= r.bottom; ++row) {
        const int from = isStream && row > r.top ? 0 : r.left;
        const int to = isStream && row < r.bottom ? columns() : r.right + 1;
        Cell* cells = m_grid->materialise(row, to);
        for (int column = from; column < to; ++column) {
            change(cells[column].pen);
        }
        m_grid->touch(row);
    }
}

} // namespace coldframe::terminal
