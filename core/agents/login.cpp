// SPDX-License-Identifier: Apache-2.0
#include "agents/login.h"

#include "base/percent_coding.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::agents {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxToken = 16 * 1024; // as much as the proxy puts into a header
constexpr std::size_t kMaxFact = 200;
constexpr std::size_t kMaxScopes = 64;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A parsed document with secrets in it: its texts are wiped when it goes.
class SecretJson
{
public:
    explicit SecretJson(std::string_view text) : m_json(Json::parse(text, nullptr, false)) {}
    ~SecretJson() { wipeAll(m_json); }
    SecretJson(const SecretJson&) = delete;
    SecretJson& operator=(const SecretJson&) = delete;
    const Json& operator*() const { return m_json; }
    const Json* operator->() const { return &m_json; }

private:
    static void wipeAll(Json& json)
    {
        if (json.is_string()) {
            wipe(json.get_ref<std::string&>());
        } else if (json.is_structured()) {
            for (Json& entry : json) {
                wipeAll(entry);
            }
        }
    }
    Json m_json;
};

/// What a pointer leads to; null where it leads nowhere.
const Json* at(const Json& document, const std::string& pointer)
{
    if (pointer.empty()) {
        return nullptr;
    }
    const Json::json_pointer where(pointer);
    return document.is_structured() && document.contains(where) ? &document.at(where) : nullptr;
}

/// A header may carry it (RFC 6750, section 2.1, takes visible characters only).
bool isToken(std::string_view text)
{
    return !text.empty() && text.size() <= kMaxToken
           && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view tokenAt(const Json& document, const std::string& pointer)
{
    const Json* const value = at(document, pointer);
    return value && value->is_string() ? std::string_view(value->get_ref<const std::string&>()) : std::string_view();
}

/// A fact is written into files inside and into the window: bounded, printable.
bool isFact(std::string_view text)
{
    return !text.empty() && text.size() <= kMaxFact
           && std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Json claimsOf(std::string_view jwt)
{
    const std::size_t first = jwt.find('.');
    const std::size_t second = first == std::string_view::npos ? first : jwt.find('.', first + 1);
    if (second == std::string_view::npos) {
        return Json();
    }
    std::string payload = base64UrlDecode(jwt.substr(first + 1, second - first - 1));
    Json claims = Json::parse(payload, nullptr, false);
    wipe(payload);
    return claims;
}

void takeClaims(const LoginDefinition& definition, std::string_view idToken, LoginTokens& tokens)
{
    const Json claims = claimsOf(idToken);
    for (const LoginFact& fact : definition.facts) {
        if (const std::string_view text = tokenAt(claims, fact.claim); isFact(text)) {
            tokens.facts.insert_or_assign(fact.name, std::string(text));
        }
    }
}

std::int64_t expiryOfJwt(std::string_view token)
{
    const Json claims = claimsOf(token);
    const auto expiry = claims.is_object() ? claims.find("exp") : claims.end();
    return claims.is_object() && expiry != claims.end() && expiry->is_number_integer() && expiry->get<std::int64_t>() > 0
               ? expiry->get<std::int64_t>()
               : 0;
}

/// A list, or one text with spaces between them.
std::vector<std::string> scopesIn(const Json* value)
{
    std::vector<std::string> scopes;
    const auto take = [&scopes](std::string_view scope) {
        if (isFact(scope) && scope.find(' ') == std::string_view::npos && scopes.size() < kMaxScopes) {
            scopes.emplace_back(scope);
        }
    };
    if (value && value->is_array()) {
        for (const Json& entry : *value) {
            take(entry.is_string() ? std::string_view(entry.get_ref<const std::string&>()) : std::string_view());
        }
    } else if (value && value->is_string()) {
        std::string_view rest = value->get_ref<const std::string&>();
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(' '), rest.size());
            take(rest.substr(0, end));
            rest.remove_prefix(std::min(rest.size(), end + 1));
        }
    }
    return scopes;
}

SecretBuffer secretFrom(std::string&& text)
{
    SecretBuffer secret(text);
    wipe(text);
    return secret;
}

/// A JSON text's inside. Tokens are visible ASCII, so two characters need care.
std::string quoted(std::string_view text)
{
    std::string result;
    result.reserve(text.size() * 2);
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result.push_back('\\');
        }
        result.push_back(c);
    }
    return result;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

} // namespace

LoginTokens LoginTokens::clone() const
{
    return {access.clone(), refresh.clone(), expiresAt, scopes, facts};
}

Result<LoginTokens> tokensFromFile(const LoginDefinition& definition, std::string_view text)
{
    const SecretJson document(text);
    const std::string_view access = tokenAt(*document, definition.accessAt);
    const std::string_view refresh = tokenAt(*document, definition.refreshAt);
    if (!isToken(access) || !isToken(refresh)) {
        return fail(ErrorCode::InvalidArgument, "This is no credentials file with a log-in in it: an access token and a refresh token are expected"
                                                " where " + definition.file + " has them. Log in with the agent first, or use a key.");
    }
    LoginTokens tokens;
    tokens.access = SecretBuffer(access);
    tokens.refresh = SecretBuffer(refresh);
    const Json* const expiry = at(*document, definition.expiresAt);
    tokens.expiresAt = expiry && expiry->is_number() ? static_cast<std::int64_t>(expiry->get<double>() / 1000) : expiryOfJwt(access);
    tokens.scopes = scopesIn(at(*document, definition.scopesAt));
    takeClaims(definition, tokenAt(*document, definition.idTokenAt), tokens);
    for (const LoginFact& fact : definition.facts) {
        if (const std::string_view value = tokenAt(*document, fact.file); isFact(value)) {
            tokens.facts.insert_or_assign(fact.name, std::string(value));
        }
    }
    return tokens;
}

Result<LoginTokens> tokensFromReply(const LoginDefinition& definition, std::string_view body, std::int64_t now, const LoginTokens* before)
{
    const SecretJson document(body);
    const std::string_view access = tokenAt(*document, "/access_token");
    const std::string_view refresh = tokenAt(*document, "/refresh_token");
    if (!isToken(access) || (!refresh.empty() && !isToken(refresh)) || (refresh.empty() && !before)) {
        return fail(ErrorCode::Protocol, "The reply of " + definition.tokenHost + " has no tokens that can be used.");
    }
    LoginTokens tokens = before ? before->clone() : LoginTokens();
    tokens.access = SecretBuffer(access);
    if (!refresh.empty()) {
        tokens.refresh = SecretBuffer(refresh);
    }
    const auto lifetime = document->find("expires_in");
    const bool hasLifetime = lifetime != document->end() && lifetime->is_number() && lifetime->get<double>() > 0
                             && lifetime->get<double>() < 1e10;
    tokens.expiresAt = hasLifetime ? now + static_cast<std::int64_t>(lifetime->get<double>()) : expiryOfJwt(access);
    if (const auto scope = document->find("scope"); scope != document->end() && !scopesIn(&*scope).empty()) {
        tokens.scopes = scopesIn(&*scope);
    }
    takeClaims(definition, tokenAt(*document, "/id_token"), tokens);
    return tokens;
}

SecretBuffer tokensToSecret(const LoginTokens& tokens)
{
    std::string text;
    text.reserve(4096 + 2 * (tokens.access.view().size() + tokens.refresh.view().size()));
    std::string access = quoted(tokens.access.view());
    std::string refresh = quoted(tokens.refresh.view());
    text.append("{\"login\":1,\"access\":\"").append(access).append("\",\"refresh\":\"").append(refresh).append("\",\"rest\":");
    text.append(Json{{"expiresAt", tokens.expiresAt}, {"scopes", tokens.scopes}, {"facts", tokens.facts}}.dump(-1, ' ', true)).append("}");
    wipe(access);
    wipe(refresh);
    return secretFrom(std::move(text));
}

Result<LoginTokens> tokensFromSecret(std::string_view secret)
{
    const SecretJson document(secret);
    LoginTokens tokens;
    try {
        if (document->at("login") != 1) {
            throw std::invalid_argument("version");
        }
        tokens.access = SecretBuffer(document->at("access").get_ref<const std::string&>());
        tokens.refresh = SecretBuffer(document->at("refresh").get_ref<const std::string&>());
        const Json& rest = document->at("rest");
        tokens.expiresAt = rest.at("expiresAt").get<std::int64_t>();
        tokens.scopes = rest.at("scopes").get<std::vector<std::string>>();
        tokens.facts = rest.at("facts").get<std::map<std::string, std::string>>();
    } catch (const std::exception&) { // its text may quote what stands there
        return fail(ErrorCode::Corrupt, "What the keychain holds for this log-in is damaged; log in again.");
    }
    return tokens;
}

SecretBuffer refreshBody(const LoginDefinition& definition, const LoginTokens& tokens)
{
    std::string refresh = quoted(tokens.refresh.view());
    std::string text;
    text.reserve(1024 + refresh.size());
    text.append("{\"grant_type\":\"refresh_token\",\"client_id\":").append(Json(definition.clientId).dump());
    const std::vector<std::string>& scopes = tokens.scopes.empty() ? definition.scopes : tokens.scopes;
    if (!scopes.empty()) {
        text.append(",\"scope\":").append(Json(joined(scopes)).dump());
    }
    text.append(",\"refresh_token\":\"").append(refresh).append("\"}");
    wipe(refresh);
    return secretFrom(std::move(text));
}

SecretBuffer codeBody(const LoginDefinition& definition, const CodeGrant& grant)
{
    if (definition.codeAsJson) {
        return secretFrom(Json{{"grant_type", "authorization_code"},
                               {"client_id", definition.clientId},
                               {"code", grant.code},
                               {"code_verifier", grant.verifier},
                               {"redirect_uri", grant.redirectUri},
                               {"state", grant.state}}
                              .dump(-1, ' ', true, Json::error_handler_t::replace));
    }
    return secretFrom("grant_type=authorization_code&client_id=" + percentEncode(definition.clientId) + "&code=" + percentEncode(grant.code)
                      + "&code_verifier=" + percentEncode(grant.verifier) + "&redirect_uri=" + percentEncode(grant.redirectUri));
}

std::string_view codeBodyType(const LoginDefinition& definition)
{
    return definition.codeAsJson ? kJsonType : std::string_view("application/x-www-form-urlencoded");
}

std::string base64UrlEncode(std::string_view data)
{
    std::string text;
    text.reserve(data.size() * 4 / 3 + 4);
    unsigned bits = 0;
    unsigned value = 0;
    for (const char c : data) {
        value = (value << 8) | static_cast<unsigned char>(c);
        for (bits += 8; bits >= 6; bits -= 6) {
            text.push_back(kAlphabet[(value >> (bits - 6)) & 63]);
        }
    }
    if (bits > 0) {
        text.push_back(kAlphabet[(value << (6 - bits)) & 63]);
    }
    return text;
}

std::string base64UrlDecode(std::string_view text)
{
    std::string data;
    data.reserve(text.size() * 3 / 4 + 3);
    unsigned bits = 0;
    unsigned value = 0;
    while (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    for (const char c : text) {
        const std::size_t digit = kAlphabet.find(c);
        if (digit == std::string_view::npos) {
            wipe(data);
            return {};
        }
        value = (value << 6) | static_cast<unsigned>(digit);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            data.push_back(static_cast<char>((value >> bits) & 255));
        }
    }
    return data;
}

std::string percentEncode(std::string_view text)
{
    std::string result;
    for (const char c : text) {
        const bool isUnreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
                                  || c == '~';
        if (isUnreserved) {
            result.push_back(c);
        } else {
            appendPercentEscape(result, static_cast<unsigned char>(c));
        }
    }
    return result;
}

} // namespace coldframe::agents
