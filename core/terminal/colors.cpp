// SPDX-License-Identifier: Apache-2.0
#include "terminal/colors.h"

#include <cstdio>

namespace coldframe::terminal {

namespace {

/// One component of one to four hexadecimal digits, scaled to eight bits.
std::optional<std::uint32_t> component(std::string_view digits)
{
    if (digits.empty() || digits.size() > 4) {
        return std::nullopt;
    }
    std::uint32_t value = 0;
    for (const char c : digits) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) {
            return std::nullopt;
        }
        value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    const std::uint32_t highest = (1u << (4 * digits.size())) - 1u;
    return (value * 255u + highest / 2) / highest;
}

std::optional<std::uint32_t> joined(std::string_view red, std::string_view green, std::string_view blue)
{
    const auto r = component(red);
    const auto g = component(green);
    const auto b = component(blue);
    return r && g && b ? std::optional((*r << 16) | (*g << 8) | *b) : std::nullopt;
}

} // namespace

Colors::Colors()
{
    static constexpr std::uint32_t kNamed[16] = {0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
                                                 0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF};
    for (std::size_t i = 0; i < 256; ++i) {
        if (i < 16) {
            m_defaultPalette[i] = kNamed[i];
        } else if (i < 232) {
            const auto level = [](std::size_t n) { return static_cast<std::uint32_t>(n == 0 ? 0 : 55 + 40 * n); };
            const std::size_t n = i - 16;
            m_defaultPalette[i] = (level(n / 36) << 16) | (level(n / 6 % 6) << 8) | level(n % 6);
        } else {
            m_defaultPalette[i] = static_cast<std::uint32_t>(8 + 10 * (i - 232)) * 0x010101u;
        }
    }
}

void Colors::setDefaultPalette(const std::array<std::uint32_t, 16>& palette)
{
    for (std::size_t i = 0; i < palette.size(); ++i) {
        m_defaultPalette[i] = palette[i] & 0xFFFFFFu;
    }
}

void Colors::setPalette(std::uint8_t index, std::uint32_t color)
{
    m_palette[index] = color & 0xFFFFFFu;
    m_isSet[index] = true;
}

std::optional<std::uint32_t> parseColor(std::string_view text)
{
    if (text.starts_with("rgb:")) {
        text.remove_prefix(4);
        const std::size_t first = text.find('/');
        const std::size_t second = first == std::string_view::npos ? first : text.find('/', first + 1);
        if (second == std::string_view::npos) {
            return std::nullopt;
        }
        return joined(text.substr(0, first), text.substr(first + 1, second - first - 1), text.substr(second + 1));
    }
    if (text.starts_with('#') && (text.size() - 1) % 3 == 0 && text.size() > 1 && text.size() <= 13) {
        const std::size_t digits = (text.size() - 1) / 3;
        return joined(text.substr(1, digits), text.substr(1 + digits, digits), text.substr(1 + 2 * digits, digits));
    }
    return std::nullopt;
}

std::string colorText(std::uint32_t color)
{
    char text[32];
    const unsigned r = (color >> 16) & 255u;
    const unsigned g = (color >> 8) & 255u;
    const unsigned b = color & 255u;
    std::snprintf(text, sizeof text, "rgb:%02x%02x/%02x%02x/%02x%02x", r, r, g, g, b, b);
    return text;
}

} // namespace coldframe::terminal
