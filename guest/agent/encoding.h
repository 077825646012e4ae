// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace coldframe::guest {

/// %XX for '%', control bytes, spaces and bytes above 0x7E, so that any path travels in JSON, a header or
/// argv.
std::string percentEncode(std::string_view bytes);

/// The reverse; other characters stand for themselves. InvalidArgument on a broken escape.
Result<std::string> percentDecode(std::string_view text);

/// Standard alphabet, padding optional (RFC 4648, section 4). InvalidArgument on any other character.
Result<std::string> decodeBase64(std::string_view text);
std::string encodeBase64(std::string_view bytes);

/// A path as the host may name one: absolute, ≤ 4095 bytes, names ≤ 255 bytes, without ".", ".." and NUL.
/// Repeated and trailing slashes are removed. InvalidArgument otherwise.
Result<std::string> checkedAbsolutePath(std::string_view percentEncoded);

} // namespace coldframe::guest
