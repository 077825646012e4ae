// SPDX-License-Identifier: Apache-2.0
#include "proxy/http_session.h"

#include "proxy/connect_upstream.h"
#include "proxy/http1_serialise.h"
#include "proxy/http_exchange.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kMaxUpstreamHead = 256 * 1024;
constexpr int kMaxInterim = 16;
constexpr std::string_view kBlocked = "blocked_by_coldframe";
constexpr std::string_view kUnreachable = "upstream_unreachable";

} // namespace

HttpSession::HttpSession(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, BufferedReaderPtr client, bool secure,
                         std::string refusal)
    : m_core(std::move(core)), m_tunnel(std::move(tunnel)), m_client(std::move(client)), m_secure(secure),
      m_refusal(std::move(refusal)), m_watchdog(m_core->io)
{
}

asio::awaitable<void> HttpSession::run()
{
    const ByteStreamPtr client = m_client->stream();
    After after = After::KeepAlive;
    while (after == After::KeepAlive) {
        auto request = co_await readRequest();
        if (!request) {
            RequestHead unknown;
            ConnectionEvent event = eventFor(*m_tunnel, m_secure ? "https" : "http");
            event.inspected = true;
            after = co_await refuse(unknown, std::move(event), request.error().status, "malformed request",
                                    request.error().reason);
            after = After::Close;
        } else if (!*request) {
            after = After::Close; // the client has ended or given up
        } else {
            after = co_await handle(std::move(**request));
        }
    }
    m_watchdog.disarm();
    if (after == After::Aborted) {
        client->abort();
    } else {
        co_await lingeringClose(m_core->io, client);
    }
}

asio::awaitable<HttpResult<std::optional<RequestHead>>> HttpSession::readRequest()
{
    HeadScanner scanner;
    const ByteStreamPtr client = m_client->stream();
    bool begun = !m_client->view().empty();
    m_watchdog.arm(begun ? m_core->limits.head : m_core->limits.idleBetweenRequests, [client] { client->abort(); });
    while (true) {
        if (!m_client->view().empty()) {
            HttpResult<std::optional<std::size_t>> end = scanner.scan(m_client->view());
            if (!end) {
                co_return tl::unexpected(end.error());
            }
            if (*end) {
                HttpResult<RequestHead> request = parseRequestHead(m_client->view().substr(0, **end));
                m_client->consume(**end);
                if (!request) {
                    co_return tl::unexpected(request.error());
                }
                co_return std::optional<RequestHead>(std::move(*request));
            }
        }
        auto count = co_await m_client->fill();
        if (!count || *count == 0) {
            if (!m_client->view().empty() && !m_watchdog.hasFired() && count) {
                co_return tl::unexpected(HttpError{400, "The request ended in its header section."});
            }
            co_return std::optional<RequestHead>();
        }
        if (!begun) {
            begun = true; // from here on the whole head must come in time, however it trickles
            m_watchdog.arm(m_core->limits.head, [client] { client->abort(); });
        }
    }
}

asio::awaitable<HttpSession::After> HttpSession::refuse(const RequestHead& request, ConnectionEvent event, int status,
                                                        std::string rule, std::string reason)
{
    const bool blocked = status < 500 || status == 503;
    event.status = status;
    event.rule = rule;
    event.reason = reason;
    event.verdict = blocked ? "denied" : "error";
    const bool keepAlive = request.keepAlive && request.framing == Framing::None && status == 403 && !request.method.empty()
                           && m_refusal.empty();
    const std::string body = refusalJson(m_tunnel->identity, request.method, event.path, rule, reason,
                                         blocked ? kBlocked : kUnreachable);
    std::string reply = makeReply(status, "application/json", body, keepAlive, request.method != "HEAD");
    event.bytesIn += reply.size();
    m_core->report(event);
    auto written = co_await m_client->stream()->write(reply);
    if (!written) {
        co_return After::Aborted;
    }
    co_return keepAlive ? After::KeepAlive : After::Close;
}

asio::awaitable<HttpSession::After> HttpSession::handle(RequestHead request)
{
    const ByteStreamPtr client = m_client->stream();
    Exchange exchange;
    ConnectionEvent& event = exchange.event;
    event = eventFor(*m_tunnel, m_secure ? "https" : "http");
    event.inspected = true;
    event.method = request.method;
    m_watchdog.arm(m_core->limits.idleStream, [client] { client->abort(); });
    if (!m_refusal.empty()) {
        co_return co_await refuse(request, event, 403, "identity", m_refusal);
    }
    HttpResult<RequestTarget> target = checkIdentity(m_tunnel->identity, m_secure, request);
    if (!target) {
        co_return co_await refuse(request, event, target.error().status, "identity", target.error().reason);
    }
    exchange.target = std::move(*target);
    event.path = exchange.target.path;
    if (!request.upgrade.empty() && request.headers.hasToken("connection", "upgrade")) {
        if (request.upgrade != "websocket" || request.method != "GET" || request.framing != Framing::None) {
            co_return co_await refuse(request, event, 501, "upgrade", "The only upgrade passed on is a WebSocket.");
        }
        exchange.upgrade = request.upgrade;
    }
    m_watchdog.disarm(); // a question to the user has a limit of its own
    const Access access = co_await authorise(m_core, m_tunnel, request.method, exchange.target.path,
                                             m_secure ? "https" : "http");
    event.rule = access.rule;
    event.reason = access.reason;
    if (!access.allowed) {
        co_return co_await refuse(request, event, 403, access.rule, access.reason);
    }
    if (!m_core->engine->hasRoom()) {
        co_return co_await refuse(request, event, 503, "audit",
                                  "The record of connections is full because the engine is away.");
    }
    exchange.injection = m_core->injector.plan(m_tunnel->identity, m_secure, exchange.target, request);
    if (!exchange.injection.alert.empty()) {
        m_core->alert("sentinel-misplaced", m_tunnel->identity, exchange.injection.service, exchange.injection.alert);
    }
    if (!exchange.injection.blockedReason.empty()) {
        const std::string reason = exchange.injection.blockedReason;
        co_return co_await refuse(request, event, 403, "key placeholder", reason);
    }
    exchange.clientKeepAlive = request.keepAlive && !exchange.target.absoluteForm;
    exchange.request = std::move(request);
    removeHopByHop(exchange.request.headers);
    co_return co_await forward(exchange);
}

asio::awaitable<HttpSession::After> HttpSession::forward(Exchange& exchange)
{
    const ByteStreamPtr client = m_client->stream();
    const bool hasBody = exchange.request.framing != Framing::None;
    for (int attempt = 0;; ++attempt) {
        auto upstream = co_await connectUpstream(m_core, m_tunnel->identity, m_secure, exchange.injection.service,
                                                 attempt > 0);
        if (!upstream) {
            const UpstreamFailure failure = upstream.error();
            const std::string rule = failure.rule.empty() ? exchange.event.rule : failure.rule;
            exchange.request.keepAlive = exchange.clientKeepAlive;
            co_return co_await refuse(exchange.request, exchange.event, failure.status, rule, failure.reason);
        }
        exchange.upstream = std::move(*upstream);
        exchange.event.address = exchange.upstream.address;
        const ByteStreamPtr server = exchange.upstream.reader->stream();
        m_watchdog.arm(m_core->limits.idleStream, [client, server] {
            client->abort();
            server->abort();
        });
        const bool sent = co_await sendRequest(exchange);
        HttpResult<ResponseHead> response = tl::unexpected(HttpError{502, "The server closed the connection without an answer."});
        if (sent) {
            response = co_await readResponse(exchange);
        }
        if (response) {
            if (response->status == 101) {
                co_return co_await switchProtocols(exchange, std::move(*response));
            }
            co_return co_await sendResponse(exchange, std::move(*response));
        }
        const bool nothingCame = exchange.upstream.reader->view().empty();
        server->abort();
        // A kept connection may have been closed by the server meanwhile; a request without a body can simply go again.
        const bool isSafe = exchange.request.method == "GET" || exchange.request.method == "HEAD"
                            || exchange.request.method == "OPTIONS";
        if (exchange.upstream.reused && !hasBody && isSafe && nothingCame && attempt == 0 && !m_watchdog.hasFired()) {
            continue;
        }
        co_return co_await failedWithUpload(exchange, response.error());
    }
}

asio::awaitable<HttpSession::After> HttpSession::failedWithUpload(Exchange& exchange, HttpError error)
{
    const std::shared_ptr<Upload> upload = exchange.uploading;
    if (!upload) {
        co_return co_await refuse(exchange.request, exchange.event, 502, exchange.event.rule, error.reason);
    }
    exchange.event.bytesOut += upload->bytes;
    After after = After::Close;
    if (upload->sentinelTag >= 0) {
        const std::string service = m_core->injector.serviceOfTag(upload->sentinelTag);
        const std::string text = "The placeholder for the " + service
                                 + " key was sent in a body to a place the key does not belong to.";
        m_core->alert("sentinel-misplaced", m_tunnel->identity, service, text);
        after = co_await refuse(exchange.request, exchange.event, 403, "key placeholder", text);
    } else if (!upload->problem.empty()) {
        after = co_await refuse(exchange.request, exchange.event, 400, "malformed request", upload->problem);
    } else {
        after = co_await refuse(exchange.request, exchange.event, 502, exchange.event.rule, error.reason);
    }
    // The answer is on its way; only then is the rest of the body waited for, since one reader at a time may read.
    co_await waitForUpload(exchange);
    co_return after;
}

asio::awaitable<bool> HttpSession::sendRequest(Exchange& exchange)
{
    RequestHead head = exchange.request;
    exchange.event.keyInjected.clear();
    // The upstream leg is up and, being TLS, verified for this very name: only now is the key written.
    const bool injected = !exchange.injection.service.empty() && exchange.upstream.secure
                          && m_core->injector.write(exchange.injection.service, head);
    std::string text = serialiseRequest(head, exchange.target.pathAndQuery(),
                                        formatAuthority(m_tunnel->identity, m_secure), exchange.upgrade);
    if (injected) {
        exchange.event.keyInjected = exchange.injection.service;
        for (HeaderField& field : head.headers.fields()) {
            wipe(field.value);
        }
    }
    exchange.event.bytesOut += text.size();
    const ByteStreamPtr server = exchange.upstream.reader->stream();
    auto written = co_await server->write(text);
    wipe(text);
    if (!written) {
        co_return false;
    }
    if (exchange.request.framing != Framing::None) {
        exchange.uploading = std::make_shared<Upload>(m_core->io);
        exchange.uploading->client = m_client;
        exchange.uploading->server = server;
        exchange.uploading->framing = exchange.request.framing;
        exchange.uploading->length = exchange.request.contentLength;
        exchange.uploading->sentinels = m_core->injector.sentinelsForBody(m_tunnel->identity);
        exchange.uploading->onMovement = [this] { m_watchdog.touch(); };
        asio::co_spawn(m_core->io, upload(exchange.uploading), asio::detached);
    }
    co_return true;
}

asio::awaitable<HttpResult<ResponseHead>> HttpSession::readResponse(Exchange& exchange)
{
    BufferedReader& reader = *exchange.upstream.reader;
    const HeadLimits limits{.maxBytes = kMaxUpstreamHead, .maxFields = 512, .maxTargetBytes = 0};
    for (int interim = 0; interim <= kMaxInterim;) {
        HeadScanner scanner(limits);
        std::optional<std::size_t> end;
        while (!end) {
            if (!reader.view().empty()) {
                auto scanned = scanner.scan(reader.view());
                if (!scanned) {
                    co_return tl::unexpected(HttpError{502, "The server's reply is malformed: " + scanned.error().reason});
                }
                end = *scanned;
                if (end) {
                    break;
                }
            }
            auto count = co_await reader.fill();
            if (!count || *count == 0) {
                const bool timedOut = m_watchdog.hasFired();
                co_return tl::unexpected(HttpError{timedOut ? 504 : 502, timedOut
                                                       ? "The server did not answer in time."
                                                       : "The server closed the connection without an answer."});
            }
            m_watchdog.touch();
        }
        HttpResult<ResponseHead> response = parseResponseHead(reader.view().substr(0, *end), exchange.request.method, limits);
        reader.consume(*end);
        if (!response || response->status / 100 != 1) {
            co_return response;
        }
        if (response->status == 101) {
            const bool asked = !exchange.upgrade.empty() && response->headers.hasToken("upgrade", exchange.upgrade);
            if (!asked) {
                co_return tl::unexpected(HttpError{502, "The server switched to a protocol that was not asked for."});
            }
            co_return response;
        }
        // RFC 9110, section 15.2: an interim reply is passed on, except to HTTP/1.0 clients.
        ++interim;
        if (exchange.request.minorVersion >= 1) {
            std::string text = serialiseResponse(*response, ResponseFraming{});
            if (m_core->injector.keyPatterns()->find(text) >= 0) {
                co_return tl::unexpected(HttpError{502, "The server's reply carried a stored key."});
            }
            auto written = co_await m_client->stream()->write(text);
            if (!written) {
                co_return tl::unexpected(HttpError{502, "The client has gone."});
            }
        }
    }
    co_return tl::unexpected(HttpError{502, "The server sent too many interim replies."});
}

} // namespace coldframe::proxy
