// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace coldframe {

namespace {

LogLevel threshold()
{
    static const LogLevel level = [] {
        const char* text = std::getenv("COLDFRAME_LOG");
        if (!text) {
            return LogLevel::Info;
        }
        const std::string_view word(text);
        return word == "debug"     ? LogLevel::Debug
               : word == "warning" ? LogLevel::Warning
               : word == "error"   ? LogLevel::Error
                                   : LogLevel::Info;
    }();
    return level;
}

} // namespace

std::string escapeForDisplay(std::string_view text, std::size_t maxBytes)
{
    static constexpr char kDigits[] = "0123456789abcdef";
    if (text.size() <= maxBytes && std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; })) {
        return std::string(text);
    }
    std::string out;
    while (!text.empty()) {
        if (out.size() >= maxBytes) {
            return out + "…";
        }
        const std::size_t length = utf8SequenceLength(text);
        const unsigned char first = static_cast<unsigned char>(text[0]);
        const bool control = (length == 1 && (first < 0x20 || first == 0x7F)) ||
                             (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0);
        if (length == 0 || control) {
            const std::size_t bytes = length == 0 ? 1 : length;
            for (std::size_t i = 0; i < bytes; ++i) {
                const unsigned char byte = static_cast<unsigned char>(text[i]);
                out += "\\x";
                out += kDigits[byte >> 4];
                out += kDigits[byte & 15];
            }
            text.remove_prefix(bytes);
        } else {
            out.append(text.substr(0, length));
            text.remove_prefix(length);
        }
    }
    return out;
}

void log(LogLevel level, std::string_view category, std::string_view text)
{
    if (level < threshold()) {
        return;
    }
    static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
    std::string line = formatUtc(utcNow()) + " " + kNames[static_cast<int>(level)] + " ";
    line.append(category).append(": ").append(escapeForDisplay(text)).push_back('\n');
    // One write keeps lines of several threads and processes whole.
    (void)!::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace coldframe
