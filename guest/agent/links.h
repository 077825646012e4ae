// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>

namespace coldframe::guest {

/// Through this interface "the world" is reached: a dummy that swallows what nftables did not redirect or
/// refuse.
inline constexpr const char* kLinkName = "cf0";

/// By rtnetlink(7): the interface (made as a dummy unless one of the name exists), 198.18.0.1/15, 198.18.0.2
/// and an IPv6 address on it, and both default routes through it.
Result<void> makeLink();

/// The nftables rules: TCP and port 53 that would leave through the link are redirected to these ports of
/// this machine, everything else is logged to the NFLOG group and refused.
std::string firewallRules(unsigned short tcpPort, unsigned short dnsPort);
inline constexpr unsigned short kNflogGroup = 7;
inline constexpr unsigned short kProxyPort = 3128;

/// Runs nft with the rules.
Result<void> applyFirewall(const std::string& rules);

} // namespace coldframe::guest
