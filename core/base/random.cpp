// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <cerrno>
#include <cstdlib>
#include <sys/random.h>
#include <vector>

namespace coldframe {

void fillRandom(std::span<std::uint8_t> bytes)
{
    while (!bytes.empty()) {
        const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            std::abort();
        }
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
}

std::string randomHex(std::size_t byteCount)
{
    static constexpr char kDigits[] = "0123456789abcdef";
    std::vector<std::uint8_t> bytes(byteCount);
    fillRandom(bytes);
    std::string text;
    text.reserve(byteCount * 2);
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

} // namespace coldframe
