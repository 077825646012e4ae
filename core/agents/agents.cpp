// SPDX-License-Identifier: Apache-2.0
#include "agents/agents.h"

#include "base/random.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace coldframe::agents {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kSentinelTail = 20; // what Claude Code remembers of a key that its user accepted

constexpr std::string_view kMarker = "proxy-managed-";

/// What texts are filled in from.
struct Scope
{
    const Context& context;
    const std::vector<Service>& services;
};

/// ${LOGIN:service:fact} and its like; nothing when it is none of them, an empty text when it is not known.
std::optional<std::string> loginVariable(std::string_view kind, const std::string& rest, const Scope& scope)
{
    const auto colon = rest.find(':');
    const std::string name = rest.substr(0, colon);
    if (kind != "LOGIN" && kind != "REFRESH" && kind != "ID_TOKEN") {
        return std::nullopt;
    }
    const auto login = scope.context.logins.find(name);
    const auto sentinel = scope.context.sentinels.find(name);
    const auto service = std::find_if(scope.services.begin(), scope.services.end(), [&name](const Service& other) { return other.name == name; });
    if (login == scope.context.logins.end() || sentinel == scope.context.sentinels.end() || service == scope.services.end() || !service->login) {
        return std::string();
    }
    if (kind == "LOGIN") {
        const auto fact = login->second.facts.find(colon == std::string::npos ? std::string() : rest.substr(colon + 1));
        return fact == login->second.facts.end() ? std::string() : fact->second;
    }
    return kind == "REFRESH" ? refreshSentinel(*service, sentinel->second) : idTokenSentinel(*service, sentinel->second, login->second);
}

/// The value of ${name}, or nothing when it is not one of ours.
std::optional<std::string> variable(std::string_view name, const Scope& scope)
{
    const Context& context = scope.context;
    if (name == "HOME") {
        return context.home;
    }
    if (name == "WORKSPACE") {
        return context.workspace;
    }
    const auto colon = name.find(':');
    const std::string_view kind = name.substr(0, colon);
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    if (kind != "SENTINEL" && kind != "SENTINEL_TAIL") {
        return loginVariable(kind, std::string(name.substr(colon + 1)), scope);
    }
    const auto found = context.sentinels.find(std::string(name.substr(colon + 1)));
    if (found == context.sentinels.end()) {
        return std::string();
    }
    const std::string& sentinel = found->second;
    return kind == "SENTINEL" || sentinel.size() < kSentinelTail ? sentinel : sentinel.substr(sentinel.size() - kSentinelTail);
}

/// As inside a JSON or TOML basic string.
std::string escaped(const std::string& text)
{
    const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    return quoted.substr(1, quoted.size() - 2);
}

std::string expand(std::string_view text, const Scope& context, bool escape)
{
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        const auto open = text.find("${", at);
        const auto close = open == std::string_view::npos ? open : text.find('}', open);
        if (close == std::string_view::npos) {
            return result.append(text.substr(at));
        }
        result.append(text.substr(at, open - at));
        const auto value = variable(text.substr(open + 2, close - open - 2), context);
        if (value) {
            result.append(escape ? escaped(*value) : *value);
        } else {
            result.append(text.substr(open, close - open + 1));
        }
        at = close + 1;
    }
    return result;
}

Json expandJson(const Json& json, const Scope& context)
{
    if (json.is_string()) {
        const std::string& text = json.get_ref<const std::string&>();
        if (text.starts_with("${SCOPES:") && text.ends_with('}')) {
            const auto login = context.context.logins.find(text.substr(9, text.size() - 10));
            return login == context.context.logins.end() ? Json::array() : Json(login->second.scopes);
        }
        std::string expanded = expand(text, context, false);
        const bool isUnknown = expanded.empty() && text.starts_with("${LOGIN:") && text.find('}') + 1 == text.size();
        return isUnknown ? Json() : Json(std::move(expanded));
    }
    if (json.is_array()) {
        Json result = Json::array();
        for (const Json& entry : json) {
            result.push_back(expandJson(entry, context));
        }
        return result;
    }
    if (json.is_object()) {
        Json result = Json::object();
        for (const auto& [key, value] : json.items()) {
            result[expand(key, context, false)] = expandJson(value, context);
        }
        return result;
    }
    return json;
}

/// Levenshtein.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t i = 0; i <= b.size(); ++i) {
        row[i] = i;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

} // namespace

Result<const AgentDefinition*> Catalog::findAgent(std::string_view nameOrAlias) const
{
    constexpr std::size_t kMaxTypedName = 64;
    std::string known;
    std::string nearest;
    std::size_t nearestDistance = 3; // more edits than two is another word
    for (const AgentDefinition& agent : m_agents) {
        known += (known.empty() ? "" : ", ") + agent.name;
        std::vector<std::string> names = agent.aliases;
        names.push_back(agent.name);
        for (const std::string& name : names) {
            if (name == nameOrAlias) {
                return &agent;
            }
            const std::size_t edits = nameOrAlias.size() > kMaxTypedName ? kMaxTypedName : distance(name, nameOrAlias);
            if (edits < nearestDistance) {
                nearestDistance = edits;
                nearest = agent.name;
            }
        }
    }
    return fail(ErrorCode::NotFound, "There is no agent called \"" + std::string(nameOrAlias.substr(0, kMaxTypedName)) + "\"; "
                                         + (nearest.empty() ? std::string() : "did you mean " + nearest + "? ")
                                         + "Known agents: " + known + ".");
}

Result<const Service*> Catalog::findService(std::string_view name) const
{
    std::string known;
    for (const Service& service : m_services) {
        if (service.name == name) {
            return &service;
        }
        if (service.keyOf.empty()) {
            known += (known.empty() ? "" : ", ") + service.name;
        }
    }
    return fail(ErrorCode::NotFound,
                "There is no service called \"" + std::string(name.substr(0, 64)) + "\". Known services: " + known + ".");
}

std::map<std::string, std::string> Catalog::environment(const AgentDefinition& agent, const Context& context) const
{
    std::map<std::string, std::string> result;
    for (const auto* source : {&m_commonEnvironment, &agent.environment}) {
        for (const auto& [name, value] : *source) {
            result[name] = expand(value, {context, m_services}, false);
        }
    }
    std::set<std::string> all;
    for (const auto& [name, sentinel] : context.sentinels) {
        all.insert(name);
    }
    result.merge(announced(all, context.sentinels));
    return result;
}

std::map<std::string, std::string> Catalog::announced(const std::set<std::string>& keyed,
                                                      const std::map<std::string, std::string>& sentinels) const
{
    std::map<std::string, std::string> result;
    for (const Service& service : m_services) {
        const auto sentinel = sentinels.find(service.name);
        if (!keyed.contains(service.name) || sentinel == sentinels.end() || keyed.contains(service.otherwise)) {
            continue;
        }
        for (const std::string& name : service.environment) {
            result[name] = sentinel->second;
        }
        for (const auto& [name, text] : service.environmentText) {
            result[name] = text;
        }
    }
    return result;
}

std::vector<SeedFile> Catalog::files(const AgentDefinition& agent, const Context& context) const
{
    std::vector<SeedFile> result;
    for (const FileTemplate& file : agent.files) {
        if (!file.needsService.empty() && !context.sentinels.contains(file.needsService)) {
            continue;
        }
        if ((!file.needsLogin.empty() && !context.logins.contains(file.needsLogin))
            || (!file.unlessLogin.empty() && context.logins.contains(file.unlessLogin))) {
            continue;
        }
        const Scope scope{context, m_services};
        std::string content = expand(file.content, scope, true);
        if (!file.json.empty()) {
            content = expandJson(Json::parse(file.json, nullptr, false), scope).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
        }
        result.push_back({expand(file.path, scope, false), file.mode, file.owner, std::move(content)});
    }
    return result;
}

std::map<std::string, std::string> Catalog::newSentinels() const
{
    std::map<std::string, std::string> result;
    for (const Service& service : m_services) {
        if (service.keyOf.empty()) {
            result[service.name] = makeSentinel(service);
        }
    }
    return result;
}

Result<const Service*> Catalog::findLogin(std::string_view name) const
{
    std::string known;
    for (const Service& service : m_services) {
        if (!service.login) {
            continue;
        }
        if (service.name == name || service.otherwise == name) {
            return &service;
        }
        known += (known.empty() ? "" : ", ") + (service.otherwise.empty() ? service.name : service.otherwise);
    }
    return fail(ErrorCode::NotFound, "There is no log-in for \"" + std::string(name.substr(0, 64)) + "\", only for: " + known
                                         + ". Other services have keys: coldframe keys set SERVICE");
}

std::string Catalog::proxyServicesJson(const std::map<std::string, std::string>& sentinels,
                                       const std::map<std::string, LoginInside>& logins) const
{
    Json list = Json::array();
    for (const Service& service : m_services) {
        const auto sentinel = sentinels.find(service.name);
        if (sentinel == sentinels.end() && (service.keyOf.empty() || !sentinels.contains(service.keyOf))) {
            continue;
        }
        if (service.hosts.empty() && service.hostSuffixes.empty()) {
            continue; // the user has not named its hosts yet
        }
        Json deny = Json::array();
        for (const DeniedPath& denied : service.deny) {
            deny.push_back({{"methods", denied.methods}, {"path", denied.path}});
        }
        Json login;
        if (service.login && sentinel != sentinels.end()) {
            const auto known = logins.find(service.name);
            const LoginInside inside = known == logins.end() ? LoginInside{service.login->scopes, {}} : known->second;
            Json places = Json::array();
            for (const TokenPlace& place : service.login->tokenPlaces) {
                places.push_back({{"host", place.host}, {"path", place.path}});
            }
            std::string scope;
            for (const std::string& word : inside.scopes) {
                scope += (scope.empty() ? "" : " ") + word;
            }
            login = {{"places", std::move(places)},
                     {"command", "coldframe keys login " + (service.otherwise.empty() ? service.name : service.otherwise)},
                     {"refresh", refreshSentinel(service, sentinel->second)},
                     {"idToken", idTokenSentinel(service, sentinel->second, inside)},
                     {"scope", std::move(scope)}};
        }
        list.push_back({{"name", service.name},
                        {"login", std::move(login)},
                        {"keyOf", service.keyOf},
                        {"hosts", service.hosts},
                        {"hostSuffixes", service.hostSuffixes},
                        {"exceptLabels", service.exceptLabels},
                        {"port", service.port},
                        {"header", service.header},
                        {"format", service.format},
                        {"signer", service.signer},
                        {"strip", service.strip},
                        {"stripQuery", service.stripQuery},
                        {"addTokens", service.addTokens},
                        {"sentinel", sentinel == sentinels.end() ? std::string() : sentinel->second},
                        {"pathPrefixes", service.pathPrefixes},
                        {"deny", std::move(deny)}});
    }
    return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> launchCommand(const AgentDefinition& agent, const std::vector<std::string>& arguments)
{
    if (!arguments.empty() && !arguments.front().starts_with('-')) {
        return arguments;
    }
    std::vector<std::string> result = agent.command;
    result.insert(result.end(), arguments.begin(), arguments.end());
    return result;
}

std::string refreshSentinel(const Service& service, const std::string& sentinel)
{
    const auto marker = sentinel.find(kMarker);
    return (service.login ? service.login->refreshPrefix : std::string())
           + (marker == std::string::npos ? std::string(kMarker) + sentinel : sentinel.substr(marker));
}

std::string idTokenSentinel(const Service& service, const std::string& sentinel, const LoginInside& login)
{
    if (!service.login || service.login->idTokenClaims.empty()) {
        return {};
    }
    const Context context{{}, {}, {{service.name, sentinel}}, {{service.name, login}}};
    const std::vector<Service> services{service};
    const Json claims = expandJson(Json::parse(service.login->idTokenClaims, nullptr, false), {context, services});
    const auto marker = sentinel.find(kMarker);
    return base64UrlEncode(R"({"alg":"none","typ":"JWT"})") + "." + base64UrlEncode(claims.dump(-1, ' ', true, Json::error_handler_t::replace)) + "."
           + (marker == std::string::npos ? sentinel : sentinel.substr(marker));
}

std::string makeSentinel(const Service& service)
{
    if (!service.placeholder.empty()) {
        return service.placeholder;
    }
    const std::string random = randomHex(16);
    if (service.sentinelForm == "aws-access-key-id") {
        std::string id; // 20 capitals and digits, as every access key id
        for (const char c : random.substr(0, 20 - service.sentinelPrefix.size())) {
            id.push_back(c >= 'a' ? static_cast<char>(c - 'a' + 'G') : static_cast<char>(c - '0' + 'S' > 'Z' ? c : c - '0' + 'S'));
        }
        return service.sentinelPrefix + id;
    }
    if (service.sentinelForm == "jwt") {
        // {"alg":"none","typ":"JWT"} . {"sub":"proxy-managed","exp":4102444800}: never expires for the client, opens nothing.
        return "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJwcm94eS1tYW5hZ2VkIiwiZXhwIjo0MTAyNDQ0ODAwfQ.proxy-managed-" + random;
    }
    if (service.sentinelForm == "hex40") {
        return service.sentinelPrefix + random + randomHex(4);
    }
    return service.sentinelPrefix + "proxy-managed-" + random;
}

} // namespace coldframe::agents
