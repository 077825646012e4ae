// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/terminal.h"

#include <QString>
#include <compare>
#include <vector>

namespace coldframe::ui {

/// A place between cells: the row counted from the first ever written, so that it stays while others scroll, and the
/// column before which it is.
struct Spot
{
    qint64 row = 0;
    int column = 0;
    auto operator<=>(const Spot&) const = default;
};

inline qint64 firstRow(const terminal::Terminal& terminal) { return static_cast<qint64>(terminal.droppedRows()); }
inline qint64 endRow(const terminal::Terminal& terminal) { return firstRow(terminal) + static_cast<qint64>(terminal.totalRows()); }
/// False, and a blank row, when it is no longer or not yet there.
bool readRowAt(const terminal::Terminal& terminal, qint64 row, terminal::Row& out);

/// The columns from `from` up to, not including, `to`; a blank is a space.
QString rowText(const terminal::Row& row, int from, int to);
QString trimmedRight(QString text);

/// What a program wrote as one line, over all rows that it was wrapped to (at most kMaxRows around the row that was asked for).
struct LogicalLine
{
    static constexpr int kMaxRows = 64;

    qint64 first = 0;
    qint64 last = 0;
    QString text;            ///< blanks as spaces
    std::vector<Spot> spots; ///< where each UTF-16 unit's cell begins, and the end

    int indexOf(const Spot& spot) const; ///< of the cell's first unit; the end's when it is beyond
};
LogicalLine logicalLine(const terminal::Terminal& terminal, qint64 row);

} // namespace coldframe::ui
