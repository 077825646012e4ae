// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http1_parser.h"
#include "proxy/http_leg.h"
#include "proxy/proxy_core.h"
#include "proxy/streams.h"

#include <optional>

namespace coldframe::proxy {

/// HTTP/1.1 on one tunnel, plain or inside TLS: reads one request after another, decides anew for each, and runs it against a
/// server. What is received is never passed on as it came.
class HttpSession
{
public:
    /// `refusal` not empty: every request is answered 403 with it (the tunnel's names do not agree).
    HttpSession(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, BufferedReaderPtr client, bool secure, std::string refusal);

    /// Until the client or an exchange ends the connection. Leaves the client's stream closed.
    asio::awaitable<void> run();

private:
    asio::awaitable<HttpResult<std::optional<RequestHead>>> readRequest();
    asio::awaitable<After> handle(HttpResult<RequestHead> request);

    ProxyCorePtr m_core;
    std::shared_ptr<Tunnel> m_tunnel;
    BufferedReaderPtr m_client;
    bool m_secure;
    std::string m_refusal;
    Watchdog m_watchdog;
};

} // namespace coldframe::proxy
