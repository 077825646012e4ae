// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace coldframe::terminal {

/// How a character joins the one before it: Grapheme_Cluster_Break of Unicode Standard Annex 29, as far as cells need it.
enum class Join : std::uint8_t {
    Other,
    Extend, ///< marks, variation selectors, skin tones, tags
    Zwj,
    Spacing, ///< SpacingMark
    Regional,
    L,
    V,
    T,
    Lv,
    Lvt,
    Pictographic,
    Ignored, ///< shows nothing and is not kept: zero width spaces, directional overrides and the like
};

struct CharacterTraits
{
    std::uint8_t packed = 0;
    Join join() const { return static_cast<Join>(packed & 15u); }
    int width() const { return (packed >> 4) & 3; } ///< columns when it stands alone: 0, 1 or 2 (Unicode Standard Annex 11)
    bool isEmojiByVariation() const { return (packed & 64u) != 0; }
};

/// Of every code point, Unicode 18.0: two stages, blocks of 256 code points, equal blocks once.
class TraitsTable
{
public:
    TraitsTable();
    /// Any value is allowed, what is no code point has width 1.
    CharacterTraits of(char32_t c) const { return {c < kBlocks * 256 ? m_values[m_blocks[c >> 8]][c & 255u] : std::uint8_t{0x10}}; }

private:
    static constexpr std::uint32_t kBlocks = 0x1100;
    std::array<std::uint8_t, kBlocks> m_blocks{};
    std::vector<std::array<std::uint8_t, 256>> m_values;
};

const TraitsTable& traits(); ///< made at the first use
inline CharacterTraits traitsOf(char32_t character) { return traits().of(character); }

/// Whether `next` belongs to the grapheme cluster `cluster` (not empty): rules GB6 to GB9a and GB11 to GB13 of UAX 29.
bool joins(std::u32string_view cluster, char32_t next);

constexpr char32_t kVariationSelector16 = 0xFE0F;

/// Columns of a whole cluster: its base's, 2 for an emoji by variation selector 16 and for a pair of regional indicators.
int clusterWidth(std::u32string_view cluster);

} // namespace coldframe::terminal
