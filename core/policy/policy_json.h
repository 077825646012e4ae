// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"

#include <nlohmann/json_fwd.hpp>

namespace coldframe::policy {

/// `{"id","action","pattern","method","path","scope","origin","note","expiry"}`; expiry is milliseconds since 1970 in UTC, or
/// null. Also the form in which rules are stored and handed to the window.
nlohmann::json ruleToJson(const Rule& rule);

/// Validates and normalises; InvalidArgument names the field. Missing fields take the defaults of Rule, but
/// action and pattern must be there.
Result<Rule> ruleFromJson(const nlohmann::json& json);

/// Whether objects and lists lie in one another deeper than that. Looked at before parsing: the parser's own way of refusing depth
/// takes time by the square of a list's length.
bool isNestedDeeper(std::string_view json, int levels);

/// As policyFromJson() of the text, where it is parsed already (depth and size bounded by who did).
Result<PolicySet> policyFromParsed(const nlohmann::json& json);

} // namespace coldframe::policy
