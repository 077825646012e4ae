// SPDX-License-Identifier: Apache-2.0
#include "api/path_encoding.h"

#include "api/utf8.h"

namespace coldframe::api {

namespace {

int hexValue(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return -1;
}

} // namespace

std::string encodePath(std::string_view bytes)
{
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = utf8SequenceLength(bytes);
        if (length == 0 || bytes[0] == '%') {
            const unsigned byte = static_cast<unsigned char>(bytes[0]);
            out += '%';
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15u];
            bytes.remove_prefix(1);
        } else {
            out.append(bytes.substr(0, length));
            bytes.remove_prefix(length);
        }
    }
    return out;
}

Result<std::string> decodePath(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char byte = text[i];
        if (byte == '%') {
            const int high = i + 1 < text.size() ? hexValue(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hexValue(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return fail(ErrorCode::InvalidArgument,
                            "The path has a percent sign that starts no escape; write a percent sign as %25.");
            }
            byte = static_cast<char>(high * 16 + low);
            i += 2;
        }
        if (byte == '\0') {
            return fail(ErrorCode::InvalidArgument, "The path holds a NUL byte, which no file name can.");
        }
        out.push_back(byte);
    }
    return out;
}

} // namespace coldframe::api
