// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "proxy/http1_message.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct nghttp2_session;

namespace coldframe::proxy {

/// HTTP/2 error codes used here (RFC 9113, section 7).
inline constexpr std::uint32_t kH2NoError = 0;
inline constexpr std::uint32_t kH2ProtocolError = 1;
inline constexpr std::uint32_t kH2InternalError = 2;
inline constexpr std::uint32_t kH2RefusedStream = 7;
inline constexpr std::uint32_t kH2Cancel = 8;
inline constexpr std::uint32_t kH2EnhanceYourCalm = 11;
inline constexpr std::uint32_t kH2Http11Required = 13;

/// Bounds of one connection (HAZARDS 15).
struct Http2Limits
{
    std::uint32_t maxStreams = 100;            ///< concurrent, from a client
    std::uint32_t streamWindow = 512 * 1024;   ///< bytes a peer may send ahead on one stream
    std::uint32_t connectionWindow = 4u << 20;
    std::size_t maxBuffered = 2u << 20;        ///< received and not yet read, over all streams; from there on the connection's window stays shut
    std::size_t maxHeaderBytes = 64 * 1024;    ///< names and values of one message, trailers included
    std::size_t maxFields = 128;
    std::size_t maxHeads = 20;                 ///< of one reply: interim ones and the final one
};

/// A header section as it came.
struct Http2Head
{
    HeaderList pseudo; ///< ":method" and its like
    HeaderList fields;
};

/// One stream. Outlives its connection; then `isClosed`, and no call reaches the peer.
struct Http2Stream
{
    std::int32_t id = 0;
    std::deque<Http2Head> heads; ///< a server's: the request; a client's: interim replies, then the final one
    HeaderList trailers;
    bool isHeadComplete = false; ///< the request, or the final reply
    std::string problem;         ///< not empty: the message breaks a rule, in words
    int problemStatus = 400;
    bool peerEnded = false;
    bool isClosed = false;
    bool wasReset = false;       ///< by either side, or with the connection
    std::uint32_t errorCode = kH2NoError;

    std::string outgoing; ///< what flow control has not taken yet, from `outgoingAt` on
    std::size_t outgoingAt = 0;
    bool isEnding = false;
    HeaderList endTrailers;

    /// Called after any change; must not call the codec.
    std::function<void()> changed;

    std::size_t unsent() const { return outgoing.size() - outgoingAt; }
    std::string_view inbound() const { return std::string_view(m_inbound).substr(m_inboundAt); }

private:
    friend class Http2Codec;
    Http2Head m_collecting;
    std::string m_inbound;
    std::size_t m_inboundAt = 0;
    std::size_t m_headerBytes = 0;
    std::size_t m_fieldCount = 0;
    bool m_isSending = false;
    bool m_isDropped = false;
    bool m_endSent = false;
};
using Http2StreamPtr = std::shared_ptr<Http2Stream>;

/// nghttp2 without I/O for the web's HTTP/2: ordered header fields, interim replies, trailers. Bytes in by feed(), bytes out by
/// produce(). What a peer sends ahead is bounded for each stream and over all of them, and a window opens as bytes are read, so a
/// slow reader on one side slows the sender on the other.
class Http2Codec
{
public:
    enum class Role { Server, Client };
    struct Events
    {
        std::function<void(Http2StreamPtr)> request;  ///< server: a request's head is complete (look at `problem`)
        std::function<void(std::string)> broken;      ///< server: a request nghttp2 refused before it was one
        std::function<void()> outputWanted;
    };

    Http2Codec(Role role, const Http2Limits& limits, Events events);
    ~Http2Codec();
    Http2Codec(const Http2Codec&) = delete;
    Http2Codec& operator=(const Http2Codec&) = delete;

    /// Protocol when the peer broke the connection; produce() still has the GOAWAY that says so.
    Result<void> feed(std::string_view bytes);
    /// Appends what is to be sent until `out` holds about `enough` bytes.
    Result<void> produce(std::string& out, std::size_t enough);
    /// Nothing is left to be read or written.
    bool isOver() const;
    bool wantsOutput() const;

    /// Client: a new request. Names are written in lower case. `secret`: none of it goes into the compression table.
    Result<Http2StreamPtr> request(const HeaderList& pseudo, const HeaderList& fields, bool hasBody, bool secret);
    /// Server: an interim (1xx) or the final head; after the final one the stream takes outgoing bytes.
    Result<void> respond(const Http2StreamPtr& stream, int status, const HeaderList& fields, bool endsHere);
    /// More was appended to `outgoing`, or `isEnding` was set.
    void resume(const Http2StreamPtr& stream);
    void reset(const Http2StreamPtr& stream, std::uint32_t code);
    /// `count` bytes of inbound() have been read: the peer may send as many again.
    void consume(const Http2StreamPtr& stream, std::size_t count);
    /// Its owner is through with it: what is ended is still sent, everything else is reset.
    void drop(const Http2StreamPtr& stream);
    /// GOAWAY: streams there are go on, new ones are refused.
    void shutDown(std::uint32_t code);
    /// The connection is gone: closes every stream.
    void abandon();

    /// Client: whether the server takes another stream now.
    bool hasRoom() const;
    std::size_t streamCount() const { return m_streams.size(); }
    std::size_t buffered() const { return m_buffered; }
    /// A header section has begun and not ended.
    bool isCollecting() const { return m_collecting; }

private:
    struct Callbacks;
    Http2StreamPtr find(std::int32_t id) const;
    void close(const Http2StreamPtr& stream, std::uint32_t code);
    void headersReceived(const Http2StreamPtr& stream);
    void discard(Http2Stream& stream);
    void openConnectionWindow();
    void wantOutput();

    Role m_role;
    Http2Limits m_limits;
    Events m_events;
    nghttp2_session* m_session = nullptr;
    std::unordered_map<std::int32_t, Http2StreamPtr> m_streams;
    std::size_t m_buffered = 0;
    std::size_t m_windowOwed = 0; ///< bytes of the connection's window that were not given back yet
    bool m_collecting = false;
    bool m_isShut = false;
};

} // namespace coldframe::proxy
