// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/settings.h"

#include <string>
#include <vector>

namespace coldframe::engine {

/// The host's own trust store, PEM: what origins are checked against (and offices that intercept TLS put theirs there).
std::string systemTrust();
/// The user's own CAs of the settings; those that cannot be read are left out, with a warning.
std::vector<std::string> extraAuthorities(const Settings& settings);
/// Both.
std::vector<std::string> trustedAuthorities(const Settings& settings);

} // namespace coldframe::engine
