// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/byte_stream.h"
#include "proxy/http2_codec.h"
#include "proxy/streams.h"

#include <asio/io_context.hpp>

namespace coldframe::proxy {

/// Drives a codec over a connection: one coroutine reads, one writes. Lives as long as they do or somebody holds it.
class Http2Connection : public std::enable_shared_from_this<Http2Connection>
{
public:
    struct Options
    {
        Http2Codec::Role role = Http2Codec::Role::Server;
        Http2Limits limits;
        std::chrono::milliseconds head{30'000};  ///< a header section, once begun, is complete by then
        std::chrono::milliseconds idle{300'000}; ///< without a stream for this long the connection ends
        std::function<void(Http2StreamPtr)> request;
        std::function<void(std::string)> broken;
        std::string address; ///< of the server
    };
    Http2Connection(asio::io_context& io, ByteStreamPtr stream, Options options);

    void start();
    /// Until both coroutines have ended.
    asio::awaitable<void> ended();
    /// GOAWAY, then the end when the streams there are have ended.
    void shutDown(std::uint32_t code = kH2NoError);
    void abort();
    bool isAlive() const { return !m_over; }
    /// Client: takes another request.
    bool isUsable() const { return !m_over && !m_leaving && m_codec.hasRoom(); }
    /// Keys go over this connection: what was written is wiped.
    void keepSecret() { m_secret = true; }
    Http2Codec& codec() { return m_codec; }
    asio::io_context& io() { return m_io; }
    const std::string& address() const { return m_options.address; }

private:
    static asio::awaitable<void> reader(std::shared_ptr<Http2Connection> self);
    static asio::awaitable<void> writer(std::shared_ptr<Http2Connection> self);
    void watch();
    void finishOne();
    void wakeWriter();

    asio::io_context& m_io;
    ByteStreamPtr m_stream;
    Options m_options;
    Http2Codec m_codec;
    Notifier m_wake;
    Notifier m_ended;
    Watchdog m_watchdog;
    int m_running = 0;
    bool m_over = false;
    bool m_leaving = false;
    bool m_secret = false;
    bool m_writerWaits = false;
    enum class Watched { Nothing, Head, Idle } m_watched = Watched::Nothing;
};
using Http2ConnectionPtr = std::shared_ptr<Http2Connection>;

/// A stream as a leg of an exchange uses it: waiting for bytes, for room, and for heads.
class Http2StreamIo
{
public:
    Http2StreamIo(Http2ConnectionPtr connection, Http2StreamPtr stream);
    ~Http2StreamIo();
    Http2StreamIo(const Http2StreamIo&) = delete;
    Http2StreamIo& operator=(const Http2StreamIo&) = delete;

    asio::awaitable<HttpResult<bool>> readBody(std::string& plain);
    bool hasBody() const;
    const HeaderList& trailers() const { return m_trailers; }
    void putBody(std::string_view data);
    void putEnd(const HeaderList& trailers);
    asio::awaitable<bool> flush(bool all);
    /// Waits until there is a head; false when there will be none.
    asio::awaitable<bool> waitForHead();
    void reset(std::uint32_t code);
    void stopReading();
    void onGone(std::function<void()> action) { m_onGone = std::move(action); }
    bool isGone() const { return m_stream->isClosed && m_stream->wasReset; }

    const Http2StreamPtr& stream() const { return m_stream; }
    const Http2ConnectionPtr& connection() const { return m_connection; }
    std::uint64_t written() const { return m_written; }
    void countWritten(std::uint64_t bytes) { m_written += bytes; }

private:
    void changed();
    Http2ConnectionPtr m_connection;
    Http2StreamPtr m_stream;
    Notifier m_inbound;
    Notifier m_outbound;
    HeaderList m_trailers;
    std::function<void()> m_onGone;
    std::uint64_t m_written = 0;
    bool m_stopped = false;
};

/// Trailer fields without what must not be there: framing, routing, credentials, pseudo-header fields.
HeaderList cleanTrailers(const HeaderList& fields);

} // namespace coldframe::proxy
