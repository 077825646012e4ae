// SPDX-License-Identifier: Apache-2.0
#include "api/path_encoding.h"

#include "base/percent_coding.h"
#include "base/utf8.h"

namespace coldframe::api {

std::string encodePath(std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = utf8SequenceLength(bytes);
        if (length == 0 || bytes[0] == '%') {
            appendPercentEscape(out, static_cast<unsigned char>(bytes[0]));
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
            const auto escaped = percentEscapeAt(text, i);
            if (!escaped) {
                return fail(ErrorCode::InvalidArgument,
                            "The path has a percent sign that starts no escape; write a percent sign as %25.");
            }
            byte = static_cast<char>(*escaped);
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
