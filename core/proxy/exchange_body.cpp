// SPDX-License-Identifier: Apache-2.0
// The second half of an exchange: bodies in both directions and what follows a switch of protocols.
#include "proxy/aws_signature.h"
#include "proxy/exchange_upload.h"
#include "proxy/http1_serialise.h"
#include "proxy/relay.h"

namespace coldframe::proxy {

namespace {

constexpr std::chrono::milliseconds kUploadGrace{5000};
constexpr std::chrono::milliseconds kAfterServer{3000};
constexpr std::size_t kMaxSignedBody = 8u << 20;

/// The one content coding of a reply; several, which nobody sends, read as one that nobody knows.
std::string contentCoding(const HeaderList& headers)
{
    std::string all;
    for (const std::string& token : headers.tokens("content-encoding")) {
        all += (all.empty() ? "" : ", ") + token;
    }
    return all;
}

} // namespace

int passThrough(StreamScanner& scanner, const PatternSet* patterns, std::string& plain, std::string& out)
{
    out.clear();
    if (!patterns || patterns->isEmpty()) {
        out.swap(plain);
        return -1;
    }
    return plain.empty() ? -1 : scanner.feed(plain, out);
}

int findInFields(const PatternSet* patterns, const HeaderList& fields)
{
    if (patterns && !patterns->isEmpty()) {
        for (const HeaderField& field : fields.fields()) {
            const int tag = patterns->find(field.name + ": " + field.value);
            if (tag >= 0) {
                return tag;
            }
        }
    }
    return -1;
}

asio::awaitable<bool> HttpExchange::readWholeBody()
{
    const ClientLegPtr client = m_client;
    m_watchdog.arm(m_core->limits.idleStream, [client] { client->abort(); });
    if (m_request.expectContinue) {
        m_request.expectContinue = false;
        m_request.headers.remove("expect");
        ResponseHead goOn;
        goOn.status = 100;
        m_client->putInterim(goOn);
        const bool asked = co_await m_client->flush();
        if (!asked) {
            co_return false;
        }
    }
    std::string body;
    std::string piece;
    bool ended = false;
    while (!ended) {
        piece.clear();
        HttpResult<bool> last = co_await m_client->readBody(piece);
        m_watchdog.touch();
        if (!last || body.size() + piece.size() > kMaxSignedBody) {
            co_return false;
        }
        body += piece;
        ended = *last;
    }
    m_wholeBody = std::move(body);
    co_return true;
}

asio::awaitable<bool> HttpExchange::digestBody()
{
    const bool wasRead = co_await readWholeBody();
    if (wasRead) {
        m_injection.payloadHash = sha256Hex(*m_wholeBody);
    }
    co_return wasRead;
}

asio::awaitable<void> HttpExchange::upload(std::shared_ptr<Upload> upload)
{
    StreamScanner scanner(upload->sentinels);
    std::string plain;
    std::string out;
    bool ended = false;
    while (!ended && !upload->failed) {
        plain.clear();
        HttpResult<bool> last = true;
        if (upload->whole) {
            plain = std::move(*upload->whole);
            upload->whole.reset();
        } else {
            last = co_await upload->client->readBody(plain);
        }
        upload->onMovement();
        if (!last) {
            upload->problem = last.error().status == 0 ? std::string() : last.error().reason;
            upload->failed = true;
            break;
        }
        ended = *last;
        upload->sentinelTag = passThrough(scanner, upload->sentinels.get(), plain, out);
        if (ended && upload->sentinelTag < 0) {
            scanner.finish(out);
            upload->sentinelTag = findInFields(upload->sentinels.get(), upload->client->trailers());
        }
        if (upload->sentinelTag >= 0) {
            upload->failed = true;
            break;
        }
        upload->server->putBody(out);
        if (ended) {
            upload->server->putEnd(upload->client->trailers());
        }
        const bool written = co_await upload->server->flush();
        upload->failed = !written;
        upload->onMovement();
    }
    if (upload->failed) {
        upload->server->abort(); // half a request must not stand for a whole one
    }
    upload->done = true;
    upload->ended.notify();
}

asio::awaitable<bool> HttpExchange::waitForUpload()
{
    const std::shared_ptr<Upload> upload = m_upload;
    if (!upload) {
        co_return true;
    }
    const auto deadline = std::chrono::steady_clock::now() + kUploadGrace;
    while (!upload->done) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            // The server has answered and does not read on: the connection cannot be used for anything else.
            upload->client->abort();
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

bool HttpExchange::isToService() const
{
    return !m_event.keyInjected.empty() || m_core->injector.isServiceHost(m_tunnel->identity.host);
}

After HttpExchange::leakedKey(int tag)
{
    const std::string service = m_core->injector.serviceOfTag(tag);
    const std::string text = "A reply carried the stored " + service + " key; the connection was cut.";
    m_core->alert("key-in-reply", m_tunnel->identity, service, text);
    m_event.verdict = "error";
    m_event.reason = text;
    m_server->abort();
    return After::Aborted;
}

asio::awaitable<After> HttpExchange::sendResponse(ResponseHead response)
{
    m_event.status = response.status;
    noticeRefusedKey();
    const std::shared_ptr<const PatternSet> keys = m_core->injector.keyPatterns();
    const int headTag = keys->isEmpty() ? -1 : keys->find(serialiseResponse(response, ResponseFraming{}));
    const std::string* messages = response.headers.find("grpc-encoding");
    m_filter = std::make_unique<ReplyFilter>(keys, contentCoding(response.headers), isToService());
    const bool unreadable = !m_filter->canRead()
                            || (!m_event.keyInjected.empty() && messages && !equalsIgnoringCase(*messages, "identity"));
    After after = After::Close;
    if (headTag >= 0) {
        after = leakedKey(headTag);
    } else if (unreadable && response.framing != Framing::None) {
        // A key could hide in what cannot be read here.
        m_server->abort();
        co_await waitForUpload();
        m_request.keepAlive = false;
        co_return co_await refuse(502, m_event.rule, "The server compressed a reply that has to be checked for the key in a way that is unknown here.");
    } else {
        const After possible = m_client->putHead(response, m_keepAlive, std::string());
        after = co_await sendBody(possible);
    }
    const bool uploaded = co_await waitForUpload();
    if (!uploaded && after == After::KeepAlive) {
        after = After::Close;
    }
    m_event.bytesIn += m_client->written();
    m_event.bytesOut += m_server->written();
    m_server->release(after != After::Aborted && uploaded && !m_open->isCut());
    report();
    co_return after;
}

asio::awaitable<After> HttpExchange::sendBody(After after)
{
    const std::shared_ptr<const PatternSet> keys = m_core->injector.keyPatterns();
    std::string plain;
    std::string out;
    bool alerted = false;
    bool ended = false;
    while (!ended) {
        if (!m_server->hasBody()) {
            // What is there goes now: a stream of events must not wait for its next one.
            const bool written = co_await m_client->flush();
            if (!written) {
                m_event.reason = "The client closed the connection before the reply was complete.";
                co_return After::Aborted;
            }
            m_watchdog.touch();
        }
        plain.clear();
        HttpResult<bool> last = co_await m_server->readBody(plain);
        m_watchdog.touch();
        if (!last && m_client->isGone()) {
            m_event.reason = "The client gave the request up.";
            co_return After::Aborted;
        }
        if (!last) {
            m_event.verdict = "error";
            m_event.reason = m_watchdog.hasFired()      ? "Nothing came from the server for too long."
                             : last.error().status == 0 ? "The server's reply was cut off."
                                                        : "The server's reply is malformed: " + last.error().reason;
            co_return After::Aborted;
        }
        ended = *last;
        out.clear();
        ReplyFilter::Outcome found;
        if (keys->isEmpty()) {
            out.swap(plain);
        } else if (!plain.empty()) {
            found = m_filter->feed(plain, out);
        }
        if (found.keyTag >= 0 && !found.cut && !alerted) {
            alerted = true;
            const std::string service = m_core->injector.serviceOfTag(found.keyTag);
            m_event.reason = "A reply carried the stored " + service + " key; it was overwritten.";
            m_core->alert("key-in-reply", m_tunnel->identity, service, m_event.reason);
        }
        int tag = found.cut ? found.keyTag : -1;
        if (ended && !found.cut) {
            m_filter->finish(out);
            tag = findInFields(keys.get(), m_server->trailers());
        }
        if (tag >= 0) {
            co_return leakedKey(tag);
        }
        if (found.cut) {
            m_event.verdict = "error";
            m_event.reason = found.problem;
            m_server->abort();
            co_return After::Aborted;
        }
        m_client->putBody(out);
        if (ended) {
            m_client->putEnd(m_server->trailers());
        }
        const bool written = co_await m_client->flush(ended);
        if (!written) {
            m_event.reason = "The client closed the connection before the reply was complete.";
            co_return After::Aborted;
        }
        m_watchdog.touch();
    }
    co_return after;
}

asio::awaitable<After> HttpExchange::switchProtocols(ResponseHead response)
{
    m_event.status = 101;
    ResponseFraming framing;
    framing.upgrade = m_upgrade;
    const int headTag = m_core->injector.keyPatterns()->find(serialiseResponse(response, framing));
    const BufferedReaderPtr client = m_client->raw();
    const BufferedReaderPtr server = m_server->raw();
    // With a key on its way the extensions were not asked for: what is compressed could not be searched.
    const bool compressed = !m_event.keyInjected.empty() && response.headers.find("sec-websocket-extensions");
    if (headTag >= 0 || !client || !server || compressed) {
        const After after = headTag >= 0 ? leakedKey(headTag) : After::Aborted;
        m_event.verdict = "error";
        m_event.reason = m_event.reason.empty() || compressed ? "The server switched protocols in a way that cannot be checked."
                                                              : m_event.reason;
        report();
        co_return after;
    }
    m_client->putHead(response, false, m_upgrade);
    const bool written = co_await m_client->flush(true);
    m_event.bytesIn += m_client->written();
    m_event.bytesOut += m_server->written();
    if (!written) {
        m_server->abort();
        report();
        co_return After::Aborted;
    }
    m_watchdog.disarm();
    RelayOptions options;
    options.idle = m_core->limits.idleStream;
    options.isWebSocket = true;
    options.keys = m_core->injector.keyPatterns();
    options.holdsKeys = isToService();
    options.sentinels = m_core->injector.sentinelsForBody(m_tunnel->identity);
    options.afterServer = kAfterServer; // a WebSocket is over when either side ends it (RFC 6455, section 7.1.1)
    const RelayResult result = co_await relay(m_core->io, client, server, options);
    m_event.bytesIn += result.bytesIn;
    m_event.bytesOut += result.bytesOut;
    if (result.keyTag >= 0) {
        leakedKey(result.keyTag);
    } else if (result.sentinelTag >= 0) {
        const std::string service = m_core->injector.serviceOfTag(result.sentinelTag);
        m_event.verdict = "denied";
        m_event.reason = "The placeholder for the " + service + " key was sent to a place the key does not belong to.";
        m_core->alert("sentinel-misplaced", m_tunnel->identity, service, m_event.reason);
    } else if (result.idle || result.broken) {
        m_event.reason = result.idle ? "Nothing moved for too long." : "What came was no WebSocket.";
    }
    m_server->abort();
    report();
    const bool cut = result.keyTag >= 0 || result.sentinelTag >= 0 || result.idle || result.broken || m_open->isCut();
    co_return cut ? After::Aborted : After::Close;
}

} // namespace coldframe::proxy
