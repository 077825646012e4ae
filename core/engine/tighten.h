// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/policy_document.h"

namespace coldframe::engine {

/// What a sandbox used, as a list that allows it and nothing else: `{"document","places":[{"pattern","count","lastSeen","hosts"}]}`.
/// `entries` are allowed connections of the log; `own` is what holds now, whose denials and hosts not inspected stay. Many hosts
/// beneath one registrable domain become "*.domain". The document is for ownPolicyFrom(), after the user looked at it.
nlohmann::json tightened(const nlohmann::json& entries, const OwnPolicy& own);

} // namespace coldframe::engine
