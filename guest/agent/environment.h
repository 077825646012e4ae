// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "guest/agent/accounts.h"

#include <map>
#include <string>
#include <string_view>

namespace coldframe::guest {

inline constexpr const char* kCaBundle = "/etc/ssl/certs/ca-certificates.crt";

/// Variables by which programs that do not read the system store find the bundle. Node adds to its own store.
std::map<std::string, std::string> trustEnvironment(const std::string& bundle);

/// What every program gets: HOME, USER, PATH and so on, then trust, then the sandbox's, then the request's
/// own.
std::map<std::string, std::string> execEnvironment(const Account& account,
                                                   const std::map<std::string, std::string>& sandbox,
                                                   const std::map<std::string, std::string>& own);

/// Where an own image keeps the variables of its programs, one NAME=VALUE a line, the last of a name counts.
inline constexpr const char* kImageEnvironment = "/etc/coldframe/environment";

/// The variables of such a file, without those that are the account's or the terminal's; PATH begins with the agent's own
/// programs. Pure; lines that are none are passed over.
std::map<std::string, std::string> imageEnvironment(std::string_view text);

} // namespace coldframe::guest
