// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/row.h"

#include <QString>

namespace coldframe::ui {

/// A cell's character with its combining marks; empty for an empty cell.
QString cellText(const terminal::Row& row, int column);
/// The columns from `from` up to, not including, `to`; an empty cell is a space.
QString lineText(const terminal::Row& row, int from, int to);
QString trimmedRight(QString text);

} // namespace coldframe::ui
