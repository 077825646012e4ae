// SPDX-License-Identifier: Apache-2.0
#include "proxy/http_session.h"

#include "proxy/connect_upstream.h"
#include "proxy/http1_legs.h"
#include "proxy/http_exchange.h"

namespace coldframe::proxy {

HttpSession::HttpSession(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, BufferedReaderPtr client, bool secure,
                         std::string refusal)
    : m_core(std::move(core)), m_tunnel(std::move(tunnel)), m_client(std::move(client)), m_secure(secure),
      m_refusal(std::move(refusal)), m_watchdog(m_core->io)
{
}

asio::awaitable<void> HttpSession::run()
{
    const ByteStreamPtr client = m_client->stream();
    After after = After::KeepAlive;
    while (after == After::KeepAlive) {
        auto request = co_await readRequest();
        if (!request) {
            HttpResult<RequestHead> malformed = tl::unexpected(request.error());
            after = co_await handle(std::move(malformed));
        } else if (!*request) {
            after = After::Close; // the client has ended or given up
        } else {
            HttpResult<RequestHead> head = std::move(**request);
            after = co_await handle(std::move(head));
        }
    }
    m_watchdog.disarm();
    if (after == After::Aborted) {
        client->abort();
    } else {
        co_await lingeringClose(m_core->io, client);
    }
}

asio::awaitable<HttpResult<std::optional<RequestHead>>> HttpSession::readRequest()
{
    HeadScanner scanner;
    const ByteStreamPtr client = m_client->stream();
    bool begun = !m_client->view().empty();
    m_watchdog.arm(begun ? m_core->limits.head : m_core->limits.idleBetweenRequests, [client] { client->abort(); });
    while (true) {
        if (!m_client->view().empty()) {
            HttpResult<std::optional<std::size_t>> end = scanner.scan(m_client->view());
            if (!end) {
                co_return tl::unexpected(end.error());
            }
            if (*end) {
                HttpResult<RequestHead> request = parseRequestHead(m_client->view().substr(0, **end));
                m_client->consume(**end);
                if (!request) {
                    co_return tl::unexpected(request.error());
                }
                co_return std::optional<RequestHead>(std::move(*request));
            }
        }
        auto count = co_await m_client->fill();
        if (!count || *count == 0) {
            if (!m_client->view().empty() && !m_watchdog.hasFired() && count) {
                co_return tl::unexpected(HttpError{400, "The request ended in its header section."});
            }
            co_return std::optional<RequestHead>();
        }
        if (!begun) {
            begun = true; // from here on the whole head must come in time, however it trickles
            m_watchdog.arm(m_core->limits.head, [client] { client->abort(); });
        }
    }
}

asio::awaitable<After> HttpSession::handle(HttpResult<RequestHead> request)
{
    auto leg = std::make_shared<Http1ClientLeg>(m_client, request ? *request : RequestHead());
    HttpExchange exchange(m_core, m_tunnel, m_secure, m_refusal, std::move(leg), m_watchdog);
    if (!request) {
        RequestHead unknown;
        const After refused = co_await exchange.refuseMalformed(std::move(unknown), request.error());
        co_return refused;
    }
    const After after = co_await exchange.run(std::move(*request));
    co_return after;
}

} // namespace coldframe::proxy
