// SPDX-License-Identifier: Apache-2.0
#include "dial/route.h"

#include "policy/pattern.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace coldframe::dial {

namespace {

constexpr std::size_t kMaxExempt = 500;
constexpr std::size_t kMaxAnswers = 8;

bool namesOrHolds(std::string_view domain, std::string_view host)
{
    return host == domain
           || (host.size() > domain.size() && host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.');
}

std::optional<UpstreamProxy> parseProxy(ProxyScheme scheme, std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    std::uint16_t port = 0;
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    const auto host = policy::normaliseHost(text.substr(0, colon));
    if (error != std::errc() || end != text.data() + text.size() || port == 0 || !host) {
        return std::nullopt;
    }
    return UpstreamProxy{scheme, *host, port};
}

std::string_view trimmed(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

} // namespace

std::string UpstreamProxy::text() const
{
    return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Route::isExempt(std::string_view host, std::uint16_t port) const
{
    const auto address = policy::parseIp(host);
    return std::any_of(exempt.begin(), exempt.end(), [&](std::string_view entry) {
        if (entry == "*") {
            return true;
        }
        if (entry.starts_with("*.")) {
            entry.remove_prefix(1);
        }
        const bool belowOnly = entry.starts_with('.');
        const auto pattern = policy::parse(belowOnly ? entry.substr(1) : entry);
        if (!pattern || (pattern->port != 0 && pattern->port != port)) {
            return false;
        }
        if (pattern->kind == policy::Pattern::Kind::Network) {
            return address && policy::contains(pattern->network, pattern->prefixLength, *address);
        }
        return pattern->kind == policy::Pattern::Kind::Host && !address && namesOrHolds(pattern->host, host)
               && !(belowOnly && host == pattern->host);
    });
}

Result<Route> routeFromJson(const nlohmann::json& json)
{
    try {
        Route route;
        const std::string kind = json.value("kind", "direct");
        const std::string scheme = json.value("scheme", "http");
        if ((kind != "direct" && kind != "proxy" && kind != "script" && kind != "blocked")
            || (scheme != "http" && scheme != "https" && scheme != "socks5")) {
            return fail(ErrorCode::Protocol, "The engine named a way out that is not known.");
        }
        route.kind = kind == "proxy" ? Route::Kind::Proxy : kind == "script" ? Route::Kind::Script
                     : kind == "blocked" ? Route::Kind::Blocked : Route::Kind::Direct;
        route.reason = json.value("reason", "");
        route.proxy.scheme = scheme == "https" ? ProxyScheme::Https : scheme == "socks5" ? ProxyScheme::Socks5 : ProxyScheme::Http;
        route.user = json.value("user", "");
        route.exempt = json.value("exempt", std::vector<std::string>{});
        route.script = json.value("script", "");
        route.trustedPems = json.value("trusted", std::vector<std::string>{});
        if (route.kind == Route::Kind::Proxy) {
            COLDFRAME_TRY(route.proxy.host, policy::normaliseHost(json.at("host").get<std::string>()));
            route.proxy.port = json.at("port").get<std::uint16_t>();
        }
        if ((route.kind == Route::Kind::Proxy && route.proxy.port == 0) || route.script.size() > kMaxScript
            || (route.kind == Route::Kind::Script && route.script.empty()) || route.exempt.size() > kMaxExempt) {
            return fail(ErrorCode::Protocol, "The engine described a way out that cannot be used.");
        }
        return route;
    } catch (const nlohmann::json::exception& error) {
        return fail(ErrorCode::Protocol, "The engine described a way out that cannot be used.", error.what());
    }
}

std::vector<std::optional<UpstreamProxy>> parseScriptAnswer(std::string_view answer)
{
    std::vector<std::optional<UpstreamProxy>> result;
    while (!answer.empty() && result.size() < kMaxAnswers) {
        const std::size_t semicolon = answer.find(';');
        const std::string_view entry = trimmed(answer.substr(0, semicolon));
        answer = semicolon == std::string_view::npos ? std::string_view() : answer.substr(semicolon + 1);
        const std::size_t space = entry.find_first_of(" \t");
        const std::string_view kind = entry.substr(0, space);
        const std::string_view place = space == std::string_view::npos ? std::string_view() : trimmed(entry.substr(space));
        std::optional<UpstreamProxy> proxy;
        if (kind == "DIRECT") {
            result.emplace_back();
        } else if (kind == "PROXY" || kind == "HTTP") {
            proxy = parseProxy(ProxyScheme::Http, place);
        } else if (kind == "HTTPS") {
            proxy = parseProxy(ProxyScheme::Https, place);
        } else if (kind == "SOCKS" || kind == "SOCKS5") {
            proxy = parseProxy(ProxyScheme::Socks5, place);
        }
        if (proxy) {
            result.push_back(std::move(proxy));
        }
    }
    return result;
}

} // namespace coldframe::dial
