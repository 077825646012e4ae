// SPDX-License-Identifier: Apache-2.0
#include "terminal/asciicast.h"

#include <cstdint>
#include <cstdlib>

using namespace coldframe::terminal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// The input is read as a recording; and as the output of a program it is recorded in pieces and has to come back whole.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto read = CastReader::read(text)) {
        std::int64_t last = 0;
        for (const CastEvent& event : read->events()) {
            if (event.microseconds < last || event.rows < 0 || event.rows > 1000 || event.columns > 1000) {
                std::abort();
            }
            last = event.microseconds;
        }
    }
    CastWriter writer;
    std::string file = writer.begin({});
    for (std::size_t i = 0; i < size; i += 3) {
        file += writer.output(static_cast<std::int64_t>(i), text.substr(i, 3));
    }
    file += writer.end(static_cast<std::int64_t>(size));
    const auto back = CastReader::read(file);
    if (!back || back->isCut()) {
        std::abort();
    }
    std::string output;
    for (const CastEvent& event : back->events()) {
        output += event.output;
    }
    // What is no UTF-8 was replaced; the rest is the same.
    const bool isAscii = text.find_first_not_of("\t\n\r !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") == std::string_view::npos;
    if (isAscii && output != text) {
        std::abort();
    }
    return 0;
}
