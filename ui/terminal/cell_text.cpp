// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/cell_text.h"

namespace coldframe::ui {

using namespace terminal;

QString cellText(const Row& row, int column)
{
    const std::u32string_view text = row.text(column);
    return QString::fromUcs4(text.data(), static_cast<qsizetype>(text.size()));
}

QString lineText(const Row& row, int from, int to)
{
    QString text;
    for (int column = from; column < to && column < row.columns(); ++column) {
        if (row.width(column) == 0) {
            continue;
        }
        text += row.text(column).empty() ? QStringLiteral(" ") : cellText(row, column);
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
