// SPDX-License-Identifier: Apache-2.0
// The other parsers of foreign bytes: ClientHello, first bytes, authorities and targets, the engine's messages, the guest's
// report, the key scan, questions for tokens and what a refusal repeats. The first byte chooses.
#include "proxy/client_hello.h"
#include "proxy/engine_protocol.h"
#include "proxy/identity.h"
#include "proxy/key_scanner.h"
#include "proxy/refusal.h"
#include "proxy/token_endpoint.h"

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

void fuzzIdentity(std::string_view text)
{
    (void)parseAuthority(text);
    Identity identity;
    identity.host = "a.example";
    identity.port = 443;
    RequestHead request;
    request.method = "GET";
    request.target = text.empty() ? std::string("/") : std::string(text);
    request.headers.add("Host", "a.example");
    const auto target = checkIdentity(identity, true, request);
    if (target && target->path != "*") {
        require(target->path.starts_with('/'));
        require(("/" + target->strictPath + "/").find("/../") == std::string::npos);
    }
}

void fuzzEngine(std::string_view text)
{
    EngineDecoder decoder;
    for (std::size_t at = 0; at < text.size(); at += 7) {
        decoder.feed(text.substr(at, 7));
        while (true) {
            const auto message = decoder.next();
            if (!message || !*message) {
                break;
            }
        }
    }
}

void fuzzScanner(std::string_view text)
{
    static const std::shared_ptr<const PatternSet> patterns = [] {
        PatternSet made;
        made.addKeyForms("sk-key-0123456789", 1);
        made.finish();
        return std::make_shared<PatternSet>(std::move(made));
    }();
    const bool present = patterns->find(text) >= 0;
    StreamScanner scanner(patterns);
    std::string out;
    bool found = false;
    for (std::size_t at = 0; at < text.size() && !found; at += 5) {
        found = scanner.feed(text.substr(at, 5), out) >= 0;
    }
    require(found == present);
    if (!found) {
        scanner.finish(out);
        require(out == text);
    }
}

/// Host, method and path of a refusal are the guest's words: in a page they are text and never markup.
void fuzzRefusal(std::string_view text)
{
    HeaderList headers;
    headers.add("Accept", std::string(text));
    (void)contentType(refusalForm(headers));
    const std::size_t third = text.size() / 3;
    Refusal refusal;
    refusal.identity.host = "h<" + std::string(text.substr(0, third));
    refusal.method = "<b>" + std::string(text.substr(third, third));
    refusal.path = "/\"<img " + std::string(text.substr(2 * third));
    refusal.reason = "a reason";
    const std::string page = refusalBody(RefusalForm::Html, refusal);
    require(page.find("<img") == std::string::npos && page.find("<b>") == std::string::npos && page.find("h<") == std::string::npos);
    require(page.find("<script") == std::string::npos);
    (void)refusalBody(RefusalForm::Json, refusal);
    (void)refusalBody(RefusalForm::Text, refusal);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 7) {
    case 0:
        (void)parseClientHello(text);
        (void)sniffProtocol(text);
        break;
    case 1: fuzzIdentity(text); break;
    case 2: fuzzEngine(text); break;
    case 3: (void)parseGuestReport(text); break;
    case 4: fuzzScanner(text); break;
    case 5: (void)readTokenAsk(text); break;
    default: fuzzRefusal(text); break;
    }
    return 0;
}
