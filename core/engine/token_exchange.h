// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/secret.h"

#include <asio/awaitable.hpp>
#include <cstdint>
#include <string>

namespace coldframe::engine {

struct EngineParts;

/// One POST to a token endpoint, over verified TLS.
struct TokenRequest
{
    std::string host;
    std::uint16_t port = 443;
    std::string path;
    std::string contentType;
    SecretBuffer body;
};

struct TokenReply
{
    int status = 0;
    SecretBuffer body; ///< JSON, or what else came
};

/// Sends it from a pair of processes made for it: a coldframe-dial that may reach this one place, by the same way out, mappings and
/// address checks as everything else, and a coldframe-proxy that parses the reply behind its filter and holds no other secret
/// (HAZARDS 5). At most some 40 s. Unavailable: no reply.
asio::awaitable<Result<TokenReply>> exchangeTokens(EngineParts& parts, TokenRequest request);

} // namespace coldframe::engine
