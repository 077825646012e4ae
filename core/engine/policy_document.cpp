// SPDX-License-Identifier: Apache-2.0
#include "engine/policy_document.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "policy/policy_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;
constexpr std::size_t kMostRules = 20000;
constexpr std::size_t kMostHosts = 1000;
constexpr std::int64_t kLongestSeconds = std::int64_t{10} * 366 * 86400;

tl::unexpected<Error> bad(const std::string& what)
{
    return fail(ErrorCode::InvalidArgument, "This is not a policy that can be used: " + what + ". Nothing was changed.");
}

Result<void> checkFields(const json& object, std::initializer_list<std::string_view> known, const std::string& where)
{
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return bad(where + "\"" + escapeForDisplay(name, 60) + "\" is not known");
        }
    }
    return {};
}

Result<policy::Rule> ruleFrom(const json& entry, policy::Scope scope, std::size_t number)
{
    const std::string where = "rule " + std::to_string(number) + ": ";
    if (!entry.is_object()) {
        return bad(where + "it is not an object");
    }
    COLDFRAME_CHECK(checkFields(entry, {"id", "action", "pattern", "method", "path", "scope", "origin", "note", "expiry"}, where));
    auto rule = policy::ruleFromJson(entry);
    if (!rule) {
        return bad(where + rule.error().message);
    }
    rule->id = randomHex(4);
    rule->scope = scope;
    rule->origin = "import";
    return rule;
}

bool isSameRule(const policy::Rule& a, const policy::Rule& b)
{
    return a.action == b.action && a.pattern == b.pattern && a.method == b.method && a.path == b.path && a.expiry == b.expiry;
}

} // namespace

json documentOf(const OwnPolicy& own)
{
    json rules = json::array();
    for (const policy::Rule& rule : own.rules) {
        json entry = policy::ruleToJson(rule);
        for (const char* field : {"id", "scope", "origin"}) {
            entry.erase(field);
        }
        rules.push_back(std::move(entry));
    }
    return {{"coldframePolicy", kVersion},
            {"mode", policy::modeName(own.mode)},
            {"presets", own.presets},
            {"bypassHosts", own.bypassHosts},
            {"rules", std::move(rules)}};
}

Result<OwnPolicy> ownPolicyFrom(const json& document, policy::Scope scope, const policy::Presets& presets)
{
    if (!document.is_object() || !document.contains("coldframePolicy")) {
        return bad("it is no JSON object with \"coldframePolicy\"");
    }
    if (document["coldframePolicy"] != kVersion) {
        return bad("its version is not " + std::to_string(kVersion));
    }
    COLDFRAME_CHECK(checkFields(document, {"coldframePolicy", "mode", "presets", "bypassHosts", "rules"}, ""));
    OwnPolicy own;
    const auto mode = document.find("mode");
    if (mode == document.end() || !mode->is_string()) {
        return bad("\"mode\" must be open, balanced or locked");
    }
    COLDFRAME_TRY(own.mode, policy::modeFromName(mode->get_ref<const std::string&>()));
    const json switches = document.value("presets", json::object());
    if (!switches.is_object()) {
        return bad("\"presets\" must be an object");
    }
    for (const auto& [name, on] : switches.items()) {
        const bool exists = std::any_of(presets.all.begin(), presets.all.end(), [&](const policy::Preset& preset) { return preset.name == name; });
        if (!exists || !on.is_boolean()) {
            return bad("there is no preset \"" + escapeForDisplay(name, 60) + "\" to be switched so");
        }
        own.presets[name] = on.get<bool>();
    }
    const json hosts = document.value("bypassHosts", json::array());
    if (!hosts.is_array() || hosts.size() > kMostHosts) {
        return bad("\"bypassHosts\" must be a list of at most " + std::to_string(kMostHosts));
    }
    for (const json& host : hosts) {
        if (!host.is_string()) {
            return bad("\"bypassHosts\" must hold texts");
        }
        COLDFRAME_TRY(std::string pattern, policy::parsePattern(host.get_ref<const std::string&>()));
        own.bypassHosts.push_back(std::move(pattern));
    }
    const json rules = document.value("rules", json::array());
    if (!rules.is_array() || rules.size() > kMostRules) {
        return bad("\"rules\" must be a list of at most " + std::to_string(kMostRules));
    }
    for (std::size_t i = 0; i < rules.size(); ++i) {
        COLDFRAME_TRY(policy::Rule rule, ruleFrom(rules[i], scope, i + 1));
        if (!rule.expiry || *rule.expiry > utcNow()) {
            own.rules.push_back(std::move(rule));
        }
    }
    return own;
}

std::size_t mergeInto(OwnPolicy& base, OwnPolicy added)
{
    base.mode = added.mode;
    for (const auto& [name, on] : added.presets) {
        base.presets[name] = on;
    }
    for (std::string& host : added.bypassHosts) {
        if (std::find(base.bypassHosts.begin(), base.bypassHosts.end(), host) == base.bypassHosts.end()) {
            base.bypassHosts.push_back(std::move(host));
        }
    }
    const std::size_t before = base.rules.size();
    for (policy::Rule& rule : added.rules) {
        const auto isIt = [&rule](const policy::Rule& other) { return isSameRule(rule, other); };
        if (std::none_of(base.rules.begin(), base.rules.end(), isIt)) {
            base.rules.push_back(std::move(rule));
        }
    }
    return base.rules.size() - before;
}

Result<UtcTime> expiryAfter(const json& seconds)
{
    if (!seconds.is_number_integer() || seconds.get<std::int64_t>() < 1 || seconds.get<std::int64_t>() > kLongestSeconds) {
        return fail(ErrorCode::InvalidArgument, "A rule lasts for at least one second and at most ten years.");
    }
    return utcNow() + std::chrono::seconds(seconds.get<std::int64_t>());
}

} // namespace coldframe::engine
