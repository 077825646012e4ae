// SPDX-License-Identifier: Apache-2.0
// Erasing, inserting, deleting and scrolling.
#include "terminal/screen.h"

#include <algorithm>

namespace coldframe::terminal {

bool Screen::isInMargins() const
{
    return m_cursor.row >= m_top && m_cursor.row <= m_bottom && m_cursor.column >= m_left && m_cursor.column <= m_right;
}

/// What was the beginning of the row is gone, so it is no continuation of the one above.
void Screen::endContinuation(int row)
{
    if (row > 0) {
        m_grid->state(row - 1).wrapped = false;
    } else if (m_grid == &m_main && m_scrollback.isOpen()) {
        m_scrollback.closeOpen(m_clusters);
    }
}

/// Rows of the region move up; what leaves the main screen at its top goes to the scrollback.
void Screen::regionUp(int top, int bottom, int count)
{
    count = std::min(count, bottom - top + 1);
    const Cell blank = blankCell();
    if (m_left != 0 || m_right != columns() - 1) {
        for (int row = top; row <= bottom; ++row) {
            if (row + count <= bottom) {
                m_grid->copySpan(row + count, row, m_left, m_right + 1);
            } else {
                m_grid->erase(row, m_left, m_right + 1, blank);
            }
        }
        return;
    }
    if (top == 0 && m_grid == &m_main) {
        for (int row = 0; row < count; ++row) {
            m_scrollback.push(m_main, row, m_clusters);
        }
    } else {
        endContinuation(top);
    }
    m_grid->rotateUp(top, bottom, count, blank);
}

void Screen::regionDown(int top, int bottom, int count)
{
    count = std::min(count, bottom - top + 1);
    const Cell blank = blankCell();
    if (m_left != 0 || m_right != columns() - 1) {
        for (int row = bottom; row >= top; --row) {
            if (row - count >= top) {
                m_grid->copySpan(row - count, row, m_left, m_right + 1);
            } else {
                m_grid->erase(row, m_left, m_right + 1, blank);
            }
        }
        return;
    }
    endContinuation(top);
    m_grid->rotateDown(top, bottom, count, blank);
    m_grid->state(bottom).wrapped = false;
}

void Screen::scrollUp(int count)
{
    regionUp(m_top, m_bottom, count);
}

void Screen::scrollDown(int count)
{
    regionDown(m_top, m_bottom, count);
}

void Screen::insertLines(int count)
{
    m_wrapPending = false;
    if (isInMargins()) {
        regionDown(m_cursor.row, m_bottom, count);
        m_cursor.column = m_left;
    }
}

void Screen::deleteLines(int count)
{
    m_wrapPending = false;
    if (!isInMargins()) {
        return;
    }
    if (m_cursor.row == 0 && m_left == 0 && m_right == columns() - 1) {
        // Deleted, not scrolled: it does not come into the scrollback.
        endContinuation(0);
        m_grid->rotateUp(0, m_bottom, std::min(count, m_bottom + 1), blankCell());
    } else {
        regionUp(m_cursor.row, m_bottom, count);
    }
    m_cursor.column = m_left;
}

/// Cells from the column on move right, inside the right margin.
void Screen::shiftRight(int row, int column, int count)
{
    const int last = rightLimit();
    count = std::min(count, last - column + 1);
    Cell* cells = m_grid->materialise(row, last + 1);
    m_grid->breakWide(row, column);
    m_grid->breakWide(row, last + 1 - count);
    m_grid->breakWide(row, last + 1);
    std::copy_backward(cells + column, cells + last + 1 - count, cells + last + 1);
    std::fill(cells + column, cells + column + count, blankCell());
    if (last == columns() - 1) {
        m_grid->state(row).wrapped = false;
        m_grid->state(row).isPadded = false;
    }
    m_grid->touch(row);
}

void Screen::shiftLeft(int row, int column, int count)
{
    const int last = rightLimit();
    count = std::min(count, last - column + 1);
    Cell* cells = m_grid->materialise(row, last + 1);
    m_grid->breakWide(row, column);
    m_grid->breakWide(row, column + count);
    m_grid->breakWide(row, last + 1);
    std::copy(cells + column + count, cells + last + 1, cells + column);
    std::fill(cells + last + 1 - count, cells + last + 1, blankCell());
    if (last == columns() - 1) {
        m_grid->state(row).wrapped = false;
        m_grid->state(row).isPadded = false;
    }
    m_grid->touch(row);
}

void Screen::insertCharacters(int count)
{
    m_wrapPending = false;
    if (m_cursor.column >= m_left && m_cursor.column <= m_right) {
        shiftRight(m_cursor.row, m_cursor.column, count);
    }
}

void Screen::deleteCharacters(int count)
{
    m_wrapPending = false;
    if (m_cursor.column >= m_left && m_cursor.column <= m_right) {
        shiftLeft(m_cursor.row, m_cursor.column, count);
    }
}

void Screen::insertColumns(int count)
{
    m_wrapPending = false;
    if (isInMargins()) {
        for (int row = m_top; row <= m_bottom; ++row) {
            shiftRight(row, m_cursor.column, count);
        }
    }
}

void Screen::deleteColumns(int count)
{
    m_wrapPending = false;
    if (isInMargins()) {
        for (int row = m_top; row <= m_bottom; ++row) {
            shiftLeft(row, m_cursor.column, count);
        }
    }
}

void Screen::scrollLeft(int count)
{
    const Position kept = m_cursor;
    m_cursor.column = m_left;
    for (int row = m_top; row <= m_bottom; ++row) {
        shiftLeft(row, m_left, count);
    }
    m_cursor = kept;
}

void Screen::scrollRight(int count)
{
    const Position kept = m_cursor;
    m_cursor.column = m_left;
    for (int row = m_top; row <= m_bottom; ++row) {
        shiftRight(row, m_left, count);
    }
    m_cursor = kept;
}

void Screen::backIndex()
{
    m_wrapPending = false;
    if (m_cursor.column == m_left && isInMargins()) {
        scrollRight(1);
    } else if (m_cursor.column > 0 && m_cursor.column != m_left) {
        --m_cursor.column;
    }
}

void Screen::forwardIndex()
{
    m_wrapPending = false;
    if (m_cursor.column == m_right && isInMargins()) {
        scrollLeft(1);
    } else if (m_cursor.column < columns() - 1 && m_cursor.column != m_right) {
        ++m_cursor.column;
    }
}

/// What DECSCA protects stays when the erasing is selective, what SPA protects always (as xterm has it).
void Screen::eraseSpan(int row, int from, int to, bool selective)
{
    if (!selective && !protectsFromAll) {
        if (from == 0) {
            endContinuation(row);
        }
        m_grid->erase(row, from, to, blankCell());
        return;
    }
    Cell* cells = m_grid->materialise(row, to);
    for (int column = from; column < to; ++column) {
        if (!cells[column].pen.has(Pen::kProtected)) {
            m_grid->breakWide(row, column);
            m_grid->breakWide(row, column + 1);
            cells[column].packed = Cell::kNarrow; // selective erasing leaves how the cell looks
        }
    }
    m_grid->touch(row);
}

void Screen::eraseCharacters(int count)
{
    m_wrapPending = false;
    const int end = std::min(columns(), m_cursor.column + std::min(count, columns()));
    eraseSpan(m_cursor.row, m_cursor.column, end, false);
}

void Screen::eraseInLine(int mode, bool selective)
{
    m_wrapPending = false;
    if (mode < 0 || mode > 2) {
        return;
    }
    const int from = mode == 0 ? m_cursor.column : 0;
    const int to = mode == 1 ? m_cursor.column + 1 : columns();
    eraseSpan(m_cursor.row, from, to, selective);
}

void Screen::eraseInDisplay(int mode, bool selective)
{
    m_wrapPending = false;
    if (mode < 0 || mode > 2) {
        return;
    }
    const int first = mode == 0 ? m_cursor.row + 1 : 0;
    const int last = mode == 1 ? m_cursor.row - 1 : rows() - 1;
    for (int row = first; row <= last; ++row) {
        if (selective || protectsFromAll) {
            eraseSpan(row, 0, columns(), true);
        } else {
            endContinuation(row);
            m_grid->clear(row, blankCell());
        }
    }
    if (mode != 2) {
        eraseInLine(mode, selective);
    }
}

void Screen::alignmentPattern()
{
    resetMargins();
    modes.origin = false;
    m_cursor = {};
    m_wrapPending = false;
    Cell cell;
    cell.packed = U'E' | Cell::kNarrow;
    for (int row = 0; row < rows(); ++row) {
        m_grid->clear(row, Cell{});
        std::fill_n(m_grid->open(row, 0, columns()), columns(), cell);
    }
}

} // namespace coldframe::terminal
