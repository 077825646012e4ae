// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/presets.h"

#include <nlohmann/json_fwd.hpp>

namespace coldframe::engine {

/// What the user decided about the network, for one sandbox or for all: what can be written to a file and brought back.
struct OwnPolicy
{
    policy::Mode mode = policy::Mode::Balanced;
    std::vector<policy::Rule> rules;
    policy::PresetSwitches presets;
    std::vector<std::string> bypassHosts;
};

/// `{"coldframePolicy":1,"mode","presets":{name:bool},"bypassHosts":[…],"rules":[{"action","pattern","method","path","note","expiry"}]}`.
/// Without ids, origins and scopes, which are the place's where it is read.
nlohmann::json documentOf(const OwnPolicy& policy);

/// What it means in a place of this scope; the whole or nothing. InvalidArgument names the rule ("rule 3: …"), a field that is not
/// known, a preset that there is not. Rules that ended meanwhile are left out.
Result<OwnPolicy> ownPolicyFrom(const nlohmann::json& document, policy::Scope scope, const policy::Presets& presets);

/// `base` with what `added` has beyond it; the mode, the presets and the hosts not inspected of `added` count. How many rules are new.
std::size_t mergeInto(OwnPolicy& base, OwnPolicy added);

/// The seconds a rule may last by the API's "expiresInSeconds", as its end.
Result<UtcTime> expiryAfter(const nlohmann::json& seconds);

} // namespace coldframe::engine
