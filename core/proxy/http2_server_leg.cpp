// SPDX-License-Identifier: Apache-2.0
#include "proxy/http2_server_leg.h"

#include "base/secret.h"
#include "proxy/http1_serialise.h"

#include <charconv>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kNoAnswer = "The server closed the connection without an answer.";

} // namespace

HttpResult<ResponseHead> responseFrom(const Http2Head& head, std::string_view method, bool endsHere)
{
    ResponseHead response;
    const std::string* status = head.pseudo.find(":status");
    if (status) {
        const auto [end, error] = std::from_chars(status->data(), status->data() + status->size(), response.status);
        if (error != std::errc() || end != status->data() + status->size()) {
            response.status = 0;
        }
    }
    if (response.status < 100 || response.status > 599 || response.status == 101) {
        return tl::unexpected(HttpError{502, "The server's reply has no valid status."});
    }
    response.headers = head.fields;
    const bool bodiless = method == "HEAD" || response.status / 100 == 1 || response.status == 204 || response.status == 304;
    response.framing = bodiless || endsHere ? Framing::None : Framing::Chunked;
    // nghttp2 has refused a length that is repeated, no number, or not what came.
    if (const std::string* length = head.fields.find("content-length")) {
        const auto [end, error] =
            std::from_chars(length->data(), length->data() + length->size(), response.contentLength);
        if (error != std::errc() || end != length->data() + length->size()) {
            return tl::unexpected(HttpError{502, "The server's reply is malformed: its length is no number."});
        }
        response.framing = response.framing == Framing::Chunked ? Framing::Length : response.framing;
    }
    return response;
}

Http2ServerLeg::Http2ServerLeg(Http2ConnectionPtr connection, bool secure, std::function<void()> onHttp1Required)
    : m_connection(std::move(connection)), m_secure(secure), m_onHttp1Required(std::move(onHttp1Required))
{
}

void Http2ServerLeg::putHead(const Request& request)
{
    HeaderList pseudo;
    pseudo.add(":method", request.head.method);
    pseudo.add(":scheme", m_secure ? "https" : "http");
    pseudo.add(":authority", request.authority);
    pseudo.add(":path", request.pathAndQuery);
    HeaderList fields;
    for (const HeaderField& field : request.head.headers.fields()) {
        if (!equalsIgnoringCase(field.name, "host")) {
            fields.add(field.name, field.value);
        }
    }
    if (request.wantsTrailers) {
        fields.add("te", "trailers");
    }
    if (request.head.expectContinue) {
        fields.add("expect", "100-continue");
    }
    if (request.head.framing == Framing::Length) {
        fields.add("content-length", std::to_string(request.head.contentLength));
    }
    auto stream = m_connection->codec().request(pseudo, fields, request.hasBody, request.secret);
    std::uint64_t size = request.pathAndQuery.size();
    for (HeaderField& field : fields.fields()) {
        size += field.name.size() + field.value.size();
        if (request.secret) {
            wipe(field.value);
        }
    }
    if (stream) {
        m_io.emplace(m_connection, *stream);
        m_io->countWritten(size);
        if (m_aborted) {
            m_io->reset(kH2Cancel);
        }
    }
}

void Http2ServerLeg::putBody(std::string_view data)
{
    if (m_io) {
        m_io->putBody(data);
    }
}

void Http2ServerLeg::putEnd(const HeaderList& trailers)
{
    if (m_io) {
        m_io->putEnd(trailers);
    }
}

asio::awaitable<bool> Http2ServerLeg::flush(bool all)
{
    if (!m_io) {
        co_return false;
    }
    const bool written = co_await m_io->flush(all);
    // A server may answer early and stop the upload by a reset without error; its answer counts.
    co_return written;
}

asio::awaitable<HttpResult<bool>> Http2ServerLeg::readBody(std::string& plain)
{
    if (!m_io) {
        co_return tl::unexpected(HttpError{0, std::string(kNoAnswer)});
    }
    HttpResult<bool> last = co_await m_io->readBody(plain);
    co_return last;
}

asio::awaitable<HttpResult<ResponseHead>> Http2ServerLeg::readHead(const std::string& method)
{
    if (!m_io) {
        co_return tl::unexpected(HttpError{502, std::string(kNoAnswer)});
    }
    const bool arrived = co_await m_io->waitForHead();
    const Http2StreamPtr stream = m_io->stream();
    if (!stream->problem.empty()) {
        m_replied = true;
        co_return tl::unexpected(HttpError{502, "The server's reply is malformed: " + stream->problem});
    }
    if (!arrived) {
        if (stream->errorCode == kH2Http11Required && m_onHttp1Required) {
            m_onHttp1Required();
        }
        co_return tl::unexpected(HttpError{502, stream->errorCode == kH2ProtocolError
                                                    ? "The server's reply is malformed, or it found the request so."
                                                    : std::string(kNoAnswer)});
    }
    m_replied = true;
    const Http2Head head = std::move(stream->heads.front());
    stream->heads.pop_front();
    const bool endsHere = stream->isHeadComplete && stream->heads.empty() && stream->peerEnded && stream->inbound().empty()
                          && stream->trailers.fields().empty();
    co_return responseFrom(head, method, endsHere);
}

bool Http2ServerLeg::mayRepeat(bool isSafe) const
{
    if (!m_io) {
        return true; // nothing was sent
    }
    const std::uint32_t code = m_io->stream()->errorCode;
    // RFC 9113, section 8.7: REFUSED_STREAM, also by GOAWAY, means that nothing was done.
    return !m_replied && !m_aborted && (code == kH2RefusedStream || code == kH2Http11Required || (isSafe && !m_connection->isAlive()));
}

void Http2ServerLeg::abort()
{
    m_aborted = true;
    if (m_io) {
        m_io->reset(kH2Cancel);
    }
}

void Http2ServerLeg::release(bool whole)
{
    if (!whole) {
        abort();
    }
}

} // namespace coldframe::proxy
