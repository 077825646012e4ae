// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "guest/agent/accounts.h"

#include <map>
#include <string>

namespace coldframe::guest {

inline constexpr const char* kCaBundle = "/etc/ssl/certs/ca-certificates.crt";

/// Variables by which programs that do not read the system store find the bundle. Node adds to its own store.
std::map<std::string, std::string> trustEnvironment(const std::string& bundle);

/// What every program gets: HOME, USER, PATH and so on, then trust, then the sandbox's, then the request's
/// own.
std::map<std::string, std::string> execEnvironment(const Account& account,
                                                   const std::map<std::string, std::string>& sandbox,
                                                   const std::map<std::string, std::string>& own);

} // namespace coldframe::guest
