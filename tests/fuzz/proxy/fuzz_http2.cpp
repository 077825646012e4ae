// SPDX-License-Identifier: Apache-2.0
// HTTP/2 from either peer: no crash, what is held stays bounded, and a request that is accepted reads the same once it is HTTP/1.
#include "proxy/http1_parser.h"
#include "proxy/http1_serialise.h"
#include "proxy/http2_connection.h"
#include "proxy/http2_serve.h"
#include "proxy/http2_server_leg.h"

#include <cstdint>
#include <cstdlib>

using namespace coldframe::proxy;

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

void checkRequest(const Http2Stream& stream)
{
    const auto request = requestFrom(stream);
    if (!request) {
        return;
    }
    require(request->headers.count("host") == 1 && request->headers.count("transfer-encoding") == 0);
    RequestHead passed = *request;
    removeHopByHop(passed.headers);
    const auto again = parseRequestHead(serialiseRequest(passed, request->target, "host.example", ""), {.maxFields = 200});
    require(again.has_value());
    require(again->method == request->method && again->target == request->target);
    const bool empty = request->framing == Framing::None;
    require(empty ? again->contentLength == 0 && again->framing != Framing::Chunked : again->framing == request->framing);
    require(again->headers.count("host") == 1);
}

void checkReply(Http2Stream& stream)
{
    while (!stream.heads.empty()) {
        const auto response = responseFrom(stream.heads.front(), "GET", stream.peerEnded);
        if (response) {
            const ResponseFraming framing = chooseFraming(*response, 1, true);
            const auto again = parseResponseHead(serialiseResponse(*response, framing), "GET", {.maxBytes = 1u << 20, .maxFields = 600});
            require(again.has_value() && again->status == response->status);
        }
        stream.heads.pop_front();
    }
    for (const HeaderField& field : cleanTrailers(stream.trailers).fields()) {
        require(field.name.find_first_of(":\r\n") == std::string::npos && field.value.find_first_of("\r\n") == std::string::npos);
    }
}

} // namespace

/// Byte 0 picks the side and whether the peer said its preface, byte 1 how its owner behaves; the rest arrives.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2) {
        return 0;
    }
    const bool isServer = (data[0] & 1) != 0;
    Http2Limits limits;
    limits.streamWindow = 64 * 1024;
    limits.connectionWindow = 128 * 1024;
    limits.maxBuffered = 64 * 1024;
    std::vector<Http2StreamPtr> streams;
    Http2Codec codec(isServer ? Http2Codec::Role::Server : Http2Codec::Role::Client, limits,
                     {.request = [&streams](Http2StreamPtr stream) {
                          checkRequest(*stream);
                          streams.push_back(std::move(stream));
                      },
                      .broken = {},
                      .outputWanted = {}});
    HeaderList pseudo;
    for (const char* name : {":method", ":scheme", ":authority", ":path"}) {
        pseudo.add(name, name[1] == 'p' ? "/" : name[1] == 'm' ? "GET" : "https");
    }
    std::string out;
    for (int i = 0; !isServer && i < 3; ++i) {
        if (auto stream = codec.request(pseudo, {}, i == 1, i == 2)) {
            streams.push_back(*stream);
        }
    }
    (void)codec.produce(out, 1u << 20);
    if ((data[0] & 2) != 0) {
        static constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33);
        (void)codec.feed(isServer ? kPreface : kPreface.substr(24));
    }
    std::string_view rest(reinterpret_cast<const char*>(data + 2), size - 2);
    std::uint8_t mood = data[1];
    while (!rest.empty()) {
        const std::string_view part = rest.substr(0, 200);
        rest.remove_prefix(part.size());
        out.clear();
        if (!codec.feed(part) || !codec.produce(out, 64 * 1024) || codec.isOver()) {
            break;
        }
        require(codec.buffered() <= 256 * 1024 && codec.streamCount() <= 101);
        for (std::size_t i = 0; i < streams.size(); ++i) {
            const Http2StreamPtr stream = streams[i];
            const std::uint8_t turn = static_cast<std::uint8_t>(mood >> (i % 4));
            if (!isServer) {
                checkReply(*stream);
            }
            if ((turn & 1) != 0) {
                codec.consume(stream, stream->inbound().size());
            }
            if (isServer && (turn & 2) != 0 && codec.respond(stream, 200, {}, (turn & 4) != 0) && (turn & 4) == 0) {
                stream->outgoing = "reply";
                stream->isEnding = true;
                stream->endTrailers.add("a", "b");
                codec.resume(stream);
            }
            if ((turn & 8) != 0) {
                codec.drop(stream);
                streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
        mood = static_cast<std::uint8_t>(mood * 7 + 3);
    }
    return 0;
}
