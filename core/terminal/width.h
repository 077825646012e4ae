// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::terminal {

/// Columns a character takes: 0 for combining marks and joiners, 2 for East Asian wide and emoji (Unicode
/// Standard Annex 11), else 1.
int characterWidth(char32_t character);

} // namespace coldframe::terminal
