// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace coldframe::audit {

/// What stands where a key stood.
inline constexpr std::string_view kRedacted = "[redacted]";

/// A path as it may be kept: nothing from its query or fragment on, and no segment that looks like a key: the forms of well-known
/// services, JSON web tokens, `token=…` and its like, and long mixed strings (32 characters and more of upper and lower case with digits). Digests and UUIDs, which
/// are plain hexadecimal, stay. Keys that Coldframe stores are cut out by the proxy already, which knows them; this is for those of others.
std::string redactPath(std::string_view path);
/// The same for a text that is no path (a method, a process, a reason).
std::string redactText(std::string_view text);

} // namespace coldframe::audit
