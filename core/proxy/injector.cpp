// SPDX-License-Identifier: Apache-2.0
#include "proxy/injector.h"

#include "proxy/aws_signature.h"

#include <algorithm>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kMarker = "proxy-managed-";

bool isPrintable(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
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
    const bool signs = std::any_of(m_services.begin(), m_services.end(), [&service](const Service& other) {
        return other.name == service && !other.signer.empty();
    });
    if (signs && !parseAwsKey(text)) {
        return fail(ErrorCode::InvalidArgument,
                    "The key for " + service + " must be the access key id, a colon and the secret access key; store it again.");
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
            const std::optional<AwsKey> pair = service.signer.empty() ? std::nullopt : parseAwsKey(key->view());
            if (pair) { // the id is no secret, and every error message has it
                keys->addKeyForms(pair->secret, static_cast<int>(i));
                keys->addKeyForms(pair->sessionToken, static_cast<int>(i));
            } else {
                keys->addKeyForms(key->view(), static_cast<int>(i));
            }
        }
        if (!service.sentinel.empty()) {
            sentinels->addKeyForms(randomPartOf(service.sentinel), static_cast<int>(i));
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

const Service* Injector::choose(const Identity& identity, const RequestTarget& target, const RequestHead& request) const
{
    const Service* chosen = nullptr;
    for (const Service& service : m_services) {
        if (service.port != identity.port || !keyFor(service) || !isHostOf(service, identity.host) || !isPathOf(service, target)) {
            continue;
        }
        // What nobody signed is not signed here: it may be meant to be anonymous.
        if (!chosen && service.signer.empty()) {
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

const Service* Injector::misplaced(const std::string& text, const Service* own) const
{
    for (const Service& other : m_services) {
        // Services that share a key share its sentinel too.
        const bool isOwn = own && own->sentinel == other.sentinel;
        if (!other.sentinel.empty() && !isOwn && text.find(randomPartOf(other.sentinel)) != std::string::npos) {
            return &other;
        }
    }
    return nullptr;
}

Injection Injector::plan(const Identity& identity, bool verifiedTls, RequestTarget& target, const RequestHead& request) const
{
    Injection result;
    const bool nameFits = verifiedTls && !identity.isLiteral;
    const Service* service = nameFits ? choose(identity, target, request) : nullptr;
    if (service && !service->stripQuery.empty()) {
        target.query = withoutParameters(target.query, service->stripQuery);
    }
    const Service* leaked = misplaced(target.pathAndQuery(), nullptr);
    for (const HeaderField& field : request.headers.fields()) {
        if (leaked) {
            break;
        }
        leaked = misplaced(searchable(field), service && carriesCredentials(*service, field.name) ? service : nullptr);
    }
    if (leaked) {
        const bool ownHost = std::any_of(m_services.begin(), m_services.end(), [&](const Service& other) {
            return other.sentinel == leaked->sentinel && isHostOf(other, identity.host);
        });
        if (ownHost && verifiedTls && !keyFor(*leaked)) {
            result.blockedReason = leaked->login ? "There is no log-in for " + leaked->name + ", or it is over; the user can log in with: "
                                                       + leaked->login->command
                                                 : "No key is stored for " + leaked->name + "; the user can add one with: coldframe keys set "
                                                       + leaked->name;
            return result;
        }
        result.blockedReason = "The placeholder for the " + leaked->name + " key was sent to a place the key does not belong to.";
        result.alertCode = "sentinel-misplaced";
        result.alert = result.blockedReason;
        return result;
    }
    if (!service) {
        return result;
    }
    if (isDenied(*service, request.method, target)) {
        result.blockedReason = "This request could make or show another credential of " + service->name
                               + ", which would then be inside the sandbox.";
        result.alertCode = "token-minting";
        result.alert = result.blockedReason;
        return result;
    }
    if (!service->signer.empty()) {
        result.blockedReason = awsProblem(request);
        result.needsPayloadHash = needsAwsPayloadHash(request);
    }
    if (result.blockedReason.empty()) {
        result.service = service->name;
    }
    return result;
}

bool Injector::write(const Injection& injection, const Identity& identity, const RequestTarget& target, RequestHead& request) const
{
    const auto service = std::find_if(m_services.begin(), m_services.end(),
                                      [&injection](const Service& other) { return other.name == injection.service; });
    const SecretBuffer* key = service == m_services.end() ? nullptr : keyFor(*service);
    if (!key) {
        return false;
    }
    if (!service->signer.empty()) {
        const std::optional<AwsKey> pair = parseAwsKey(key->view());
        return pair && signAws(*pair, formatAuthority(identity, true), target, injection.payloadHash, request).empty();
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
    for (const auto& [name, token] : service->addTokens) {
        const std::vector<std::string> present = request.headers.tokens(name);
        if (std::find(present.begin(), present.end(), lowerCase(token)) == present.end()) {
            request.headers.add(name, token);
        }
    }
    request.headers.add(service->header, renderCredential(service->format, key->view()));
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

bool Injector::isLogin(const std::string& service) const
{
    return std::any_of(m_services.begin(), m_services.end(),
                       [&service](const Service& other) { return other.name == service && other.login.has_value(); });
}

bool Injector::isServiceHost(const std::string& host) const
{
    return std::any_of(m_services.begin(), m_services.end(),
                       [&host](const Service& service) { return isHostOf(service, host); });
}

} // namespace coldframe::proxy
