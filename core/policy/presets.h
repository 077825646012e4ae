// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"

#include <filesystem>
#include <map>

namespace coldframe::policy {

/// A named group of hosts that the Balanced mode allows; one file in resources/policy.
struct Preset
{
    std::string name;  ///< the file's name without ".json"
    std::string title; ///< for people
    std::string description;
    std::vector<std::string> allow; ///< patterns, normalised
    std::string method;             ///< only these HTTP methods ("GET,HEAD"); empty: any, and other protocols too
};

/// Presets that the user switched on or off, by name; the others are as the mode says.
using PresetSwitches = std::map<std::string, bool>;

/// What there is, and how it is switched for all sandboxes.
struct Presets
{
    std::vector<Preset> all;
    PresetSwitches switches;
};

/// Reads every *.json of the folder (paths::resourcesFolder()/"policy"), sorted by name. One bad file fails the
/// whole, named with its field: a silently missing group would look like a broken network.
Result<std::vector<Preset>> loadPresets(const std::filesystem::path& folder);

/// The rules of the presets: scope Global, origin "preset:<name>", ids stable across runs.
std::vector<Rule> presetRules(const std::vector<Preset>& presets);

/// A sandbox's own switch counts before that for all, and without either a preset is on in the mode Balanced. A switch for all does
/// not open what is locked: there only the sandbox's own counts.
bool isPresetOn(const std::string& preset, Mode mode, const PresetSwitches& forAll, const PresetSwitches& own);

/// The rules of those that are on.
std::vector<Rule> presetRules(const Presets& presets, Mode mode, const PresetSwitches& own);

} // namespace coldframe::policy
