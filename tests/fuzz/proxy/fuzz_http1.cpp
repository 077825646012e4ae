// SPDX-License-Identifier: Apache-2.0
// Heads and bodies of HTTP/1: no crash, and two properties. What is accepted and serialised anew is accepted again and means
// the same; and a body decodes to the same bytes however its input is cut.
#include "proxy/http1_parser.h"
#include "proxy/http1_serialise.h"

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

struct Decoded
{
    std::string text;
    bool failed = false;
    bool done = false;
};

Decoded decode(Framing framing, std::uint64_t length, std::string_view input, std::size_t piece)
{
    BodyDecoder decoder(framing, length);
    Decoded result;
    std::string pending;
    std::size_t fed = 0;
    while (!decoder.isDone()) {
        const auto step = decoder.next(pending);
        if (!step) {
            result.failed = true;
            return result;
        }
        result.text.append(step->data);
        require(step->consumed <= pending.size());
        const std::size_t consumed = step->consumed;
        pending.erase(0, consumed);
        if (consumed == 0 && !step->done) {
            if (fed == input.size()) {
                break;
            }
            const std::size_t count = std::min(piece, input.size() - fed);
            pending.append(input.substr(fed, count));
            fed += count;
        }
    }
    result.done = decoder.isDone();
    return result;
}

void fuzzRequest(std::string_view head)
{
    const auto request = parseRequestHead(head);
    if (!request) {
        return;
    }
    RequestHead passed = *request;
    removeHopByHop(passed.headers);
    const std::string text = serialiseRequest(passed, "/", "host.example", "");
    const auto again = parseRequestHead(text);
    require(again.has_value());
    require(again->method == request->method && again->framing == request->framing);
    require(again->contentLength == request->contentLength);
    require(again->headers.count("host") == 1);
}

void fuzzResponse(std::string_view head)
{
    const auto response = parseResponseHead(head, "GET");
    if (!response) {
        return;
    }
    const ResponseFraming framing = chooseFraming(*response, 1, true);
    const auto again = parseResponseHead(serialiseResponse(*response, framing), "GET");
    require(again.has_value() && again->status == response->status);
    require(again->framing == framing.framing || framing.framing == Framing::None);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    HeadScanner scanner;
    const auto end = scanner.scan(text);
    if (end && *end) {
        fuzzRequest(text.substr(0, **end));
        fuzzResponse(text.substr(0, **end));
        const std::string_view rest = text.substr(**end);
        for (const Framing framing : {Framing::Chunked, Framing::Length}) {
            const Decoded whole = decode(framing, 10, rest, rest.size() + 1);
            const Decoded pieces = decode(framing, 10, rest, 3);
            require(whole.failed == pieces.failed && whole.done == pieces.done);
            require(whole.failed || whole.text == pieces.text);
        }
    }
    fuzzRequest(text);
    fuzzResponse(text);
    return 0;
}
