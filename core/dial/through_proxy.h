// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/secret.h"
#include "base/unique_fd.h"
#include "dial/route.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ssl/context.hpp>
#include <chrono>
#include <memory>

namespace coldframe::dial {

/// What a proxy is told of who asks; empty user: nothing.
struct ProxyLogin
{
    std::string user;
    const SecretBuffer* password = nullptr; ///< null or empty: the user alone
};

/// Trusts exactly these certificates; TLS 1.2 or newer.
Result<std::shared_ptr<asio::ssl::context>> makeProxyTls(const std::vector<std::string>& trustedPems);

/// Asks the proxy at the other end of `socket` (connected) for host:port by CONNECT (RFC 9110, section 9.3.6) or SOCKS 5
/// (RFC 1928, 1929). The answer's descriptor carries the target's bytes alone: nothing is read beyond the proxy's own reply. With a proxy
/// spoken to by TLS it is one end of a socket pair that is relayed here for as long as both sides are open.
/// Unavailable when the proxy refuses or breaks the protocol, with what it said; Timeout.
asio::awaitable<Result<UniqueFd>> askProxy(asio::io_context& io, UniqueFd socket, UpstreamProxy proxy, ProxyLogin login,
                                           std::string host, std::uint16_t port, std::shared_ptr<asio::ssl::context> tls,
                                           std::chrono::milliseconds limit);

} // namespace coldframe::dial
