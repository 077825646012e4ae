// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coldframe::policy {

/// A request path as rules see it: without query and fragment, percent-decoded once, repeated slashes and dot
/// segments resolved. Nothing when servers may read it differently: encoded slash, backslash, NUL or percent, a broken
/// escape, a control character, no leading slash, or more than 8 KiB.
std::optional<std::string> canonicalPath(std::string_view path);

/// `*` matches within a segment, `**` across segments. Linear in the product of the lengths.
bool matchesGlob(std::string_view glob, std::string_view path);

} // namespace coldframe::policy
