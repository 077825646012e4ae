// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/logical_line.h"

#include <algorithm>

namespace coldframe::ui {

using namespace terminal;

bool readRowAt(const Terminal& terminal, qint64 row, Row& out)
{
    if (row < firstRow(terminal) || row >= endRow(terminal)) {
        out.begin();
        out.end(false, RowMark::None);
        return false;
    }
    terminal.readRow(static_cast<std::size_t>(row - firstRow(terminal)), out);
    return true;
}

namespace {

QString cellText(const Row& row, int column)
{
    const std::u32string_view text = row.text(column);
    return text.empty() ? QStringLiteral(" ") : QString::fromUcs4(text.data(), static_cast<qsizetype>(text.size()));
}

} // namespace

QString rowText(const Row& row, int from, int to)
{
    QString text;
    for (int column = std::max(from, 0); column < std::min(to, row.columns()); ++column) {
        if (row.width(column) != 0) {
            text += cellText(row, column);
        }
    }
    return text;
}

QString trimmedRight(QString text)
{
    while (text.endsWith(QLatin1Char(' '))) {
        text.chop(1);
    }
    return text;
}

int LogicalLine::indexOf(const Spot& spot) const
{
    // A spot in the right half of a wide character is in its cell.
    const auto next = std::upper_bound(spots.begin(), spots.end(), spot);
    auto at = next == spots.begin() ? next : next - 1;
    at = std::lower_bound(spots.begin(), at, *at);
    return static_cast<int>(at - spots.begin());
}

LogicalLine logicalLine(const Terminal& terminal, qint64 row)
{
    LogicalLine line;
    line.first = line.last = row;
    Row read;
    for (int back = 0; back < LogicalLine::kMaxRows / 2; ++back) {
        if (!readRowAt(terminal, line.first - 1, read) || !read.wrapped()) {
            break;
        }
        --line.first;
    }
    int columns = 0;
    for (qint64 number = line.first; number < line.first + LogicalLine::kMaxRows; ++number) {
        readRowAt(terminal, number, read);
        columns = read.columns();
        for (int column = 0; column < columns; ++column) {
            if (read.width(column) != 0) {
                const QString cell = cellText(read, column);
                line.text += cell;
                line.spots.insert(line.spots.end(), static_cast<std::size_t>(cell.size()), Spot{number, column});
            }
        }
        line.last = number;
        if (!read.wrapped()) {
            break;
        }
    }
    line.spots.push_back({line.last, columns});
    return line;
}

} // namespace coldframe::ui
