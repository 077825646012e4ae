// SPDX-License-Identifier: Apache-2.0
// Another size: the main screen is wrapped anew, together with the scrollback; the alternate one is cut or filled up, since the
// program that has it draws it again.
#include "terminal/screen.h"

#include <algorithm>

namespace coldframe::terminal {

namespace {

/// A paragraph of the screen, with what fills the rest of its last row.
struct Flowing
{
    Paragraph paragraph;
    Cell fill;
};

/// A place in the paragraphs: stays with its character when rows are wrapped anew.
struct Anchor
{
    std::size_t paragraph = 0;
    std::size_t offset = 0; ///< cells from the paragraph's first; may be behind its last
};

/// A row that is to be: a piece of a paragraph.
struct Piece
{
    std::size_t paragraph = 0;
    std::size_t first = 0;
    std::size_t end = 0;
    bool isPadded = false;
    bool isLast = false; ///< of its paragraph
};

bool isUnused(const RowState& state) { return state.used == 0 && state.blank == Cell{}; }

std::vector<Piece> wrapAll(const std::deque<Flowing>& all, std::size_t columns)
{
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < all.size(); ++i) {
        wrapParagraph(all[i].paragraph.cells, columns,
                      [&](std::size_t first, std::size_t end, bool isPadded) { pieces.push_back({i, first, end, isPadded, false}); });
        pieces.back().isLast = true;
    }
    return pieces;
}

void writePiece(Grid& grid, int row, const Piece& piece, const Flowing& flowing)
{
    const auto count = static_cast<int>(piece.end - piece.first);
    Cell* out = grid.open(row, 0, count);
    std::copy_n(flowing.paragraph.cells.begin() + static_cast<std::ptrdiff_t>(piece.first), count, out);
    RowState& state = grid.state(row);
    state.hasWide = std::any_of(out, out + count, [](const Cell& cell) { return cell.width() == 2; });
    state.wrapped = !piece.isLast;
    state.isPadded = piece.isPadded;
    state.mark = piece.first == 0 ? flowing.paragraph.mark : RowMark::None;
    state.blank = piece.isLast ? flowing.fill : Cell{};
}

std::size_t pieceOf(const std::vector<Piece>& pieces, const Anchor& anchor)
{
    std::size_t found = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (pieces[i].paragraph < anchor.paragraph || (pieces[i].paragraph == anchor.paragraph && pieces[i].first <= anchor.offset)) {
            found = i;
        }
    }
    return found;
}

/// The alternate screen in another size. The rows at the top go when the cursor would otherwise be outside.
Grid cutAlternate(const Grid& grid, int rows, int columns, int skipped, std::uint64_t& stamps)
{
    Grid fresh(rows, columns, stamps);
    for (int row = 0; row < std::min(rows, grid.rows() - skipped); ++row) {
        const RowState& from = grid.state(row + skipped);
        const int count = std::min<int>(from.used, columns);
        Cell* out = fresh.open(row, 0, count);
        std::copy_n(grid.cells(row + skipped), count, out);
        RowState& to = fresh.state(row);
        to.blank = from.blank;
        to.hasWide = from.hasWide;
        if (count > 0 && out[count - 1].width() == 2) {
            out[count - 1].packed = Cell::kNarrow;
        }
    }
    return fresh;
}

} // namespace

void Screen::resize(int rows, int columns)
{
    rows = std::clamp(rows, 1, Grid::kMaxRows);
    columns = std::clamp(columns, 2, Grid::kMaxColumns);
    if (rows == m_main.rows() && columns == m_main.columns()) {
        return;
    }
    const int skipped = modes.alternateScreen ? std::max(0, m_cursor.row - rows + 1) : 0;
    m_alternate = cutAlternate(m_alternate, rows, columns, skipped, m_stamps);
    Saved& savedMain = m_saved[0];
    if (modes.alternateScreen) {
        m_cursor.row -= skipped;
        reflow(rows, columns, savedMain.cursor, savedMain.wrapPending);
    } else {
        reflow(rows, columns, m_cursor, m_wrapPending);
    }
    const std::size_t stops = m_tabStops.size();
    m_tabStops.resize(static_cast<std::size_t>(columns), false);
    for (std::size_t i = (stops + 7) / 8 * 8; i < m_tabStops.size(); i += 8) {
        m_tabStops[i] = i > 0;
    }
    resetMargins();
    for (Saved& saved : m_saved) {
        saved.cursor.row = std::clamp(saved.cursor.row, 0, rows - 1);
        saved.cursor.column = std::clamp(saved.cursor.column, 0, columns - 1);
    }
    clampCursor();
}

/// The main screen. The cursor is that of the main screen, shown or saved.
void Screen::reflow(int rows, int columns, Position& cursor, bool& wrapPending)
{
    int last = cursor.row;
    for (int row = m_main.rows() - 1; row > last; --row) {
        if (!isUnused(m_main.state(row))) {
            last = row;
        }
    }
    const bool wasFull = last == m_main.rows() - 1;

    std::deque<Flowing> all;
    bool isOpen = m_scrollback.isOpen();
    if (isOpen) {
        all.push_back({m_scrollback.takeOpen(), Cell{}});
    }
    Anchor anchor;
    for (int row = 0; row <= last; ++row) {
        const RowState& state = m_main.state(row);
        if (!isOpen) {
            all.emplace_back();
            all.back().paragraph.mark = state.mark;
        }
        Flowing& flowing = all.back();
        std::vector<Cell>& cells = flowing.paragraph.cells;
        if (row == cursor.row) {
            anchor = {all.size() - 1, cells.size() + static_cast<std::size_t>(cursor.column) + (wrapPending ? 1 : 0)};
        }
        const std::size_t before = cells.size();
        cells.insert(cells.end(), m_main.cells(row), m_main.cells(row) + state.used);
        if (state.wrapped) {
            cells.resize(before + static_cast<std::size_t>(m_main.columns()) - (state.isPadded ? 1 : 0), state.blank);
        } else {
            flowing.fill = state.blank;
            while (cells.size() > before && cells.back() == state.blank) {
                cells.pop_back();
            }
        }
        isOpen = state.wrapped;
    }

    m_scrollback.setColumns(columns);
    const auto width = static_cast<std::size_t>(columns);
    std::vector<Piece> pieces = wrapAll(all, width);
    if (wasFull) { // there was no empty place at the end: rows that scrolled away come back
        bool changed = false;
        std::size_t count = pieces.size();
        Flowing older;
        while (count < static_cast<std::size_t>(rows) && m_scrollback.pop(older.paragraph, m_clusters)) {
            wrapParagraph(older.paragraph.cells, width, [&](std::size_t, std::size_t, bool) { ++count; });
            all.push_front(older);
            ++anchor.paragraph;
            changed = true;
        }
        if (changed) {
            pieces = wrapAll(all, width);
        }
    }
    const std::size_t cursorPiece = pieceOf(pieces, anchor);
    const std::size_t room = static_cast<std::size_t>(rows);
    // What is above the cursor may go to the scrollback; what is below it has to go when there is no place.
    const std::size_t skipped = std::min(cursorPiece, pieces.size() > room ? pieces.size() - room : 0);
    Grid single(1, columns, m_stamps);
    for (std::size_t i = 0; i < skipped; ++i) {
        single.clear(0, Cell{});
        writePiece(single, 0, pieces[i], all[pieces[i].paragraph]);
        m_scrollback.push(single, 0, m_clusters);
    }
    Grid fresh(rows, columns, m_stamps);
    for (std::size_t i = skipped; i < std::min(pieces.size(), skipped + room); ++i) {
        writePiece(fresh, static_cast<int>(i - skipped), pieces[i], all[pieces[i].paragraph]);
    }
    m_main = std::move(fresh);
    cursor.row = static_cast<int>(cursorPiece - skipped);
    const auto column = static_cast<int>(std::min(anchor.offset - pieces[cursorPiece].first, width));
    wrapPending = wrapPending && column == columns;
    cursor.column = std::min(column, columns - 1);
}

} // namespace coldframe::terminal
