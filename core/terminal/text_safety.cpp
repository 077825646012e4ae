// SPDX-License-Identifier: Apache-2.0
#include "terminal/text_safety.h"

#include "base/log.h"

namespace coldframe::terminal {

std::string cleanForTitle(std::string_view text, std::size_t maxBytes)
{
    static constexpr std::string_view kBidi[] = {"\u202A", "\u202B", "\u202C", "\u202D", "\u202E", "\u2066",
                                                 "\u2067", "\u2068", "\u2069", "\u200E", "\u200F", "\u061C"};
    std::string clean;
    for (std::size_t i = 0; i < text.size();) {
        bool skipped = false;
        for (const std::string_view mark : kBidi) {
            if (text.substr(i).starts_with(mark)) {
                i += mark.size();
                skipped = true;
                break;
            }
        }
        if (!skipped) {
            clean += text[i++];
        }
    }
    return escapeForDisplay(clean, maxBytes);
}

bool decodeBase64(std::string_view text, std::string& decoded)
{
    decoded.clear();
    unsigned bits = 0;
    int count = 0;
    while (!text.empty() && text.back() == '=') {
        text.remove_suffix(1);
    }
    for (const char c : text) {
        int value = -1;
        if (c >= 'A' && c <= 'Z') {
            value = c - 'A';
        } else if (c >= 'a' && c <= 'z') {
            value = c - 'a' + 26;
        } else if (c >= '0' && c <= '9') {
            value = c - '0' + 52;
        } else if (c == '+') {
            value = 62;
        } else if (c == '/') {
            value = 63;
        } else {
            return false;
        }
        bits = (bits << 6) | static_cast<unsigned>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            decoded += static_cast<char>((bits >> count) & 255u);
        }
    }
    return true;
}

bool decodePercent(std::string_view text, std::string& decoded)
{
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
    decoded.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) {
            return false;
        }
        decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
    return true;
}

bool isPlainText(std::string_view text)
{
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool isC1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (c < 0x20 || c == 0x7F || isC1) {
            return false;
        }
    }
    return true;
}

std::string encodePaste(std::string_view text, bool bracketed)
{
    std::string out = bracketed ? "\x1b[200~" : "";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
            continue;
        }
        if (c == '\n') {
            out += '\r';
        } else if (c == '\t' || c == '\r' || static_cast<unsigned char>(c) >= 0x20) {
            if (c != 0x7F) {
                out += c;
            }
        }
    }
    return bracketed ? out + "\x1b[201~" : out;
}

} // namespace coldframe::terminal
