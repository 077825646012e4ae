// SPDX-License-Identifier: Apache-2.0
#include "proxy/http_exchange.h"

#include "proxy/exchange_upload.h"
#include "proxy/http1_serialise.h"
#include "proxy/open_server.h"
#include "proxy/token_endpoint.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

namespace coldframe::proxy {

namespace {

constexpr int kMaxInterim = 16;

} // namespace

HttpExchange::HttpExchange(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, bool secure, std::string refusal,
                           ClientLegPtr client, Watchdog& watchdog)
    : m_core(std::move(core)), m_tunnel(std::move(tunnel)), m_secure(secure), m_refusal(std::move(refusal)),
      m_client(std::move(client)), m_watchdog(watchdog)
{
    m_event = eventFor(*m_tunnel, m_secure ? "https" : "http");
    m_event.inspected = true;
}

asio::awaitable<After> HttpExchange::refuseMalformed(RequestHead request, HttpError error)
{
    m_request = std::move(request);
    m_request.keepAlive = false;
    m_event.method = m_request.method;
    co_await refuse(error.status, "malformed request", error.reason);
    co_return After::Close;
}

asio::awaitable<After> HttpExchange::refuse(int status, std::string rule, std::string reason, Remedy remedy, std::string ruleId)
{
    const bool blocked = status < 500 || status == 503;
    m_event.status = status;
    m_event.rule = rule;
    m_event.reason = reason;
    m_event.verdict = blocked ? "denied" : "error";
    OwnReply reply;
    reply.status = status;
    reply.reason = reason;
    reply.keepAlive = m_request.keepAlive && m_request.framing == Framing::None && status == 403
                      && !m_request.method.empty() && m_refusal.empty();
    reply.withBody = m_request.method != "HEAD";
    Refusal refusal;
    refusal.identity = m_tunnel->identity;
    refusal.sandbox = m_core->sandbox;
    refusal.method = m_request.method;
    refusal.path = m_event.path;
    refusal.rule = std::move(rule);
    refusal.ruleId = std::move(ruleId);
    refusal.reason = std::move(reason);
    refusal.isBlocked = blocked;
    refusal.remedy = remedy;
    reply.form = refusalForm(m_request.headers);
    reply.body = refusalBody(reply.form, refusal);
    m_client->putReply(reply);
    const bool written = co_await m_client->flush(true);
    m_event.bytesIn = m_client->written();
    report();
    if (!written) {
        co_return After::Aborted;
    }
    co_return reply.keepAlive ? After::KeepAlive : After::Close;
}

asio::awaitable<After> HttpExchange::run(RequestHead request)
{
    m_request = std::move(request);
    m_event.method = m_request.method;
    const ClientLegPtr client = m_client;
    m_watchdog.arm(m_core->limits.idleStream, [client] { client->abort(); });
    if (!m_refusal.empty()) {
        co_return co_await refuse(403, "identity", m_refusal);
    }
    HttpResult<RequestTarget> target = checkIdentity(m_tunnel->identity, m_secure, m_request);
    if (!target) {
        co_return co_await refuse(target.error().status, "identity", target.error().reason);
    }
    m_target = std::move(*target);
    m_event.path = m_target.path;
    // An offer of HTTP/2, as Java's client makes it with each first request without TLS, need not be taken up (RFC 9110, section 7.8): the
    // request is served as it stands, and the offer does not reach the origin.
    const bool offersHttp2 = m_request.upgrade == "h2c";
    if (!m_request.upgrade.empty() && !offersHttp2 && m_request.headers.hasToken("connection", "upgrade")) {
        if (m_request.upgrade != "websocket" || m_request.method != "GET" || m_request.framing != Framing::None) {
            co_return co_await refuse(501, "upgrade", "The only upgrade passed on is a WebSocket.");
        }
        m_upgrade = m_request.upgrade;
    }
    m_watchdog.disarm(); // a question to the user has a limit of its own
    const Access access = co_await authorise(m_core, m_tunnel, m_request.method, m_target.path, m_event.protocol);
    m_event.rule = access.rule;
    m_event.reason = access.reason;
    if (!access.allowed) {
        co_return co_await refuse(403, access.rule, access.reason, access.denyingRule.empty() ? Remedy::Allow : Remedy::RemoveRule, access.denyingRule);
    }
    if (!m_core->engine->hasRoom()) {
        co_return co_await refuse(503, "audit", "The record of connections is full because the engine is away.");
    }
    if (const Service* tokens = serviceOfTokenPlace(m_core->injector.services(), m_tunnel->identity, m_target)) {
        co_return co_await answerTokens(*tokens);
    }
    m_injection = m_core->injector.plan(m_tunnel->identity, m_secure, m_target, m_request);
    if (!m_injection.alert.empty()) {
        m_core->alert(m_injection.alertCode, m_tunnel->identity, m_injection.service, m_injection.alert);
    }
    if (!m_injection.blockedReason.empty()) {
        co_return co_await refuse(403, "key placeholder", m_injection.blockedReason);
    }
    m_keepAlive = m_request.keepAlive && !m_target.absoluteForm;
    m_grpc = isGrpc(m_request.headers);
    m_wantsTrailers = m_request.headers.hasToken("te", "trailers");
    removeHopByHop(m_request.headers);
    if (m_injection.needsPayloadHash) {
        const bool digested = co_await digestBody();
        if (!digested) {
            co_return co_await refuse(413, "signature", "The body is too large to be signed anew; let the client send X-Amz-Content-Sha256.");
        }
    }
    co_return co_await forward();
}

asio::awaitable<After> HttpExchange::forward()
{
    const ClientLegPtr client = m_client;
    const bool hasBody = m_request.framing != Framing::None;
    const OpenReport lasting(m_core, m_event);
    for (int attempt = 0;; ++attempt) {
        ServerWish wish;
        wish.service = m_injection.service;
        wish.fresh = attempt > 0;
        wish.http2 = m_client->isHttp2();
        wish.grpc = m_grpc;
        auto opened = co_await openServer(m_core, m_tunnel->identity, m_secure, std::move(wish));
        if (!opened) {
            const UpstreamFailure failure = opened.error();
            m_request.keepAlive = m_keepAlive;
            co_return co_await refuse(failure.status, failure.rule.empty() ? m_event.rule : failure.rule, failure.reason);
        }
        m_server = *opened;
        m_event.address = m_server->address();
        const ServerLegPtr server = m_server;
        const std::function<void()> abortBoth = [client, server] {
            client->abort();
            server->abort();
        };
        m_watchdog.arm(m_core->limits.idleStream, abortBoth);
        Grant grant;
        grant.address = m_server->address();
        grant.isTls = m_secure;
        grant.destination.method = m_request.method;
        grant.destination.path = m_target.path;
        m_open = watchConnection(*m_core, *m_tunnel, std::move(grant), abortBoth);
        client->onGone([server] { server->abort(); });
        const bool sent = !client->isGone() && co_await sendRequest();
        HttpResult<ResponseHead> response =
            tl::unexpected(HttpError{502, "The server closed the connection without an answer."});
        if (sent) {
            response = co_await readResponse();
        }
        if (response) {
            const After after = response->status == 101 ? co_await switchProtocols(std::move(*response))
                                                        : co_await sendResponse(std::move(*response));
            client->onGone(nullptr);
            co_return after;
        }
        client->onGone(nullptr);
        const bool isSafe =
            m_request.method == "GET" || m_request.method == "HEAD" || m_request.method == "OPTIONS";
        const bool again = !hasBody && attempt == 0 && !m_watchdog.hasFired() && !client->isGone() && !m_open->isCut()
                           && m_server->mayRepeat(isSafe);
        m_event.bytesOut += m_server->written();
        m_server->abort();
        if (!again) {
            co_return co_await failedWithUpload(response.error());
        }
    }
}

/// The line of the log; of one that was cut it says so.
void HttpExchange::report()
{
    if (m_open) {
        m_core->report(m_event, *m_open);
    } else {
        m_core->report(m_event);
    }
}

asio::awaitable<After> HttpExchange::failedWithUpload(HttpError error)
{
    if (m_client->isGone() || m_open->isCut()) {
        co_await waitForUpload();
        m_event.verdict = "error";
        m_event.reason = "The client gave the request up.";
        report();
        co_return After::Aborted;
    }
    const std::shared_ptr<Upload> upload = m_upload;
    if (!upload) {
        co_return co_await refuse(error.status, m_event.rule, error.reason);
    }
    After after = After::Close;
    if (upload->sentinelTag >= 0) {
        const std::string service = m_core->injector.serviceOfTag(upload->sentinelTag);
        const std::string text = "The placeholder for the " + service
                                 + " key was sent in a body to a place the key does not belong to.";
        m_core->alert("sentinel-misplaced", m_tunnel->identity, service, text);
        after = co_await refuse(403, "key placeholder", text);
    } else if (!upload->problem.empty()) {
        after = co_await refuse(400, "malformed request", upload->problem);
    } else {
        after = co_await refuse(error.status, m_event.rule, error.reason);
    }
    // The answer is on its way; only then is the rest of the body waited for, since one reader at a time may read.
    co_await waitForUpload();
    co_return after;
}

asio::awaitable<bool> HttpExchange::sendRequest()
{
    m_event.keyInjected.clear();
    // The upstream leg is up and, being TLS, verified for this very name: only now is the key written, into a copy.
    const bool mayInject = !m_injection.service.empty() && m_server->isSecure();
    RequestHead withKey = mayInject ? m_request : RequestHead();
    RequestHead& head = mayInject ? withKey : m_request;
    const bool injected = mayInject && m_core->injector.write(m_injection, m_tunnel->identity, m_target, head);
    if (injected) {
        m_event.keyInjected = m_injection.service;
        head.headers.remove("grpc-accept-encoding"); // messages of the reply have to be readable here
    }
    const ServerLeg::Request request{.head = head,
                                     .pathAndQuery = m_target.pathAndQuery(),
                                     .authority = formatAuthority(m_tunnel->identity, m_secure),
                                     .upgrade = m_upgrade,
                                     .secret = injected,
                                     .hasBody = head.framing != Framing::None,
                                     .wantsTrailers = m_wantsTrailers};
    m_server->putHead(request);
    if (injected) {
        for (HeaderField& field : head.headers.fields()) {
            wipe(field.value);
        }
    }
    const bool written = co_await m_server->flush();
    if (written && m_request.framing != Framing::None) {
        m_upload = std::make_shared<Upload>(m_core->io);
        m_upload->client = m_client;
        m_upload->server = m_server;
        m_upload->whole = std::move(m_wholeBody);
        m_upload->sentinels = m_core->injector.sentinelsForBody(m_tunnel->identity);
        m_upload->onMovement = [this] { m_watchdog.touch(); };
        asio::co_spawn(m_core->io, upload(m_upload), asio::detached);
    }
    co_return written;
}

asio::awaitable<HttpResult<ResponseHead>> HttpExchange::readResponse()
{
    for (int interim = 0; interim <= kMaxInterim; ++interim) {
        HttpResult<ResponseHead> response = co_await m_server->readHead(m_request.method);
        m_watchdog.touch();
        if (!response) {
            if (m_watchdog.hasFired()) {
                response = tl::unexpected(HttpError{504, "The server did not answer in time."});
            }
            co_return response;
        }
        if (response->status / 100 != 1) {
            co_return response;
        }
        if (response->status == 101) {
            const bool asked = !m_upgrade.empty() && response->headers.hasToken("upgrade", m_upgrade);
            if (!asked) {
                co_return tl::unexpected(HttpError{502, "The server switched to a protocol that was not asked for."});
            }
            co_return response;
        }
        const std::string text = serialiseResponse(*response, ResponseFraming{});
        if (m_core->injector.keyPatterns()->find(text) >= 0) {
            co_return tl::unexpected(HttpError{502, "The server's reply carried a stored key."});
        }
        m_client->putInterim(*response);
        const bool written = co_await m_client->flush();
        if (!written) {
            co_return tl::unexpected(HttpError{502, "The client has gone."});
        }
    }
    co_return tl::unexpected(HttpError{502, "The server sent too many interim replies."});
}

} // namespace coldframe::proxy
