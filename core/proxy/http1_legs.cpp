// SPDX-License-Identifier: Apache-2.0
#include "proxy/http1_legs.h"

#include "base/secret.h"
#include "proxy/http1_serialise.h"

namespace coldframe::proxy {

namespace {

constexpr HeadLimits kServerHead{.maxBytes = 256 * 1024, .maxFields = 512, .maxTargetBytes = 0};

} // namespace

asio::awaitable<HttpResult<bool>> Http1Body::read(std::string& plain)
{
    const std::size_t before = plain.size();
    while (true) {
        while (!m_decoder->isDone() && !m_reader->view().empty()) {
            auto step = m_decoder->next(m_reader->view());
            if (!step) {
                co_return tl::unexpected(step.error());
            }
            plain.append(step->data);
            m_reader->consume(step->consumed);
            if (step->consumed == 0 && !step->done) {
                break;
            }
        }
        if (m_decoder->isDone() || plain.size() > before) {
            co_return m_decoder->isDone();
        }
        auto count = co_await m_reader->fill();
        if (!count) {
            co_return tl::unexpected(HttpError{0, count.error().message});
        }
        if (*count == 0) {
            if (!m_decoder->endOfInput()) {
                co_return tl::unexpected(HttpError{0, "The connection ended in the middle of a message."});
            }
        }
    }
}

Http1ClientLeg::Http1ClientLeg(BufferedReaderPtr reader, const RequestHead& request)
    : m_body(std::move(reader)), m_minorVersion(request.minorVersion)
{
    m_body.expect(request.framing, request.contentLength);
}

void Http1ClientLeg::putBody(std::string_view data)
{
    if (m_chunked) {
        appendChunk(m_out, data);
    } else {
        m_out.append(data);
    }
}

void Http1ClientLeg::putEnd(const HeaderList& trailers)
{
    if (m_chunked) {
        appendLastChunk(m_out, trailers);
    }
}

asio::awaitable<bool> Http1ClientLeg::flush(bool)
{
    if (m_out.empty()) {
        co_return !m_gone;
    }
    auto done = co_await m_body.reader()->stream()->write(m_out);
    m_written += m_out.size();
    m_out.clear();
    m_gone = m_gone || !done;
    co_return !m_gone;
}

void Http1ClientLeg::putInterim(const ResponseHead& response)
{
    // RFC 9110, section 15.2: an interim reply is passed on, except to HTTP/1.0 clients.
    if (m_minorVersion >= 1) {
        m_out.append(serialiseResponse(response, ResponseFraming{}));
    }
}

After Http1ClientLeg::putHead(const ResponseHead& response, bool keepAlive, const std::string& upgrade)
{
    ResponseFraming framing;
    if (upgrade.empty()) {
        framing = chooseFraming(response, m_minorVersion, keepAlive);
    }
    framing.upgrade = upgrade;
    m_chunked = framing.framing == Framing::Chunked;
    m_out.append(serialiseResponse(response, framing));
    return framing.keepAlive ? After::KeepAlive : After::Close;
}

void Http1ClientLeg::putReply(const OwnReply& reply)
{
    m_out = makeReply(reply.status, reply.form, reply.body, reply.keepAlive, reply.withBody);
}

Http1ServerLeg::Http1ServerLeg(Upstream upstream, std::function<void(Upstream)> giveBack)
    : m_upstream(std::move(upstream)), m_body(m_upstream.reader), m_giveBack(std::move(giveBack))
{
}

Http1ServerLeg::~Http1ServerLeg()
{
    if (!m_released) {
        abort();
    }
}

void Http1ServerLeg::putBody(std::string_view data)
{
    if (m_chunked) {
        appendChunk(m_out, data);
    } else {
        m_out.append(data);
    }
}

void Http1ServerLeg::putEnd(const HeaderList& trailers)
{
    if (m_chunked) {
        appendLastChunk(m_out, trailers);
    }
}

asio::awaitable<bool> Http1ServerLeg::flush(bool)
{
    if (m_out.empty()) {
        co_return true;
    }
    auto done = co_await m_upstream.reader->stream()->write(m_out);
    m_written += m_out.size();
    if (m_secret) {
        wipe(m_out);
        m_secret = false; // what follows is the client's own body
    }
    m_out.clear();
    co_return done.has_value();
}

void Http1ServerLeg::putHead(const Request& request)
{
    m_chunked = request.head.framing == Framing::Chunked;
    m_secret = request.secret;
    m_out = serialiseRequest(request.head, request.pathAndQuery, request.authority, request.upgrade);
}

asio::awaitable<HttpResult<ResponseHead>> Http1ServerLeg::readHead(const std::string& method)
{
    BufferedReader& reader = *m_upstream.reader;
    HeadScanner scanner(kServerHead);
    std::optional<std::size_t> end;
    while (!end) {
        if (!reader.view().empty()) {
            m_replied = true;
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
            co_return tl::unexpected(HttpError{502, "The server closed the connection without an answer."});
        }
    }
    HttpResult<ResponseHead> response = parseResponseHead(reader.view().substr(0, *end), method, kServerHead);
    reader.consume(*end);
    if (response && response->status / 100 != 1) {
        m_body.expect(response->framing, response->contentLength);
        m_keepAlive = response->keepAlive && response->framing != Framing::UntilClose;
    }
    co_return response;
}

bool Http1ServerLeg::mayRepeat(bool isSafe) const
{
    // A kept connection may have been closed by the server meanwhile.
    return m_upstream.reused && !m_replied && isSafe;
}

void Http1ServerLeg::release(bool whole)
{
    if (m_released) {
        return;
    }
    m_released = true;
    if (whole && m_keepAlive && m_upstream.reader->view().empty() && m_giveBack) {
        m_giveBack(m_upstream);
    } else {
        abort();
    }
}

} // namespace coldframe::proxy
