// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/cell_text.h"

namespace coldframe::ui {

using namespace terminal;

QString cellText(const Cell& cell)
{
    QString text;
    for (const char32_t c : cell.text) {
        if (c != 0) {
            text += QString::fromUcs4(&c, 1);
        }
    }
    return text;
}

QString lineText(const Line& line, int from, int to)
{
    QString text;
    for (int column = from; column < to && column < static_cast<int>(line.cells.size()); ++column) {
        const Cell& cell = line.cells[static_cast<std::size_t>(column)];
        if (cell.width == 0) {
            continue;
        }
        text += cell.text[0] == 0 ? QStringLiteral(" ") : cellText(cell);
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

} // namespace coldframe::ui
