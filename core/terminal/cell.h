// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>

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
    bool isProtected : 1 = false; ///< from selective erasing (DECSCA) or from all (SPA)
    Underline underline = Underline::None;
    bool operator==(const Style&) const = default;
};

/// A Style as cells hold it. `extra` is a number in Extras: the colour of the underline and the link.
struct Pen
{
    static constexpr std::uint16_t kBold = 1;
    static constexpr std::uint16_t kDim = 2;
    static constexpr std::uint16_t kItalic = 4;
    static constexpr std::uint16_t kBlink = 8;
    static constexpr std::uint16_t kInverse = 16;
    static constexpr std::uint16_t kHidden = 32;
    static constexpr std::uint16_t kStrike = 64;
    static constexpr std::uint16_t kOverline = 128;
    static constexpr std::uint16_t kProtected = 256;
    static constexpr unsigned kUnderlineShift = 9; ///< three bits: Underline

    Color foreground;
    Color background;
    std::uint16_t flags = 0;
    std::uint16_t extra = 0;
    using Words = std::array<std::uint32_t, 3>;
    Words words() const { return std::bit_cast<Words>(*this); }
    bool operator==(const Pen& other) const // compared for each cell that scrolls away
    {
        const Words a = words();
        const Words b = other.words();
        return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2])) == 0;
    }

    void set(std::uint16_t flag, bool on) { flags = static_cast<std::uint16_t>(on ? flags | flag : flags & ~flag); }
    bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
    Underline underline() const { return static_cast<Underline>(flags >> kUnderlineShift); }
    void setUnderline(Underline underline)
    {
        flags = static_cast<std::uint16_t>((flags & ((1u << kUnderlineShift) - 1u)) | (static_cast<unsigned>(underline) << kUnderlineShift));
    }
    Style style() const; ///< without the colour of the underline
};

/// One column of the grid. A wide character fills two cells: one of width 2 and then one of width 0.
struct Cell
{
    static constexpr std::uint32_t kCharacterMask = 0x1FFFFF;
    static constexpr std::uint32_t kCluster = 0x200000; ///< the character is a number in Clusters
    static constexpr unsigned kWidthShift = 22;
    static constexpr std::uint32_t kNarrow = 1u << kWidthShift;
    static constexpr std::uint32_t kWide = 2u << kWidthShift;

    std::uint32_t packed = kNarrow; ///< 0 as character: blank
    Pen pen;
    bool operator==(const Cell&) const = default;

    std::uint32_t character() const { return packed & kCharacterMask; }
    bool isCluster() const { return (packed & kCluster) != 0; }
    int width() const { return static_cast<int>(packed >> kWidthShift); }
    bool isBlank() const { return character() == 0 && !isCluster(); }
};
static_assert(sizeof(Cell) == 16, "a row is cleared and copied often");

} // namespace coldframe::terminal
