// SPDX-License-Identifier: Apache-2.0
// Services that the user defines, and the hosts of those whose hosts only the user knows.
#include "agents/agents.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::agents {

namespace {

using Json = nlohmann::json;
using Strings = std::vector<std::string>;

constexpr std::size_t kMaxHosts = 16;
constexpr std::size_t kMinPlaceholder = 12; // shorter ones would be found by chance

bool isPrintable(const std::string& text, bool spaces)
{
    return std::all_of(text.begin(), text.end(), [spaces](char c) { return c < 0x7f && (c > 0x20 || (spaces && c == 0x20)); });
}

bool isVariable(const std::string& name)
{
    return !name.empty() && name.size() <= 100 && (name[0] < '0' || name[0] > '9')
           && std::all_of(name.begin(), name.end(), [](char c) {
                  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
              });
}

bool isFieldName(const std::string& name)
{
    static const Strings framing{"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "expect"};
    return !name.empty() && name.size() <= 100 && std::find(framing.begin(), framing.end(), name) == framing.end()
           && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
}

Result<std::string> exactHost(std::string host)
{
    std::transform(host.begin(), host.end(), host.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const bool named = !host.empty() && host.size() <= 253 && host.find('.') != std::string::npos && host.front() != '.' && host.back() != '.'
                       && host.find("..") == std::string::npos
                       && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos
                       && host.find_first_not_of("0123456789.") != std::string::npos;
    if (!named) {
        return fail(ErrorCode::InvalidArgument, "A key goes to named hosts only, without stars, ports or addresses; this is none: "
                                                    + host.substr(0, 100) + ".");
    }
    return host;
}

Result<Strings> exactHosts(const Strings& given)
{
    if (given.empty() || given.size() > kMaxHosts) {
        return fail(ErrorCode::InvalidArgument, "Name one host that the key may go to, and at most sixteen.");
    }
    Strings hosts;
    for (const std::string& host : given) {
        COLDFRAME_TRY(std::string exact, exactHost(host));
        hosts.push_back(std::move(exact));
    }
    return hosts;
}

Result<void> checkFormat(const std::string& format)
{
    const std::size_t key = format.find("{key}");
    const std::size_t base64 = format.find("{base64:");
    const bool good = key != std::string::npos && format.find("{key}", key + 1) == std::string::npos && isPrintable(format, true)
                      && format.size() <= 200 && (base64 == std::string::npos || (base64 < key && format.compare(key + 5, 1, "}") == 0));
    return good ? Result<void>()
                : fail(ErrorCode::InvalidArgument,
                       "The format must have {key} in it once, for example \"Bearer {key}\" or \"Basic {base64:user:{key}}\".");
}

} // namespace

Result<Service> customServiceFromJson(const std::string& text)
{
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) {
        return fail(ErrorCode::InvalidArgument, "The service is no object.");
    }
    try {
        Service service;
        service.isCustom = true;
        service.name = json.at("name").get<std::string>();
        if (service.name.empty() || service.name.size() > 64
            || service.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
            return fail(ErrorCode::InvalidArgument, "A service's name has lower-case letters, digits and hyphens, at most 64.");
        }
        service.title = json.value("title", service.name);
        COLDFRAME_TRY(service.hosts, exactHosts(json.at("hosts").get<Strings>()));
        service.port = json.value("port", std::uint16_t{443});
        service.header = json.value("header", "authorization");
        std::transform(service.header.begin(), service.header.end(), service.header.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (!isFieldName(service.header) || service.port == 0) {
            return fail(ErrorCode::InvalidArgument, "A key cannot stand in the header \"" + service.header.substr(0, 100) + "\".");
        }
        service.format = json.value("format", service.header == "authorization" ? "Bearer {key}" : "{key}");
        COLDFRAME_CHECK(checkFormat(service.format));
        service.strip = {"authorization"};
        if (service.header != "authorization") {
            service.strip.push_back(service.header);
        }
        service.environment = json.value("environment", Strings());
        if (service.environment.size() > 8 || !std::all_of(service.environment.begin(), service.environment.end(), isVariable)) {
            return fail(ErrorCode::InvalidArgument, "A variable's name has letters, digits and underscores; at most eight may carry the placeholder.");
        }
        service.pathPrefixes = json.value("pathPrefixes", Strings());
        for (const std::string& prefix : service.pathPrefixes) {
            if (prefix.empty() || prefix[0] != '/' || prefix.size() > 200 || !isPrintable(prefix, false)) {
                return fail(ErrorCode::InvalidArgument, "A path begins with /.");
            }
        }
        service.placeholder = json.value("placeholder", "");
        if (!service.placeholder.empty()
            && (service.placeholder.size() < kMinPlaceholder || service.placeholder.size() > 200 || !isPrintable(service.placeholder, false))) {
            return fail(ErrorCode::InvalidArgument, "A placeholder has 12 to 200 characters, none of them a space.");
        }
        return service;
    } catch (const Json::exception& error) {
        return fail(ErrorCode::InvalidArgument, "The service is described wrongly.", error.what());
    }
}

std::string customServiceToJson(const Service& service)
{
    return Json{{"name", service.name},     {"title", service.title},         {"hosts", service.hosts},
                {"port", service.port},     {"header", service.header},       {"format", service.format},
                {"environment", service.environment}, {"pathPrefixes", service.pathPrefixes}, {"placeholder", service.placeholder}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<void> Catalog::define(Service service)
{
    const auto known = std::find_if(m_services.begin(), m_services.end(), [&](const Service& other) { return other.name == service.name; });
    if (known != m_services.end() && !known->isCustom) {
        return fail(ErrorCode::AlreadyExists, "The service " + service.name + " is Coldframe's own; choose another name.");
    }
    if (known == m_services.end() && m_services.size() >= 200) {
        return fail(ErrorCode::InvalidArgument, "There are 200 services already; remove one first.");
    }
    if (known != m_services.end()) {
        *known = std::move(service);
    } else {
        m_services.push_back(std::move(service));
    }
    return {};
}

Result<void> Catalog::undefine(const std::string& name)
{
    COLDFRAME_TRY(const Service* known, findService(name));
    if (!known->isCustom) {
        return fail(ErrorCode::NotAllowed, "The service " + name + " is Coldframe's own and stays; keys rm takes its key away.");
    }
    std::erase_if(m_services, [&name](const Service& other) { return other.name == name; });
    return {};
}

Result<void> Catalog::nameHosts(const std::string& name, const std::vector<std::string>& given)
{
    COLDFRAME_TRY(const Service* found, findService(name));
    if (found->hostsBelow.empty()) {
        return fail(ErrorCode::NotAllowed, "The hosts of " + name + " are fixed; for others define a service of your own: coldframe keys custom.");
    }
    COLDFRAME_TRY(Strings hosts, exactHosts(given));
    for (const std::string& host : hosts) {
        const bool below = std::any_of(found->hostsBelow.begin(), found->hostsBelow.end(), [&host](const std::string& suffix) {
            return host.size() > suffix.size() && host.ends_with(suffix);
        });
        if (!below) {
            return fail(ErrorCode::InvalidArgument, host + " is no host of " + found->title + ": it must end in " + found->hostsBelow[0] + ".");
        }
    }
    std::find_if(m_services.begin(), m_services.end(), [&](const Service& other) { return other.name == name; })->hosts = std::move(hosts);
    return {};
}

} // namespace coldframe::agents
