// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace coldframe::api {

/// A path as it stands in JSON: a byte that is not part of valid UTF-8 becomes %XX, `%` itself %25. All paths in
/// fields called `path` or `cwd` are written so, whether or not they hold such bytes.
std::string encodePath(std::string_view bytes);

/// The reverse; InvalidArgument on a broken escape or a NUL byte.
Result<std::string> decodePath(std::string_view text);

} // namespace coldframe::api
