// SPDX-License-Identifier: Apache-2.0
#include "terminal/redraw.h"

#include <cstdint>
#include <cstdlib>

using namespace coldframe::terminal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// The input is fed in pieces; 0xFF followed by two bytes resizes, so that size changes meet every state.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::size_t replied = 0;
    Callbacks callbacks;
    callbacks.reply = [&](std::string_view bytes) { replied += bytes.size(); };
    callbacks.title = [](const std::string& title) {
        if (title.size() > 300) {
            std::abort();
        }
    };
    callbacks.clipboardWrite = [](const std::string&) {};
    callbacks.notification = [](const std::string&) {};
    Terminal terminal(24, 80, callbacks);
    for (std::size_t i = 0; i < size;) {
        if (data[i] == 0xFF && i + 2 < size) {
            terminal.resize(data[i + 1], data[i + 2]);
            i += 3;
        } else {
            const char c = static_cast<char>(data[i++]);
            terminal.feed(std::string_view(&c, 1));
        }
        const Screen& screen = terminal.screen();
        const Position cursor = screen.cursor();
        if (cursor.row < 0 || cursor.row >= screen.rows() || cursor.column < 0 || cursor.column >= screen.columns()) {
            std::abort();
        }
    }
    for (int row = 0; row < terminal.screen().rows(); ++row) {
        if (terminal.screen().line(row).cells.size() != static_cast<std::size_t>(terminal.screen().columns())) {
            std::abort();
        }
    }
    // Drawn for another terminal it shows the same characters and the same cursor there.
    Terminal other(terminal.screen().rows(), terminal.screen().columns(), {});
    other.feed(redraw(terminal, {}));
    const Screen& screen = terminal.screen();
    for (int row = 0; row < screen.rows(); ++row) {
        for (int column = 0; column < screen.columns(); ++column) {
            const auto shown = [&](const Terminal& of) {
                const char32_t c = of.screen().line(row).cells[static_cast<std::size_t>(column)].text[0];
                return c == 0 ? U' ' : c;
            };
            if (shown(terminal) != shown(other)) {
                std::abort();
            }
        }
    }
    if (!(screen.cursor() == other.screen().cursor())) {
        std::abort();
    }
    // No input may make the terminal say much more than it was told (answers are short and fixed).
    if (replied > 64 + size * 16) {
        std::abort();
    }
    return 0;
}
