// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"

namespace coldframe::dial {

/// Whether a connection to the address ends at this computer: any address of any of its interfaces, not only loopback. A
/// service that listens on all of them answers there too, also where the address is a public one, as with IPv6 at home.
/// Asked anew each time, since addresses come and go. Sends nothing.
bool isOwnAddress(const policy::IpAddress& address);

/// Whether a rule names this very address and port. A network that the address lies in does not: who opens the local network
/// does not mean the services of the own computer.
bool isNamedByRule(const policy::PolicySet& policy, const policy::IpAddress& address, std::uint16_t port, UtcTime now);

} // namespace coldframe::dial
