// SPDX-License-Identifier: Apache-2.0
#include "http2_peer.h"

namespace proxytest {

using namespace coldframe::proxy;

HeaderList fields(const std::vector<std::pair<std::string, std::string>>& list)
{
    HeaderList result;
    for (const auto& [name, value] : list) {
        result.add(name, value);
    }
    return result;
}

Http2Peer::Http2Peer(Wire& wire, Http2Codec::Role role, Http2Limits limits)
    : m_wire(wire), m_codec(role, limits, {.request = [this](Http2StreamPtr stream) { m_requests.push_back(std::move(stream)); },
                                           .broken = {},
                                           .outputWanted = {}})
{
}

bool Http2Peer::flush()
{
    std::string out;
    return m_codec.produce(out, 1u << 20).has_value() && (out.empty() || m_wire.write(out));
}

bool Http2Peer::until(const std::function<bool()>& condition)
{
    while (true) {
        if (!flush()) {
            return condition();
        }
        if (condition()) {
            return true;
        }
        const std::string data = m_wire.readSome();
        if (data.empty() || !m_codec.feed(data)) {
            flush();
            m_codec.abandon();
            return condition();
        }
    }
}

Http2StreamPtr Http2Peer::request(const std::string& method, const std::string& host, const std::string& path, bool hasBody,
                                  const std::vector<std::pair<std::string, std::string>>& more)
{
    HeaderList pseudo = fields({{":method", method}, {":scheme", scheme}, {":authority", host}, {":path", path}});
    auto stream = m_codec.request(pseudo, fields(more), hasBody, false);
    flush();
    return stream ? *stream : nullptr;
}

Http2StreamPtr Http2Peer::accept()
{
    if (!until([this] { return !m_requests.empty(); })) {
        return nullptr;
    }
    Http2StreamPtr stream = std::move(m_requests.front());
    m_requests.pop_front();
    return stream;
}

void Http2Peer::respond(const Http2StreamPtr& stream, int status,
                        const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body,
                        const std::vector<std::pair<std::string, std::string>>& trailers)
{
    (void)m_codec.respond(stream, status, fields(headers), false);
    stream->outgoing = body;
    stream->isEnding = true;
    stream->endTrailers = fields(trailers);
    m_codec.resume(stream);
    flush();
}

void Http2Peer::send(const Http2StreamPtr& stream, const std::string& data, bool end)
{
    stream->outgoing += data;
    stream->isEnding = end;
    m_codec.resume(stream);
    flush();
}

std::string Http2Peer::take(const Http2StreamPtr& stream)
{
    std::string data(stream->inbound());
    m_codec.consume(stream, data.size());
    return data;
}

Http2Peer::Reply Http2Peer::finish(const Http2StreamPtr& stream)
{
    Reply reply;
    while (true) {
        while (!stream->heads.empty()) {
            const Http2Head head = std::move(stream->heads.front());
            stream->heads.pop_front();
            const std::string* status = head.pseudo.find(":status");
            reply.status = status ? std::stoi(*status) : 0;
            reply.headers = head.fields;
            if (reply.status / 100 == 1) {
                reply.interim.push_back(reply.status);
            }
        }
        reply.body += take(stream);
        reply.trailers = stream->trailers;
        reply.error = stream->errorCode;
        if (stream->peerEnded) {
            reply.complete = true;
            return reply;
        }
        if (stream->isClosed) {
            return reply;
        }
        if (!until([&stream] {
                return stream->isClosed || stream->peerEnded || !stream->heads.empty() || !stream->inbound().empty();
            })) {
            return reply;
        }
    }
}

} // namespace proxytest
