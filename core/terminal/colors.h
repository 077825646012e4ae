// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe::terminal {

enum class DynamicColor : std::uint8_t { Foreground, Background, Cursor };

/// The palette and the colours of text, background and cursor: the view's, and what the program set instead. 0xRRGGBB.
class Colors
{
public:
    Colors();
    void setDefaultPalette(const std::array<std::uint32_t, 16>& palette);
    void setDefault(DynamicColor which, std::uint32_t color) { m_defaults[static_cast<std::size_t>(which)] = color & 0xFFFFFFu; }

    void setPalette(std::uint8_t index, std::uint32_t color);
    void resetPalette(std::uint8_t index) { m_isSet[index] = false; }
    void resetPalette() { m_isSet.reset(); }
    void set(DynamicColor which, std::optional<std::uint32_t> color) { m_set[static_cast<std::size_t>(which)] = color; }

    /// Only what the program set: for the rest the view has its own.
    std::optional<std::uint32_t> changed(std::uint8_t index) const { return m_isSet[index] ? std::optional(m_palette[index]) : std::nullopt; }
    std::optional<std::uint32_t> changed(DynamicColor which) const { return m_set[static_cast<std::size_t>(which)]; }
    std::uint32_t palette(std::uint8_t index) const { return m_isSet[index] ? m_palette[index] : m_defaultPalette[index]; }
    std::uint32_t color(DynamicColor which) const { return changed(which).value_or(m_defaults[static_cast<std::size_t>(which)]); }

private:
    std::array<std::uint32_t, 256> m_defaultPalette{};
    std::array<std::uint32_t, 256> m_palette{};
    std::bitset<256> m_isSet;
    std::array<std::uint32_t, 3> m_defaults{0xD0D0D0, 0x101010, 0xD0D0D0};
    std::array<std::optional<std::uint32_t>, 3> m_set{};
};

/// "rgb:RR/GG/BB" with one to four digits each, "#RGB", "#RRGGBB", "#RRRRGGGGBBBB" (XParseColor(3)); nothing else.
std::optional<std::uint32_t> parseColor(std::string_view text);
/// As XParseColor() reads it: "rgb:rrrr/gggg/bbbb".
std::string colorText(std::uint32_t color);

} // namespace coldframe::terminal
