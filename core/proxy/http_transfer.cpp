// SPDX-License-Identifier: Apache-2.0
// The second half of an exchange: bodies in both directions and what follows a switch of protocols.
#include "proxy/http1_serialise.h"
#include "proxy/http_exchange.h"
#include "proxy/relay.h"

#include <asio/co_spawn.hpp>

namespace coldframe::proxy {

namespace {

constexpr std::chrono::milliseconds kUploadGrace{5000};
constexpr std::chrono::milliseconds kAfterServer{3000};

} // namespace

asio::awaitable<void> HttpSession::upload(std::shared_ptr<Upload> upload)
{
    BodyDecoder decoder(upload->framing, upload->length);
    StreamScanner scanner(upload->sentinels);
    const bool chunked = upload->framing == Framing::Chunked;
    std::string plain;
    std::string out;
    bool good = true;
    while (good && !decoder.isDone()) {
        plain.clear();
        out.clear();
        while (!decoder.isDone() && !upload->client->view().empty()) {
            auto step = decoder.next(upload->client->view());
            if (!step) {
                upload->problem = step.error().reason;
                good = false;
                break;
            }
            const int tag = step->data.empty() ? -1 : scanner.feed(step->data, plain);
            if (tag >= 0) {
                upload->sentinelTag = tag;
                good = false;
                break;
            }
            upload->client->consume(step->consumed);
            if (step->consumed == 0 && !step->done) {
                break;
            }
        }
        if (!good) {
            break;
        }
        if (decoder.isDone()) {
            scanner.finish(plain);
        }
        if (chunked) {
            appendChunk(out, plain);
            if (decoder.isDone()) {
                appendLastChunk(out, decoder.trailers());
            }
        } else {
            out.swap(plain);
        }
        if (!out.empty()) {
            auto written = co_await upload->server->write(out);
            if (!written) {
                good = false;
                break;
            }
            upload->bytes += out.size();
            upload->onMovement();
        }
        if (!decoder.isDone()) {
            auto count = co_await upload->client->fill();
            if (!count || *count == 0) {
                good = false;
                break;
            }
            upload->onMovement();
        }
    }
    if (!good) {
        upload->failed = true;
        upload->server->abort(); // half a request must not stand for a whole one
    }
    upload->done = true;
    upload->ended.notify();
}

asio::awaitable<bool> HttpSession::waitForUpload(Exchange& exchange)
{
    const std::shared_ptr<Upload> upload = exchange.uploading;
    if (!upload) {
        co_return true;
    }
    const auto deadline = std::chrono::steady_clock::now() + kUploadGrace;
    while (!upload->done) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            // The server has answered and does not read on: the connection cannot be used for anything else.
            upload->client->stream()->abort();
            upload->server->abort();
            while (!upload->done) {
                co_await upload->ended.wait();
            }
            co_return false;
        }
        co_await upload->ended.waitFor(left);
    }
    co_return !upload->failed;
}

HttpSession::After HttpSession::leakedKey(Exchange& exchange, int tag)
{
    const std::string service = m_core->injector.serviceOfTag(tag);
    const std::string text = "A reply carried the stored " + service + " key; the connection was cut.";
    m_core->alert("key-in-reply", m_tunnel->identity, service, text);
    exchange.event.verdict = "error";
    exchange.event.reason = text;
    exchange.upstream.reader->stream()->abort();
    return After::Aborted;
}

asio::awaitable<HttpSession::After> HttpSession::sendResponse(Exchange& exchange, ResponseHead response)
{
    ConnectionEvent& event = exchange.event;
    event.status = response.status;
    const ByteStreamPtr client = m_client->stream();
    const ByteStreamPtr server = exchange.upstream.reader->stream();
    BufferedReader& reader = *exchange.upstream.reader;
    const ResponseFraming framing = chooseFraming(response, exchange.request.minorVersion, exchange.clientKeepAlive);
    const std::string* encoding = response.headers.find("content-encoding");
    std::string out = serialiseResponse(response, framing);
    After after = framing.keepAlive ? After::KeepAlive : After::Close;

    const int headTag = m_core->injector.keyPatterns()->find(out);
    if (headTag >= 0) {
        after = leakedKey(exchange, headTag);
    } else if (!event.keyInjected.empty() && encoding && !equalsIgnoringCase(*encoding, "identity")
               && response.framing != Framing::None) {
        // It was asked not to; a key could hide in what cannot be read here.
        server->abort();
        co_await waitForUpload(exchange);
        exchange.request.keepAlive = false;
        co_return co_await refuse(exchange.request, event, 502, event.rule,
                                  "The server compressed a reply that has to be checked for the key.");
    }

    BodyDecoder decoder(response.framing, response.contentLength);
    StreamScanner scanner(m_core->injector.keyPatterns());
    std::string plain;
    bool headPending = true;
    while (after != After::Aborted && (headPending || !decoder.isDone())) {
        plain.clear();
        while (!decoder.isDone() && !reader.view().empty()) {
            auto step = decoder.next(reader.view());
            if (!step) {
                event.verdict = "error";
                event.reason = "The server's reply is malformed: " + step.error().reason;
                after = After::Aborted;
                break;
            }
            const int tag = step->data.empty() ? -1 : scanner.feed(step->data, plain);
            if (tag >= 0) {
                after = leakedKey(exchange, tag);
                break;
            }
            reader.consume(step->consumed);
            if (step->consumed == 0 && !step->done) {
                break;
            }
        }
        if (after == After::Aborted) {
            break;
        }
        if (decoder.isDone()) {
            scanner.finish(plain);
        }
        if (framing.framing == Framing::Chunked) {
            appendChunk(out, plain);
            if (decoder.isDone()) {
                appendLastChunk(out, decoder.trailers());
            }
        } else {
            out.append(plain);
        }
        if (!out.empty()) {
            auto written = co_await client->write(out);
            if (!written) {
                event.reason = "The client closed the connection before the reply was complete.";
                after = After::Aborted;
                break;
            }
            event.bytesIn += out.size();
            out.clear();
            m_watchdog.touch();
        }
        headPending = false;
        if (!decoder.isDone()) {
            auto count = co_await reader.fill();
            const bool ended = !count || *count == 0;
            if (ended && count && decoder.endOfInput()) {
                headPending = true; // one more round, for what was held back and the last chunk
            } else if (ended) {
                event.verdict = "error";
                event.reason = m_watchdog.hasFired() ? "Nothing came from the server for too long."
                                                     : "The server's reply was cut off.";
                after = After::Aborted;
            }
            m_watchdog.touch();
        }
    }

    const bool uploaded = co_await waitForUpload(exchange);
    if (exchange.uploading) {
        event.bytesOut += exchange.uploading->bytes;
    }
    if (!uploaded && after == After::KeepAlive) {
        after = After::Close;
    }
    const bool reusable = after != After::Aborted && uploaded && response.keepAlive && reader.view().empty()
                          && response.framing != Framing::UntilClose;
    if (reusable) {
        m_core->pool.give(UpstreamPool::keyFor(m_secure, m_tunnel->identity.host, m_tunnel->identity.port,
                                               exchange.injection.service),
                          std::move(exchange.upstream));
    } else {
        server->abort();
    }
    m_core->report(event);
    co_return after;
}

asio::awaitable<HttpSession::After> HttpSession::switchProtocols(Exchange& exchange, ResponseHead response)
{
    ConnectionEvent& event = exchange.event;
    event.status = 101;
    ResponseFraming framing;
    framing.upgrade = exchange.upgrade;
    const std::string head = serialiseResponse(response, framing);
    const int headTag = m_core->injector.keyPatterns()->find(head);
    if (headTag >= 0) {
        const After after = leakedKey(exchange, headTag);
        m_core->report(event);
        co_return after;
    }
    event.bytesIn += head.size();
    auto written = co_await m_client->stream()->write(head);
    if (!written) {
        exchange.upstream.reader->stream()->abort();
        m_core->report(event);
        co_return After::Aborted;
    }
    m_watchdog.disarm();
    RelayOptions options;
    options.idle = m_core->limits.idleStream;
    options.keys = m_core->injector.keyPatterns();
    options.afterServer = kAfterServer; // a WebSocket is over when either side ends it (RFC 6455, section 7.1.1)
    const RelayResult result = co_await relay(m_core->io, m_client, exchange.upstream.reader, options);
    event.bytesIn += result.bytesIn;
    event.bytesOut += result.bytesOut;
    if (result.keyTag >= 0) {
        leakedKey(exchange, result.keyTag);
    } else if (result.idle) {
        event.reason = "Nothing moved for too long.";
    }
    exchange.upstream.reader->stream()->abort();
    m_core->report(event);
    co_return result.keyTag >= 0 || result.idle ? After::Aborted : After::Close;
}

} // namespace coldframe::proxy
