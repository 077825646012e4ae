// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http_leg.h"
#include "proxy/proxy_core.h"
#include "proxy/reply_filter.h"
#include "proxy/streams.h"

namespace coldframe::proxy {

/// One request and its reply: identity, policy, key, upstream, bodies both ways, record. The one path of every version of HTTP.
class HttpExchange
{
public:
    /// `refusal` not empty: the request is answered 403 with it (the tunnel's names do not agree).
    HttpExchange(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, bool secure, std::string refusal, ClientLegPtr client,
                 Watchdog& watchdog);

    asio::awaitable<After> run(RequestHead request);
    /// For what could not even be parsed.
    asio::awaitable<After> refuseMalformed(RequestHead request, HttpError error);

private:
    struct Upload;

    asio::awaitable<After> refuse(int status, std::string rule, std::string reason, Remedy remedy = Remedy::None,
                                 std::string ruleId = {});
    asio::awaitable<After> forward();
    asio::awaitable<bool> sendRequest();
    asio::awaitable<HttpResult<ResponseHead>> readResponse();
    asio::awaitable<After> sendResponse(ResponseHead response);
    asio::awaitable<After> sendBody(After after);
    asio::awaitable<After> switchProtocols(ResponseHead response);
    asio::awaitable<After> failedWithUpload(HttpError error);
    asio::awaitable<bool> waitForUpload();
    /// A request to a token endpoint.
    asio::awaitable<After> answerTokens(Service service);
    void noticeRefusedKey();
    /// Into m_wholeBody; false: too large, or the client has gone.
    asio::awaitable<bool> readWholeBody();
    /// Reads the body to its end and sets the digest that a signature needs; false: too large, or the client has gone.
    asio::awaitable<bool> digestBody();
    /// The server is one that a key belongs to, so its replies are looked into deeper.
    bool isToService() const;
    After leakedKey(int tag);
    void report();
    static asio::awaitable<void> upload(std::shared_ptr<Upload> upload);

    ProxyCorePtr m_core;
    std::shared_ptr<Tunnel> m_tunnel;
    bool m_secure;
    std::string m_refusal;
    ClientLegPtr m_client;
    Watchdog& m_watchdog;

    RequestHead m_request;
    RequestTarget m_target;
    Injection m_injection;
    ConnectionEvent m_event;
    ServerLegPtr m_server;
    std::shared_ptr<OpenConnection> m_open; ///< from the server's being there on
    std::shared_ptr<Upload> m_upload; ///< null without a body
    std::string m_upgrade;            ///< "websocket" or empty
    bool m_keepAlive = false;
    bool m_grpc = false;
    bool m_wantsTrailers = false;
    std::optional<std::string> m_wholeBody; ///< was read before it is sent on, or is not
    std::unique_ptr<ReplyFilter> m_filter;  ///< of the reply under way
};

} // namespace coldframe::proxy
