// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace coldframe::terminal {

/// For titles and notifications made by the guest: controls and bidirectional overrides (Unicode TR 36) removed,
/// at most maxBytes of valid UTF-8.
std::string cleanForTitle(std::string_view text, std::size_t maxBytes);

/// RFC 4648, section 4; padding optional. False on any other character.
bool decodeBase64(std::string_view text, std::string& decoded);

/// RFC 3986, section 2.1. False when a percent sign is not followed by two hexadecimal digits.
bool decodePercent(std::string_view text, std::string& decoded);

/// No control characters, neither C0, DEL nor C1 (as UTF-8).
bool isPlainText(std::string_view text);

/// A paste as the program should get it: newlines as CR; with bracketed paste, wrapped and without any ESC, so
/// that the text cannot end the bracket (CVE-2021-33500 and others).
std::string encodePaste(std::string_view text, bool bracketed);

} // namespace coldframe::terminal
