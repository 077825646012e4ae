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
    callbacks.notification = [](const std::string&, const std::string&) {};
    Terminal terminal(12, 40, callbacks, ScrollbackLimits{60, 0}, Options{true});
    bool wasLarge = false;
    for (std::size_t i = 0; i < size;) {
        if (data[i] == 0xFF && i + 2 < size) {
            // Small, since small ones wrap often and are quick; a large one once.
            const bool isLarge = data[i + 1] == 254 && !wasLarge;
            wasLarge = wasLarge || isLarge;
            terminal.resize(isLarge ? 200 : data[i + 1] % 32, isLarge ? data[i + 2] : data[i + 2] % 96);
            i += 3;
        } else {
            const char c = static_cast<char>(data[i++]);
            terminal.feed(std::string_view(&c, 1));
        }
        const Position cursor = terminal.cursor();
        if (cursor.row < 0 || cursor.row >= terminal.rows() || cursor.column < 0 || cursor.column >= terminal.columns()) {
            std::abort();
        }
    }
    Row row;
    for (std::size_t i = 0; i < terminal.totalRows(); ++i) {
        terminal.readRow(i, row);
        if (row.columns() != terminal.columns()) {
            std::abort();
        }
        for (int column = 0; column < row.columns(); ++column) {
            // The halves of a wide character are always beside each other.
            const int next = column + 1 < row.columns() ? row.width(column + 1) : 1;
            if ((row.width(column) == 2) != (next == 0)) {
                std::abort();
            }
        }
    }
    // Drawn for another terminal it shows the same characters and the same cursor there.
    Terminal other(terminal.rows(), terminal.columns(), {});
    other.feed(redraw(terminal, {}));
    Row shown;
    for (int i = 0; i < terminal.rows(); ++i) {
        terminal.readScreenRow(i, row);
        other.readScreenRow(i, shown);
        for (int column = 0; column < row.columns(); ++column) {
            const auto text = [&](const Row& of) { return of.text(column).empty() ? U" " : of.text(column); };
            if (text(row) != text(shown)) {
                std::abort();
            }
        }
    }
    if (!(terminal.cursor() == other.cursor())) {
        std::abort();
    }
    // No input may make the terminal say much more than it was told (answers are short and fixed).
    if (replied > 64 + size * 16) {
        std::abort();
    }
    return 0;
}
