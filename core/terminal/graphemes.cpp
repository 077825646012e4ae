// SPDX-License-Identifier: Apache-2.0
#include "terminal/graphemes.h"

#include "terminal/unicode_table.h"

#include <algorithm>
#include <array>
#include <vector>

namespace coldframe::terminal {

namespace {

/// A table of two stages: blocks of 256 code points, equal blocks once.
class Table
{
public:
    Table()
    {
        const auto ranges = unicodeRanges();
        std::size_t at = 0;
        for (std::uint32_t block = 0; block < kBlocks; ++block) {
            std::array<std::uint8_t, 256> values;
            for (std::uint32_t i = 0; i < 256; ++i) {
                while (at + 1 < ranges.size() && (ranges[at + 1] >> 8) <= block * 256 + i) {
                    ++at;
                }
                values[i] = static_cast<std::uint8_t>(ranges[at] & 255u);
            }
            const auto same = std::find(m_values.begin(), m_values.end(), values);
            m_blocks[block] = static_cast<std::uint16_t>(same - m_values.begin());
            if (same == m_values.end()) {
                m_values.push_back(values);
            }
        }
    }

    std::uint8_t at(char32_t c) const { return c < kBlocks * 256 ? m_values[m_blocks[c >> 8]][c & 255u] : std::uint8_t{0x10}; }

private:
    static constexpr std::uint32_t kBlocks = 0x1100;
    std::array<std::uint16_t, kBlocks> m_blocks{};
    std::vector<std::array<std::uint8_t, 256>> m_values;
};

bool isPictographic(std::u32string_view cluster)
{
    // GB11: Extended_Pictographic Extend* ZWJ before it.
    std::size_t i = cluster.size() - 1;
    while (i > 0 && traitsOf(cluster[i - 1]).join() == Join::Extend) {
        --i;
    }
    return i > 0 && traitsOf(cluster[i - 1]).join() == Join::Pictographic;
}

} // namespace

CharacterTraits traitsOf(char32_t character)
{
    static const Table table;
    return {table.at(character)};
}

bool joins(std::u32string_view cluster, char32_t next)
{
    const Join before = traitsOf(cluster.back()).join();
    switch (traitsOf(next).join()) {
    case Join::Extend:
    case Join::Zwj:
    case Join::Spacing: return true;
    case Join::Regional: return before == Join::Regional && cluster.size() % 2 == 1;
    case Join::L: return before == Join::L;
    case Join::V: return before == Join::L || before == Join::V || before == Join::Lv;
    case Join::T: return before == Join::V || before == Join::T || before == Join::Lv || before == Join::Lvt;
    case Join::Lv:
    case Join::Lvt: return before == Join::L;
    case Join::Pictographic: return before == Join::Zwj && isPictographic(cluster);
    default: return false;
    }
}

int clusterWidth(std::u32string_view cluster)
{
    const CharacterTraits base = traitsOf(cluster.front());
    const int width = std::max(1, base.width());
    if (cluster.size() < 2 || width == 2) {
        return width;
    }
    if (base.join() == Join::Regional) {
        return traitsOf(cluster[1]).join() == Join::Regional ? 2 : 1;
    }
    return base.isEmojiByVariation() && cluster[1] == kVariationSelector16 ? 2 : 1;
}

} // namespace coldframe::terminal
