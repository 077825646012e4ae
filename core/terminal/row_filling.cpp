// SPDX-License-Identifier: Apache-2.0
#include "terminal/row_filling.h"

namespace coldframe::terminal {

void addCell(Row& out, std::u32string_view text, int width, const Pen& pen, const Extras& extras)
{
    Style style = pen.style();
    std::uint32_t linkId = 0;
    if (pen.extra != 0) {
        const Extras::Extra& extra = extras.at(pen.extra);
        style.underlineColor = extra.underlineColor;
        linkId = extra.linkId;
        if (linkId != 0 && !out.hasLinkTarget(linkId)) {
            out.addLinkTarget(linkId, extra.target);
        }
    }
    out.add(text, width, style, linkId);
    if (width == 2) {
        out.add({}, 0, style, linkId);
    }
}

void addCells(Row& out, const Cell* cells, std::size_t count, const Extras& extras, const Clusters& clusters)
{
    for (std::size_t i = 0; i < count; ++i) {
        const Cell& cell = cells[i];
        if (cell.width() == 0) {
            continue; // came with its left half
        }
        const char32_t single = cell.character();
        const std::u32string_view text = cell.isCluster() ? clusters.at(cell.character())
                                         : single != 0    ? std::u32string_view(&single, 1)
                                                          : std::u32string_view{};
        addCell(out, text, cell.width(), cell.pen, extras);
    }
}

} // namespace coldframe::terminal
