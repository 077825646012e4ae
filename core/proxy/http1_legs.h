// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http1_parser.h"
#include "proxy/http_leg.h"
#include "proxy/upstream_pool.h"

#include <optional>

namespace coldframe::proxy {

/// The reading half of both: a body taken apart as it comes.
class Http1Body
{
public:
    explicit Http1Body(BufferedReaderPtr reader) : m_reader(std::move(reader)) {}
    void expect(Framing framing, std::uint64_t length) { m_decoder.emplace(framing, length); }
    /// As HttpLeg::readBody(). `side` begins the reason when the connection ends too early.
    asio::awaitable<HttpResult<bool>> read(std::string& plain);
    bool isReady() const { return m_decoder && (m_decoder->isDone() || !m_reader->view().empty()); }
    bool isDone() const { return m_decoder && m_decoder->isDone(); }
    const HeaderList& trailers() const { return m_decoder->trailers(); }
    const BufferedReaderPtr& reader() const { return m_reader; }

private:
    BufferedReaderPtr m_reader;
    std::optional<BodyDecoder> m_decoder;
};

class Http1ClientLeg : public ClientLeg
{
public:
    /// For one request of the connection; its head has been read.
    Http1ClientLeg(BufferedReaderPtr reader, const RequestHead& request);

    asio::awaitable<HttpResult<bool>> readBody(std::string& plain) override { return m_body.read(plain); }
    bool hasBody() const override { return m_body.isReady(); }
    const HeaderList& trailers() const override { return m_body.trailers(); }
    void putBody(std::string_view data) override;
    void putEnd(const HeaderList& trailers) override;
    asio::awaitable<bool> flush(bool all) override;
    std::uint64_t written() const override { return m_written; }
    void abort() override { m_body.reader()->stream()->abort(); }
    BufferedReaderPtr raw() const override { return m_body.reader(); }

    bool isHttp2() const override { return false; }
    void putInterim(const ResponseHead& response) override;
    After putHead(const ResponseHead& response, bool keepAlive, const std::string& upgrade) override;
    void putReply(const OwnReply& reply) override;
    void onGone(std::function<void()>) override {} // nobody reads between requests, so nobody would notice
    bool isGone() const override { return m_gone; }

private:
    Http1Body m_body;
    int m_minorVersion;
    std::string m_out;
    bool m_chunked = false;
    bool m_gone = false;
    std::uint64_t m_written = 0;
};

class Http1ServerLeg : public ServerLeg
{
public:
    /// `giveBack` gets the connection when it can be used again.
    Http1ServerLeg(Upstream upstream, std::function<void(Upstream)> giveBack);
    ~Http1ServerLeg() override;

    asio::awaitable<HttpResult<bool>> readBody(std::string& plain) override { return m_body.read(plain); }
    bool hasBody() const override { return m_body.isReady(); }
    const HeaderList& trailers() const override { return m_body.trailers(); }
    void putBody(std::string_view data) override;
    void putEnd(const HeaderList& trailers) override;
    asio::awaitable<bool> flush(bool all) override;
    std::uint64_t written() const override { return m_written; }
    void abort() override { m_upstream.reader->stream()->abort(); }
    BufferedReaderPtr raw() const override { return m_upstream.reader; }

    void putHead(const Request& request) override;
    asio::awaitable<HttpResult<ResponseHead>> readHead(const std::string& method) override;
    bool isSecure() const override { return m_upstream.secure; }
    const std::string& address() const override { return m_upstream.address; }
    bool mayRepeat(bool isSafe) const override;
    void release(bool whole) override;

private:
    Upstream m_upstream;
    Http1Body m_body;
    std::function<void(Upstream)> m_giveBack;
    std::string m_out;
    bool m_chunked = false;
    bool m_secret = false;
    bool m_replied = false;
    bool m_keepAlive = false;
    bool m_released = false;
    std::uint64_t m_written = 0;
};

} // namespace coldframe::proxy
