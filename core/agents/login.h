// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/secret.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::agents {

/// Something harmless about a log-in that its client wants to know: a plan's name, an account's id.
struct LoginFact
{
    std::string name;
    std::string file;  ///< JSON pointer into the credentials file; empty: it is not there
    std::string claim; ///< JSON pointer into the id token's claims; empty: it is not there
};

/// Where a server makes tokens. A segment "*" of the path is any one; everything below it counts too.
struct TokenPlace
{
    std::string host;
    std::string path;
};

/// A log-in (OAuth 2.0, RFC 6749) with which a service is used instead of a key, from "login" of services.json.
struct LoginDefinition
{
    std::string tokenHost; ///< the token endpoint: https://tokenHost:443/tokenPath
    std::string tokenPath;
    std::vector<TokenPlace> tokenPlaces; ///< all of them; from inside a sandbox they are answered or refused
    std::string clientId;
    std::vector<std::string> scopes;
    std::string refreshPrefix;    ///< of the stand-in for the refresh token
    // The authorisation-code flow; authorizeUrl empty: there is none.
    std::string authorizeUrl;
    std::map<std::string, std::string> authorizeParameters;
    std::string redirectPath;
    std::vector<std::uint16_t> redirectPorts; ///< those that the server knows; empty: any
    bool codeAsJson = false;      ///< the code is traded by a JSON body that repeats the state, not by a form
    // The agent's own credentials file, as JSON pointers.
    std::string file;             ///< below the home folder
    std::string folderVariable;   ///< names its folder instead
    std::string accessAt;
    std::string refreshAt;
    std::string expiresAt;        ///< milliseconds since the epoch; empty: the access token is a JWT that says so
    std::string scopesAt;
    std::string idTokenAt;
    std::vector<LoginFact> facts;
    std::string idTokenClaims;    ///< JSON with ${LOGIN:service:fact} in it; empty: clients want no id token
};

/// What may be known of a log-in inside a sandbox.
struct LoginInside
{
    std::vector<std::string> scopes;
    std::map<std::string, std::string> facts;
    bool operator==(const LoginInside&) const = default;
};

/// What a log-in came to. Secret; the rest but access and refresh is not.
struct LoginTokens
{
    SecretBuffer access;
    SecretBuffer refresh;
    std::int64_t expiresAt = 0; ///< seconds since the epoch; 0: nobody said
    std::vector<std::string> scopes;
    std::map<std::string, std::string> facts;

    LoginTokens clone() const;
};

/// From the credentials file of the agent itself. InvalidArgument says what is missing, never what stands there.
Result<LoginTokens> tokensFromFile(const LoginDefinition& definition, std::string_view text);
/// From a token endpoint's reply (RFC 6749, section 5.1). What it leaves out stays as it was `before` (section 6).
Result<LoginTokens> tokensFromReply(const LoginDefinition& definition, std::string_view body, std::int64_t now, const LoginTokens* before);
/// For the keychain, and back.
SecretBuffer tokensToSecret(const LoginTokens& tokens);
Result<LoginTokens> tokensFromSecret(std::string_view secret);

/// Bodies for the token endpoint.
SecretBuffer refreshBody(const LoginDefinition& definition, const LoginTokens& tokens);
struct CodeGrant
{
    std::string code;
    std::string verifier; ///< RFC 7636, section 4.1
    std::string redirectUri;
    std::string state;
};
SecretBuffer codeBody(const LoginDefinition& definition, const CodeGrant& grant);
inline constexpr std::string_view kJsonType = "application/json";
std::string_view codeBodyType(const LoginDefinition& definition);

std::string base64UrlEncode(std::string_view data);
/// Empty for what is none.
std::string base64UrlDecode(std::string_view text);
/// Every octet but RFC 3986's unreserved ones as %XX.
std::string percentEncode(std::string_view text);

} // namespace coldframe::agents
