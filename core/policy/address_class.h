// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"

namespace coldframe::policy {

/// What kind of address it is and what a rule must look like to open it.
struct AddressClass
{
    bool isPublic = true;
    std::string_view name;     ///< "loopback", "private", …; empty when public
    unsigned exemptPrefix = 0; ///< an exempting CIDR must be at least this long (of 128)
};

/// From the IANA special-purpose address registries (IPv4 and IPv6, RFC 6890 and successors), plus the cloud
/// metadata addresses. Documentation ranges count as public: nothing real is behind them to protect.
AddressClass classify(const IpAddress& address);

/// The IPv4 inside an IPv6 address: compatible, translated, NAT64, 6to4, Teredo (the client's, un-obfuscated), ISATAP.
std::optional<IpAddress> embeddedIpv4(const IpAddress& address);

bool isLoopback(const IpAddress& address); ///< 127.0.0.0/8 and ::1

} // namespace coldframe::policy
