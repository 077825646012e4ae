// SPDX-License-Identifier: Apache-2.0
#include "payloads.h"

#include <algorithm>
#include <array>
#include <random>

namespace coldframe::bench {
namespace {

std::string number(int value) { return std::to_string(value); }

std::string at(int line, int column) { return "\x1b[" + number(line) + ";" + number(column) + "H"; }

/// A letter at each place of ever smaller rectangles, the cursor sent to each.
std::string cursorMotion(int rows, int columns)
{
    std::string out;
    for (char letter = 'A'; letter <= 'Z'; ++letter) {
        int left = 1;
        int right = columns;
        int top = 1;
        int bottom = rows;
        for (; left <= right && top <= bottom; ++left, ++top, --right, --bottom) {
            int column = left;
            int line = top;
            const auto put = [&] { (out += at(line, column)) += letter; };
            for (; column < right; ++column) {
                put();
            }
            for (; line < bottom; ++line) {
                put();
            }
            for (; column > left; --column) {
                put();
            }
            for (; line > top; --line) {
                put();
            }
        }
    }
    return out;
}

std::string denseCells(int rows, int columns)
{
    std::string out;
    for (char letter = 'A'; letter <= 'Z'; ++letter) {
        out += "\x1b[H";
        for (int line = 1; line <= rows; ++line) {
            for (int column = 1; column <= columns; ++column) {
                const int index = (line + column + letter - 'A') % 156;
                out += "\x1b[38;5;" + number(index + 100) + ";48;5;" + number(255 - index) + ";1;3;4m" + letter;
            }
        }
    }
    return out;
}

std::string lightCells(int rows, int columns)
{
    std::string out;
    for (char letter = 'A'; letter <= 'Z'; ++letter) {
        out += "\x1b[H" + std::string(static_cast<std::size_t>(rows * columns), letter);
    }
    return out;
}

/// What an editor sends while one moves about in a file of source: coloured words, line numbers, a status line, scrolling within
/// margins, inserted and deleted text. From a fixed seed.
std::string mediumCells(int rows, int columns, bool synchronized)
{
    static constexpr std::array kWords = {"const", "return", "std::string", "value", "for", "while", "// why it is so", "if (ready)", "size_t", "{", "}", "auto"};
    std::mt19937 random(7);
    const auto pick = [&](std::size_t bound) { return static_cast<int>(random() % bound); };
    std::string out;
    const auto codeLine = [&](int numbered) {
        std::string line = "\x1b[38;5;130m" + std::string(numbered < 100 ? 3u : 2u, ' ') + number(numbered) + " \x1b[0m" + std::string(static_cast<std::size_t>(pick(4)) * 4, ' ');
        int width = 20;
        while (width < columns * 2 / 3 && pick(8) != 0) {
            const std::string word = kWords[static_cast<std::size_t>(pick(kWords.size()))];
            line += "\x1b[38;5;" + number(pick(200) + 20) + "m" + word + (pick(3) == 0 ? "\x1b[0;1m " : "\x1b[m ");
            width += static_cast<int>(word.size()) + 1;
        }
        return line + "\x1b[K";
    };
    for (int frame = 0; frame < 120; ++frame) {
        if (synchronized) {
            out += "\x1b[?2026h";
        }
        out += "\x1b[?25l";
        const int kind = pick(6);
        if (kind == 0) { // another page
            out += "\x1b[H";
            for (int line = 1; line < rows; ++line) {
                out += codeLine(frame + line) + (line + 1 < rows ? "\r\n" : "");
            }
        } else if (kind < 3) { // a line further down or up
            const bool up = kind == 1;
            out += "\x1b[1;" + number(rows - 1) + "r" + at(up ? 1 : rows - 1, 1) + (up ? "\x1bM" : "\n") + "\x1b[r" + at(up ? 1 : rows - 1, 1) + codeLine(frame);
        } else if (kind == 3) { // a line put in, one taken out
            const int line = 1 + pick(static_cast<std::size_t>(rows - 2));
            out += at(line, 1) + "\x1b[L" + codeLine(frame) + at(rows - 2, 1) + "\x1b[M";
        } else { // typed
            for (int i = 0; i < 20; ++i) {
                out += at(1 + pick(static_cast<std::size_t>(rows - 2)), 6 + pick(static_cast<std::size_t>(columns / 2))) + "\x1b[4h\x1b[32m" + static_cast<char>('a' + pick(26)) + "\x1b[4l\x1b[m";
            }
        }
        out += at(rows, 1) + "\x1b[7m NORMAL \x1b[0;38;5;231;48;5;238m source.cpp \x1b[38;5;247m" + number(frame) + "," + number(pick(80)) + "\x1b[K\x1b[m"
             + at(1 + pick(static_cast<std::size_t>(rows - 2)), 8) + "\x1b[?12l\x1b[?25h";
        if (synchronized) {
            out += "\x1b[?2026l";
        }
    }
    return out;
}

void append(std::string& out, char32_t c)
{
    if (c < 0x800) {
        out += {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
        out += {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    } else {
        out += {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    }
}

/// Symbols of many scripts, a space between them.
std::string unicode()
{
    static constexpr std::array<std::pair<char32_t, char32_t>, 15> kRanges = {{{0xA1, 0xAC}, {0xAE, 0x17F}, {0x391, 0x3A1}, {0x3B1, 0x3C9}, {0x410, 0x44F}, {0x5D0, 0x5EA}, {0x904, 0x939},
        {0x2190, 0x21FF}, {0x2200, 0x22FF}, {0x2500, 0x259F}, {0x3041, 0x3096}, {0x30A1, 0x30FA}, {0x4E00, 0x4F00}, {0xAC00, 0xACFF}, {0x1F600, 0x1F64F}}};
    std::string out;
    int inLine = 0;
    for (const auto& [first, last] : kRanges) {
        for (char32_t c = first; c <= last; ++c) {
            append(out, c);
            out += ++inLine % 32 == 0 ? "\r\n" : " ";
        }
    }
    return out;
}

std::string repeated(const std::string& unit, std::size_t count)
{
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += unit;
    }
    return out;
}

std::string fullLines(int columns)
{
    std::string out;
    for (char letter = 'A'; letter <= 'Z'; ++letter) {
        out += std::string(static_cast<std::size_t>(columns), letter) + "\r\n";
    }
    return out;
}

} // namespace

std::string buildLog(std::size_t first, std::size_t lines)
{
    static constexpr std::array kFolders = {"core/engine", "core/proxy", "core/terminal", "ui/window", "guest/agent", "tests/unit"};
    static constexpr std::array kNames = {"sandbox", "session", "parser", "connection", "record_layer", "main_window", "policy"};
    std::string out;
    for (std::size_t i = first; i < first + lines; ++i) {
        const std::string file = std::string(kFolders[i % kFolders.size()]) + "/" + kNames[i % kNames.size()] + std::to_string(i) + ".cpp";
        if (i % 23 == 22) {
            out += "\x1b[1m" + file + ":" + std::to_string(i % 500) + ":17: \x1b[35mwarning: \x1b[0m\x1b[1munused variable '\x1b[32mvalue\x1b[0m\x1b[1m'\x1b[0m [\x1b[36m-Wunused-variable\x1b[0m]\r\n";
        } else {
            out += "\x1b[32m[" + std::to_string(i % 100) + "%]\x1b[0m \x1b[32mBuilding CXX object \x1b[1m" + file + ".o\x1b[0m with \x1b[38;5;244m-Wall -Wextra -O2\x1b[0m\r\n";
        }
    }
    return out;
}

std::vector<Payload> payloads(int rows, int columns)
{
    const std::string scrolling = repeated("y\r\n", 8192);
    const auto region = [](int top, int bottom) { return "\x1b[?1049h\x1b[" + number(top) + ";" + number(bottom) + "r" + at(bottom, 1); };
    return {
        {"cursor_motion", "\x1b[?1049h", cursorMotion(rows, columns)},
        {"dense_cells", "\x1b[?1049h", denseCells(rows, columns)},
        {"light_cells", "\x1b[?1049h", lightCells(rows, columns)},
        {"medium_cells", "\x1b[?1049h", mediumCells(rows, columns, false)},
        {"scrolling", "", scrolling},
        {"scrolling_bottom_region", region(1, rows - 1), scrolling},
        {"scrolling_bottom_small_region", region(1, rows / 2), scrolling},
        {"scrolling_fullscreen", "", fullLines(columns)},
        {"scrolling_top_region", region(2, rows), scrolling},
        {"scrolling_top_small_region", region(rows / 2, rows), scrolling},
        {"sync_medium_cells", "\x1b[?1049h", mediumCells(rows, columns, true)},
        {"unicode", "", unicode()},
        {"build_log", "", buildLog(0, 2000)},
    };
}

} // namespace coldframe::bench
