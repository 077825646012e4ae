// SPDX-License-Identifier: Apache-2.0
#include "terminal/screen.h"

#include "terminal/width.h"

#include <algorithm>
#include <utility>

namespace coldframe::terminal {

namespace {

constexpr int kMaxRows = 1000;
constexpr int kMaxColumns = 1000;

std::size_t index(int value) { return static_cast<std::size_t>(value); }

} // namespace

void Scrollback::push(Line line)
{
    m_cells += line.cells.size();
    m_lines.push_back(std::move(line));
    while (m_lines.size() > m_limits.lines || m_cells > m_limits.cells) {
        m_cells -= m_lines.front().cells.size();
        m_lines.pop_front();
        ++m_dropped;
    }
}

bool Scrollback::popNewest(Line& line)
{
    if (m_lines.empty()) {
        return false;
    }
    line = std::move(m_lines.back());
    m_lines.pop_back();
    m_cells -= line.cells.size();
    return true;
}

void Scrollback::clear()
{
    m_dropped += m_lines.size();
    m_lines.clear();
    m_cells = 0;
}

Screen::Screen(int rows, int columns, Scrollback* scrollback)
    : m_rows(std::clamp(rows, 1, kMaxRows)), m_columns(std::clamp(columns, 2, kMaxColumns)),
      m_scrollback(scrollback)
{
    reset();
}

void Screen::reset()
{
    style = Style{};
    originMode = false;
    graphics[0] = graphics[1] = false;
    activeCharset = 0;
    m_cursor = {};
    m_wrapPending = false;
    m_top = 0;
    m_bottom = m_rows - 1;
    m_saved = Saved{};
    m_lines.assign(index(m_rows), blankLine());
    m_tabStops.assign(index(kMaxColumns), false);
    for (int column = 8; column < kMaxColumns; column += 8) {
        m_tabStops[index(column)] = true;
    }
}

Cell Screen::blankCell() const
{
    // Erased cells take the background colour only (BCE), as xterm does.
    Cell cell;
    cell.style.background = style.background;
    return cell;
}

Line Screen::blankLine() const { return Line{std::vector<Cell>(index(m_columns), blankCell()), false}; }

void Screen::clampCursor()
{
    m_cursor.row = std::clamp(m_cursor.row, 0, m_rows - 1);
    m_cursor.column = std::clamp(m_cursor.column, 0, m_columns - 1);
    m_wrapPending = false;
}

void Screen::resize(int rows, int columns)
{
    rows = std::clamp(rows, 1, kMaxRows);
    columns = std::clamp(columns, 2, kMaxColumns);
    if (rows == m_rows && columns == m_columns) {
        return;
    }
    if (columns != m_columns) {
        m_columns = columns;
        for (Line& line : m_lines) {
            line.cells.resize(index(columns));
            // A wide character cut in half at the new edge is blanked.
            if (line.cells.back().width == 2) {
                line.cells.back() = Cell{};
            }
        }
    }
    // Shrinking: rows below the cursor go first, then the top goes to the scrollback. Growing takes them back.
    while (static_cast<int>(m_lines.size()) > rows) {
        if (m_cursor.row < static_cast<int>(m_lines.size()) - 1) {
            m_lines.pop_back();
            continue;
        }
        if (m_scrollback) {
            m_scrollback->push(std::move(m_lines.front()));
        }
        m_lines.erase(m_lines.begin());
        --m_cursor.row;
    }
    m_rows = rows;
    while (static_cast<int>(m_lines.size()) < rows) {
        Line older;
        if (m_scrollback && m_scrollback->popNewest(older)) {
            older.cells.resize(index(columns));
            if (older.cells.back().width == 2) {
                older.cells.back() = Cell{};
            }
            m_lines.insert(m_lines.begin(), std::move(older));
            ++m_cursor.row;
        } else {
            m_lines.push_back(blankLine());
        }
    }
    m_top = 0;
    m_bottom = m_rows - 1;
    clampCursor();
    m_saved.cursor.row = std::clamp(m_saved.cursor.row, 0, m_rows - 1);
    m_saved.cursor.column = std::clamp(m_saved.cursor.column, 0, m_columns - 1);
}

void Screen::breakWide(int row, int column)
{
    std::vector<Cell>& cells = m_lines[index(row)].cells;
    if (column < 0 || column >= m_columns) {
        return;
    }
    if (cells[index(column)].width == 0 && column > 0) {
        cells[index(column - 1)].text = {};
        cells[index(column - 1)].width = 1;
        cells[index(column)].width = 1;
    } else if (cells[index(column)].width == 2 && column + 1 < m_columns) {
        cells[index(column + 1)].text = {};
        cells[index(column + 1)].width = 1;
        cells[index(column)].width = 1;
        cells[index(column)].text = {};
    }
}

void Screen::combine(char32_t mark)
{
    int column = m_wrapPending ? m_cursor.column : m_cursor.column - 1;
    std::vector<Cell>& cells = current().cells;
    if (column > 0 && cells[index(column)].width == 0) {
        --column;
    }
    if (column < 0) {
        return;
    }
    Cell& cell = cells[index(column)];
    if (cell.text[0] == 0) {
        return;
    }
    for (std::size_t i = 1; i < cell.text.size(); ++i) {
        if (cell.text[i] == 0) {
            cell.text[i] = mark;
            return;
        }
    }
}

void Screen::put(char32_t character, bool autoWrap, bool insertMode)
{
    const int width = characterWidth(character);
    if (width == 0) {
        combine(character);
        return;
    }
    const bool doesNotFit = width == 2 && m_cursor.column == m_columns - 1;
    if ((m_wrapPending || doesNotFit) && autoWrap) {
        current().wrapped = true;
        m_cursor.column = 0;
        m_wrapPending = false;
        lineFeed();
    } else if (doesNotFit) {
        return;
    }
    if (insertMode) {
        insertCharacters(width);
    }
    breakWide(m_cursor.row, m_cursor.column);
    if (width == 2) {
        breakWide(m_cursor.row, m_cursor.column + 1);
    }
    std::vector<Cell>& cells = current().cells;
    Cell& cell = cells[index(m_cursor.column)];
    cell.text = {character, 0, 0};
    cell.style = style;
    cell.width = static_cast<std::uint8_t>(width);
    if (width == 2) {
        Cell& right = cells[index(m_cursor.column + 1)];
        right.text = {};
        right.style = style;
        right.width = 0;
    }
    if (m_cursor.column + width >= m_columns) {
        m_cursor.column = m_columns - 1;
        m_wrapPending = true;
    } else {
        m_cursor.column += width;
        m_wrapPending = false;
    }
}

void Screen::moveTo(int row, int column)
{
    if (originMode) {
        m_cursor.row = std::clamp(row + m_top, m_top, m_bottom);
    } else {
        m_cursor.row = row;
    }
    m_cursor.column = column;
    clampCursor();
}

void Screen::moveBy(int rows, int columns)
{
    const int upper = m_cursor.row >= m_top ? m_top : 0;
    const int lower = m_cursor.row <= m_bottom ? m_bottom : m_rows - 1;
    m_cursor.row = std::clamp(m_cursor.row + rows, upper, lower);
    m_cursor.column += columns;
    clampCursor();
}

void Screen::carriageReturn()
{
    m_cursor.column = 0;
    m_wrapPending = false;
}

void Screen::lineFeed()
{
    if (m_cursor.row == m_bottom) {
        scrollRegionUp(m_top, m_bottom, 1, true);
    } else if (m_cursor.row < m_rows - 1) {
        ++m_cursor.row;
    }
    m_wrapPending = false;
}

void Screen::reverseLineFeed()
{
    if (m_cursor.row == m_top) {
        scrollRegionDown(m_top, m_bottom, 1);
    } else if (m_cursor.row > 0) {
        --m_cursor.row;
    }
    m_wrapPending = false;
}

void Screen::backspace()
{
    if (m_cursor.column > 0) {
        --m_cursor.column;
    }
    m_wrapPending = false;
}

void Screen::tab(int count)
{
    for (int i = 0; i < std::min(count, m_columns) && m_cursor.column < m_columns - 1; ++i) {
        do {
            ++m_cursor.column;
        } while (m_cursor.column < m_columns - 1 && !m_tabStops[index(m_cursor.column)]);
    }
    m_wrapPending = false;
}

void Screen::backTab(int count)
{
    for (int i = 0; i < std::min(count, m_columns) && m_cursor.column > 0; ++i) {
        do {
            --m_cursor.column;
        } while (m_cursor.column > 0 && !m_tabStops[index(m_cursor.column)]);
    }
    m_wrapPending = false;
}

void Screen::setTabStop() { m_tabStops[index(m_cursor.column)] = true; }

void Screen::clearTabStop(bool all)
{
    if (all) {
        std::fill(m_tabStops.begin(), m_tabStops.end(), false);
    } else {
        m_tabStops[index(m_cursor.column)] = false;
    }
}

void Screen::setMargins(int top, int bottom)
{
    top = std::max(0, top);
    bottom = std::min(bottom, m_rows - 1);
    if (top >= bottom) {
        top = 0;
        bottom = m_rows - 1;
    }
    m_top = top;
    m_bottom = bottom;
    moveTo(0, 0);
}

void Screen::scrollRegionUp(int top, int bottom, int count, bool keep)
{
    count = std::clamp(count, 0, bottom - top + 1);
    for (int i = 0; i < count; ++i) {
        if (keep && m_scrollback && top == 0) {
            m_scrollback->push(std::move(m_lines[index(top)]));
        }
        m_lines[index(top)] = blankLine();
        std::rotate(m_lines.begin() + top, m_lines.begin() + top + 1, m_lines.begin() + bottom + 1);
    }
}

void Screen::scrollRegionDown(int top, int bottom, int count)
{
    count = std::clamp(count, 0, bottom - top + 1);
    for (int i = 0; i < count; ++i) {
        m_lines[index(bottom)] = blankLine();
        std::rotate(m_lines.begin() + top, m_lines.begin() + bottom, m_lines.begin() + bottom + 1);
    }
}

void Screen::scrollUp(int count) { scrollRegionUp(m_top, m_bottom, count, true); }
void Screen::scrollDown(int count) { scrollRegionDown(m_top, m_bottom, count); }

void Screen::insertLines(int count)
{
    if (m_cursor.row < m_top || m_cursor.row > m_bottom) {
        return;
    }
    scrollRegionDown(m_cursor.row, m_bottom, count);
    carriageReturn();
}

void Screen::deleteLines(int count)
{
    if (m_cursor.row < m_top || m_cursor.row > m_bottom) {
        return;
    }
    scrollRegionUp(m_cursor.row, m_bottom, count, false);
    carriageReturn();
}

void Screen::insertCharacters(int count)
{
    count = std::clamp(count, 0, m_columns - m_cursor.column);
    breakWide(m_cursor.row, m_cursor.column);
    std::vector<Cell>& cells = current().cells;
    cells.insert(cells.begin() + m_cursor.column, index(count), blankCell());
    cells.resize(index(m_columns));
    if (cells.back().width == 2) {
        cells.back() = blankCell();
    }
    m_wrapPending = false;
}

void Screen::deleteCharacters(int count)
{
    count = std::clamp(count, 0, m_columns - m_cursor.column);
    breakWide(m_cursor.row, m_cursor.column);
    breakWide(m_cursor.row, m_cursor.column + count);
    std::vector<Cell>& cells = current().cells;
    cells.erase(cells.begin() + m_cursor.column, cells.begin() + m_cursor.column + count);
    cells.resize(index(m_columns), blankCell());
    m_wrapPending = false;
}

void Screen::blank(int row, int from, int to)
{
    from = std::clamp(from, 0, m_columns);
    to = std::clamp(to, from, m_columns);
    if (from == to) {
        return;
    }
    breakWide(row, from);
    breakWide(row, to);
    std::vector<Cell>& cells = m_lines[index(row)].cells;
    std::fill(cells.begin() + from, cells.begin() + to, blankCell());
}

void Screen::eraseCharacters(int count)
{
    blank(m_cursor.row, m_cursor.column, m_cursor.column + std::min(count, m_columns));
    m_wrapPending = false;
}

void Screen::eraseInLine(int mode)
{
    switch (mode) {
    case 0: blank(m_cursor.row, m_cursor.column, m_columns); break;
    case 1: blank(m_cursor.row, 0, m_cursor.column + 1); break;
    case 2: blank(m_cursor.row, 0, m_columns); break;
    default: return;
    }
    if (mode != 1) {
        current().wrapped = false;
    }
}

void Screen::eraseInDisplay(int mode)
{
    const int from = mode == 0 ? m_cursor.row + 1 : 0;
    const int to = mode == 1 ? m_cursor.row : m_rows;
    if (mode == 0 || mode == 1) {
        eraseInLine(mode);
    }
    if (mode < 0 || mode > 3) {
        return;
    }
    if (mode == 3) {
        if (m_scrollback) {
            m_scrollback->clear();
        }
        return;
    }
    for (int row = from; row < to; ++row) {
        m_lines[index(row)] = blankLine();
    }
}

void Screen::fill(char32_t character)
{
    for (Line& line : m_lines) {
        for (Cell& cell : line.cells) {
            cell = Cell{};
            cell.text[0] = character;
        }
    }
}

void Screen::saveCursor()
{
    m_saved = Saved{m_cursor, style, originMode, {graphics[0], graphics[1]}, activeCharset, m_wrapPending};
}

void Screen::restoreCursor()
{
    m_cursor = m_saved.cursor;
    clampCursor();
    style = m_saved.style;
    originMode = m_saved.originMode;
    graphics[0] = m_saved.graphics[0];
    graphics[1] = m_saved.graphics[1];
    activeCharset = m_saved.activeCharset;
    m_wrapPending = m_saved.wrapPending && m_cursor.column == m_columns - 1;
}

} // namespace coldframe::terminal
