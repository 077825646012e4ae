// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace coldframe::terminal {

/// A colour as the program asked for it: the default, one of the 256-colour palette, or 24-bit RGB.
struct Color
{
    enum class Kind : std::uint8_t { Default, Palette, Rgb };
    Kind kind = Kind::Default;
    std::uint8_t red = 0; ///< the palette index when kind is Palette
    std::uint8_t green = 0;
    std::uint8_t blue = 0;
    bool operator==(const Color&) const = default;

    static Color palette(std::uint8_t index) { return {Kind::Palette, index, 0, 0}; }
    static Color rgb(std::uint8_t r, std::uint8_t g, std::uint8_t b) { return {Kind::Rgb, r, g, b}; }
};

enum class Underline : std::uint8_t { None, Single, Double, Curly, Dotted, Dashed };

struct Style
{
    Color foreground;
    Color background;
    Color underlineColor; ///< default: the foreground
    bool bold : 1 = false;
    bool dim : 1 = false;
    bool italic : 1 = false;
    bool blink : 1 = false;
    bool inverse : 1 = false;
    bool hidden : 1 = false;
    bool strike : 1 = false;
    bool overline : 1 = false;
    bool isProtected : 1 = false; ///< from selective erasing (DECSCA) or all (SPA)
    Underline underline = Underline::None;
    bool operator==(const Style&) const = default;
};

/// One column of the grid. A wide character fills two cells: width 2 and then width 0.
struct Cell
{
    std::array<char32_t, 3> text{}; ///< the base character and at most two combining marks; 0 = none
    Style style;
    std::uint8_t width = 1; ///< 1, 2, or 0 for the right half of a wide character
    bool operator==(const Cell&) const = default;
};

struct Line
{
    std::vector<Cell> cells;
    bool wrapped = false; ///< the line goes on in the next one without a newline
};

} // namespace coldframe::terminal
