// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http2_connection.h"
#include "proxy/http_leg.h"

#include <optional>

namespace coldframe::proxy {

/// One request on a shared connection to a server.
class Http2ServerLeg : public ServerLeg
{
public:
    /// `onHttp1Required`: the server wants this place spoken to by HTTP/1.1.
    Http2ServerLeg(Http2ConnectionPtr connection, bool secure, std::function<void()> onHttp1Required);
    ~Http2ServerLeg() override = default;

    asio::awaitable<HttpResult<bool>> readBody(std::string& plain) override;
    bool hasBody() const override { return !m_io || m_io->hasBody(); }
    const HeaderList& trailers() const override { return m_io ? m_io->trailers() : m_none; }
    void putBody(std::string_view data) override;
    void putEnd(const HeaderList& trailers) override;
    asio::awaitable<bool> flush(bool all) override;
    std::uint64_t written() const override { return m_io ? m_io->written() : 0; }
    void abort() override;
    BufferedReaderPtr raw() const override { return nullptr; }

    void putHead(const Request& request) override;
    asio::awaitable<HttpResult<ResponseHead>> readHead(const std::string& method) override;
    bool isSecure() const override { return m_secure; }
    const std::string& address() const override { return m_connection->address(); }
    bool mayRepeat(bool isSafe) const override;
    void release(bool whole) override;

private:
    Http2ConnectionPtr m_connection;
    bool m_secure;
    std::function<void()> m_onHttp1Required;
    std::optional<Http2StreamIo> m_io; ///< none before the request, or when the connection took none
    HeaderList m_none;
    bool m_replied = false;
    bool m_aborted = false;
};

/// The final or an interim reply; 502 when it has no valid status.
HttpResult<ResponseHead> responseFrom(const Http2Head& head, std::string_view method, bool endsHere);

} // namespace coldframe::proxy
