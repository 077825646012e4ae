// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace coldframe::terminal {

/// Ranges of code points in ascending order, up to the next one's start: the first code point in the upper 24 bits, and in the
/// lower 8 the Join (bits 0 to 3), the width (4 and 5) and whether variation selector 16 makes it a wide emoji (6).
std::span<const std::uint32_t> unicodeRanges();

} // namespace coldframe::terminal
