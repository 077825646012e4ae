// SPDX-License-Identifier: Apache-2.0
#include "policy/presets.h"

#include "base/file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::policy {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFile = 256u << 10;

tl::unexpected<Error> badPreset(const std::filesystem::path& file, const std::string& what)
{
    return fail(ErrorCode::Corrupt, "The network preset " + file.filename().string() + " is not usable: " + what
                                        + "; reinstall Coldframe.",
                file.string());
}

Result<Preset> loadPreset(const std::filesystem::path& file)
{
    COLDFRAME_TRY(const std::string content, readFile(file, kMaxFile));
    const Json json = Json::parse(content, nullptr, false);
    if (!json.is_object()) {
        return badPreset(file, "it is not a JSON object");
    }
    Preset preset;
    preset.name = file.stem().string();
    const std::pair<const char*, std::string*> texts[] = {{"title", &preset.title},
                                                          {"description", &preset.description}};
    for (const auto& [field, target] : texts) {
        const auto found = json.find(field);
        if (found == json.end() || !found->is_string()) {
            return badPreset(file, std::string("\"") + field + "\" must be a text");
        }
        *target = found->get<std::string>();
    }
    if (const auto method = json.find("method"); method != json.end()) {
        if (!method->is_string() || method->get_ref<const std::string&>().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ,") != std::string::npos) {
            return badPreset(file, "\"method\" must be HTTP methods in capitals, separated by commas");
        }
        preset.method = method->get<std::string>();
    }
    const auto allow = json.find("allow");
    if (allow == json.end() || !allow->is_array()) {
        return badPreset(file, "\"allow\" must be a list");
    }
    for (const Json& entry : *allow) {
        if (!entry.is_string()) {
            return badPreset(file, "\"allow\" must hold texts");
        }
        auto pattern = parsePattern(entry.get_ref<const std::string&>());
        if (!pattern) {
            return badPreset(file, "\"allow\": " + pattern.error().message);
        }
        preset.allow.push_back(std::move(*pattern));
    }
    return preset;
}

} // namespace

Result<std::vector<Preset>> loadPresets(const std::filesystem::path& folder)
{
    std::error_code error;
    std::vector<std::filesystem::path> files;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        if (entry->path().extension() == ".json") {
            files.push_back(entry->path());
        }
    }
    if (error || files.empty()) {
        return fail(ErrorCode::NotFound, "The network presets are missing; reinstall Coldframe.",
                    folder.string() + (error ? ": " + error.message() : std::string()));
    }
    std::sort(files.begin(), files.end());
    std::vector<Preset> presets;
    for (const auto& file : files) {
        COLDFRAME_TRY(Preset preset, loadPreset(file));
        presets.push_back(std::move(preset));
    }
    return presets;
}

std::vector<Rule> presetRules(const std::vector<Preset>& presets)
{
    std::vector<Rule> rules;
    for (const Preset& preset : presets) {
        for (const std::string& pattern : preset.allow) {
            Rule rule;
            rule.id = "preset-" + preset.name + "-" + pattern;
            rule.action = Action::Allow;
            rule.pattern = pattern;
            rule.method = preset.method;
            rule.scope = Scope::Global;
            rule.origin = "preset:" + preset.name;
            rule.note = preset.title;
            rules.push_back(std::move(rule));
        }
    }
    return rules;
}

bool isPresetOn(const std::string& preset, Mode mode, const PresetSwitches& forAll, const PresetSwitches& own)
{
    if (const auto found = own.find(preset); found != own.end()) {
        return found->second;
    }
    if (mode != Mode::Balanced) {
        return false;
    }
    const auto found = forAll.find(preset);
    return found == forAll.end() || found->second;
}

std::vector<Rule> presetRules(const Presets& presets, Mode mode, const PresetSwitches& own)
{
    std::vector<Preset> on;
    for (const Preset& preset : presets.all) {
        if (isPresetOn(preset.name, mode, presets.switches, own)) {
            on.push_back(preset);
        }
    }
    return presetRules(on);
}

} // namespace coldframe::policy
