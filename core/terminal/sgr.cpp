// SPDX-License-Identifier: Apache-2.0
// SGR, select graphic rendition: ECMA-48, section 8.3.117; ISO 8613-6 for colours; kitty's page for kinds of underline.
#include "terminal/terminal.h"

#include <algorithm>
#include <optional>

namespace coldframe::terminal {

namespace {

std::uint8_t byteOf(int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

/// 38, 48 and 58 in both spellings: 38;2;r;g;b and 38:2:[space]:r:g:b. Advances i over parameters that it used. None when a value
/// is missing or too large.
std::optional<Color> extendedColor(const Csi& sequence, std::size_t& i)
{
    const auto component = [&](std::size_t at) { return sequence.value(at, 0); };
    const auto rgb = [&](std::size_t at) {
        const int values[] = {component(at), component(at + 1), component(at + 2)};
        return std::all_of(std::begin(values), std::end(values), [](int v) { return v <= 255; })
                   ? std::optional(Color::rgb(byteOf(values[0]), byteOf(values[1]), byteOf(values[2])))
                   : std::nullopt;
    };
    const auto indexed = [&](std::size_t at) { return component(at) <= 255 ? std::optional(Color::palette(byteOf(component(at)))) : std::nullopt; };
    const int kind = sequence.value(i + 1, 0);
    if (sequence.isSub(i + 1)) {
        std::size_t count = 1;
        while (sequence.isSub(i + count + 1)) {
            ++count;
        }
        return kind == 5 && count >= 2 ? indexed(i + 2) : kind == 2 && count >= 4 ? rgb(i + (count >= 5 ? 3 : 2)) : std::nullopt;
    }
    const std::size_t first = i + 2;
    const std::size_t used = kind == 5 ? 1 : kind == 2 ? 3 : 0;
    if (used == 0) {
        return std::nullopt;
    }
    i += 1 + used;
    if (first + used > sequence.size()) {
        return std::nullopt;
    }
    return kind == 5 ? indexed(first) : rgb(first);
}

Underline underlineOf(const Csi& sequence, std::size_t i)
{
    if (!sequence.isSub(i + 1)) {
        return Underline::Single;
    }
    const int kind = sequence.value(i + 1, 1);
    return kind >= 0 && kind <= static_cast<int>(Underline::Dashed) ? static_cast<Underline>(kind) : Underline::Single;
}

} // namespace

void Terminal::selectGraphicRendition(const Csi& sequence)
{
    Pen& pen = m_screen.pen;
    const auto resetPen = [&] {
        const bool isProtected = pen.has(Pen::kProtected);
        pen = Pen{};
        pen.set(Pen::kProtected, isProtected);
        m_underlineColor = Color{};
    };
    if (sequence.size() == 0) {
        resetPen();
    }
    bool extraChanged = sequence.size() == 0;
    for (std::size_t i = 0; i < sequence.size(); ++i) {
        if (sequence.isSub(i)) {
            continue;
        }
        const int code = sequence.value(i, 0);
        switch (code) {
        case 0:
            resetPen();
            extraChanged = true;
            break;
        case 1: pen.set(Pen::kBold, true); break;
        case 2: pen.set(Pen::kDim, true); break;
        case 3: pen.set(Pen::kItalic, true); break;
        case 4: pen.setUnderline(underlineOf(sequence, i)); break;
        case 5:
        case 6: pen.set(Pen::kBlink, true); break;
        case 7: pen.set(Pen::kInverse, true); break;
        case 8: pen.set(Pen::kHidden, true); break;
        case 9: pen.set(Pen::kStrike, true); break;
        case 21: pen.setUnderline(Underline::Double); break;
        case 22: pen.set(Pen::kBold | Pen::kDim, false); break;
        case 23: pen.set(Pen::kItalic, false); break;
        case 24: pen.setUnderline(Underline::None); break;
        case 25: pen.set(Pen::kBlink, false); break;
        case 27: pen.set(Pen::kInverse, false); break;
        case 28: pen.set(Pen::kHidden, false); break;
        case 29: pen.set(Pen::kStrike, false); break;
        case 38: pen.foreground = extendedColor(sequence, i).value_or(pen.foreground); break;
        case 39: pen.foreground = Color{}; break;
        case 48: pen.background = extendedColor(sequence, i).value_or(pen.background); break;
        case 49: pen.background = Color{}; break;
        case 53: pen.set(Pen::kOverline, true); break;
        case 55: pen.set(Pen::kOverline, false); break;
        case 58:
            m_underlineColor = extendedColor(sequence, i).value_or(m_underlineColor);
            extraChanged = true;
            break;
        case 59:
            m_underlineColor = Color{};
            extraChanged = true;
            break;
        default:
            if (code >= 30 && code <= 37) {
                pen.foreground = Color::palette(byteOf(code - 30));
            } else if (code >= 40 && code <= 47) {
                pen.background = Color::palette(byteOf(code - 40));
            } else if (code >= 90 && code <= 97) {
                pen.foreground = Color::palette(byteOf(code - 90 + 8));
            } else if (code >= 100 && code <= 107) {
                pen.background = Color::palette(byteOf(code - 100 + 8));
            }
        }
    }
    if (extraChanged) {
        updateExtra();
    }
}

std::string sgrParameters(const Pen& pen, Color underlineColor, bool withColons)
{
    std::string out = "0";
    const auto flag = [&](std::uint16_t which, const char* code) {
        if (pen.has(which)) {
            out += code;
        }
    };
    flag(Pen::kBold, ";1");
    flag(Pen::kDim, ";2");
    flag(Pen::kItalic, ";3");
    static constexpr const char* kUnderlines[] = {"", ";4", ";4:2", ";4:3", ";4:4", ";4:5"};
    out += kUnderlines[static_cast<std::size_t>(pen.underline())];
    flag(Pen::kBlink, ";5");
    flag(Pen::kInverse, ";7");
    flag(Pen::kHidden, ";8");
    flag(Pen::kStrike, ";9");
    const auto color = [&](const Color& c, int base) {
        const bool colons = withColons || base == 50;
        const std::string separator = colons ? ":" : ";";
        if (c.kind == Color::Kind::Rgb) {
            out += ";" + std::to_string(base + 8) + (colons ? ":2::" : ";2;") + std::to_string(c.red) + separator + std::to_string(c.green) +
                   separator + std::to_string(c.blue);
        } else if (c.kind == Color::Kind::Palette && (c.red >= 16 || base == 50)) {
            out += ";" + std::to_string(base + 8) + separator + "5" + separator + std::to_string(c.red);
        } else if (c.kind == Color::Kind::Palette) {
            out += ";" + std::to_string(c.red < 8 ? base + c.red : base + 60 + c.red - 8);
        }
    };
    color(pen.foreground, 30);
    color(pen.background, 40);
    flag(Pen::kOverline, ";53");
    color(underlineColor, 50);
    return out;
}

} // namespace coldframe::terminal
