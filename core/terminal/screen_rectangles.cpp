// SPDX-License-Identifier: Apache-2.0
// Rectangular areas: VT420 Programmer Reference Manual, chapter 5, as xterm has them.
#include "terminal/graphemes.h"
#include "terminal/screen.h"

#include <algorithm>

namespace coldframe::terminal {

bool Screen::rectangle(int top, int left, int bottom, int right, bool isStream, Rectangle& out) const
{
    const int firstRow = modes.origin ? m_top : 0;
    const int lastRow = modes.origin ? m_bottom : rows() - 1;
    const int firstColumn = modes.origin ? m_left : 0;
    const int lastColumn = modes.origin ? m_right : columns() - 1;
    const auto place = [](int value, int fallback, int first, int last) {
        return value <= 0 ? fallback : std::clamp(first + std::min(value, 65536) - 1, first, last);
    };
    // A rectangle that begins outside is empty, not moved inside.
    if (firstRow + std::max(top, 1) - 1 > lastRow || firstColumn + std::max(left, 1) - 1 > lastColumn) {
        return false;
    }
    out.top = place(top, firstRow, firstRow, lastRow);
    out.left = place(left, firstColumn, firstColumn, lastColumn);
    out.bottom = place(bottom, lastRow, firstRow, lastRow);
    out.right = place(right, lastColumn, firstColumn, lastColumn);
    return out.top <= out.bottom && (out.left <= out.right || (isStream && out.top < out.bottom));
}

void Screen::fillRectangle(const Rectangle& r, char32_t character)
{
    if (traitsOf(character).width() != 1) {
        return;
    }
    Cell cell;
    cell.packed = static_cast<std::uint32_t>(translated(character)) | Cell::kNarrow;
    cell.pen = pen;
    for (int row = r.top; row <= r.bottom; ++row) {
        std::fill_n(m_grid->open(row, r.left, r.right + 1), r.right + 1 - r.left, cell);
    }
}

void Screen::eraseRectangle(const Rectangle& r, bool selective)
{
    for (int row = r.top; row <= r.bottom; ++row) {
        eraseSpan(row, r.left, r.right + 1, selective);
    }
}

void Screen::copyRectangle(const Rectangle& r, int top, int left)
{
    Rectangle to;
    if (!rectangle(top, left, 0, 0, false, to)) {
        return;
    }
    const int count = std::min(r.bottom - r.top, rows() - 1 - to.top) + 1;
    const int width = std::min(r.right - r.left, columns() - 1 - to.left) + 1;
    std::vector<std::vector<Cell>> copy(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        for (int j = 0; j < width; ++j) {
            copy[static_cast<std::size_t>(i)].push_back(m_grid->at(r.top + i, r.left + j));
        }
    }
    for (int i = 0; i < count; ++i) {
        std::vector<Cell>& cells = copy[static_cast<std::size_t>(i)];
        if (cells.front().width() == 0) {
            cells.front().packed = Cell::kNarrow;
        }
        if (cells.back().width() == 2) {
            cells.back().packed = Cell::kNarrow;
        }
        std::copy(cells.begin(), cells.end(), m_grid->open(to.top + i, to.left, to.left + width));
        m_grid->state(to.top + i).hasWide |= m_grid->state(r.top + i).hasWide;
    }
}

std::uint16_t Screen::checksum(const Rectangle& r) const
{
    unsigned sum = 0;
    for (int row = r.top; row <= r.bottom; ++row) {
        for (int column = r.left; column <= r.right; ++column) {
            const Cell& cell = m_grid->at(row, column);
            if (cell.width() == 0) {
                continue;
            }
            sum += (cell.pen.has(Pen::kProtected) ? 0x04u : 0u) + (cell.pen.has(Pen::kHidden) ? 0x08u : 0u) +
                   (cell.pen.underline() != Underline::None ? 0x10u : 0u) + (cell.pen.has(Pen::kInverse) ? 0x20u : 0u) +
                   (cell.pen.has(Pen::kBlink) ? 0x40u : 0u) + (cell.pen.has(Pen::kBold) ? 0x80u : 0u);
            if (cell.isCluster()) {
                for (const char32_t c : m_clusters.at(cell.character())) {
                    sum += static_cast<unsigned>(c);
                }
            } else {
                sum += cell.isBlank() ? unsigned{' '} : cell.character();
            }
        }
    }
    return static_cast<std::uint16_t>(0x10000u - (sum & 0xFFFFu));
}

} // namespace coldframe::terminal
