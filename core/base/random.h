// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace coldframe {

/// Fills with getrandom(2) bytes; never fails (aborts where the kernel has none).
void fillRandom(std::span<std::uint8_t> bytes);

/// 2*byteCount lower-case hex digits.
std::string randomHex(std::size_t byteCount);

} // namespace coldframe
