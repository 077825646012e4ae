// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy_index.h"
#include "proxy/buffered_reader.h"
#include "proxy/dial_link.h"
#include "proxy/engine_link.h"
#include "proxy/http2_pool.h"
#include "proxy/injector.h"
#include "proxy/leaf_authority.h"
#include "proxy/limits.h"
#include "proxy/open_connections.h"
#include "proxy/tls_stream.h"
#include "proxy/upstream_pool.h"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace coldframe::proxy {

/// What all connections of one sandbox share. One thread.
struct ProxyCore
{
    ProxyCore(asio::io_context& context, Limits bounds)
        : io(context), limits(bounds), pool(context, bounds), http2(context), expiry(context), keysChanged(context), openSweep(context)
    {
    }

    asio::io_context& io;
    Limits limits;
    std::string sandbox;
    std::shared_ptr<const policy::PolicyIndex> policy; ///< null before setup
    Injector injector;
    std::optional<LeafAuthority> leaves;
    std::optional<UpstreamTls> upstreamTls;
    std::unique_ptr<EngineLink> engine;
    std::unique_ptr<DialLink> dialler;
    UpstreamPool pool;
    Http2Pool http2;
    OpenConnections open;
    std::set<std::string> refusedKeys; ///< services of a log-in whose server answered 401, until they have another key
    Watchdog expiry; ///< until the next rule ends by itself
    Notifier keysChanged;
    std::size_t connections = 0;
    std::size_t streams = 0; ///< HTTP/2 requests being served
    bool stopping = false;
    std::list<ConnectionEvent*> lasting; ///< see OpenReport; looked through by one timer, since most requests are over before it fires
    asio::steady_timer openSweep;
    bool isSweeping = false;

    /// A path or method that holds a stored key is not written down (the guest cannot know one, but a user may have typed it there).
    void report(const ConnectionEvent& event);
    void report(ConnectionEvent event, const OpenConnection& connection)
    {
        connection.amend(event);
        report(event);
    }
    void alert(std::string_view code, const Identity& identity, const std::string& service, std::string_view text)
    {
        engine->send(encodeAlert(sandbox, code, identity, service, text));
    }
};
using ProxyCorePtr = std::shared_ptr<ProxyCore>;

/// What takes longer than Limits::openReport is on record while it is open; its end is the same entry. Refers to the event, which
/// outlives it, and writes the mark into it that the event's own report carries then.
class OpenReport
{
public:
    OpenReport(ProxyCorePtr core, ConnectionEvent& event);
    ~OpenReport();
    OpenReport(const OpenReport&) = delete;
    OpenReport& operator=(const OpenReport&) = delete;

private:
    ProxyCorePtr m_core;
    std::list<ConnectionEvent*>::iterator m_place;
};

/// One CONNECT stream.
struct Tunnel
{
    Identity identity;
    bool allowedByUser = false; ///< the user said yes to this connection
    /// By an answer for once, whose rule ends then: from there on further questions on this connection are answered by it.
    std::optional<UtcTime> once;
};

/// What became of the question whether something may go on.
struct Access
{
    bool allowed = false;
    std::string rule;
    std::string denyingRule; ///< its id; empty: no rule denies, so one that allows would help
    std::string reason;
};

/// Decides by the policy in force now; asks the user where the mode says so. `protocol` is "http", "https" or "tcp".
asio::awaitable<Access> authorise(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, std::string method, std::string path,
                                  std::string protocol);

policy::Destination destinationOf(const Identity& identity);

/// Puts a policy in force: connections that it denies are closed, those kept for later use too, and again whenever a rule of it expires.
void usePolicy(ProxyCore& core, std::shared_ptr<const policy::PolicyIndex> policy);

/// To be called with each connection to a server before bytes go over it, and held while they do. It may be cut at once.
std::shared_ptr<OpenConnection> watchConnection(ProxyCore& core, const Tunnel& tunnel, Grant grant, std::function<void()> cut);

/// The event every log line of this tunnel starts from.
ConnectionEvent eventFor(const Tunnel& tunnel, std::string_view protocol);

} // namespace coldframe::proxy
