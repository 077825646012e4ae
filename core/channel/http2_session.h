// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/connection.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

struct nghttp2_session;

namespace coldframe::channel {

/// HTTP/2 error codes used here (RFC 9113, section 7).
inline constexpr std::uint32_t kHttp2NoError = 0;
inline constexpr std::uint32_t kHttp2InternalError = 2;
inline constexpr std::uint32_t kHttp2RefusedStream = 7;
inline constexpr std::uint32_t kHttp2Cancel = 8;
inline constexpr std::uint32_t kHttp2ConnectError = 10;
inline constexpr std::uint32_t kHttp2EnhanceYourCalm = 11;

/// What is known of one stream. Outlives its session; then `isClosed` is true and no call reaches the peer.
struct Http2Stream
{
    std::int32_t id = 0;
    Headers peerHeaders;
    bool headersComplete = false;
    bool peerEnded = false;  ///< END_STREAM was received
    bool isClosed = false;   ///< both sides ended, reset, or the session is gone
    bool sessionGone = false;
    std::uint32_t errorCode = kHttp2NoError; ///< of the RST_STREAM that closed it, from either side
    bool canSend = false;    ///< a data source is attached: request with a body, or the response was sent
    bool isFinishing = false;
    /// What Http2Session::send() was given and flow control did not accept yet; owned by the caller.
    std::span<const std::uint8_t> outgoing;
    /// Called after any change; must not call the session.
    std::function<void()> changed;

    std::size_t buffered() const { return m_inbound.size() - m_inboundBegin; }
    /// Copies out waiting bytes; tell the session by consumed().
    std::size_t take(std::span<std::uint8_t> into);

private:
    friend class Http2Session;
    std::string m_inbound;
    std::size_t m_inboundBegin = 0;
    std::size_t m_headerBytes = 0;
    bool m_endSent = false;
    bool m_isDropped = false;
};
using Http2StreamPtr = std::shared_ptr<Http2Stream>;

/// nghttp2 without I/O: bytes in by feed(), bytes out by produce(). Received data waits in the stream, its window is
/// given back as it is read; data to send stays with its owner until flow control takes it.
///
/// Held against a hostile peer (HAZARDS 15): concurrent streams, header bytes, bytes waiting over all streams
/// (new streams are refused first, beyond twice the cap the fullest stream is reset), frames waiting to be sent.
/// A flood of RST_STREAM costs only those streams: nghttp2's own limit, which ends the session, is raised far
/// beyond what closing sockets makes.
class Http2Session
{
public:
    struct Events
    {
        std::function<void(Http2StreamPtr)> incoming; ///< server: request headers are complete
        std::function<void(const Http2StreamPtr&)> closed; ///< after isClosed became true
        std::function<void()> outputWanted;           ///< produce() has something to give
    };

    Http2Session(Role role, const Options& options, Events events);
    ~Http2Session();
    Http2Session(const Http2Session&) = delete;
    Http2Session& operator=(const Http2Session&) = delete;

    /// Protocol when the peer broke the session; it is of no use after that.
    Result<void> feed(std::span<const std::uint8_t> bytes);
    /// Appends what is to be sent, whole frames (≤ 16 KiB and a header each), until `out` holds `enough` bytes.
    Result<void> produce(std::string& out, std::size_t enough);
    /// GOAWAY was sent or received and nothing is left.
    bool isOver() const;

    Result<Http2StreamPtr> request(const Headers& headers, bool endStream);
    Result<void> respond(Http2Stream& stream, const Headers& headers, bool endStream);
    /// Offers data; `stream.outgoing` shrinks as it is taken. One at a time; an empty span withdraws it.
    void send(Http2Stream& stream, std::span<const std::uint8_t> data);
    void finish(Http2Stream& stream);
    void reset(Http2Stream& stream, std::uint32_t code);
    /// Gives back the window of bytes that were taken.
    void consumed(Http2Stream& stream, std::size_t count);
    /// The owner wants no more of it: what it finished is still sent, everything else is reset.
    void drop(const Http2StreamPtr& stream);
    /// The session is gone: closes every stream.
    void abandon();

    std::size_t bufferedBytes() const { return m_buffered; }
    std::size_t streamCount() const { return m_owned; }

private:
    struct Callbacks;

    Http2StreamPtr find(std::int32_t id) const;
    void close(const Http2StreamPtr& stream, std::uint32_t code);
    void discardInbound(Http2Stream& stream);
    void resetFullest();
    void wantOutput();

    Role m_role;
    Options m_options;
    Events m_events;
    nghttp2_session* m_session = nullptr;
    std::unordered_map<std::int32_t, Http2StreamPtr> m_streams; ///< open in nghttp2's sense
    std::size_t m_owned = 0;    ///< streams that an owner still holds, open or not
    std::size_t m_buffered = 0;
};

} // namespace coldframe::channel
