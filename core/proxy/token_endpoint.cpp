// SPDX-License-Identifier: Apache-2.0
#include "proxy/token_endpoint.h"

#include "base/percent_coding.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::proxy {

namespace {

using nlohmann::json;

constexpr int kYearSeconds = 365 * 86400;

/// application/x-www-form-urlencoded; nothing when a name stands twice.
std::optional<TokenAsk> fromForm(std::string_view body)
{
    TokenAsk ask;
    int grants = 0;
    int tokens = 0;
    while (!body.empty()) {
        const std::size_t end = std::min(body.find('&'), body.size());
        const std::string_view member = body.substr(0, end);
        const std::size_t equals = std::min(member.find('='), member.size());
        std::string value = formDecoded(member.substr(std::min(member.size(), equals + 1)));
        const std::string name = formDecoded(member.substr(0, equals));
        if (name == "grant_type") {
            ask.grantType = std::move(value);
            ++grants;
        } else if (name == "refresh_token") {
            ask.refreshToken = std::move(value);
            ++tokens;
        }
        body.remove_prefix(std::min(body.size(), end + 1));
    }
    return grants == 1 && tokens <= 1 ? std::optional(std::move(ask)) : std::nullopt;
}

} // namespace

TokenAsk readTokenAsk(std::string_view body)
{
    if (body.find_first_not_of(" \t\r\n") == std::string_view::npos || body[body.find_first_not_of(" \t\r\n")] != '{') {
        return fromForm(body).value_or(TokenAsk());
    }
    // Of a name that stands twice parsers take one or the other.
    int grants = 0;
    int tokens = 0;
    const auto count = [&](int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::key && depth == 1) {
            grants += parsed == "grant_type" ? 1 : 0;
            tokens += parsed == "refresh_token" ? 1 : 0;
        }
        return true;
    };
    const json document = json::parse(body, count, false);
    if (!document.is_object() || grants != 1 || tokens > 1 || !document.at("grant_type").is_string()) {
        return {};
    }
    const bool hasToken = tokens == 1 && document.at("refresh_token").is_string();
    return {document.at("grant_type").get<std::string>(), hasToken ? document.at("refresh_token").get<std::string>() : std::string()};
}

const Service* serviceOfTokenPlace(const std::vector<Service>& services, const Identity& identity, const RequestTarget& target)
{
    const std::string path = lowerCase(target.path);
    const std::string strictPath = lowerCase(target.strictPath);
    for (const Service& service : services) {
        for (const TokenPlace& place : service.login ? service.login->places : std::vector<TokenPlace>()) {
            if (place.host == identity.host && (pathFits(place.path, path) || pathFits(place.path, strictPath))) {
                return &service;
            }
        }
    }
    return nullptr;
}

std::string standInReply(const Service& service)
{
    json reply{{"token_type", "Bearer"},
               {"access_token", service.sentinel},
               {"refresh_token", service.login->refresh},
               {"expires_in", kYearSeconds},
               {"scope", service.login->scope}};
    if (!service.login->idToken.empty()) {
        reply["id_token"] = service.login->idToken;
    }
    return reply.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string overReply(const Service& service)
{
    return json{{"error", "invalid_grant"},
                {"error_description", "There is no log-in on the computer of this sandbox, or it is over. Its user can log in there: " + service.login->command}}
        .dump();
}

} // namespace coldframe::proxy
