// SPDX-License-Identifier: Apache-2.0
#include "terminal/graphemes.h"

#include "terminal/unicode_table.h"

#include <algorithm>

namespace coldframe::terminal {

namespace {

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

TraitsTable::TraitsTable()
{
    const auto ranges = unicodeRanges();
    std::array<int, 256> uniform; // blocks of one value, most of them, are found by it
    uniform.fill(-1);
    std::size_t at = 0;
    const auto startsBy = [&](std::size_t range, std::uint32_t c) { return range < ranges.size() && (ranges[range] >> 8) <= c; };
    for (std::uint32_t block = 0; block < kBlocks; ++block) {
        const std::uint32_t first = block * 256;
        while (startsBy(at + 1, first)) {
            ++at;
        }
        const auto value = static_cast<std::uint8_t>(ranges[at] & 255u);
        const bool isUniform = !startsBy(at + 1, first + 255);
        if (isUniform && uniform[value] >= 0) {
            m_blocks[block] = static_cast<std::uint8_t>(uniform[value]);
            continue;
        }
        std::array<std::uint8_t, 256> values;
        for (std::uint32_t i = 0; i < 256; ++i) {
            while (startsBy(at + 1, first + i)) {
                ++at;
            }
            values[i] = static_cast<std::uint8_t>(ranges[at] & 255u);
        }
        if (isUniform) {
            uniform[value] = static_cast<int>(m_values.size());
        }
        m_blocks[block] = static_cast<std::uint8_t>(m_values.size()); // there are fewer than 256 different ones
        m_values.push_back(values);
    }
}

const TraitsTable& traits()
{
    static const TraitsTable table;
    return table;
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
