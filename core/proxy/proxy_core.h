// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"
#include "proxy/buffered_reader.h"
#include "proxy/dial_link.h"
#include "proxy/engine_link.h"
#include "proxy/http2_pool.h"
#include "proxy/injector.h"
#include "proxy/leaf_authority.h"
#include "proxy/limits.h"
#include "proxy/tls_stream.h"
#include "proxy/upstream_pool.h"

#include <asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

namespace coldframe::proxy {

/// What all connections of one sandbox share. One thread.
struct ProxyCore
{
    ProxyCore(asio::io_context& context, Limits bounds) : io(context), limits(bounds), pool(context, bounds), http2(context) {}

    asio::io_context& io;
    Limits limits;
    std::string sandbox;
    std::shared_ptr<const policy::PolicySet> policy; ///< null before setup
    Injector injector;
    std::optional<LeafAuthority> leaves;
    std::optional<UpstreamTls> upstreamTls;
    std::unique_ptr<EngineLink> engine;
    std::unique_ptr<DialLink> dialler;
    UpstreamPool pool;
    Http2Pool http2;
    std::size_t connections = 0;
    std::size_t streams = 0; ///< HTTP/2 requests being served
    bool stopping = false;

    void report(const ConnectionEvent& event) { engine->send(encodeConnection(event, sandbox)); }
    void alert(std::string_view code, const Identity& identity, const std::string& service, std::string_view text)
    {
        engine->send(encodeAlert(sandbox, code, identity, service, text));
    }
};
using ProxyCorePtr = std::shared_ptr<ProxyCore>;

/// One CONNECT stream.
struct Tunnel
{
    Identity identity;
    bool allowedByUser = false; ///< the user said yes to this connection; further questions on it are answered by that
};

/// What became of the question whether something may go on.
struct Access
{
    bool allowed = false;
    std::string rule;
    std::string reason;
};

/// Decides by the policy in force now; asks the user where the mode says so. `protocol` is "http", "https" or "tcp".
asio::awaitable<Access> authorise(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, std::string method, std::string path,
                                  std::string protocol);

/// Whether a rule with an explicit port allows this destination whatever is spoken: what raw TCP needs.
bool isAllowedByPortRule(const policy::PolicySet& policy, const Identity& identity);
/// Whether the destination is one of those tunnelled uninspected.
bool isBypassHost(const policy::PolicySet& policy, const Identity& identity);

/// The event every log line of this tunnel starts from.
ConnectionEvent eventFor(const Tunnel& tunnel, std::string_view protocol);

} // namespace coldframe::proxy
