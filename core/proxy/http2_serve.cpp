// SPDX-License-Identifier: Apache-2.0
#include "proxy/http2_serve.h"

#include "base/percent_coding.h"
#include "proxy/http1_serialise.h"
#include "proxy/http_exchange.h"
#include "proxy/open_server.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <charconv>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kMaxTarget = 32 * 1024;
/// Requests of one connection whose streams the client has left but whose work has not ended yet.
constexpr std::size_t kMaxInHand = 400;
constexpr int kMaxBroken = 20;

tl::unexpected<HttpError> refuse(int status, std::string reason)
{
    return tl::unexpected(HttpError{status, std::move(reason)});
}

class Http2ClientLeg : public ClientLeg
{
public:
    Http2ClientLeg(Http2ConnectionPtr connection, Http2StreamPtr stream, bool grpc)
        : m_io(std::move(connection), std::move(stream)), m_grpc(grpc)
    {
    }

    asio::awaitable<HttpResult<bool>> readBody(std::string& plain) override { return m_io.readBody(plain); }
    bool hasBody() const override { return m_io.hasBody(); }
    const HeaderList& trailers() const override { return m_io.trailers(); }
    void putBody(std::string_view data) override { m_io.putBody(data); }
    void putEnd(const HeaderList& trailers) override { m_io.putEnd(trailers); }
    asio::awaitable<bool> flush(bool all) override { return m_io.flush(all); }
    std::uint64_t written() const override { return m_io.written(); }
    /// A reply that broke off must not look whole; an upload that nobody takes any more is stopped after its reply.
    void abort() override
    {
        const bool whole = m_io.stream()->isEnding && m_io.stream()->unsent() == 0;
        if (!whole) {
            m_io.reset(kH2InternalError);
        }
        m_io.stopReading();
    }
    BufferedReaderPtr raw() const override { return nullptr; }

    bool isHttp2() const override { return true; }
    void putInterim(const ResponseHead& response) override
    {
        HeaderList headers = response.headers;
        removeHopByHop(headers);
        respond(response.status, headers, false);
    }
    After putHead(const ResponseHead& response, bool, const std::string&) override
    {
        HeaderList headers = response.headers;
        removeHopByHop(headers);
        headers.remove("alt-svc"); // an advertised alternative (h3) would lead the client away from the proxy
        const ResponseFraming framing = chooseFraming(response, 1, true);
        if (framing.framing == Framing::Length || framing.stateLength) {
            headers.add("content-length", std::to_string(framing.contentLength));
        }
        respond(response.status, headers, response.framing == Framing::None);
        return After::KeepAlive;
    }
    void putReply(const OwnReply& reply) override
    {
        HeaderList headers;
        if (m_grpc) {
            // A gRPC client shows its user a status and a message, and nothing of a page.
            headers.add("content-type", "application/grpc");
            headers.add("grpc-status", grpcStatus(reply.status));
            headers.add("grpc-message", percentEncoded(reply.reason));
            respond(200, headers, true);
            return;
        }
        headers.add("content-type", std::string(contentType(reply.form)));
        headers.add("content-length", std::to_string(reply.body.size()));
        headers.add("cache-control", "no-store");
        headers.add("x-content-type-options", "nosniff");
        if (reply.form == RefusalForm::Html) {
            headers.add("content-security-policy", std::string(kRefusalPagePolicy));
        }
        respond(reply.status, headers, !reply.withBody);
        if (reply.withBody) {
            m_io.putBody(reply.body);
            m_io.putEnd({});
        }
    }
    void onGone(std::function<void()> action) override { m_io.onGone(std::move(action)); }
    bool isGone() const override { return m_io.isGone(); }

private:
    void respond(int status, const HeaderList& headers, bool endsHere)
    {
        std::uint64_t size = 0;
        for (const HeaderField& field : headers.fields()) {
            size += field.name.size() + field.value.size();
        }
        m_io.countWritten(size);
        (void)m_io.connection()->codec().respond(m_io.stream(), status, headers, endsHere);
    }
    static std::string grpcStatus(int status)
    {
        // PERMISSION_DENIED, UNAVAILABLE, INTERNAL
        return status == 403 || status == 421 ? "7" : status >= 500 ? "14" : "13";
    }
    static std::string percentEncoded(std::string_view text)
    {
        std::string result;
        for (const char c : text) {
            if (c >= 0x20 && c < 0x7f && c != '%') {
                result.push_back(c);
            } else {
                appendPercentEscape(result, static_cast<unsigned char>(c));
            }
        }
        return result;
    }

    Http2StreamIo m_io;
    bool m_grpc;
};

struct Session
{
    ProxyCorePtr core;
    std::shared_ptr<Tunnel> tunnel;
    bool secure = true;
    std::string refusal;
    std::weak_ptr<Http2Connection> connection;
    std::size_t inHand = 0;
    int broken = 0;
};

asio::awaitable<void> serveRequest(std::shared_ptr<Session> session, Http2ConnectionPtr connection, Http2StreamPtr stream)
{
    HttpResult<RequestHead> request = requestFrom(*stream, session->secure);
    const bool grpc = request && isGrpc(request->headers);
    const auto leg = std::make_shared<Http2ClientLeg>(connection, stream, grpc);
    Watchdog watchdog(session->core->io);
    HttpExchange exchange(session->core, session->tunnel, session->secure, session->refusal, leg, watchdog);
    After after = After::Close;
    if (request) {
        after = co_await exchange.run(std::move(*request));
    } else {
        RequestHead unknown;
        unknown.method = stream->heads.empty() || !stream->heads.front().pseudo.find(":method")
                             ? std::string()
                             : *stream->heads.front().pseudo.find(":method");
        after = co_await exchange.refuseMalformed(std::move(unknown), request.error());
    }
    watchdog.disarm();
    leg->onGone(nullptr);
    if (after == After::Aborted) {
        connection->codec().reset(stream, kH2InternalError);
    }
}

asio::awaitable<void> serveGuarded(std::shared_ptr<Session> session, Http2ConnectionPtr connection, Http2StreamPtr stream)
{
    ++session->inHand;
    ++session->core->streams;
    try {
        co_await serveRequest(session, connection, stream);
    } catch (const std::exception&) {
        connection->codec().reset(stream, kH2InternalError); // one request's trouble (out of memory) is its own
    }
    --session->core->streams;
    --session->inHand;
}

void onRequest(const std::shared_ptr<Session>& session, Http2StreamPtr stream)
{
    const Http2ConnectionPtr connection = session->connection.lock();
    if (!connection) {
        return;
    }
    if (session->inHand >= kMaxInHand) {
        connection->shutDown(kH2EnhanceYourCalm);
        connection->codec().reset(stream, kH2RefusedStream);
        return;
    }
    if (session->core->streams >= session->core->limits.maxStreams) {
        connection->codec().reset(stream, kH2RefusedStream);
        return;
    }
    asio::co_spawn(session->core->io, serveGuarded(session, connection, std::move(stream)), asio::detached);
}

void onBroken(const std::shared_ptr<Session>& session, const std::string& problem)
{
    ConnectionEvent event = eventFor(*session->tunnel, session->secure ? "https" : "http");
    event.inspected = true;
    event.verdict = "denied";
    event.rule = "malformed request";
    event.reason = "The request breaks HTTP/2: " + problem;
    event.status = 400;
    session->core->report(event);
    const Http2ConnectionPtr connection = session->connection.lock();
    if (connection && ++session->broken > kMaxBroken) {
        connection->shutDown(kH2EnhanceYourCalm);
    }
}

} // namespace

asio::awaitable<void> serveHttp2(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, ByteStreamPtr stream, bool secure,
                                 std::string refusal)
{
    const auto session = std::make_shared<Session>();
    session->core = core;
    session->tunnel = std::move(tunnel);
    session->secure = secure;
    session->refusal = std::move(refusal);
    Http2Connection::Options options;
    options.role = Http2Codec::Role::Server;
    options.head = core->limits.head;
    options.idle = core->limits.idleBetweenRequests;
    options.request = [session](Http2StreamPtr request) { onRequest(session, std::move(request)); };
    options.broken = [session](const std::string& problem) { onBroken(session, problem); };
    const auto connection = std::make_shared<Http2Connection>(core->io, std::move(stream), std::move(options));
    session->connection = connection;
    connection->start();
    co_await connection->ended();
}

HttpResult<RequestHead> requestFrom(const Http2Stream& stream, bool secure)
{
    if (!stream.problem.empty() || stream.heads.empty()) {
        return refuse(stream.problemStatus, stream.problem);
    }
    const Http2Head& head = stream.heads.front();
    const std::string* method = head.pseudo.find(":method");
    const std::string* scheme = head.pseudo.find(":scheme");
    const std::string* path = head.pseudo.find(":path");
    const std::string* authority = head.pseudo.find(":authority");
    if (method && *method == "CONNECT") {
        return refuse(405, "The method CONNECT is not passed on.");
    }
    if (!method || !scheme || !path || path->empty()) {
        return refuse(400, "A request needs a method, a scheme and a path.");
    }
    if (*scheme != (secure ? "https" : "http")) {
        return refuse(400, "The request's scheme does not fit this connection.");
    }
    const bool odd = std::any_of(path->begin(), path->end(), [](char c) { return c <= 0x20 || c >= 0x7f || c == '#' || c == '\\'; });
    if (odd || (path->front() != '/' && *path != "*")) {
        return refuse(400, "The request's path has characters or a form that no path has.");
    }
    if (path->size() > kMaxTarget) {
        return refuse(414, "The request's path is too long.");
    }
    RequestHead request;
    request.method = *method;
    request.target = *path;
    std::string cookies;
    for (const HeaderField& field : head.fields.fields()) {
        if (field.name == "cookie") {
            cookies += (cookies.empty() ? "" : "; ") + field.value; // RFC 9113, section 8.2.3
        } else if (field.name != "host") {
            request.headers.add(field.name, field.value);
        }
    }
    if (!cookies.empty()) {
        request.headers.add("cookie", std::move(cookies));
    }
    // RFC 9113, section 8.3.1: Host may stand beside :authority only if it says the same.
    const std::string* host = head.fields.find("host");
    if (head.fields.count("host") > 1 || (!host && !authority)) {
        return refuse(400, "A request needs exactly one authority.");
    }
    if (host && authority && !equalsIgnoringCase(*host, *authority)) {
        return refuse(400, "The Host field and the authority of the request differ.");
    }
    request.headers.add("Host", authority ? *authority : *host);
    if (const std::string* length = head.fields.find("content-length")) {
        const auto [end, error] = std::from_chars(length->data(), length->data() + length->size(), request.contentLength);
        if (error != std::errc() || end != length->data() + length->size() || head.fields.count("content-length") != 1) {
            return refuse(400, "The request's length is no number.");
        }
        request.framing = request.contentLength > 0 ? Framing::Length : Framing::None;
    }
    const bool endsHere = stream.peerEnded && stream.inbound().empty() && stream.trailers.fields().empty();
    if (!endsHere && request.framing == Framing::None) {
        request.framing = Framing::Chunked;
    }
    if (const std::string* expect = head.fields.find("expect")) {
        if (!equalsIgnoringCase(*expect, "100-continue") || head.fields.count("expect") != 1) {
            return refuse(417, "The request expects something that is not understood.");
        }
        request.expectContinue = true;
    }
    return request;
}

} // namespace coldframe::proxy
