// SPDX-License-Identifier: Apache-2.0
#include "terminal/terminal.h"

#include <algorithm>
#include <optional>

namespace coldframe::terminal {

namespace {

std::uint8_t byteOf(int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

/// 38/48 in both spellings: 38;2;r;g;b and 38:2:[space]:r:g:b (ISO 8613-6). Advances i past what it used.
std::optional<Color> extendedColor(const Csi& sequence, std::size_t& i)
{
    const std::vector<int>& sub = sequence.parameters[i].subParameters;
    if (!sub.empty()) {
        if (sub[0] == 5 && sub.size() >= 2) {
            return Color::palette(byteOf(sub[1]));
        }
        if (sub[0] == 2 && sub.size() >= 4) {
            const std::size_t first = sub.size() >= 5 ? 2 : 1;
            return Color::rgb(byteOf(sub[first]), byteOf(sub[first + 1]), byteOf(sub[first + 2]));
        }
        return std::nullopt;
    }
    const int kind = sequence.value(i + 1, 0);
    if (kind == 5) {
        const int palette = sequence.value(i + 2, 0);
        i += 2;
        return Color::palette(byteOf(palette));
    }
    if (kind == 2) {
        const Color color = Color::rgb(byteOf(sequence.value(i + 2, 0)), byteOf(sequence.value(i + 3, 0)),
                                       byteOf(sequence.value(i + 4, 0)));
        i += 4;
        return color;
    }
    return std::nullopt;
}

} // namespace

void Terminal::selectGraphicRendition(const Csi& sequence)
{
    Style& style = active().style;
    if (sequence.parameters.empty()) {
        style = Style{};
        return;
    }
    for (std::size_t i = 0; i < sequence.parameters.size(); ++i) {
        const int code = sequence.value(i, 0);
        if (code >= 30 && code <= 37) {
            style.foreground = Color::palette(byteOf(code - 30));
        } else if (code >= 40 && code <= 47) {
            style.background = Color::palette(byteOf(code - 40));
        } else if (code >= 90 && code <= 97) {
            style.foreground = Color::palette(byteOf(code - 90 + 8));
        } else if (code >= 100 && code <= 107) {
            style.background = Color::palette(byteOf(code - 100 + 8));
        }
        switch (code) {
        case 0: style = Style{}; break;
        case 1: style.bold = true; break;
        case 2: style.dim = true; break;
        case 3: style.italic = true; break;
        case 4: {
            const std::vector<int>& sub = sequence.parameters[i].subParameters;
            const int kind = sub.empty() ? 1 : sub[0];
            style.underline = kind <= 0   ? Underline::None
                              : kind == 2 ? Underline::Double
                              : kind == 1 ? Underline::Single
                                          : Underline::Curly;
            break;
        }
        case 5:
        case 6: style.blink = true; break;
        case 7: style.inverse = true; break;
        case 8: style.hidden = true; break;
        case 9: style.strike = true; break;
        case 21: style.underline = Underline::Double; break;
        case 22: style.bold = style.dim = false; break;
        case 23: style.italic = false; break;
        case 24: style.underline = Underline::None; break;
        case 25: style.blink = false; break;
        case 27: style.inverse = false; break;
        case 28: style.hidden = false; break;
        case 29: style.strike = false; break;
        case 38:
            if (const auto color = extendedColor(sequence, i)) {
                style.foreground = *color;
            }
            break;
        case 39: style.foreground = Color{}; break;
        case 48:
            if (const auto color = extendedColor(sequence, i)) {
                style.background = *color;
            }
            break;
        case 49: style.background = Color{}; break;
        case 58: (void)extendedColor(sequence, i); break; // underline colour: taken in, not shown
        default: break;
        }
    }
}

} // namespace coldframe::terminal
