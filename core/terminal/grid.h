// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"
#include "terminal/row.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace coldframe::terminal {

/// What a row of the grid is besides its cells. Cells from `used` on are `blank`, whatever the memory holds: so a new row costs
/// nothing, and erasing to the end only a number.
struct RowState
{
    Cell blank;
    std::uint64_t stamp = 0;
    std::uint16_t used = 0;
    bool wrapped = false;   ///< goes on in the next row
    bool isPadded = false;  ///< the last column is empty because a wide character did not fit
    bool hasWide = false;   ///< may hold wide characters
    RowMark mark = RowMark::None;
};

/// The rows of one screen. Rows change places by number, so scrolling moves no cells. Indices are the caller's to check:
/// 0 <= row < rows(), 0 <= column < columns().
class Grid
{
public:
    static constexpr int kMaxRows = 1000;
    static constexpr int kMaxColumns = 1000;

    Grid(int rows, int columns, std::uint64_t& stamps); ///< the counter outlives it

    int rows() const { return m_rows; }
    int columns() const { return m_columns; }
    const RowState& state(int row) const { return m_states[slot(row)]; }
    RowState& state(int row) { return m_states[slot(row)]; }
    const Cell* cells(int row) const { return m_cells.data() + slot(row) * static_cast<std::size_t>(m_columns); }
    Cell* cells(int row) { return m_cells.data() + slot(row) * static_cast<std::size_t>(m_columns); }
    const Cell& at(int row, int column) const
    {
        const RowState& s = state(row);
        return column < s.used ? cells(row)[column] : s.blank;
    }
    void touch(int row) { state(row).stamp = ++*m_stamps; }

    /// Makes [from, to) of the row ready to be written, every cell of it by the caller: halves of wide characters that are cut
    /// at its edges become blank. The first of these cells.
    Cell* open(int row, int from, int to)
    {
        RowState& s = state(row);
        Cell* const all = cells(row);
        if (s.hasWide || s.used < from) {
            prepare(row, from, to);
        }
        s.used = s.used < to ? static_cast<std::uint16_t>(to) : s.used;
        s.isPadded = s.isPadded && to < m_columns;
        s.stamp = ++*m_stamps;
        return all + from;
    }
    /// All cells before `to` in memory, for changing some of them in place. The row's first cell.
    Cell* materialise(int row, int to);
    void erase(int row, int from, int to, const Cell& blank); ///< [from, to)
    void clear(int row, const Cell& blank);                   ///< all of it, its mark and its wrapping too
    /// Rows [top, bottom] move up or down by count, which is at most their number; the new ones are blank.
    void rotateUp(int top, int bottom, int count, const Cell& blank);
    void rotateDown(int top, int bottom, int count, const Cell& blank);
    /// Copies columns [from, to) of a row over those of another.
    void copySpan(int fromRow, int toRow, int from, int to);
    /// Blank, with another size.
    void reshape(int rows, int columns);
    /// A wide character of which `column` is the right half becomes two blanks.
    void breakWide(int row, int column);

private:
    std::size_t slot(int row) const { return m_order[static_cast<std::size_t>(row)]; }
    void prepare(int row, int from, int to);
    static void fillUpTo(RowState& state, Cell* cells, int column);

    int m_rows;
    int m_columns;
    std::uint64_t* m_stamps;
    std::vector<Cell> m_cells;
    std::vector<RowState> m_states;
    std::vector<std::uint16_t> m_order;
};

} // namespace coldframe::terminal
