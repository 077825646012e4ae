// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/address_class.h"
#include "policy/policy.h"

namespace coldframe::policy {

/// What decide() and PolicyIndex have in common: how one rule speaks, and how a decision is worded. Both must say the very same.

std::string describe(const Rule& rule); ///< "deny *.example.com (flag)"

/// Not expired, and not an organisation's allow (an organisation only tightens).
bool counts(const Rule& rule, UtcTime now);

enum class RequestMatch { No, Yes, NotKnownYet };

/// Whether the rule's method and path fit. `path` is the canonical one, or nothing where it can be read in two ways.
RequestMatch matchRequest(const Rule& rule, const Destination& destination, const std::optional<std::string>& path);

Decision byRule(const Rule& rule, const Destination& destination);
Decision byMode(Mode mode, bool canAsk, const Destination& destination);
Decision byMapping(const HostMapping& mapping, const Destination& destination, const IpAddress& address);
Decision publicAddress(const IpAddress& address);
Decision malformed(std::string reason);

/// Refused because of where it leads; the reason names the rule that would open it.
Decision addressDenied(const Destination& destination, const AddressClass& addressClass, const IpAddress& address);

/// Whether a rule for "localhost:PORT" may open this: a name that merely resolves to loopback gets nothing from one (rebinding).
bool mayBeLocal(const Destination& destination, const IpAddress& address);

/// Normalised, with isLiteral as the host truly is: the caller's word is not taken for it. The error is worded for people.
Result<Destination> readDestination(const Destination& asked);

/// Whether a pattern in normal form ends in an explicit port.
bool hasPort(std::string_view pattern);

} // namespace coldframe::policy
