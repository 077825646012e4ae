// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace coldframe {

/// Length of the valid UTF-8 sequence at the front of `text` (RFC 3629, section 4); 0 when there is none.
constexpr std::size_t utf8SequenceLength(std::string_view text)
{
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto tail = [&](std::size_t i) { return (at(i) & 0xC0u) == 0x80u; };
    if (text.empty()) {
        return 0;
    }
    const unsigned first = at(0);
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF && tail(1)) {
        return 2;
    }
    // Overlong forms (E0 80…9F) and surrogates (ED A0…BF) are not UTF-8.
    if ((first & 0xF0u) == 0xE0u && tail(1) && tail(2) && !(first == 0xE0 && at(1) < 0xA0) &&
        !(first == 0xED && at(1) > 0x9F)) {
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4 && tail(1) && tail(2) && tail(3) && !(first == 0xF0 && at(1) < 0x90) &&
        !(first == 0xF4 && at(1) > 0x8F)) {
        return 4;
    }
    return 0;
}

} // namespace coldframe
