// SPDX-License-Identifier: Apache-2.0
#include "terminal/grid.h"

#include <algorithm>
#include <numeric>

namespace coldframe::terminal {

Grid::Grid(int rows, int columns, std::uint64_t& stamps) : m_rows(0), m_columns(0), m_stamps(&stamps) { reshape(rows, columns); }

void Grid::reshape(int rows, int columns)
{
    m_rows = rows;
    m_columns = columns;
    const auto count = static_cast<std::size_t>(rows);
    std::vector<Cell>(count * static_cast<std::size_t>(columns)).swap(m_cells);
    m_states.assign(count, RowState{});
    m_order.resize(count);
    std::iota(m_order.begin(), m_order.end(), std::uint16_t{0});
    for (RowState& state : m_states) {
        state.stamp = ++*m_stamps;
    }
}

void Grid::fillUpTo(RowState& state, Cell* cells, int column)
{
    std::fill(cells + state.used, cells + column, state.blank);
    state.used = static_cast<std::uint16_t>(column);
}

void Grid::breakWide(int row, int column)
{
    RowState& s = state(row);
    Cell* all = cells(row);
    if (column > 0 && column < s.used && all[column].width() == 0) {
        all[column - 1].packed = Cell::kNarrow;
        all[column].packed = Cell::kNarrow;
    }
}

void Grid::prepare(int row, int from, int to)
{
    RowState& s = state(row);
    if (s.hasWide) {
        breakWide(row, from);
        breakWide(row, to);
    }
    if (s.used < from) {
        fillUpTo(s, cells(row), from);
    }
}

Cell* Grid::materialise(int row, int to)
{
    RowState& s = state(row);
    if (s.used < to) {
        fillUpTo(s, cells(row), to);
    }
    return cells(row);
}

void Grid::erase(int row, int from, int to, const Cell& blank)
{
    if (from >= to) {
        return;
    }
    RowState& s = state(row);
    if (s.hasWide) {
        breakWide(row, from);
        breakWide(row, to);
    }
    s.stamp = ++*m_stamps;
    if (to >= m_columns) {
        s.wrapped = false;
        s.isPadded = false;
        if (from == 0) {
            s.used = 0;
            s.hasWide = false;
            s.blank = blank;
            return;
        }
        if (s.blank == blank) {
            s.used = std::min(s.used, static_cast<std::uint16_t>(from));
            return;
        }
    }
    if (from >= s.used && s.blank == blank) {
        return;
    }
    Cell* all = cells(row);
    if (s.used < from) {
        fillUpTo(s, all, from);
    }
    std::fill(all + from, all + to, blank);
    s.used = std::max(s.used, static_cast<std::uint16_t>(to));
}

void Grid::clear(int row, const Cell& blank)
{
    RowState& s = state(row);
    s = RowState{};
    s.blank = blank;
    s.stamp = ++*m_stamps;
}

void Grid::rotateUp(int top, int bottom, int count, const Cell& blank)
{
    const auto first = m_order.begin() + top;
    std::rotate(first, first + count, m_order.begin() + bottom + 1);
    for (int row = bottom - count + 1; row <= bottom; ++row) {
        clear(row, blank);
    }
}

void Grid::rotateDown(int top, int bottom, int count, const Cell& blank)
{
    const auto last = m_order.begin() + bottom + 1;
    std::rotate(m_order.begin() + top, last - count, last);
    for (int row = top; row < top + count; ++row) {
        clear(row, blank);
    }
}

void Grid::copySpan(int fromRow, int toRow, int from, int to)
{
    const int columns = to - from;
    std::vector<Cell> copy(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) {
        copy[static_cast<std::size_t>(i)] = at(fromRow, from + i);
    }
    // Halves of wide characters that the span cuts stay behind.
    if (copy.front().width() == 0) {
        copy.front().packed = Cell::kNarrow;
    }
    if (copy.back().width() == 2) {
        copy.back().packed = Cell::kNarrow;
    }
    Cell* out = open(toRow, from, to);
    std::copy(copy.begin(), copy.end(), out);
    RowState& s = state(toRow);
    s.hasWide = s.hasWide || state(fromRow).hasWide;
}

} // namespace coldframe::terminal
