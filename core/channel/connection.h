// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace coldframe::channel {

/// Which end of a port this is. The host chooses the session id and says HELLO; the guest echoes it.
enum class Side { Host, Guest };
/// Who opens HTTP/2 streams: on "control" and "bulk" the host, on "net" the guest.
enum class Role { Client, Server };

using Headers = std::map<std::string, std::string>; ///< lower-case names, pseudo-headers included

/// One HTTP/2 stream (RFC 9113, section 5.1). Owned by shared_ptr; dropping the last one resets it, but what was
/// written and finish()ed before is still sent. Keep it while a read or write of it is under way.
/// All calls on the connection's io_context thread. Reads and writes may be under way at the same time,
/// one of each.
class Stream
{
public:
    virtual ~Stream() = default;
    virtual std::uint32_t id() const = 0;
    /// The peer's header block: request headers at the server from the start, response headers at the client
    /// once awaited by responseHeaders().
    virtual const Headers& peerHeaders() const = 0;
    /// Client only: waits for the response header block.
    virtual asio::awaitable<Result<Headers>> responseHeaders() = 0;
    /// Server only: sends the response header block (":status" and others); once.
    virtual Result<void> respond(const Headers& headers, bool endStream = false) = 0;
    /// Some bytes, at least one; 0 = the peer ended its side cleanly. Closed when reset or the session is gone.
    /// The flow-control window is given back as bytes are read (back-pressure).
    virtual asio::awaitable<Result<std::size_t>> read(std::span<std::uint8_t> buffer) = 0;
    /// Returns when all bytes are accepted by flow control and the send buffer has room (≤ 64 KiB unsent).
    virtual asio::awaitable<Result<void>> write(std::span<const std::uint8_t> data) = 0;
    /// END_STREAM on our side; reading goes on.
    virtual void finish() = 0;
    /// RST_STREAM; code is an HTTP/2 error code (CANCEL 8, CONNECT_ERROR 10, REFUSED_STREAM 7).
    virtual void reset(std::uint32_t code) = 0;
    /// The code of the RST_STREAM that ended it, from either side; none while it lives, after a clean end, or when
    /// the whole session went.
    virtual std::optional<std::uint32_t> resetCode() const { return std::nullopt; }
};
using StreamPtr = std::shared_ptr<Stream>;

struct Options
{
    Side side = Side::Host;
    Role role = Role::Client;
    std::uint32_t maxStreams = 1024;        ///< concurrent, from the peer; more are refused
    std::uint32_t streamWindow = 64 * 1024; ///< bytes
    std::uint32_t connectionWindow = 0x7fffffff;
    std::size_t maxHeaderBytes = 64 * 1024;
    /// Received bytes waiting to be read, over all streams: from here on new streams are refused; at twice as
    /// much the stream that holds the most is reset.
    std::size_t maxBufferedBytes = 32 * 1024 * 1024;
    std::chrono::milliseconds helloTimeout{2000};
};

/// HTTP/2 over the record layer over one byte stream (a virtio port or the unix socket QEMU makes of it).
/// Survives the other side's restart: a Host announces a new session whenever it (re)connects; a Guest drops
/// its streams and echoes. All methods on `io`'s one thread.
class Connection
{
public:
    virtual ~Connection() = default;
    /// Host: HELLO until echoed; Timeout ("port held or guest hung") after helloTimeout without an echo. Again after
    /// a session's end, or to replace the session there is.
    /// Guest: waits for a HELLO (no time limit); at once while a session is there. Calling it is optional.
    /// Unavailable, here and below: the descriptor is at its end or close() was called; nothing will come any more.
    virtual asio::awaitable<Result<void>> establish() = 0;
    /// Client role: a new stream with these request headers (":method", ":scheme", ":path", ":authority" as
    /// the method needs). endStream = no body.
    virtual Result<StreamPtr> open(const Headers& headers, bool endStream = false) = 0;
    /// Server role: the next stream from the peer; Closed once for each session that ended (call again: it waits
    /// for the next session, which a Guest gets by itself and a Host by establish()).
    virtual asio::awaitable<Result<StreamPtr>> accept() = 0;
    /// True between establish() and the session's end.
    virtual bool isAlive() const = 0;
    /// Resolves when the session ends (peer restart, descriptor error, protocol error); at once without one.
    virtual asio::awaitable<Error> closed() = 0;
    virtual void close() = 0;
    /// Increases with every session; streams of an earlier one are dead.
    virtual std::uint64_t sessionNumber() const = 0;
};

/// Takes over the descriptor (non-blocking is set). Works for unix sockets, socket pairs and virtio port devices
/// (where read gives 0 while no host is attached: polled with a pause, never spun on, never taken for an end).
/// The end of a socket is the connection's end.
std::unique_ptr<Connection> makeConnection(asio::io_context& io, int fd, Options options);

/// Reads the whole remaining body, up to maxBytes (else Protocol).
asio::awaitable<Result<std::string>> readBody(Stream& stream, std::size_t maxBytes);

} // namespace coldframe::channel
