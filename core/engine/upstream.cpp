// SPDX-License-Identifier: Apache-2.0
#include "engine/upstream.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/blocking.h"
#include "engine/engine_parts.h"
#include "engine/settings.h"
#include "policy/policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxScript = 1u << 20;
constexpr std::size_t kMaxExempt = 200;

json blocked(const std::string& reason) { return {{"kind", "blocked"}, {"reason", reason}}; }

struct ProxyUrl
{
    std::string scheme;
    std::string host;
    int port = 0;
    std::string user;
    SecretBuffer password;
};

/// "http://user:password@proxy.example:3128/", as the variables have it; the scheme may be missing.
std::optional<ProxyUrl> parseProxyUrl(std::string_view text)
{
    ProxyUrl url;
    url.scheme = "http";
    if (const auto colon = text.find("://"); colon != std::string_view::npos) {
        url.scheme = text.substr(0, colon);
        text.remove_prefix(colon + 3);
    }
    text = text.substr(0, text.find('/'));
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        const std::string_view login = text.substr(0, at);
        const auto colon = login.find(':');
        url.user = login.substr(0, colon);
        url.password = SecretBuffer(colon == std::string_view::npos ? std::string_view() : login.substr(colon + 1));
        text.remove_prefix(at + 1);
    }
    if (url.scheme == "socks5h" || url.scheme == "socks") {
        url.scheme = "socks5";
    }
    const auto colon = text.rfind(':');
    url.host = text.substr(0, colon);
    url.port = url.scheme == "socks5" ? 1080 : url.scheme == "https" ? 443 : 80;
    if (colon != std::string_view::npos) {
        const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), url.port);
        if (error != std::errc() || end != text.data() + text.size()) {
            return std::nullopt;
        }
    }
    const bool isKnown = url.scheme == "http" || url.scheme == "https" || url.scheme == "socks5";
    const bool isUsable = isKnown && policy::normaliseHost(url.host) && url.port > 0 && url.port < 65536;
    return isUsable ? std::optional(std::move(url)) : std::nullopt;
}

std::vector<std::string> splitList(std::string_view text)
{
    std::vector<std::string> entries;
    std::string entry;
    for (const char c : std::string(text) + ",") {
        if (c != ',' && c != ' ' && c != '\'' && c != '[' && c != ']' && c != '\n') {
            entry += c;
        } else if (!entry.empty() && entries.size() < kMaxExempt) {
            entries.push_back(std::exchange(entry, {}));
        }
    }
    return entries;
}

json scriptRoute(const std::string& place, ProcessRunner& runner)
{
    Result<std::string> text = std::string();
    if (place.starts_with("http://") || place.starts_with("https://")) {
        ProcessSpec spec;
        spec.arguments = {"curl", "-fsSL", "--noproxy", "*", "--proto", "=http,https", "--max-time", "20", "--max-filesize",
                          std::to_string(kMaxScript), "--", place};
        spec.timeout = std::chrono::seconds(30);
        const auto fetched = runner.run(spec);
        if (!fetched || fetched->exitCode != 0) {
            return blocked("The network's proxy script at " + place + " cannot be fetched: "
                           + (fetched ? fetched->standardError.substr(0, 200) : fetched.error().message));
        }
        text = fetched->standardOutput;
    } else {
        text = readFile(place.starts_with("file://") ? place.substr(7) : place, kMaxScript);
    }
    if (!text) {
        return blocked("The network's proxy script " + place + " cannot be read: " + text.error().message);
    }
    if (text->find("FindProxyForURL") == std::string::npos || text->size() > kMaxScript) {
        return blocked("What is at " + place + " is no proxy script.");
    }
    return {{"kind", "script"}, {"script", *text}};
}

json proxyRoute(const std::string& scheme, const std::string& host, int port, const std::string& user)
{
    return {{"kind", "proxy"}, {"scheme", scheme}, {"host", host}, {"port", port}, {"user", user}};
}

/// A GNOME setting's value without its quotes; empty where there is none of the kind.
std::string desktopSetting(ProcessRunner& runner, const std::string& schema, const std::string& key)
{
    ProcessSpec spec;
    spec.arguments = {"gsettings", "get", "org.gnome.system.proxy" + schema, key};
    spec.timeout = std::chrono::seconds(5);
    const auto answer = runner.run(spec);
    std::string text = answer && answer->exitCode == 0 ? answer->standardOutput : std::string();
    std::erase_if(text, [](char c) { return c == '\'' || c == '\n'; });
    return text;
}

WayOut systemWayOut(ProcessRunner& runner, const std::function<std::string(const char*)>& environment)
{
    WayOut way;
    for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"}) {
        const std::string value = environment(name);
        if (value.empty()) {
            continue;
        }
        auto url = parseProxyUrl(value);
        if (!url) {
            way.route = blocked(std::string("The variable ") + name + " of this computer names no proxy that can be used.");
            return way;
        }
        way.route = proxyRoute(url->scheme, url->host, url->port, url->user);
        way.password = std::move(url->password);
        const std::string exempt = environment("no_proxy");
        way.route["exempt"] = splitList(exempt.empty() ? environment("NO_PROXY") : exempt);
        return way;
    }
    const std::string mode = desktopSetting(runner, "", "mode");
    if (mode == "auto") {
        const std::string place = desktopSetting(runner, "", "autoconfig-url");
        way.route = place.empty() ? blocked("The desktop's proxy settings name no script.") : scriptRoute(place, runner);
        return way;
    }
    if (mode != "manual") {
        return way;
    }
    struct Part
    {
        const char* schema;
        const char* scheme;
    };
    for (const Part& part : {Part{".https", "http"}, Part{".http", "http"}, Part{".socks", "socks5"}}) {
        const std::string host = desktopSetting(runner, part.schema, "host");
        const std::string port = desktopSetting(runner, part.schema, "port");
        const auto url = host.empty() ? std::nullopt : parseProxyUrl(host + ":" + port);
        if (url) {
            way.route = proxyRoute(part.scheme, url->host, url->port, "");
            way.route["exempt"] = splitList(desktopSetting(runner, "", "ignore-hosts"));
            return way;
        }
    }
    way.route = blocked("The desktop's proxy settings name no proxy that can be used.");
    return way;
}

} // namespace

bool isSettingKey(std::string_view name) { return name == kUpstreamProxyKey || isClientCertificateKey(name); }

Result<UpstreamProxySetting> upstreamProxyFromJson(const json& j)
{
    static constexpr std::array kKinds = {"none", "http", "https", "socks5", "script", "system"};
    const auto wrong = [](const std::string& what) {
        return fail(ErrorCode::InvalidArgument, "The setting \"upstreamProxy\" " + what);
    };
    for (const auto& [key, value] : j.items()) {
        if (key == "password") {
            return wrong("takes no password: that belongs into the keychain. See: coldframe keys set upstream-proxy");
        }
    }
    UpstreamProxySetting setting;
    setting.kind = j.value("kind", "none");
    if (std::find(kKinds.begin(), kKinds.end(), setting.kind) == kKinds.end()) {
        return wrong("has a kind that is not none, http, https, socks5, script or system.");
    }
    setting.host = j.value("host", "");
    setting.port = j.value("port", 0);
    setting.user = j.value("user", "");
    setting.script = j.value("script", "");
    setting.exempt = j.value("exempt", std::vector<std::string>{});
    const bool isProxy = setting.kind == "http" || setting.kind == "https" || setting.kind == "socks5";
    if (isProxy) {
        auto host = policy::normaliseHost(setting.host);
        if (!host || setting.port < 1 || setting.port > 65535) {
            return wrong("needs a host and a port, like {\"kind\":\"http\",\"host\":\"proxy.example.com\",\"port\":3128}.");
        }
        setting.host = std::move(*host);
    }
    const bool hasControl = std::any_of(setting.user.begin(), setting.user.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (hasControl || setting.user.find(':') != std::string::npos || setting.user.size() > 255) {
        return wrong("has a user name that a proxy cannot be told: control characters and \":\" are not possible.");
    }
    const bool isUrl = setting.script.starts_with("http://") || setting.script.starts_with("https://");
    if (setting.kind == "script" && !isUrl && !setting.script.starts_with("/") && !setting.script.starts_with("file:///")) {
        return wrong("needs \"script\": the path or URL of a proxy auto-configuration file.");
    }
    for (const std::string& entry : setting.exempt) {
        const std::string bare = entry.starts_with("*.") ? entry.substr(2) : entry.starts_with(".") ? entry.substr(1) : entry;
        if (entry != "*" && !policy::parsePattern(bare)) {
            return wrong("exempts \"" + escapeForDisplay(entry, 80) + "\", which is neither a name nor a network.");
        }
    }
    return setting;
}

json toJson(const UpstreamProxySetting& setting)
{
    json result{{"kind", setting.kind}};
    if (!setting.host.empty()) {
        result["host"] = setting.host;
        result["port"] = setting.port;
    }
    if (!setting.user.empty()) {
        result["user"] = setting.user;
    }
    if (!setting.script.empty()) {
        result["script"] = setting.script;
    }
    if (!setting.exempt.empty()) {
        result["exempt"] = setting.exempt;
    }
    return result;
}

WayOut findWayOut(const UpstreamProxySetting& setting, ProcessRunner& runner, const std::vector<std::string>& trustedPems,
                  const std::function<std::string(const char*)>& environment)
{
    WayOut way;
    if (setting.kind == "system") {
        way = systemWayOut(runner, environment);
    } else if (setting.kind == "script") {
        way.route = scriptRoute(setting.script, runner);
        way.route["user"] = setting.user;
    } else if (setting.kind != "none") {
        way.route = proxyRoute(setting.kind, setting.host, setting.port, setting.user);
    }
    const std::string kind = way.route.value("kind", "");
    if (kind == "proxy" || kind == "script") {
        if (!way.route.contains("exempt")) {
            way.route["exempt"] = setting.exempt;
        }
        if (kind == "script" || way.route.value("scheme", "") == "https") {
            way.route["trusted"] = trustedPems;
        }
    }
    return way;
}

asio::awaitable<WayOut> currentWayOut(EngineParts& parts, std::vector<std::string> trustedPems)
{
    const UpstreamProxySetting setting = parts.settings.upstreamProxy;
    if (setting.kind == "none") {
        co_return WayOut();
    }
    const auto found = std::make_shared<WayOut>();
    auto look = [setting, found, pems = std::move(trustedPems)] {
        SystemProcessRunner runner;
        *found = findWayOut(setting, runner, pems, [](const char* name) {
            const char* const value = std::getenv(name);
            return std::string(value ? value : "");
        });
        return true;
    };
    co_await onPool(parts.pool, std::move(look));
    if (found->route.value("kind", "") == "blocked") {
        logWarning("engine", found->route.value("reason", ""));
        parts.emitEvent({{"type", "alert"}, {"text", found->route.value("reason", "")}});
    }
    if (!found->route.value("user", "").empty() && found->password.empty()) {
        Result<SecretBuffer> password = co_await parts.keys.key(std::string(kUpstreamProxyKey));
        if (password) {
            found->password = std::move(*password);
        } else {
            logWarning("engine", "the password for the network's proxy: " + password.error().message);
        }
    }
    co_return std::move(*found);
}

} // namespace coldframe::engine
