// SPDX-License-Identifier: Apache-2.0
#include "proxy/injector.h"

#include "policy/policy.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kMarker = "proxy-managed-";
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

/// The header value; the caller wipes it.
std::string render(std::string_view format, std::string_view key)
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

/// A field's value and, for Basic credentials, what is encoded in it.
std::string searchable(const HeaderField& field)
{
    std::string text = field.name + ": " + field.value;
    if (field.value.size() > 6 && equalsIgnoringCase(std::string_view(field.value).substr(0, 6), "basic ")) {
        text += "\n" + base64Decode(std::string_view(field.value).substr(6));
    }
    return text;
}

bool carriesCredentials(const Service& service, const std::string& name)
{
    return equalsIgnoringCase(name, service.header)
           || std::any_of(service.strip.begin(), service.strip.end(),
                          [&name](const std::string& other) { return equalsIgnoringCase(name, other); });
}

} // namespace

std::string randomPartOf(const std::string& sentinel)
{
    const std::size_t marker = sentinel.find(kMarker);
    if (marker != std::string::npos) {
        const std::string random = sentinel.substr(marker + kMarker.size());
        if (random.size() >= PatternSet::kMinLength) {
            return random;
        }
    }
    return sentinel;
}

Result<std::vector<Service>> servicesFromJson(std::string_view json)
{
    const nlohmann::json document = nlohmann::json::parse(json, nullptr, false);
    if (!document.is_array() || document.size() > 256) {
        return fail(ErrorCode::InvalidArgument, "The list of services is no array.");
    }
    std::vector<Service> services;
    try {
        for (const nlohmann::json& item : document) {
            Service service;
            service.name = item.at("name").get<std::string>();
            for (const std::string& host : item.at("hosts").get<std::vector<std::string>>()) {
                COLDFRAME_TRY(std::string name, policy::normaliseHost(host));
                service.hosts.push_back(std::move(name));
            }
            service.port = item.value("port", std::uint16_t{443});
            service.header = lowerCase(item.at("header").get<std::string>());
            service.format = item.value("format", std::string(kKey));
            for (const std::string& name : item.value("strip", std::vector<std::string>())) {
                service.strip.push_back(lowerCase(name));
            }
            service.sentinel = item.value("sentinel", std::string());
            service.keyOf = item.value("keyOf", std::string());
            service.pathPrefixes = item.value("pathPrefixes", std::vector<std::string>());
            if (service.name.empty() || !isHeaderName(service.header) || !isGoodFormat(service.format)) {
                return fail(ErrorCode::InvalidArgument,
                            "The service \"" + service.name + "\" has a header or format that cannot be written.");
            }
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
    } catch (const nlohmann::json::exception& error) {
        return fail(ErrorCode::InvalidArgument, "A service is described wrongly.", error.what());
    }
    return services;
}

void Injector::setServices(std::vector<Service> services)
{
    m_services = std::move(services);
    rebuildPatterns();
}

Result<void> Injector::setKey(const std::string& service, SecretBuffer key)
{
    if (key.empty()) {
        m_keys.erase(service);
        rebuildPatterns();
        return {};
    }
    const std::string_view text = key.view();
    if (!isPrintable(text) || text.front() == ' ' || text.back() == ' ' || text.size() > 16 * 1024) {
        return fail(ErrorCode::InvalidArgument,
                    "The key for " + service + " has line breaks or other characters that no header may carry; store it again.");
    }
    m_keys[service] = std::move(key);
    rebuildPatterns();
    return {};
}

void Injector::rebuildPatterns()
{
    auto keys = std::make_shared<PatternSet>();
    auto sentinels = std::make_shared<PatternSet>();
    for (std::size_t i = 0; i < m_services.size(); ++i) {
        const Service& service = m_services[i];
        if (const SecretBuffer* key = keyFor(service)) {
            keys->addKeyForms(key->view(), static_cast<int>(i));
        }
        if (!service.sentinel.empty()) {
            sentinels->add(randomPartOf(service.sentinel), static_cast<int>(i));
        }
    }
    keys->finish();
    sentinels->finish();
    m_keyPatterns = std::move(keys);
    m_sentinelPatterns = std::move(sentinels);
}

const SecretBuffer* Injector::keyFor(const Service& service) const
{
    const auto key = m_keys.find(service.keyOf.empty() ? service.name : service.keyOf);
    return key == m_keys.end() ? nullptr : &key->second;
}

const Service* Injector::choose(const Identity& identity, const RequestHead& request) const
{
    const Service* chosen = nullptr;
    for (const Service& service : m_services) {
        const bool fits = service.port == identity.port && keyFor(service) != nullptr
                          && std::find(service.hosts.begin(), service.hosts.end(), identity.host) != service.hosts.end();
        if (!fits) {
            continue;
        }
        if (!chosen) {
            chosen = &service;
        }
        // Two services may share a host (a key and a log-in): the sentinel the client sends says which it means.
        if (!service.sentinel.empty()) {
            const std::string random = randomPartOf(service.sentinel);
            for (const HeaderField& field : request.headers.fields()) {
                if (carriesCredentials(service, field.name) && searchable(field).find(random) != std::string::npos) {
                    return &service;
                }
            }
        }
    }
    return chosen;
}

Injection Injector::plan(const Identity& identity, bool verifiedTls, const RequestTarget& target,
                         const RequestHead& request) const
{
    Injection result;
    const bool nameFits = verifiedTls && !identity.isLiteral;
    const Service* service = nameFits ? choose(identity, request) : nullptr;
    if (service && !service->pathPrefixes.empty()) {
        // Every reading of the path must lie under a prefix.
        const bool pathFits = std::any_of(
            service->pathPrefixes.begin(), service->pathPrefixes.end(), [&target](const std::string& prefix) {
                return target.path.starts_with(prefix) && target.strictPath.starts_with(prefix);
            });
        if (!pathFits) {
            service = nullptr;
        }
    }
    const auto outOfPlace = [&](const std::string& text, bool credentialField) {
        for (const Service& other : m_services) {
            // Services that share a key share its sentinel too.
            const bool ownField = credentialField && service && service->sentinel == other.sentinel;
            if (!other.sentinel.empty() && !ownField && text.find(randomPartOf(other.sentinel)) != std::string::npos) {
                return &other;
            }
        }
        return static_cast<const Service*>(nullptr);
    };
    const Service* leaked = outOfPlace(target.pathAndQuery(), false);
    for (const HeaderField& field : request.headers.fields()) {
        if (leaked) {
            break;
        }
        leaked = outOfPlace(searchable(field), service && carriesCredentials(*service, field.name));
    }
    if (leaked) {
        const bool ownHost = std::any_of(m_services.begin(), m_services.end(), [&](const Service& other) {
            return other.sentinel == leaked->sentinel
                   && std::find(other.hosts.begin(), other.hosts.end(), identity.host) != other.hosts.end();
        });
        if (ownHost && verifiedTls && !keyFor(*leaked)) {
            result.blockedReason = "No key is stored for " + leaked->name + "; the user can add one with: coldframe keys set "
                                   + leaked->name;
            return result;
        }
        result.blockedReason = "The placeholder for the " + leaked->name + " key was sent to a place the key does not belong to.";
        result.alert = result.blockedReason;
        return result;
    }
    if (service) {
        result.service = service->name;
    }
    return result;
}

bool Injector::write(const std::string& name, RequestHead& request) const
{
    const auto service = std::find_if(m_services.begin(), m_services.end(),
                                      [&name](const Service& other) { return other.name == name; });
    const SecretBuffer* key = service == m_services.end() ? nullptr : keyFor(*service);
    if (!key) {
        return false;
    }
    request.headers.remove(service->header);
    for (const std::string& field : service->strip) {
        request.headers.remove(field);
    }
    // A compressed or partial reply could carry the key past the scan.
    request.headers.set("Accept-Encoding", "identity");
    request.headers.remove("range");
    request.headers.remove("if-range");
    request.headers.remove("sec-websocket-extensions");
    request.headers.add(service->header, render(service->format, key->view()));
    return true;
}

std::shared_ptr<const PatternSet> Injector::sentinelsForBody(const Identity& identity) const
{
    return isServiceHost(identity.host) ? nullptr : m_sentinelPatterns;
}

std::string Injector::serviceOfTag(int tag) const
{
    const auto index = static_cast<std::size_t>(tag);
    return tag >= 0 && index < m_services.size() ? m_services[index].name : std::string();
}

bool Injector::isServiceHost(const std::string& host) const
{
    return std::any_of(m_services.begin(), m_services.end(), [&host](const Service& service) {
        return std::find(service.hosts.begin(), service.hosts.end(), host) != service.hosts.end();
    });
}

} // namespace coldframe::proxy
