// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"

#include <QColor>
#include <array>

namespace coldframe::ui {

/// The 16 named colours, foreground, background and selection of a terminal. Contrast of text on background is at
/// least 4.5:1 (WCAG 2.1, 1.4.3) for every named colour but black on dark and white on light.
struct ColorScheme
{
    QColor foreground;
    QColor background;
    QColor selection;
    QColor cursor;
    std::array<QColor, 16> named;

    static ColorScheme dark();
    static ColorScheme light();
    QColor resolve(const terminal::Color& color, bool isForeground, bool bold) const;
};

} // namespace coldframe::ui
