// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"

#include <filesystem>

namespace coldframe::policy {

/// A named group of hosts that the Balanced mode allows; one file in resources/policy.
struct Preset
{
    std::string name;  ///< the file's name without ".json"
    std::string title; ///< for people
    std::string description;
    std::vector<std::string> allow; ///< patterns, normalised
};

/// Reads every *.json of the folder (paths::resourcesFolder()/"policy"), sorted by name. One bad file fails the
/// whole, named with its field: a silently missing group would look like a broken network.
Result<std::vector<Preset>> loadPresets(const std::filesystem::path& folder);

/// The rules of the presets: scope Global, origin "preset:<name>", ids stable across runs. Add them to a PolicySet
/// whose mode is Balanced.
std::vector<Rule> presetRules(const std::vector<Preset>& presets);

} // namespace coldframe::policy
