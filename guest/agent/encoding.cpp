// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/encoding.h"

#include "base/percent_coding.h"

#include <cstdint>

namespace coldframe::guest {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

std::string percentEncode(std::string_view bytes)
{
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '%' || byte <= 0x20 || byte > 0x7E) {
            appendPercentEscape(out, byte);
        } else {
            out += c;
        }
    }
    return out;
}

Result<std::string> percentDecode(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto escaped = percentEscapeAt(text, i);
        if (!escaped) {
            return fail(ErrorCode::InvalidArgument, "A path has a broken % escape.");
        }
        out += static_cast<char>(*escaped);
        i += 2;
    }
    return out;
}

Result<std::string> decodeBase64(std::string_view text)
{
    while (!text.empty() && text.back() == '=') {
        text.remove_suffix(1);
    }
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const std::size_t value = kAlphabet.find(c);
        if (value == std::string_view::npos) {
            return fail(ErrorCode::InvalidArgument, "A value is not base64.");
        }
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>((bits >> count) & 0xFF);
        }
    }
    if (count == 6) {
        return fail(ErrorCode::InvalidArgument, "A value is cut-off base64.");
    }
    return out;
}

std::string encodeBase64(std::string_view bytes)
{
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        count += 8;
        while (count >= 6) {
            count -= 6;
            out += kAlphabet[(bits >> count) & 63];
        }
    }
    if (count > 0) {
        out += kAlphabet[(bits << (6 - count)) & 63];
    }
    while (out.size() % 4 != 0) {
        out += '=';
    }
    return out;
}

Result<std::string> checkedAbsolutePath(std::string_view percentEncoded)
{
    COLDFRAME_TRY(const std::string decoded, percentDecode(percentEncoded));
    const auto refuse = [] {
        return fail(ErrorCode::InvalidArgument,
                    "A path must be absolute and free of \".\", \"..\" and overlong names.");
    };
    if (decoded.empty() || decoded[0] != '/' || decoded.size() > 4095 ||
        decoded.find('\0') != std::string::npos) {
        return refuse();
    }
    std::string clean;
    std::size_t begin = 0;
    while (begin < decoded.size()) {
        std::size_t end = decoded.find('/', begin);
        end = end == std::string::npos ? decoded.size() : end;
        const std::string_view name(decoded.data() + begin, end - begin);
        if (name == "." || name == ".." || name.size() > 255) {
            return refuse();
        }
        if (!name.empty()) {
            clean += '/';
            clean += name;
        }
        begin = end + 1;
    }
    return clean.empty() ? std::string("/") : clean;
}

} // namespace coldframe::guest
