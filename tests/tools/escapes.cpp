// SPDX-License-Identifier: Apache-2.0
#include "tools/escapes.h"

#include <charconv>
#include <stdexcept>

namespace coldframe::terminal_tools {
namespace {

std::invalid_argument wrong(std::string_view text, std::size_t at)
{
    return std::invalid_argument("no such escape: " + std::string(text.substr(at, 12)));
}

unsigned number(std::string_view digits, int base)
{
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
        throw std::invalid_argument("no number: " + std::string(digits));
    }
    return value;
}

/// The text in the braces that open at `at`; `at` moves behind them.
std::string_view braced(std::string_view text, std::size_t& at)
{
    if (at >= text.size() || text[at] != '{') {
        throw wrong(text, at);
    }
    int depth = 0;
    for (std::size_t end = at; end < text.size(); ++end) {
        depth += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
        if (depth == 0) {
            const std::string_view inside = text.substr(at + 1, end - at - 1);
            at = end + 1;
            return inside;
        }
    }
    throw wrong(text, at);
}

} // namespace

std::string utf8(char32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        c = 0xFFFD;
    }
    std::string bytes;
    const auto tail = [&](int shift) { bytes += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
    if (c < 0x80) {
        bytes += static_cast<char>(c);
    } else if (c < 0x800) {
        bytes += static_cast<char>(0xC0 | (c >> 6));
        tail(0);
    } else if (c < 0x10000) {
        bytes += static_cast<char>(0xE0 | (c >> 12));
        tail(6);
        tail(0);
    } else {
        bytes += static_cast<char>(0xF0 | (c >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
    return bytes;
}

std::string unescaped(std::string_view text)
{
    std::string bytes;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '\\') {
            bytes += text[at++];
            continue;
        }
        if (at + 1 >= text.size()) {
            throw wrong(text, at);
        }
        const char what = text[at + 1];
        at += 2;
        switch (what) {
        case 'e': bytes += '\x1b'; break;
        case 'n': bytes += '\n'; break;
        case 'r': bytes += '\r'; break;
        case 't': bytes += '\t'; break;
        case 'b': bytes += '\b'; break;
        case 'a': bytes += '\a'; break;
        case 's': bytes += ' '; break;
        case '\\': bytes += '\\'; break;
        case '|': bytes += '|'; break;
        case 'x':
            if (at + 2 > text.size()) {
                throw wrong(text, at - 2);
            }
            bytes += static_cast<char>(number(text.substr(at, 2), 16));
            at += 2;
            break;
        case 'u': bytes += utf8(static_cast<char32_t>(number(braced(text, at), 16))); break;
        case 'R': {
            const unsigned count = number(braced(text, at), 10);
            const std::string unit = unescaped(braced(text, at));
            for (unsigned i = 0; i < count; ++i) {
                bytes += unit;
            }
            break;
        }
        default: throw wrong(text, at - 2);
        }
    }
    return bytes;
}

std::string escaped(std::string_view bytes)
{
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
        case '\x1b': text += "\\e"; break;
        case '\n': text += "\\n"; break;
        case '\r': text += "\\r"; break;
        case '\t': text += "\\t"; break;
        case '\b': text += "\\b"; break;
        case '\a': text += "\\a"; break;
        case '\\': text += "\\\\"; break;
        default:
            if (byte < 0x20 || byte == 0x7F) {
                text += std::string("\\x") + kDigits[byte >> 4] + kDigits[byte & 15];
            } else {
                text += c;
            }
        }
    }
    return text;
}

} // namespace coldframe::terminal_tools
