// SPDX-License-Identifier: Apache-2.0
// The API's handlers for rules and settings.
#include "engine/engine.h"
#include "engine/warm_start.h"
#include "policy/policy_index.h"

#include "base/log.h"
#include "base/random.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

json ruleJson(const policy::Rule& rule)
{
    return {{"id", rule.id},
            {"action", policy::actionName(rule.action)},
            {"pattern", rule.pattern},
            {"method", rule.method},
            {"path", rule.path},
            {"scope", policy::scopeName(rule.scope)},
            {"origin", rule.origin},
            {"note", rule.note},
            {"expiry", rule.expiry ? json(formatUtc(*rule.expiry)) : json(nullptr)}};
}

Result<policy::Rule> ruleFrom(const json& params)
{
    policy::Rule rule;
    rule.id = randomHex(4);
    const std::string action = params.at("action");
    if (action != "allow" && action != "deny") {
        return fail(ErrorCode::InvalidArgument, "A rule's action must be allow or deny.");
    }
    rule.action = action == "allow" ? policy::Action::Allow : policy::Action::Deny;
    COLDFRAME_TRY(rule.pattern, policy::parsePattern(params.at("pattern").get<std::string>()));
    rule.method = params.value("method", "");
    std::transform(rule.method.begin(), rule.method.end(), rule.method.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    rule.path = params.value("path", "");
    rule.note = params.value("note", "").substr(0, 500);
    if (const auto ends = params.find("expiresInSeconds"); ends != params.end() && !ends->is_null()) {
        COLDFRAME_TRY(rule.expiry, expiryAfter(*ends));
    }
    if (!rule.path.empty() && (rule.path.front() != '/' || rule.path.size() > 512)) {
        return fail(ErrorCode::InvalidArgument, "A rule's path begins with a slash, like /v1/**, and has at most 512 characters.");
    }
    if (rule.method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-,") != std::string::npos) {
        return fail(ErrorCode::InvalidArgument, "A rule's method is one of HTTP's, or several with commas: GET,HEAD.");
    }
    rule.origin = params.value("origin", "") == "notification" ? "notification" : "user";
    return rule;
}

bool hasSandbox(const json& params) { return params.contains("sandbox") && params["sandbox"].is_string() && params["sandbox"] != ""; }

} // namespace

void Engine::policyChangedEverywhere()
{
    for (const auto& sandbox : m_o.registry.all()) {
        sandbox->policyChanged();
    }
}

policy::PolicySet Engine::policyForAll() const
{
    policy::PolicySet everywhere;
    everywhere.rules = m_o.parts.globalRules;
    if (const auto mode = policy::modeFromName(m_o.parts.settings.defaultMode)) {
        everywhere.mode = *mode;
    }
    const std::vector<policy::Rule> presets = policy::presetRules(m_o.parts.presets, everywhere.mode, {});
    everywhere.rules.insert(everywhere.rules.end(), presets.begin(), presets.end());
    everywhere.hostMappings = m_o.parts.settings.hostMappings;
    everywhere.bypassHosts = m_o.parts.settings.bypassHosts;
    return everywhere;
}

/// One decision, and every rule that speaks about the place, so that who wonders sees what lost too.
Result<json> Engine::policyCheck(const policy::PolicySet& set, const json& params) const
{
    policy::Destination destination;
    COLDFRAME_TRY(destination.host, policy::normaliseHost(params.at("host").get<std::string>()));
    destination.port = params.value("port", std::uint16_t(443));
    destination.method = params.value("method", "");
    std::transform(destination.method.begin(), destination.method.end(), destination.method.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    destination.path = params.value("path", "");
    if (!destination.path.empty() && destination.method.empty()) {
        destination.method = "GET";
    } else if (!destination.method.empty() && destination.path.empty()) {
        destination.path = "/";
    }
    const auto address = policy::parseIp(destination.host);
    destination.isLiteral = address.has_value();
    const UtcTime now = utcNow();
    const policy::PolicyIndex index(set);
    policy::Decision decision = index.decide(destination, now);
    if (address && decision.verdict == policy::Verdict::Allow && !decision.addressExempt) {
        decision = index.checkAddress(destination, *address, now);
    }
    const char* verdict = decision.verdict == policy::Verdict::Allow ? "allow" : decision.verdict == policy::Verdict::Ask ? "ask" : "deny";
    json matching = json::array();
    for (const policy::Rule& rule : policy::rulesAbout(set, destination, now)) {
        matching.push_back(ruleJson(rule));
    }
    return json{{"verdict", verdict},
                {"rule", decision.ruleText},
                {"ruleId", decision.ruleId},
                {"reason", decision.reason},
                {"needsRequest", decision.needsRequest},
                {"bypassed", index.isBypassed(destination, now)},
                {"rawAllowed", index.allowsRawStream(destination, now)},
                {"matching", std::move(matching)}};
}

Result<void> Engine::saveGlobal(std::vector<policy::Rule> rules)
{
    COLDFRAME_CHECK(saveGlobalRules(m_o.configFolder / "policy.json", rules, m_o.parts.presets.switches));
    m_o.parts.globalRules = std::move(rules);
    policyChangedEverywhere();
    return {};
}

asio::awaitable<Result<json>> Engine::policyCall(std::string method, json params)
{
    std::shared_ptr<Sandbox> sandbox;
    if (hasSandbox(params)) {
        auto found = sandboxOf(params);
        if (!found) {
            co_return tl::unexpected(found.error());
        }
        sandbox = *found;
    }
    const policy::PolicySet set = sandbox ? sandbox->effectivePolicy() : policyForAll();

    if (method == "policy.normalise") {
        auto pattern = policy::parsePattern(params.at("pattern").get<std::string>());
        co_return pattern ? Result<json>(json{{"pattern", *pattern}}) : tl::unexpected(pattern.error());
    }
    if (method == "policy.list") {
        json rules = json::array();
        for (const policy::Rule& rule : set.rules) {
            rules.push_back(ruleJson(rule));
        }
        co_return json{{"mode", policy::modeName(set.mode)}, {"rules", rules}};
    }
    if (method == "policy.check") {
        co_return policyCheck(set, params);
    }
    if (method == "policy.add") {
        auto rule = ruleFrom(params);
        if (!rule) {
            co_return tl::unexpected(rule.error());
        }
        if (sandbox) {
            auto added = sandbox->addRule(*rule, params.value("session", false));
            if (!added) {
                co_return tl::unexpected(added.error());
            }
            co_return ruleJson(*added);
        }
        rule->scope = policy::Scope::Global;
        std::vector<policy::Rule> rules = m_o.parts.globalRules;
        rules.push_back(*rule);
        if (auto saved = saveGlobal(std::move(rules)); !saved) {
            co_return tl::unexpected(saved.error());
        }
        co_return ruleJson(*rule);
    }
    if (method == "policy.remove") {
        const std::string which = params.contains("id") ? params["id"].get<std::string>() : params.at("pattern").get<std::string>();
        Result<void> done;
        if (sandbox) {
            done = sandbox->removeRule(which);
        } else {
            std::vector<policy::Rule> rules = m_o.parts.globalRules;
            const std::size_t removed = std::erase_if(rules, [&](const policy::Rule& r) { return r.id == which || r.pattern == which; });
            done = removed > 0 ? saveGlobal(std::move(rules))
                               : fail(ErrorCode::NotFound, "There is no global rule \"" + escapeForDisplay(which, 100) +
                                                               "\". See: coldframe policy ls");
        }
        if (!done) {
            co_return tl::unexpected(done.error());
        }
        co_return json::object();
    }
    if (method == "policy.mode") {
        auto mode = policy::modeFromName(params.at("mode").get<std::string>());
        if (!mode) {
            co_return tl::unexpected(mode.error());
        }
        Result<void> done;
        OwnPolicy own = ownPolicy(sandbox);
        own.mode = *mode;
        done = setOwnPolicy(sandbox, std::move(own));
        if (!done) {
            co_return tl::unexpected(done.error());
        }
        co_return json::object();
    }
    co_return policyEdit(method, params, sandbox);
}

asio::awaitable<Result<json>> Engine::settingsCall(std::string method, json params)
{
    if (method == "settings.set") {
        auto settings = settingsFromJson(params.at("settings").dump(), m_o.parts.settings);
        Result<void> saved = settings ? checkClientCertificates(settings->clientCertificates) : tl::unexpected(settings.error());
        if (saved) {
            saved = saveSettings(m_o.configFolder / "settings.json", *settings);
        }
        if (!saved) {
            co_return tl::unexpected(saved.error());
        }
        const bool otherWayOut = toJson(settings->upstreamProxy) != toJson(m_o.parts.settings.upstreamProxy)
                                 || toJson(settings->clientCertificates) != toJson(m_o.parts.settings.clientCertificates);
        m_o.parts.settings = std::move(*settings);
        m_o.parts.warmStart.setEnabled(m_o.parts.settings.warmStart);
        m_o.record.configure(m_o.parts.settings);
        if (otherWayOut) {
            for (const auto& sandbox : m_o.registry.all()) {
                co_await sandbox->upstreamChanged();
            }
        }
        policyChangedEverywhere();
    } else if (method != "settings.get") {
        co_return tl::unexpected(api::unknownMethod(method));
    }
    co_return json::parse(settingsToJson(m_o.parts.settings));
}

} // namespace coldframe::engine
