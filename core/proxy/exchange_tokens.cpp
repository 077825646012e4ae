// SPDX-License-Identifier: Apache-2.0
// Requests to token endpoints: answered here or refused, so that no token ever comes into the sandbox (HAZARDS 5).
#include "proxy/http_exchange.h"
#include "proxy/token_endpoint.h"

namespace coldframe::proxy {

namespace {

constexpr std::chrono::seconds kForNewKey{10};
constexpr std::size_t kMaxTokenAsk = 64 * 1024;

} // namespace

asio::awaitable<After> HttpExchange::answerTokens(Service service)
{
    const bool hasBody = m_request.framing != Framing::None;
    bool wasRead = !hasBody;
    if (hasBody) {
        wasRead = co_await readWholeBody();
    }
    TokenAsk ask;
    if (wasRead && m_wholeBody && m_wholeBody->size() <= kMaxTokenAsk) {
        ask = readTokenAsk(*m_wholeBody);
    }
    const bool isOurs = m_request.method == "POST" && ask.grantType == "refresh_token" && ask.refreshToken == service.login->refresh;
    if (!isOurs) {
        const std::string text = "A log-in of " + service.name + " inside the sandbox would leave its tokens there. Log in on the computer instead, once for "
                                 "all sandboxes: " + service.login->command;
        m_core->alert("token-minting", m_tunnel->identity, service.name, text);
        m_request.keepAlive = m_request.keepAlive && wasRead;
        co_return co_await refuse(403, "log-in", text);
    }
    // The client refreshes because its token was refused: it should come back to the new one, which is on its way.
    const auto deadline = std::chrono::steady_clock::now() + kForNewKey;
    while (m_core->refusedKeys.contains(service.name)) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            break;
        }
        co_await m_core->keysChanged.waitFor(left);
    }
    const bool isThere = m_core->injector.hasKey(service.name);
    OwnReply reply;
    reply.status = isThere ? 200 : 400;
    reply.body = isThere ? standInReply(service) : overReply(service);
    reply.keepAlive = m_request.keepAlive;
    m_event.status = reply.status;
    m_event.rule = "log-in";
    m_event.reason = isThere ? "Answered on this computer with placeholders; the log-in is refreshed outside." : "There is no log-in on this computer.";
    m_client->putReply(reply);
    const bool written = co_await m_client->flush(true);
    m_event.bytesIn = m_client->written();
    report();
    co_return !written ? After::Aborted : reply.keepAlive ? After::KeepAlive : After::Close;
}

/// A server answered 401 to a key that a log-in gave: the engine may have to refresh it. Told once for each key.
void HttpExchange::noticeRefusedKey()
{
    const std::string& service = m_event.keyInjected;
    if (m_event.status == 401 && !service.empty() && m_core->injector.isLogin(service) && m_core->refusedKeys.insert(service).second) {
        m_core->engine->send(encodeRefusedKey(m_core->sandbox, service));
    }
}

} // namespace coldframe::proxy
