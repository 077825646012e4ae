// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"
#include "terminal/cell_store.h"
#include "terminal/row.h"

#include <cstddef>
#include <string_view>

namespace coldframe::terminal {

/// A character at the end of the row, with its right half when it is wide.
void addCell(Row& out, std::u32string_view text, int width, const Pen& pen, const Extras& extras);
void addCells(Row& out, const Cell* cells, std::size_t count, const Extras& extras, const Clusters& clusters);

} // namespace coldframe::terminal
