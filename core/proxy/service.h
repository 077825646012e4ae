// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "proxy/identity.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coldframe::proxy {

/// A place of a service where no key is put on: it makes keys, or shows them.
struct DeniedPath
{
    std::vector<std::string> methods; ///< empty = every method
    std::string path;                 ///< as in Service::pathPrefixes, compared without case
};

/// Where a log-in's tokens are made; everything below the path counts.
struct TokenPlace
{
    std::string host;
    std::string path; ///< lower case; a segment "*" is any one
};

/// Of a service whose key may be a log-in's access token: what is needed to keep tokens out of the sandbox.
struct LoginGuard
{
    std::vector<TokenPlace> places;
    std::string command; ///< with which its user logs in on the computer
    std::string refresh; ///< stand-in for the refresh token
    std::string idToken; ///< the same for the id token; empty: clients want none
    std::string scope;
};

/// Which key goes where. Only these hosts, only `port`, only verified TLS, only these paths, only this header.
struct Service
{
    std::string name;
    std::string keyOf;                     ///< not empty: uses that service's key and sentinel
    std::vector<std::string> hosts;        ///< normalised names
    /// ".amazonaws.com": every name below. Only for a service that signs, since a signature is no key.
    std::vector<std::string> hostSuffixes;
    std::vector<std::string> exceptLabels; ///< a name below a suffix with one of these labels is not the service's
    std::uint16_t port = 443;
    std::string header;                    ///< "x-api-key"
    std::string format = "{key}";          ///< "{key}", "Bearer {key}", "Basic {base64:x-access-token:{key}}"
    std::string signer;                    ///< "aws-v4": the key signs and is not sent; header and format are unused
    std::vector<std::string> strip;        ///< lower-case names of the client's credentials
    std::vector<std::string> stripQuery;   ///< names of query parameters in which clients send a key
    std::vector<std::pair<std::string, std::string>> addTokens; ///< list header and the member it must have
    std::string sentinel;                  ///< what the sandbox holds instead of the key
    std::vector<std::string> pathPrefixes; ///< empty = every path; a segment "*" is any one segment
    std::vector<DeniedPath> deny;
    std::optional<LoginGuard> login;
};

/// Parses the "services" array of the engine's setup message; InvalidArgument names the service.
Result<std::vector<Service>> servicesFromJson(std::string_view json);

bool isHostOf(const Service& service, const std::string& host);
/// Whether the path begins with the pattern, segment by segment where the pattern has a "*".
bool pathFits(std::string_view pattern, std::string_view path);
/// Whether every reading of the path lies under one of the service's prefixes.
bool isPathOf(const Service& service, const RequestTarget& target);
/// Whether any reading of the path is one where keys are made or shown.
bool isDenied(const Service& service, std::string_view method, const RequestTarget& target);
/// The header's value with the key in it; the caller wipes it.
std::string renderCredential(std::string_view format, std::string_view key);
/// `query` (with its "?") without the named parameters.
std::string withoutParameters(std::string_view query, const std::vector<std::string>& names);

} // namespace coldframe::proxy
