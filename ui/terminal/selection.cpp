// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/selection.h"

#include <algorithm>

namespace coldframe::ui {

using namespace terminal;

namespace {

/// What a double click takes with it besides letters and digits: the parts of paths, addresses and options.
bool isOfWord(QChar c)
{
    return c.isLetterOrNumber() || c.isMark() || c.isSurrogate() || QStringView(u"-_./~+@%#&=?:,").contains(c);
}

bool isSpace(QChar c) { return c == QLatin1Char(' '); }

} // namespace

Selection::Range Selection::around(const Terminal& terminal, const Spot& spot) const
{
    if (kind() == SelectionKind::Characters || kind() == SelectionKind::Block) {
        return {spot, spot};
    }
    const LogicalLine line = logicalLine(terminal, spot.row);
    if (kind() == SelectionKind::Lines) {
        return {{line.first, 0}, line.spots.back()};
    }
    const auto size = static_cast<int>(line.text.size());
    int from = std::min(line.indexOf(spot), size - 1);
    if (from < 0) {
        return {spot, spot};
    }
    const auto sort = [&](int at) { return isOfWord(line.text[at]) ? 0 : isSpace(line.text[at]) ? 1 : 2; };
    const int wanted = sort(from);
    int to = from + 1;
    if (wanted != 2) { // other signs one by one
        while (from > 0 && sort(from - 1) == wanted) {
            --from;
        }
        while (to < size && sort(to) == wanted) {
            ++to;
        }
    }
    // A sentence's full stop and an address's colon are no part of the word.
    while (wanted == 0 && to - from > 1 && QStringView(u".,:?").contains(line.text[to - 1])) {
        --to;
    }
    const auto at = [&](int index) { return line.spots[static_cast<std::size_t>(index)]; };
    Spot end = at(to);
    if (to > 0 && end.column == 0 && end.row > at(to - 1).row) { // at the end of a row, not at the start of the next
        Row row;
        readRowAt(terminal, at(to - 1).row, row);
        end = {at(to - 1).row, row.columns()};
    }
    return {at(from), end};
}

void Selection::begin(const Terminal& terminal, const Spot& spot, SelectionKind kind)
{
    m_kind = kind;
    m_anchor = m_head = around(terminal, spot);
}

void Selection::extend(const Terminal& terminal, const Spot& spot)
{
    if (m_kind) {
        m_head = around(terminal, spot);
    } else {
        begin(terminal, spot, SelectionKind::Characters);
    }
}

void Selection::select(const Spot& from, const Spot& to)
{
    m_kind = SelectionKind::Characters;
    m_anchor = {from, from};
    m_head = {to, to};
}

void Selection::selectAll(const Terminal& terminal) { select({firstRow(terminal), 0}, {endRow(terminal) - 1, terminal.columns()}); }

Spot Selection::from() const { return std::min(m_anchor.first, m_head.first); }
Spot Selection::to() const { return std::max(m_anchor.second, m_head.second); }

std::pair<int, int> Selection::columnsOf(qint64 row, int columns) const
{
    if (!isActive() || row < from().row || row > to().row) {
        return {0, 0};
    }
    if (kind() == SelectionKind::Block) {
        const auto [left, right] = std::minmax(m_anchor.first.column, m_head.first.column);
        return {left, std::min(right, columns)};
    }
    return {row == from().row ? from().column : 0, row == to().row ? std::min(to().column, columns) : columns};
}

QString Selection::text(const Terminal& terminal) const
{
    QString text;
    if (!isActive()) {
        return text;
    }
    Row row;
    const qint64 last = std::min(to().row, endRow(terminal) - 1);
    for (qint64 number = std::max(from().row, firstRow(terminal)); number <= last && text.size() < kMaxText; ++number) {
        readRowAt(terminal, number, row);
        const auto [begin, end] = columnsOf(number, row.columns());
        const bool goesOn = kind() != SelectionKind::Block && row.wrapped();
        const QString part = rowText(row, begin, end);
        text += goesOn ? part : trimmedRight(part);
        if (number != last && !goesOn) {
            text += QLatin1Char('\n');
        }
    }
    return text;
}

} // namespace coldframe::ui
