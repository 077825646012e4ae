// SPDX-License-Identifier: Apache-2.0
#include "proxy/service.h"

#include "base/secret.h"
#include "policy/policy.h"
#include "proxy/key_scanner.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::proxy {

namespace {

using nlohmann::json;

constexpr std::string_view kKey = "{key}";
constexpr std::string_view kBase64 = "{base64:";

bool isHeaderName(std::string_view name)
{
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

bool isPrintable(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool isGoodFormat(std::string_view format)
{
    const std::size_t key = format.find(kKey);
    if (key == std::string_view::npos || !isPrintable(format) || format.find(kKey, key + 1) != std::string_view::npos) {
        return false;
    }
    const std::size_t base64 = format.find(kBase64);
    return base64 == std::string_view::npos || (base64 < key && format.substr(key + kKey.size()).starts_with("}"));
}

Result<Service> serviceFromJson(const json& item)
{
    Service service;
    service.name = item.at("name").get<std::string>();
    for (const std::string& host : item.at("hosts").get<std::vector<std::string>>()) {
        COLDFRAME_TRY(std::string name, policy::normaliseHost(host));
        service.hosts.push_back(std::move(name));
    }
    service.hostSuffixes = item.value("hostSuffixes", std::vector<std::string>());
    service.exceptLabels = item.value("exceptLabels", std::vector<std::string>());
    service.port = item.value("port", std::uint16_t{443});
    service.header = lowerCase(item.at("header").get<std::string>());
    service.format = item.value("format", std::string(kKey));
    service.signer = item.value("signer", std::string());
    for (const std::string& name : item.value("strip", std::vector<std::string>())) {
        service.strip.push_back(lowerCase(name));
    }
    service.stripQuery = item.value("stripQuery", std::vector<std::string>());
    const json tokens = item.value("addTokens", json::object());
    for (const auto& [name, token] : tokens.items()) {
        service.addTokens.emplace_back(lowerCase(name), token.get<std::string>());
    }
    service.sentinel = item.value("sentinel", std::string());
    service.keyOf = item.value("keyOf", std::string());
    service.pathPrefixes = item.value("pathPrefixes", std::vector<std::string>());
    for (const json& denied : item.value("deny", json::array())) {
        service.deny.push_back({denied.value("methods", std::vector<std::string>()), lowerCase(denied.at("path").get<std::string>())});
    }
    if (const json login = item.value("login", json()); login.is_object()) {
        LoginGuard guard;
        for (const json& place : login.at("places")) {
            guard.places.push_back({lowerCase(place.at("host").get<std::string>()), lowerCase(place.at("path").get<std::string>())});
        }
        guard.command = login.value("command", "coldframe keys login " + service.name);
        guard.refresh = login.at("refresh").get<std::string>();
        guard.idToken = login.value("idToken", std::string());
        guard.scope = login.value("scope", std::string());
        service.login = std::move(guard);
    }
    const bool tokensFit = std::all_of(service.addTokens.begin(), service.addTokens.end(), [](const auto& added) {
        return isHeaderName(added.first) && isPrintable(added.second) && !added.second.empty();
    });
    if (service.name.empty() || !isHeaderName(service.header) || !isGoodFormat(service.format) || !tokensFit) {
        return fail(ErrorCode::InvalidArgument,
                    "The service \"" + service.name + "\" has a header or format that cannot be written.");
    }
    const bool signs = service.signer == "aws-v4";
    const bool suffixesFit = std::all_of(service.hostSuffixes.begin(), service.hostSuffixes.end(), [](const std::string& suffix) {
        return suffix.size() > 3 && suffix[0] == '.' && suffix.find('.', 1) != std::string::npos;
    });
    if ((!service.signer.empty() && !signs) || (!service.hostSuffixes.empty() && (!signs || !suffixesFit))) {
        return fail(ErrorCode::InvalidArgument, "The service \"" + service.name + "\" would send its key to more than named hosts.");
    }
    return service;
}

bool equalLabels(std::string_view host, const std::vector<std::string>& labels)
{
    while (!host.empty()) {
        const std::size_t dot = std::min(host.find('.'), host.size());
        const std::string_view label = host.substr(0, dot);
        if (std::find(labels.begin(), labels.end(), label) != labels.end()) {
            return true;
        }
        host.remove_prefix(std::min(host.size(), dot + 1));
    }
    return false;
}

} // namespace

Result<std::vector<Service>> servicesFromJson(std::string_view text)
{
    const json document = json::parse(text, nullptr, false);
    if (!document.is_array() || document.size() > 256) {
        return fail(ErrorCode::InvalidArgument, "The list of services is no array.");
    }
    std::vector<Service> services;
    try {
        for (const json& item : document) {
            COLDFRAME_TRY(Service service, serviceFromJson(item));
            services.push_back(std::move(service));
        }
        for (Service& service : services) {
            const auto owner = std::find_if(services.begin(), services.end(), [&service](const Service& other) {
                return !service.keyOf.empty() && other.name == service.keyOf;
            });
            if (owner != services.end() && service.sentinel.empty()) {
                service.sentinel = owner->sentinel;
            }
        }
    } catch (const json::exception& error) {
        return fail(ErrorCode::InvalidArgument, "A service is described wrongly.", error.what());
    }
    return services;
}

bool isHostOf(const Service& service, const std::string& host)
{
    if (std::find(service.hosts.begin(), service.hosts.end(), host) != service.hosts.end()) {
        return true;
    }
    return std::any_of(service.hostSuffixes.begin(), service.hostSuffixes.end(), [&](const std::string& suffix) {
        return host.size() > suffix.size() && host.ends_with(suffix) && !equalLabels(host, service.exceptLabels);
    });
}

bool pathFits(std::string_view pattern, std::string_view path)
{
    while (true) {
        const std::size_t star = pattern.find('*');
        if (star == std::string_view::npos) {
            return path.starts_with(pattern);
        }
        if (!path.starts_with(pattern.substr(0, star))) {
            return false;
        }
        path.remove_prefix(star);
        pattern.remove_prefix(star + 1);
        const std::size_t end = std::min(path.find('/'), path.size());
        if (end == 0) {
            return false; // an empty segment is none
        }
        path.remove_prefix(end);
    }
}

bool isPathOf(const Service& service, const RequestTarget& target)
{
    return service.pathPrefixes.empty()
           || std::any_of(service.pathPrefixes.begin(), service.pathPrefixes.end(), [&target](const std::string& prefix) {
                  return pathFits(prefix, target.path) && pathFits(prefix, target.strictPath);
              });
}

bool isDenied(const Service& service, std::string_view method, const RequestTarget& target)
{
    const std::string path = lowerCase(target.path);
    const std::string strictPath = lowerCase(target.strictPath);
    return std::any_of(service.deny.begin(), service.deny.end(), [&](const DeniedPath& denied) {
        const bool methodFits = denied.methods.empty()
                                || std::any_of(denied.methods.begin(), denied.methods.end(),
                                               [method](const std::string& name) { return equalsIgnoringCase(name, method); });
        return methodFits && (pathFits(denied.path, path) || pathFits(denied.path, strictPath));
    });
}

std::string renderCredential(std::string_view format, std::string_view key)
{
    const std::size_t keyAt = format.find(kKey);
    const std::size_t base64At = format.find(kBase64);
    std::string value;
    value.reserve(format.size() + key.size() * 2);
    if (base64At == std::string_view::npos) {
        value.append(format.substr(0, keyAt)).append(key).append(format.substr(keyAt + kKey.size()));
        return value;
    }
    std::string inner;
    inner.reserve(format.size() + key.size());
    inner.append(format.substr(base64At + kBase64.size(), keyAt - base64At - kBase64.size())).append(key);
    std::string encoded = base64Encode(inner);
    value.append(format.substr(0, base64At)).append(encoded).append(format.substr(keyAt + kKey.size() + 1));
    wipe(inner);
    wipe(encoded);
    return value;
}

std::string withoutParameters(std::string_view query, const std::vector<std::string>& names)
{
    std::string result;
    std::string_view rest = query.empty() ? query : query.substr(1);
    bool first = true;
    while (!rest.empty() || (first && !query.empty())) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view member = rest.substr(0, end);
        const std::string_view name = member.substr(0, std::min(member.find('='), member.size()));
        const bool goes = std::any_of(names.begin(), names.end(), [name](const std::string& other) { return equalsIgnoringCase(other, name); });
        if (!goes && !member.empty()) {
            result.append(result.empty() ? "?" : "&").append(member);
        }
        rest.remove_prefix(std::min(rest.size(), end + 1));
        first = false;
    }
    return result;
}

} // namespace coldframe::proxy
