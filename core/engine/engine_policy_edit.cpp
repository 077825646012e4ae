// SPDX-License-Identifier: Apache-2.0
// The API's handlers for what changes or shows a policy as a whole: presets, files, notes and ends of rules, hosts not inspected.
#include "engine/engine.h"
#include "engine/policy_document.h"
#include "engine/tighten.h"

#include "base/clock.h"
#include "base/log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kMostBypassHosts = 1000;
constexpr std::size_t kMostNote = 500;

json presetsJson(const policy::Presets& presets, const OwnPolicy& own, bool isSandbox)
{
    json all = json::array();
    for (const policy::Preset& preset : presets.all) {
        const policy::PresetSwitches none;
        const bool isOwn = isSandbox && own.presets.contains(preset.name);
        all.push_back({{"name", preset.name},
                       {"title", preset.title},
                       {"description", preset.description},
                       {"on", policy::isPresetOn(preset.name, own.mode, presets.switches, isSandbox ? own.presets : none)},
                       {"switched", isOwn ? "sandbox" : presets.switches.contains(preset.name) ? "all" : ""},
                       {"method", preset.method},
                       {"patterns", preset.allow}});
    }
    return all;
}

Result<void> checkPreset(const policy::Presets& presets, const std::string& name)
{
    const bool exists = std::any_of(presets.all.begin(), presets.all.end(), [&](const policy::Preset& preset) { return preset.name == name; });
    return exists ? Result<void>()
                  : fail(ErrorCode::NotFound, "There is no preset \"" + escapeForDisplay(name, 60) + "\". See: coldframe policy presets");
}

Result<void> switchPreset(policy::PresetSwitches& switches, const json& params)
{
    const auto on = params.find("on");
    if (on == params.end() || !(on->is_boolean() || on->is_null())) {
        return fail(ErrorCode::InvalidArgument, "A preset is switched on, off, or back to what it is by itself.");
    }
    if (on->is_null()) {
        switches.erase(params.at("name").get<std::string>());
    } else {
        switches[params.at("name").get<std::string>()] = on->get<bool>();
    }
    return {};
}

Result<void> changeRule(std::vector<policy::Rule>& rules, const json& params)
{
    const std::string id = params.at("id").get<std::string>();
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const policy::Rule& other) { return other.id == id; });
    if (rule == rules.end()) {
        return fail(ErrorCode::NotFound, "There is no rule \"" + escapeForDisplay(id, 60) + "\" here that can be changed. See: coldframe policy ls");
    }
    if (params.contains("note")) {
        rule->note = params.at("note").get<std::string>().substr(0, kMostNote);
    }
    if (const auto ends = params.find("expiresInSeconds"); ends != params.end()) {
        if (ends->is_null()) {
            rule->expiry.reset();
        } else {
            COLDFRAME_TRY(rule->expiry, expiryAfter(*ends));
        }
    }
    return {};
}

Result<void> changeBypass(std::vector<std::string>& hosts, const json& params)
{
    COLDFRAME_TRY(const std::string pattern, policy::parsePattern(params.at("pattern").get<std::string>()));
    std::erase(hosts, pattern);
    if (params.value("on", true)) {
        if (hosts.size() >= kMostBypassHosts) {
            return fail(ErrorCode::InvalidArgument, "There are too many hosts that are not inspected.");
        }
        hosts.push_back(pattern);
    }
    return {};
}

} // namespace

OwnPolicy Engine::ownPolicy(const std::shared_ptr<Sandbox>& sandbox) const
{
    if (sandbox) {
        const SandboxRecord& record = sandbox->record();
        return {record.mode, record.rules, record.presets, record.bypassHosts};
    }
    const auto mode = policy::modeFromName(m_o.parts.settings.defaultMode);
    return {mode.value_or(policy::Mode::Balanced), m_o.parts.globalRules, m_o.parts.presets.switches, m_o.parts.settings.bypassHosts};
}

/// Whole or not at all, as far as two files allow: the rules, which can be refused for their size, are written first.
Result<void> Engine::setOwnPolicy(const std::shared_ptr<Sandbox>& sandbox, OwnPolicy own)
{
    if (sandbox) {
        return sandbox->setOwnPolicy(std::move(own));
    }
    COLDFRAME_CHECK(saveGlobalRules(m_o.configFolder / "policy.json", own.rules, own.presets));
    m_o.parts.globalRules = std::move(own.rules);
    m_o.parts.presets.switches = std::move(own.presets);
    Settings settings = m_o.parts.settings;
    settings.defaultMode = policy::modeName(own.mode);
    settings.bypassHosts = std::move(own.bypassHosts);
    const Result<void> saved = saveSettings(m_o.configFolder / "settings.json", settings);
    if (saved) {
        m_o.parts.settings = std::move(settings);
    }
    policyChangedEverywhere();
    m_o.parts.emitEvent({{"type", "policy.changed"}});
    return saved;
}

Result<json> Engine::policyEdit(const std::string& method, const json& params, const std::shared_ptr<Sandbox>& sandbox)
{
    OwnPolicy own = ownPolicy(sandbox);
    policy::Presets& presets = m_o.parts.presets;
    if (method == "policy.presets") {
        return json{{"mode", policy::modeName(own.mode)}, {"presets", presetsJson(presets, own, sandbox != nullptr)}};
    }
    if (method == "policy.export") {
        return documentOf(own);
    }
    if (method == "policy.inspect") {
        const policy::PolicySet set = sandbox ? sandbox->effectivePolicy() : policyForAll();
        std::map<std::string, int> byOrigin;
        for (const policy::Rule& rule : set.rules) {
            ++byOrigin[rule.origin.substr(0, rule.origin.find(':'))];
        }
        json shown = documentOf(own);
        shown.erase("coldframePolicy");
        json mappings = json::array();
        for (const policy::HostMapping& mapping : set.hostMappings) {
            mappings.push_back({{"name", mapping.name}, {"address", mapping.address}, {"port", mapping.port}, {"targetPort", mapping.targetPort}});
        }
        shown.update({{"presets", presetsJson(presets, own, sandbox != nullptr)},
                      {"bypassHosts", set.bypassHosts},
                      {"hostMappings", std::move(mappings)},
                      {"canAsk", set.canAsk},
                      {"version", set.version},
                      {"ruleCount", set.rules.size()},
                      {"rulesByOrigin", byOrigin}});
        return shown;
    }
    json answer = json::object();
    if (method == "policy.preset") {
        COLDFRAME_CHECK(checkPreset(presets, params.at("name").get<std::string>()));
        COLDFRAME_CHECK(switchPreset(own.presets, params));
    } else if (method == "policy.update") {
        if (sandbox && sandbox->changeSessionRule([&](std::vector<policy::Rule>& rules) { return changeRule(rules, params); })) {
            return answer;
        }
        COLDFRAME_CHECK(changeRule(own.rules, params));
    } else if (method == "policy.bypass") {
        COLDFRAME_CHECK(changeBypass(own.bypassHosts, params));
    } else if (method == "policy.import") {
        COLDFRAME_TRY(OwnPolicy read, ownPolicyFrom(params.at("document"), sandbox ? policy::Scope::Sandbox : policy::Scope::Global, presets));
        const std::size_t before = own.rules.size();
        if (params.value("replace", false)) {
            answer = {{"added", read.rules.size()}, {"removed", before}};
            own = std::move(read);
        } else {
            answer = {{"added", mergeInto(own, std::move(read))}, {"removed", 0}};
        }
    } else {
        return tl::unexpected(api::unknownMethod(method));
    }
    COLDFRAME_CHECK(setOwnPolicy(sandbox, std::move(own)));
    return answer;
}

asio::awaitable<Result<json>> Engine::tightenCall(json params, api::CallContext& context)
{
    constexpr int kMostEntries = 10000; // of the newest
    auto sandbox = sandboxOf(params);
    if (!sandbox) {
        co_return tl::unexpected(sandbox.error());
    }
    json query{{"sandbox", (*sandbox)->record().id}, {"verdict", "allowed"}, {"limit", kMostEntries}};
    Result<json> log = co_await call("network.log", std::move(query), context);
    if (!log) {
        co_return tl::unexpected(log.error());
    }
    co_return tightened(log->value("entries", json::array()), ownPolicy(*sandbox));
}

} // namespace coldframe::engine
