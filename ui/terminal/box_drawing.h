// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QRect>

class QColor;
class QPainter;

namespace coldframe::ui {

/// Draws box-drawing and block characters (U+2500 to U+259F) to the cell's very edges, so that lines and pictures made
/// of them join whatever the font's metrics are. False for every other character: nothing was drawn.
bool drawBoxCharacter(QPainter& painter, const QRect& cell, char32_t character, const QColor& ink);

} // namespace coldframe::ui
