// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe {

/// The value of a hexadecimal digit of either case; -1 for anything else.
constexpr int hexValue(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/// The byte that the escape at `position` of `text` stands for (RFC 3986, section 2.1); nothing when no whole escape
/// is there. An escape has three bytes.
constexpr std::optional<unsigned char> percentEscapeAt(std::string_view text, std::size_t position)
{
    if (text.size() < 3 || position > text.size() - 3 || text[position] != '%') {
        return std::nullopt;
    }
    const int high = hexValue(text[position + 1]);
    const int low = hexValue(text[position + 2]);
    if (high < 0 || low < 0) {
        return std::nullopt;
    }
    return static_cast<unsigned char>(high * 16 + low);
}

/// Appends the escape of a byte, in capitals.
inline void appendPercentEscape(std::string& text, unsigned char byte)
{
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    text += '%';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15u];
}

/// A name or value of application/x-www-form-urlencoded: escapes, and + for a space. What is no whole escape stays.
inline std::string formDecoded(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (const auto byte = percentEscapeAt(text, i)) {
            result.push_back(static_cast<char>(*byte));
            i += 2;
        } else {
            result.push_back(text[i] == '+' ? ' ' : text[i]);
        }
    }
    return result;
}

} // namespace coldframe
