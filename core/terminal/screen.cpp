// SPDX-License-Identifier: Apache-2.0
// Printing and the cursor. Editing is in screen_edit.cpp, rectangles in screen_rectangles.cpp, sizes in reflow.cpp.
#include "terminal/screen.h"

#include "terminal/row_filling.h"

#include <algorithm>
#include <utility>

namespace coldframe::terminal {

namespace {

/// DEC special graphics (VT100 line drawing) for 0x5f to 0x7e.
constexpr std::array<char32_t, 32> kSpecialGraphics = {
    0x0020, 0x25C6, 0x2592, 0x2409, 0x240C, 0x240D, 0x240A, 0x00B0, 0x00B1, 0x2424, 0x240B, 0x2518,
    0x2510, 0x250C, 0x2514, 0x253C, 0x23BA, 0x23BB, 0x2500, 0x23BC, 0x23BD, 0x251C, 0x2524,
    0x2534, 0x252C, 0x2502, 0x2264, 0x2265, 0x03C0, 0x2260, 0x00A3, 0x00B7};

constexpr char32_t kFirstJoining = 0x300; ///< no character below joins another or is wide
constexpr std::size_t kRefusalsBetweenCollections = 4096;

} // namespace

Screen::Screen(int rows, int columns, ScrollbackLimits limits)
    : m_main(std::clamp(rows, 1, Grid::kMaxRows), std::clamp(columns, 2, Grid::kMaxColumns), m_stamps),
      m_alternate(m_main.rows(), m_main.columns(), m_stamps), m_scrollback(m_main.columns(), limits)
{
    resetTabStops();
    resetMargins();
}

Cell Screen::blankCell() const
{
    Cell blank;
    blank.pen.background = pen.background;
    return blank;
}

void Screen::readGridRow(const Grid& grid, int row, Row& out) const
{
    out.begin();
    const RowState& state = grid.state(row);
    addCells(out, grid.cells(row), state.used, m_extras, m_clusters);
    while (out.columns() < grid.columns()) {
        addCell(out, {}, 1, state.blank.pen, m_extras);
    }
    out.end(state.wrapped, state.mark);
}

void Screen::printAscii(std::string_view text)
{
    if (charsets.single != 0 || charsets.sets[charsets.left] != Charset::Ascii) {
        for (const char c : text) {
            printOne(static_cast<unsigned char>(c));
        }
        return;
    }
    while (!text.empty()) {
        if (m_wrapPending) {
            if (modes.autoWrap) {
                wrap();
            }
            m_wrapPending = false;
        }
        const int row = m_cursor.row;
        const int column = m_cursor.column;
        const int last = rightLimit();
        const auto count = std::min<std::size_t>(text.size(), static_cast<std::size_t>(last - column + 1));
        if (modes.insert) {
            shiftRight(row, column, static_cast<int>(count));
        }
        Cell* cells = m_grid->open(row, column, column + static_cast<int>(count));
        Cell cell;
        cell.pen = pen;
        for (std::size_t i = 0; i < count; ++i) {
            cell.packed = static_cast<unsigned char>(text[i]) | Cell::kNarrow;
            cells[i] = cell;
        }
        m_lastPrinted = static_cast<unsigned char>(text[count - 1]);
        text.remove_prefix(count);
        m_cursor.column += static_cast<int>(count);
        if (m_cursor.column > last) {
            m_cursor.column = last;
            m_wrapPending = true;
            if (!modes.autoWrap && text.size() > 1) {
                text.remove_prefix(text.size() - 1); // each would replace the one before
            }
        }
    }
    notePut(m_cursor.row, m_wrapPending ? m_cursor.column : m_cursor.column - 1);
}

void Screen::notePut(int row, int column)
{
    m_lastPut = {row, column};
    m_lastStamp = m_grid->state(row).stamp;
}

/// Characters of one column that join nothing go into their cells at once, the other ones singly.
void Screen::print(std::u32string_view text)
{
    const bool isPlain = charsets.single == 0 && charsets.sets[charsets.left] == Charset::Ascii && !modes.insert;
    while (!text.empty()) {
        const int row = m_cursor.row;
        const int column = m_cursor.column;
        const int last = rightLimit();
        std::size_t count = 0;
        if (isPlain && !m_wrapPending) {
            const auto room = std::min<std::size_t>(text.size(), static_cast<std::size_t>(last - column + 1));
            constexpr std::uint8_t kSimple = 0x10; // one column, Join::Other
            while (count < room && (text[count] < kFirstJoining || (m_traits.of(text[count]).packed & 0x3Fu) == kSimple)) {
                ++count;
            }
        }
        if (count == 0) {
            printOne(text.front());
            text.remove_prefix(1);
            continue;
        }
        Cell* cells = m_grid->open(row, column, column + static_cast<int>(count));
        Cell cell;
        cell.pen = pen;
        for (std::size_t i = 0; i < count; ++i) {
            cell.packed = static_cast<std::uint32_t>(text[i]) | Cell::kNarrow;
            cells[i] = cell;
        }
        m_lastPrinted = text[count - 1];
        text.remove_prefix(count);
        m_cursor.column += static_cast<int>(count);
        if (m_cursor.column > last) {
            m_cursor.column = last;
            m_wrapPending = true;
        }
        notePut(row, m_wrapPending ? m_cursor.column : m_cursor.column - 1);
    }
}

char32_t Screen::translated(char32_t character)
{
    const Charset set = charsets.sets[charsets.single != 0 ? charsets.single : charsets.left];
    charsets.single = 0;
    if (set == Charset::Graphics && character >= 0x5F && character <= 0x7E) {
        return kSpecialGraphics[character - 0x5F];
    }
    return set == Charset::British && character == U'#' ? U'\u00A3' : character;
}

void Screen::printOne(char32_t character)
{
    if (character < 0x7F) {
        character = translated(character);
    }
    int width = 1;
    if (character >= kFirstJoining) {
        const CharacterTraits traits = m_traits.of(character);
        const Join join = traits.join();
        if (join == Join::Ignored) {
            return;
        }
        const bool isMark = join == Join::Extend || join == Join::Zwj;
        if (isMark || (modes.graphemes && join != Join::Other)) {
            if (tryJoin(character, isMark)) {
                return;
            }
            if (traits.width() == 0) {
                return; // a mark with nothing to sit on
            }
        }
        width = traits.width();
    }
    m_lastPrinted = character;
    put(static_cast<std::uint32_t>(character), width);
}

void Screen::put(std::uint32_t character, int width)
{
    if (m_wrapPending) {
        if (modes.autoWrap) {
            wrap();
        }
        m_wrapPending = false;
    }
    if (width == 2 && m_cursor.column == rightLimit()) {
        if (!modes.autoWrap) {
            return; // no place for it
        }
        const int before = m_cursor.column;
        m_grid->erase(m_cursor.row, before, before + 1, blankCell());
        m_grid->state(m_cursor.row).isPadded = before == columns() - 1;
        wrap();
        if (m_cursor.column == rightLimit()) {
            return; // margins of one column
        }
    }
    const int row = m_cursor.row;
    const int column = m_cursor.column;
    const int last = rightLimit();
    if (modes.insert) {
        shiftRight(row, column, width);
    }
    Cell* cells = m_grid->open(row, column, column + width);
    cells[0].packed = character | (static_cast<std::uint32_t>(width) << Cell::kWidthShift);
    cells[0].pen = pen;
    if (width == 2) {
        cells[1].packed = 0;
        cells[1].pen = pen;
        m_grid->state(row).hasWide = true;
    }
    notePut(row, column);
    m_cursor.column += width;
    if (m_cursor.column > last) {
        m_cursor.column = last;
        m_wrapPending = true;
    }
}

/// Adds the character to the cluster in the cell before the cursor. A mark belongs to whatever is there; the other kinds only to
/// what was printed just before.
bool Screen::tryJoin(char32_t character, bool onlyMark)
{
    const int row = m_cursor.row;
    int column = m_wrapPending ? m_cursor.column : m_cursor.column - 1;
    if (column < 0) {
        return false;
    }
    if (m_grid->at(row, column).width() == 0 && column > 0) {
        --column;
    }
    if (!onlyMark && !(m_lastPut == Position{row, column} && m_lastStamp == m_grid->state(row).stamp)) {
        return false;
    }
    const Cell before = m_grid->at(row, column);
    const char32_t single = before.character() == 0 ? U' ' : static_cast<char32_t>(before.character());
    const std::u32string_view present = before.isCluster() ? m_clusters.at(before.character()) : std::u32string_view(&single, 1);
    if (!joins(present, character)) {
        return false;
    }
    std::u32string cluster(present);
    if (cluster.size() >= Clusters::kMaxCodePoints) {
        return true;
    }
    cluster += character;
    if (m_clusters.isFull()) {
        collectClusters();
    }
    const std::uint32_t number = m_clusters.add(cluster);
    if (number == Clusters::kNone) {
        return true;
    }
    int width = before.width();
    const int last = rightLimit();
    if (modes.graphemes && width == 1 && clusterWidth(cluster) == 2 && (column < last || modes.autoWrap)) {
        if (column == last) { // it does not fit any more
            m_grid->erase(row, column, column + 1, blankCell());
            m_grid->state(row).isPadded = column == columns() - 1;
            m_wrapPending = false;
            wrap();
            if (m_cursor.column == rightLimit()) {
                return true;
            }
            const Pen now = std::exchange(pen, before.pen);
            put(number | Cell::kCluster, 2);
            pen = now;
            return true;
        }
        width = 2;
    }
    Cell* cells = m_grid->open(row, column, column + width);
    cells[0].packed = number | Cell::kCluster | (static_cast<std::uint32_t>(width) << Cell::kWidthShift);
    cells[0].pen = before.pen;
    if (width == 2) {
        cells[1].packed = 0;
        cells[1].pen = before.pen;
        m_grid->state(row).hasWide = true;
    }
    if (width != before.width()) {
        m_cursor.column = column + 2;
        if (m_cursor.column > last) {
            m_cursor.column = last;
            m_wrapPending = true;
        }
    }
    notePut(row, column);
    return true;
}

void Screen::repeat(int count)
{
    // No more than a screenful can be seen.
    const char32_t repeated = m_lastPrinted;
    for (int i = std::min(count, rows() * columns()); repeated != 0 && i > 0; --i) {
        printOne(repeated);
    }
    forgetLast();
}

void Screen::wrap()
{
    if (m_left == 0 && m_right == columns() - 1) {
        m_grid->state(m_cursor.row).wrapped = true;
    }
    m_cursor.column = m_left;
    index();
}

void Screen::index()
{
    if (m_cursor.row == m_bottom) {
        if (m_cursor.column >= m_left && m_cursor.column <= m_right) {
            regionUp(m_top, m_bottom, 1);
        }
    } else if (m_cursor.row < rows() - 1) {
        ++m_cursor.row;
    }
}

void Screen::lineFeed()
{
    m_wrapPending = false;
    index();
}

void Screen::reverseLineFeed()
{
    m_wrapPending = false;
    if (m_cursor.row == m_top) {
        if (m_cursor.column >= m_left && m_cursor.column <= m_right) {
            regionDown(m_top, m_bottom, 1);
        }
    } else if (m_cursor.row > 0) {
        --m_cursor.row;
    }
}

void Screen::carriageReturn()
{
    m_wrapPending = false;
    m_cursor.column = m_cursor.column >= m_left || modes.origin ? m_left : 0;
}

void Screen::backspace()
{
    if (m_wrapPending && modes.reverseWrap && modes.autoWrap) {
        m_wrapPending = false; // the cursor was past the last column
        return;
    }
    m_wrapPending = false;
    const int limit = m_cursor.column >= m_left ? m_left : 0;
    if (m_cursor.column > limit) {
        --m_cursor.column;
    } else if (modes.reverseWrap && modes.autoWrap && m_cursor.row > 0 && m_cursor.row != m_top && m_grid->state(m_cursor.row - 1).wrapped) {
        --m_cursor.row;
        m_cursor.column = m_right;
    }
}

void Screen::moveTo(int row, int column)
{
    moveToRow(row);
    moveToColumn(column);
}

void Screen::moveToRow(int row)
{
    m_wrapPending = false;
    m_cursor.row = modes.origin ? std::clamp(row, 0, m_bottom - m_top) + m_top : std::clamp(row, 0, rows() - 1);
}

void Screen::moveToColumn(int column)
{
    m_wrapPending = false;
    m_cursor.column = modes.origin ? std::clamp(column, 0, m_right - m_left) + m_left : std::clamp(column, 0, columns() - 1);
}

void Screen::moveUp(int count)
{
    m_wrapPending = false;
    const int limit = m_cursor.row >= m_top ? m_top : 0;
    m_cursor.row = std::max(limit, m_cursor.row - std::min(count, rows()));
}

void Screen::moveDown(int count)
{
    m_wrapPending = false;
    const int limit = m_cursor.row <= m_bottom ? m_bottom : rows() - 1;
    m_cursor.row = std::min(limit, m_cursor.row + std::min(count, rows()));
}

void Screen::moveLeft(int count)
{
    m_wrapPending = false;
    const int limit = m_cursor.column >= m_left ? m_left : 0;
    m_cursor.column = std::max(limit, m_cursor.column - std::min(count, columns()));
}

void Screen::moveRight(int count)
{
    m_wrapPending = false;
    m_cursor.column = std::min(rightLimit(), m_cursor.column + std::min(count, columns()));
}

void Screen::moveByPosition(int rowCount, int columnCount)
{
    m_wrapPending = false;
    m_cursor.row = std::min(rows() - 1, m_cursor.row + std::min(rowCount, rows()));
    m_cursor.column = std::min(columns() - 1, m_cursor.column + std::min(columnCount, columns()));
}

void Screen::tab(int count)
{
    const int last = rightLimit(); // where it stays, and a pending wrap with it
    for (count = std::min(count, columns()); count > 0 && m_cursor.column < last; --count) {
        do {
            ++m_cursor.column;
        } while (m_cursor.column < last && !m_tabStops[static_cast<std::size_t>(m_cursor.column)]);
    }
}

void Screen::backTab(int count)
{
    m_wrapPending = false;
    const int first = modes.origin && m_cursor.column >= m_left ? m_left : 0;
    for (count = std::min(count, columns()); count > 0 && m_cursor.column > first; --count) {
        do {
            --m_cursor.column;
        } while (m_cursor.column > first && !m_tabStops[static_cast<std::size_t>(m_cursor.column)]);
    }
}

void Screen::clearTabStop(bool all)
{
    if (all) {
        std::fill(m_tabStops.begin(), m_tabStops.end(), false);
    } else {
        m_tabStops[static_cast<std::size_t>(m_cursor.column)] = false;
    }
}

void Screen::resetTabStops()
{
    m_tabStops.assign(static_cast<std::size_t>(columns()), false);
    for (std::size_t i = 8; i < m_tabStops.size(); i += 8) {
        m_tabStops[i] = true;
    }
}

void Screen::saveCursor() { m_saved[modes.alternateScreen ? 1 : 0] = {m_cursor, pen, charsets, modes.origin, m_wrapPending}; }

void Screen::restoreCursor()
{
    const Saved& saved = m_saved[modes.alternateScreen ? 1 : 0];
    m_cursor = saved.cursor;
    pen = saved.pen;
    charsets = saved.charsets;
    modes.origin = saved.origin;
    m_wrapPending = saved.wrapPending;
    clampCursor();
}

Position Screen::reportedCursor() const
{
    return modes.origin ? Position{m_cursor.row - m_top + 1, m_cursor.column - m_left + 1} : Position{m_cursor.row + 1, m_cursor.column + 1};
}

void Screen::clampCursor()
{
    const Position before = m_cursor;
    m_cursor.row = std::clamp(m_cursor.row, modes.origin ? m_top : 0, modes.origin ? m_bottom : rows() - 1);
    m_cursor.column = std::clamp(m_cursor.column, modes.origin ? m_left : 0, modes.origin ? m_right : columns() - 1);
    m_wrapPending = m_wrapPending && before == m_cursor && m_cursor.column == rightLimit();
}

void Screen::setVerticalMargins(int top, int bottom)
{
    top = std::max(top, 0);
    bottom = std::min(bottom, rows() - 1);
    if (top < bottom || rows() == 1) {
        m_top = std::min(top, rows() - 1);
        m_bottom = bottom;
        moveTo(0, 0);
    }
}

void Screen::setHorizontalMargins(int left, int right)
{
    left = std::max(left, 0);
    right = std::min(right, columns() - 1);
    if (left < right) {
        m_left = left;
        m_right = right;
        moveTo(0, 0);
    }
}

void Screen::resetMargins()
{
    m_top = 0;
    m_bottom = rows() - 1;
    resetHorizontalMargins();
}

void Screen::resetHorizontalMargins()
{
    m_left = 0;
    m_right = columns() - 1;
}

void Screen::useAlternate(bool on)
{
    modes.alternateScreen = on;
    m_grid = on ? &m_alternate : &m_main;
}

void Screen::clearAlternate()
{
    for (int row = 0; row < rows(); ++row) {
        m_alternate.clear(row, blankCell());
    }
}

void Screen::markRow(RowMark mark)
{
    m_grid->state(m_cursor.row).mark = mark;
    m_grid->touch(m_cursor.row);
}

void Screen::reset()
{
    const Modes fresh;
    modes = fresh;
    pen = Pen{};
    charsets = Charsets{};
    protectsFromAll = false;
    m_grid = &m_main;
    m_scrollback.clear();
    m_main.reshape(rows(), columns());
    m_alternate.reshape(rows(), columns());
    m_saved = {};
    m_cursor = {};
    m_wrapPending = false;
    m_lastPrinted = 0;
    resetTabStops();
    resetMargins();
}

std::uint16_t Screen::extra(Color underlineColor, std::uint32_t linkId, std::string_view target)
{
    if (m_extras.isFull() && m_extraRefusals++ % kRefusalsBetweenCollections == 0) {
        collectExtras();
    }
    return m_extras.number(underlineColor, linkId, target);
}

void Screen::collectClusters()
{
    m_clusters.beginCollecting();
    for (const Grid* grid : {&m_main, &m_alternate}) {
        for (int row = 0; row < grid->rows(); ++row) {
            const Cell* cells = grid->cells(row);
            for (int column = 0; column < grid->state(row).used; ++column) {
                if (cells[column].isCluster()) {
                    m_clusters.mark(cells[column].character());
                }
            }
        }
    }
    m_scrollback.markClusters(m_clusters);
    m_clusters.endCollecting();
}

void Screen::collectExtras()
{
    m_extras.beginCollecting();
    m_extras.mark(pen.extra);
    for (const Saved& saved : m_saved) {
        m_extras.mark(saved.pen.extra);
    }
    for (const Grid* grid : {&m_main, &m_alternate}) {
        for (int row = 0; row < grid->rows(); ++row) {
            const Cell* cells = grid->cells(row);
            for (int column = 0; column < grid->state(row).used; ++column) {
                m_extras.mark(cells[column].pen.extra);
            }
        }
    }
    m_scrollback.markExtras(m_extras);
    m_extras.endCollecting();
}

} // namespace coldframe::terminal
