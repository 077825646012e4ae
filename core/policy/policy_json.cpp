// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_json.h"

#include "base/log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::policy {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxJson = 8u << 20;
constexpr std::size_t kMaxRules = 20000;
constexpr std::size_t kMaxMappings = 1000;
constexpr std::size_t kMaxBypassHosts = 1000;
constexpr std::size_t kMaxText = 1000;
constexpr std::size_t kMaxPathGlob = 512;
// Beyond this a time_point overflows.
constexpr std::int64_t kMaxExpiry = std::chrono::duration_cast<std::chrono::milliseconds>(UtcTime::duration::max()).count(); // the end of the clock

tl::unexpected<Error> badField(std::string_view field, const std::string& why)
{
    return fail(ErrorCode::InvalidArgument,
                "The network policy is not usable: \"" + std::string(field) + "\" " + why + ".");
}

Result<std::string> text(const Json& json, const char* field, std::size_t maxBytes, bool required = false)
{
    const auto found = json.find(field);
    if (found == json.end()) {
        return required ? Result<std::string>(badField(field, "is missing")) : std::string();
    }
    if (!found->is_string() || found->get_ref<const std::string&>().size() > maxBytes) {
        return badField(field, "must be a text of at most " + std::to_string(maxBytes) + " bytes");
    }
    return found->get<std::string>();
}

Result<std::uint16_t> port(const Json& json, const char* field)
{
    const auto found = json.find(field);
    if (found == json.end()) {
        return std::uint16_t{0};
    }
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 65535) {
        return badField(field, "must be a port from 0 to 65535");
    }
    return static_cast<std::uint16_t>(found->get<std::uint64_t>());
}

Result<const Json*> array(const Json& json, const char* field, std::size_t maxSize)
{
    static const Json kNone = Json::array();
    const auto found = json.find(field);
    if (found == json.end()) {
        return &kNone;
    }
    if (!found->is_array() || found->size() > maxSize) {
        return badField(field, "must be a list of at most " + std::to_string(maxSize) + " entries");
    }
    return &*found;
}

Result<Scope> scopeFromName(std::string_view name)
{
    for (const Scope scope : {Scope::Organisation, Scope::Global, Scope::Sandbox, Scope::Session}) {
        if (scopeName(scope) == name) {
            return scope;
        }
    }
    return badField("scope", "must be organisation, global, sandbox or session");
}

Result<HostMapping> mappingFromJson(const Json& json)
{
    if (!json.is_object()) {
        return badField("hostMappings", "must hold objects");
    }
    HostMapping mapping;
    COLDFRAME_TRY(const std::string name, text(json, "name", kMaxText, true));
    COLDFRAME_TRY(mapping.name, normaliseHost(name));
    COLDFRAME_TRY(const std::string address, text(json, "address", kMaxText, true));
    COLDFRAME_TRY(const IpAddress parsed, parseIp(address));
    mapping.address = formatIp(parsed);
    COLDFRAME_TRY(mapping.port, port(json, "port"));
    COLDFRAME_TRY(mapping.targetPort, port(json, "targetPort"));
    return mapping;
}

} // namespace

Json ruleToJson(const Rule& rule)
{
    Json json{{"id", rule.id},
              {"action", actionName(rule.action)},
              {"pattern", rule.pattern},
              {"method", rule.method},
              {"path", rule.path},
              {"scope", scopeName(rule.scope)},
              {"origin", rule.origin},
              {"note", rule.note},
              {"expiry", nullptr}};
    if (rule.expiry) {
        json["expiry"] = std::chrono::duration_cast<std::chrono::milliseconds>(rule.expiry->time_since_epoch()).count();
    }
    return json;
}

Result<Rule> ruleFromJson(const Json& json)
{
    if (!json.is_object()) {
        return badField("rules", "must hold objects");
    }
    Rule rule;
    COLDFRAME_TRY(rule.id, text(json, "id", kMaxText));
    COLDFRAME_TRY(const std::string action, text(json, "action", kMaxText, true));
    if (action != "allow" && action != "deny") {
        return badField("action", "must be allow or deny");
    }
    rule.action = action == "allow" ? Action::Allow : Action::Deny;
    COLDFRAME_TRY(const std::string pattern, text(json, "pattern", kMaxText, true));
    COLDFRAME_TRY(rule.pattern, parsePattern(pattern));
    COLDFRAME_TRY(rule.method, text(json, "method", kMaxText));
    if (rule.method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-,") != std::string::npos) {
        return badField("method", "must be HTTP methods in capitals, separated by commas");
    }
    COLDFRAME_TRY(rule.path, text(json, "path", kMaxPathGlob));
    if (!rule.path.empty() && rule.path.front() != '/') {
        return badField("path", "must begin with a slash, like /v1/**");
    }
    COLDFRAME_TRY(const std::string scope, text(json, "scope", kMaxText));
    if (!scope.empty()) {
        COLDFRAME_TRY(rule.scope, scopeFromName(scope));
    }
    COLDFRAME_TRY(rule.origin, text(json, "origin", kMaxText));
    COLDFRAME_TRY(rule.note, text(json, "note", kMaxText));
    const auto expiry = json.find("expiry");
    if (expiry != json.end() && !expiry->is_null()) {
        if (!expiry->is_number_integer() || expiry->get<std::int64_t>() < 0 || expiry->get<std::int64_t>() > kMaxExpiry) {
            return badField("expiry", "must be milliseconds since 1970");
        }
        rule.expiry = UtcTime(std::chrono::milliseconds(expiry->get<std::int64_t>()));
    }
    return rule;
}

std::string toJson(const PolicySet& policy)
{
    Json rules = Json::array();
    for (const Rule& rule : policy.rules) {
        rules.push_back(ruleToJson(rule));
    }
    Json mappings = Json::array();
    for (const HostMapping& mapping : policy.hostMappings) {
        mappings.push_back({{"name", mapping.name},
                            {"address", mapping.address},
                            {"port", mapping.port},
                            {"targetPort", mapping.targetPort}});
    }
    const Json json{{"version", policy.version},       {"mode", modeName(policy.mode)},
                    {"canAsk", policy.canAsk},         {"rules", std::move(rules)},
                    {"hostMappings", std::move(mappings)}, {"bypassHosts", policy.bypassHosts}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool isNestedDeeper(std::string_view json, int levels)
{
    int depth = 0;
    bool isText = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (isText) {
            i += c == '\\' ? 1 : 0;
            isText = c != '"';
        } else if (c == '"') {
            isText = true;
        } else if (c == '{' || c == '[') {
            if (++depth > levels) {
                return true;
            }
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

Result<PolicySet> policyFromJson(std::string_view json)
{
    if (json.size() > kMaxJson) {
        return fail(ErrorCode::InvalidArgument, "The network policy is larger than 8 MiB.");
    }
    // A policy is four levels deep; refusing depth early keeps hostile text cheap.
    if (isNestedDeeper(json, 8)) {
        return fail(ErrorCode::InvalidArgument, "The network policy is not a JSON object.");
    }
    return policyFromParsed(Json::parse(json, nullptr, false));
}

Result<PolicySet> policyFromParsed(const Json& parsed)
{
    if (!parsed.is_object()) {
        return fail(ErrorCode::InvalidArgument, "The network policy is not a JSON object.");
    }
    PolicySet policy;
    const auto version = parsed.find("version");
    if (version != parsed.end()) {
        if (!version->is_number_unsigned()) {
            return badField("version", "must be a number");
        }
        policy.version = version->get<std::uint64_t>();
    }
    COLDFRAME_TRY(const std::string mode, text(parsed, "mode", kMaxText, true));
    COLDFRAME_TRY(policy.mode, modeFromName(mode));
    const auto canAsk = parsed.find("canAsk");
    if (canAsk != parsed.end()) {
        if (!canAsk->is_boolean()) {
            return badField("canAsk", "must be true or false");
        }
        policy.canAsk = canAsk->get<bool>();
    }
    COLDFRAME_TRY(const Json* const rules, array(parsed, "rules", kMaxRules));
    for (const Json& entry : *rules) {
        COLDFRAME_TRY(Rule rule, ruleFromJson(entry));
        policy.rules.push_back(std::move(rule));
    }
    COLDFRAME_TRY(const Json* const mappings, array(parsed, "hostMappings", kMaxMappings));
    for (const Json& entry : *mappings) {
        COLDFRAME_TRY(HostMapping mapping, mappingFromJson(entry));
        policy.hostMappings.push_back(std::move(mapping));
    }
    COLDFRAME_TRY(const Json* const bypassHosts, array(parsed, "bypassHosts", kMaxBypassHosts));
    for (const Json& entry : *bypassHosts) {
        if (!entry.is_string()) {
            return badField("bypassHosts", "must hold texts");
        }
        COLDFRAME_TRY(std::string pattern, parsePattern(entry.get_ref<const std::string&>()));
        policy.bypassHosts.push_back(std::move(pattern));
    }
    return policy;
}

std::string_view modeName(Mode mode)
{
    switch (mode) {
    case Mode::Open:
        return "open";
    case Mode::Balanced:
        return "balanced";
    case Mode::Locked:
        break;
    }
    return "locked";
}

Result<Mode> modeFromName(std::string_view name)
{
    for (const Mode mode : {Mode::Open, Mode::Balanced, Mode::Locked}) {
        if (modeName(mode) == name) {
            return mode;
        }
    }
    return fail(ErrorCode::InvalidArgument, "\"" + escapeForDisplay(name, 100)
                                                + "\" is not a network mode; use open, balanced or locked.");
}

std::string_view scopeName(Scope scope)
{
    switch (scope) {
    case Scope::Organisation:
        return "organisation";
    case Scope::Global:
        return "global";
    case Scope::Sandbox:
        return "sandbox";
    case Scope::Session:
        break;
    }
    return "session";
}

std::string_view actionName(Action action)
{
    return action == Action::Allow ? "allow" : "deny";
}

} // namespace coldframe::policy
