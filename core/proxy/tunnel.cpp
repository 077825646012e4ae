// SPDX-License-Identifier: Apache-2.0
#include "proxy/tunnel.h"

#include "base/clock.h"
#include "proxy/client_hello.h"
#include "proxy/connect_upstream.h"
#include "proxy/http2_serve.h"
#include "proxy/http_session.h"
#include "proxy/relay.h"
#include "proxy/streams.h"

#include <algorithm>
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kMaxReport = 256 * 1024;
constexpr std::uint32_t kRefusedStream = 7; // RFC 9113, section 7

std::string headerOf(const channel::Stream& stream, const std::string& name)
{
    const auto found = stream.peerHeaders().find(name);
    return found == stream.peerHeaders().end() ? std::string() : found->second;
}

/// A header value must stay on one line of printable characters.
std::string headerSafe(std::string_view text)
{
    std::string result(text.substr(0, 500));
    std::replace_if(result.begin(), result.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return result;
}

void answer(channel::Stream& stream, int status, std::string_view rule, std::string_view reason)
{
    channel::Headers headers{{":status", std::to_string(status)}};
    if (!reason.empty()) {
        headers["x-coldframe-reason"] = headerSafe(reason);
    }
    if (!rule.empty()) {
        headers["x-coldframe-rule"] = headerSafe(rule);
    }
    (void)stream.respond(headers, true);
}

struct ConnectionCount
{
    explicit ConnectionCount(ProxyCorePtr owner) : core(std::move(owner)) { ++core->connections; }
    ~ConnectionCount() { --core->connections; }
    ConnectionCount(const ConnectionCount&) = delete;
    ConnectionCount& operator=(const ConnectionCount&) = delete;
    ProxyCorePtr core;
};

asio::awaitable<void> rawTunnel(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, BufferedReaderPtr client,
                                Upstream upstream, ConnectionEvent event, Grant::As as, PendingReadPtr clientRead = nullptr)
{
    const ByteStreamPtr here = client->stream();
    const ByteStreamPtr there = upstream.reader->stream();
    Grant grant;
    grant.as = as;
    grant.address = upstream.address;
    std::function<void()> cut = [here, there] {
        here->abort();
        there->abort();
    };
    const std::shared_ptr<OpenConnection> open = watchConnection(*core, *tunnel, std::move(grant), std::move(cut));
    RelayOptions options;
    options.clientRead = std::move(clientRead);
    options.idle = core->limits.idleStream;
    options.sentinels = core->injector.sentinelsForBody(tunnel->identity);
    event.address = upstream.address;
    std::optional<OpenReport> lasting(std::in_place, core, event);
    const RelayResult result = co_await relay(core->io, client, upstream.reader, options);
    lasting.reset(); // its end is told below; what closes slowly after that is not open any more
    event.bytesIn = result.bytesIn;
    event.bytesOut = result.bytesOut;
    if (result.sentinelTag >= 0) {
        const std::string service = core->injector.serviceOfTag(result.sentinelTag);
        event.verdict = "denied";
        event.reason = "The placeholder for the " + service + " key was sent to a place the key does not belong to.";
        core->alert("sentinel-misplaced", tunnel->identity, service, event.reason);
    } else if (result.idle) {
        event.reason = "Nothing moved for too long.";
    }
    core->report(event, *open);
    upstream.reader->stream()->abort();
    if (result.sentinelTag < 0 && !result.idle && !open->isCut()) {
        co_await lingeringClose(core->io, client->stream());
    }
}

void refuseRaw(ProxyCore& core, const ByteStreamPtr& client, ConnectionEvent event, std::string rule, std::string reason)
{
    event.verdict = "denied";
    event.rule = std::move(rule);
    event.reason = std::move(reason);
    core.report(event);
    client->abort();
}

/// Dials for a raw tunnel; on failure logs, resets and gives nullopt.
asio::awaitable<std::optional<Upstream>> dialRaw(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, ByteStreamPtr client,
                                                 ConnectionEvent event)
{
    auto upstream = co_await connectUpstream(core, tunnel->identity, false, std::string("raw"), true);
    if (!upstream) {
        event.verdict = upstream.error().status == 403 ? "denied" : "error";
        event.rule = upstream.error().rule.empty() ? event.rule : upstream.error().rule;
        event.reason = upstream.error().reason;
        core->report(event);
        client->abort();
        co_return std::nullopt;
    }
    co_return std::move(*upstream);
}

/// Something that is neither TLS nor HTTP: only a rule with a port, or the user's own yes, lets it out.
asio::awaitable<Access> authoriseRaw(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel)
{
    Access access = co_await authorise(core, tunnel, std::string(), std::string(), std::string("tcp"));
    if (access.allowed && !tunnel->allowedByUser && !core->policy->allowsRawStream(destinationOf(tunnel->identity), utcNow())) {
        access.allowed = false;
        access.rule = "raw TCP";
        access.reason = "This is neither HTTP nor TLS; that needs a rule for " + tunnel->identity.host + ":"
                        + std::to_string(tunnel->identity.port) + ".";
    }
    co_return access;
}

asio::awaitable<void> serveOther(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, BufferedReaderPtr client)
{
    ConnectionEvent event = eventFor(*tunnel, "tcp");
    const Access access = co_await authoriseRaw(core, tunnel);
    event.rule = access.rule;
    event.reason = access.reason;
    if (!access.allowed) {
        refuseRaw(*core, client->stream(), event, access.rule, access.reason);
        co_return;
    }
    auto upstream = co_await dialRaw(core, tunnel, client->stream(), event);
    if (upstream) {
        co_await rawTunnel(core, tunnel, client, std::move(*upstream), event, Grant::As::RawStream);
    }
}

asio::awaitable<void> serveTls(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, BufferedReaderPtr client)
{
    const ByteStreamPtr stream = client->stream();
    const Identity& identity = tunnel->identity;
    ConnectionEvent event = eventFor(*tunnel, "https");
    Watchdog watchdog(core->io);
    watchdog.arm(core->limits.head, [stream] { stream->abort(); });
    ClientHello hello = parseClientHello(client->view());
    while (hello.state == ClientHello::State::Incomplete) {
        auto count = co_await client->fill();
        if (!count || *count == 0) {
            refuseRaw(*core, stream, event, "identity", "The TLS hand-shake was not completed.");
            co_return;
        }
        hello = parseClientHello(client->view());
    }
    if (hello.state == ClientHello::State::Malformed) {
        refuseRaw(*core, stream, event, "identity", "The TLS hand-shake is malformed.");
        co_return;
    }
    std::string refusal;
    std::string certificateName = identity.host;
    if (hello.serverName.empty()) {
        if (!identity.isLiteral) {
            refusal = "The TLS hand-shake names no server; the connection is for " + identity.host + ".";
        }
    } else {
        const Result<std::string> name = policy::normaliseHost(hello.serverName);
        if (!name || policy::parseIp(*name)) {
            refuseRaw(*core, stream, event, "identity", "The server name in the TLS hand-shake is not valid.");
            co_return;
        }
        if (*name != identity.host) {
            refusal = "The TLS hand-shake names " + *name + ", the connection is for " + identity.host + ".";
            certificateName = *name; // so that the client can read the refusal; nothing else happens on it
        }
    }
    if (refusal.empty() && core->policy->isBypassed(destinationOf(identity), utcNow())) {
        watchdog.disarm();
        const Access access = co_await authorise(core, tunnel, std::string(), std::string(), std::string("https"));
        event.how = "bypass";
        event.rule = access.rule;
        event.reason = access.reason;
        if (!access.allowed) {
            refuseRaw(*core, stream, event, access.rule, access.reason);
            co_return;
        }
        auto upstream = co_await dialRaw(core, tunnel, stream, event);
        if (upstream) {
            co_await rawTunnel(core, tunnel, client, std::move(*upstream), event, Grant::As::Bypass);
        }
        co_return;
    }
    auto context = core->leaves->contextFor(certificateName, identity.isLiteral && certificateName == identity.host);
    if (!context) {
        refuseRaw(*core, stream, event, "certificate", context.error().message);
        co_return;
    }
    std::string prefix = client->take();
    auto tls = makeServerTls(core->io, makePrefixedStream(std::move(prefix), stream), *context);
    if (!tls) {
        refuseRaw(*core, stream, event, "certificate", tls.error().message);
        co_return;
    }
    const TlsStreamPtr tlsStream = *tls;
    auto shaken = co_await tlsStream->handshake();
    watchdog.disarm();
    if (!shaken) {
        const auto speaks = [&hello](std::string_view protocol) {
            return std::find(hello.alpn.begin(), hello.alpn.end(), protocol) != hello.alpn.end();
        };
        const bool unknown = !hello.alpn.empty() && !speaks("http/1.1") && !speaks("h2");
        event.verdict = "error";
        event.inspected = true;
        event.reason = unknown ? "The client speaks only a protocol that cannot be inspected (neither h2 nor http/1.1 in its ALPN)."
                                : "The client did not complete the TLS hand-shake; it may not trust the sandbox's certificate.";
        core->report(event);
        stream->abort();
        co_return;
    }
    if (tlsStream->alpn() == "h2") {
        co_await serveHttp2(core, tunnel, tlsStream, true, refusal);
        co_return;
    }
    HttpSession session(core, tunnel, std::make_shared<BufferedReader>(tlsStream), true, refusal);
    co_await session.run();
}

enum class Silent { Over, ClientSpoke };

/// The client is quiet: perhaps it waits for the server to speak first, as SSH, SMTP and databases do. That is a raw tunnel
/// only if the server really does; TLS and HTTP servers never do, so nothing slips past inspection by waiting.
asio::awaitable<Silent> serveQuietClient(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, BufferedReaderPtr client,
                                         PendingReadPtr clientRead)
{
    ConnectionEvent event = eventFor(*tunnel, "tcp");
    const Access access = co_await authoriseRaw(core, tunnel);
    event.rule = access.rule;
    event.reason = access.reason;
    if (!access.allowed) {
        if (clientRead->done) {
            co_return Silent::ClientSpoke;
        }
        refuseRaw(*core, client->stream(), event, access.rule, access.reason);
        co_return Silent::Over;
    }
    auto upstream = co_await dialRaw(core, tunnel, client->stream(), event);
    if (!upstream) {
        co_return Silent::Over;
    }
    const PendingReadPtr serverRead = startRead(core->io, upstream->reader);
    const auto patience = core->limits.idleStream;
    Watchdog watchdog(core->io);
    const ByteStreamPtr stream = client->stream();
    watchdog.arm(patience, [stream] { stream->abort(); });
    while (!clientRead->done && !serverRead->done) {
        // Either may come first; the one waited for is looked at again after a short time.
        co_await serverRead->arrived.waitFor(std::chrono::milliseconds(20));
    }
    watchdog.disarm();
    if (serverRead->hasBytes()) {
        co_await rawTunnel(core, tunnel, client, std::move(*upstream), event, Grant::As::RawStream, clientRead);
        co_return Silent::Over;
    }
    upstream->reader->stream()->abort();
    while (!serverRead->done) {
        co_await serverRead->arrived.wait();
    }
    if (clientRead->done) {
        co_return Silent::ClientSpoke;
    }
    event.verdict = "error";
    event.reason = "The server closed the connection before anything was said.";
    core->report(event);
    stream->abort();
    co_return Silent::Over;
}

/// Whether a quiet client could be let through raw: a host:port rule allows it, or the user can be asked. On the web's own
/// ports nobody is asked about silence; there it is a slow client.
bool mayBeRaw(const ProxyCore& core, const Tunnel& tunnel)
{
    const policy::Destination destination = destinationOf(tunnel.identity);
    if (core.policy->allowsRawStream(destination, utcNow())) {
        return true;
    }
    if (tunnel.identity.port == 443 || tunnel.identity.port == 80) {
        return false;
    }
    return core.policy->decide(destination, utcNow()).verdict == policy::Verdict::Ask;
}

asio::awaitable<void> serveConnect(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, ByteStreamPtr stream)
{
    auto client = std::make_shared<BufferedReader>(stream);
    const PendingReadPtr clientRead = startRead(core->io, client);
    co_await clientRead->arrived.waitFor(core->limits.silence);
    if (!clientRead->done) {
        // A slow TLS client is no raw client: where no rule could let raw bytes out, there is nothing to hurry for.
        if (mayBeRaw(*core, *tunnel)) {
            const Silent outcome = co_await serveQuietClient(core, tunnel, client, clientRead);
            if (outcome == Silent::Over) {
                while (!clientRead->done) {
                    stream->abort();
                    co_await clientRead->arrived.wait();
                }
                co_return;
            }
        }
        const auto deadline = std::chrono::steady_clock::now() + core->limits.firstByte;
        while (!clientRead->done) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                refuseRaw(*core, stream, eventFor(*tunnel, "tcp"), "raw TCP",
                          "The client said nothing, so this is neither HTTP nor TLS; other protocols need a rule for "
                              + tunnel->identity.host + ":" + std::to_string(tunnel->identity.port) + ".");
                while (!clientRead->done) {
                    co_await clientRead->arrived.wait();
                }
                co_return;
            }
            co_await clientRead->arrived.waitFor(left);
        }
    }
    Protocol protocol = sniffProtocol(client->view());
    Watchdog watchdog(core->io);
    watchdog.arm(core->limits.head, [stream] { stream->abort(); });
    while (protocol == Protocol::Undecided && clientRead->hasBytes()) {
        auto count = co_await client->fill();
        if (!count || *count == 0) {
            break;
        }
        protocol = sniffProtocol(client->view());
    }
    watchdog.disarm();
    if (client->view().empty()) {
        stream->abort(); // connected and left again; port scanners and happy eyeballs do that
        co_return;
    }
    if (protocol == Protocol::Tls) {
        co_await serveTls(core, tunnel, client);
    } else if (protocol == Protocol::Http2) {
        co_await serveHttp2(core, tunnel, makePrefixedStream(client->take(), stream), false, std::string());
    } else if (protocol == Protocol::Http) {
        HttpSession session(core, tunnel, client, false, std::string());
        co_await session.run();
    } else {
        co_await serveOther(core, tunnel, client);
    }
}

asio::awaitable<void> serveReport(ProxyCorePtr core, channel::StreamPtr stream)
{
    auto body = co_await channel::readBody(*stream, kMaxReport);
    if (!body) {
        answer(*stream, 400, {}, body.error().message);
        co_return;
    }
    auto events = parseGuestReport(*body);
    if (!events) {
        answer(*stream, 400, {}, events.error().message);
        co_return;
    }
    if (!core->engine->hasRoom()) {
        answer(*stream, 503, {}, "The record of connections is full because the engine is away.");
        co_return;
    }
    for (const ConnectionEvent& event : *events) {
        core->report(event);
    }
    answer(*stream, 200, {}, {});
}

} // namespace

asio::awaitable<void> serveStream(ProxyCorePtr core, channel::StreamPtr stream)
{
    const std::string method = headerOf(*stream, ":method");
    if (method == "POST" && headerOf(*stream, ":path") == "/report") {
        co_await serveReport(core, stream);
        co_return;
    }
    if (method != "CONNECT") {
        answer(*stream, 405, {}, "Only CONNECT and POST /report are understood here.");
        co_return;
    }
    HttpResult<Identity> identity = parseAuthority(headerOf(*stream, ":authority"));
    auto tunnel = std::make_shared<Tunnel>();
    if (!identity) {
        tunnel->identity.host = headerOf(*stream, ":authority").substr(0, 300);
        ConnectionEvent event = eventFor(*tunnel, "tcp");
        event.verdict = "denied";
        event.rule = "malformed destination";
        event.reason = identity.error().reason;
        core->report(event);
        answer(*stream, 403, event.rule, event.reason);
        co_return;
    }
    tunnel->identity = std::move(*identity);
    tunnel->identity.source = headerOf(*stream, "x-coldframe-source") == "container" ? "container" : "process";
    tunnel->identity.process = headerOf(*stream, "x-coldframe-process").substr(0, 120);
    const std::string kind = headerOf(*stream, "x-coldframe-kind");
    tunnel->identity.kind = kind == "proxy" ? kind : tunnel->identity.isLiteral ? "literal" : "name";
    if (core->connections >= core->limits.maxConnections || !core->engine->hasRoom()) {
        const bool tooMany = core->connections >= core->limits.maxConnections;
        const std::string reason = tooMany ? "Too many connections at a time."
                                           : "The record of connections is full because the engine is away.";
        if (tooMany) {
            ConnectionEvent event = eventFor(*tunnel, "tcp");
            event.verdict = "denied";
            event.rule = "limit";
            event.reason = reason;
            core->report(event);
        }
        answer(*stream, 503, "limit", reason);
        co_return;
    }
    const ConnectionCount count(core);
    // Refusals of HTTP and TLS are readable replies inside the connection, so it is opened first whatever the decision; nothing
    // is dialled before a decision allows it.
    if (auto accepted = stream->respond({{":status", "200"}}); !accepted) {
        stream->reset(kRefusedStream);
        co_return;
    }
    co_await serveConnect(core, tunnel, makeGuestStream(stream));
}

} // namespace coldframe::proxy
