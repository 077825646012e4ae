// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"

#include <QColor>
#include <QHash>
#include <QList>
#include <QString>
#include <array>

namespace coldframe::ui {

/// The 16 named colours, foreground, background and selection of a terminal. Contrast of text on background is at
/// least 4.5:1 (WCAG 2.1, 1.4.3) for every named colour but black on dark and white on light; colours of well-known schemes
/// that have less were made lighter or darker until they had it.
struct ColorScheme
{
    QString id;
    QString name; ///< its own, the same in every language
    bool isLight = false;
    QColor foreground;
    QColor background;
    QColor selection;
    QColor cursor;
    std::array<QColor, 16> named;
    QHash<int, QColor> others{}; ///< of the rest of the palette, what a program changed

    bool operator==(const ColorScheme&) const = default;

    static ColorScheme dark();
    static ColorScheme light();
    /// The two above first.
    static const QList<ColorScheme>& all();
    /// Of this id and brightness; Coldframe's own when there is none.
    static ColorScheme find(const QString& id, bool isLight);
    QColor resolve(const terminal::Color& color, bool isForeground, bool bold) const;
};

/// WCAG 2.1: 1 to 21.
double contrast(const QColor& one, const QColor& other);

} // namespace coldframe::ui
