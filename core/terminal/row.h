// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/cell.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::terminal {

/// What a shell said of a row (OSC 133, "semantic prompts"): the prompt begins here (A), the typed command (B), its output (C).
enum class RowMark : std::uint8_t { None, Prompt, Command, Output };

/// A row of a terminal copied out for whoever shows, searches or copies it. It refers to nothing in the terminal. One object can
/// be used for many rows, which saves allocating. Columns outside the row are blank.
class Row
{
public:
    int columns() const { return static_cast<int>(m_items.size()); }
    /// The base character with its marks, a whole grapheme cluster. Empty: blank, or the right half of a wide character.
    std::u32string_view text(int column) const;
    int width(int column) const; ///< 1, 2, or 0 for the right half of a wide character
    const Style& style(int column) const;
    /// The target of OSC 8; empty: none. At most 2083 bytes, without controls.
    std::string_view link(int column) const;
    std::uint32_t linkId(int column) const; ///< the same for the cells of one link in this terminal; 0: none
    bool wrapped() const { return m_isWrapped; } ///< goes on in the next row without a newline
    RowMark mark() const { return m_mark; }

    // For the terminal, which fills it from left to right.
    void begin();
    void add(std::u32string_view text, int width, const Style& style, std::uint32_t linkId);
    void addLinkTarget(std::uint32_t linkId, std::string_view target); ///< once for each id that add() is given
    bool hasLinkTarget(std::uint32_t linkId) const;
    void end(bool wrapped, RowMark mark);

private:
    struct Item
    {
        Style style;
        std::uint32_t textAt = 0;
        std::uint32_t linkId = 0;
        std::uint16_t textSize = 0;
        std::uint8_t width = 1;
    };
    struct Link
    {
        std::uint32_t id = 0;
        std::string target;
    };
    const Item& item(int column) const;

    std::vector<Item> m_items;
    std::u32string m_text;
    std::vector<Link> m_links;
    bool m_isWrapped = false;
    RowMark m_mark = RowMark::None;
};

} // namespace coldframe::terminal
