// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"

namespace coldframe::policy {

/// A rule pattern taken apart. The text form has one spelling only (see formatPattern), so patterns are compared
/// and stored as text and parsed where they are matched.
struct Pattern
{
    enum class Kind { All, Host, SubDomains, Network };

    Kind kind = Kind::All;
    std::string host;            ///< Host and SubDomains: the name, without "*."
    IpAddress network{};         ///< Network: IPv4 as ::ffff:a.b.c.d
    unsigned prefixLength = 128; ///< of 128; an IPv4 /8 is 104
    std::uint16_t port = 0;      ///< 0 = any
};

Result<Pattern> parse(std::string_view text);
std::string formatPattern(const Pattern& pattern);

bool contains(const IpAddress& network, unsigned prefixLength, const IpAddress& address);

/// Does a rule's pattern (in normal form) speak about this name? Networks never match a name. Allocates nothing.
bool matchesName(std::string_view pattern, std::string_view name, std::uint16_t port);

/// Names and literals that mean the user's own machine; rules for them are written "localhost:PORT".
bool isLoopbackName(std::string_view name);

} // namespace coldframe::policy
