// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/buffered_reader.h"
#include "proxy/http1_message.h"
#include "proxy/refusal.h"

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace coldframe::proxy {

/// The connection to the sandbox after an exchange.
enum class After { KeepAlive, Close, Aborted };

/// One side of one exchange, whatever version of HTTP it speaks. What is put waits for flush(), so that a head and the first
/// bytes of a body leave together; what is put between two flushes is no more than was read at a time. One reader and one
/// writer at a time.
class HttpLeg
{
public:
    virtual ~HttpLeg() = default;

    /// Appends some of the peer's body, framing taken off; true = that was the end. 400 or 502: malformed; 0: the peer is gone.
    virtual asio::awaitable<HttpResult<bool>> readBody(std::string& plain) = 0;
    /// Whether readBody() would return without waiting.
    virtual bool hasBody() const = 0;
    /// Of the peer's message, once its end was read; framing, routing and credentials are left out.
    virtual const HeaderList& trailers() const = 0;

    virtual void putBody(std::string_view data) = 0;
    virtual void putEnd(const HeaderList& trailers) = 0;
    /// False when the peer is gone. `all`: waits until the connection has taken everything, not only until there is room for more.
    virtual asio::awaitable<bool> flush(bool all = false) = 0;
    /// Bytes that went out so far.
    virtual std::uint64_t written() const = 0;

    /// Drops it now; what waits ends with an error. Repeatable.
    virtual void abort() = 0;
    /// The connection itself for what follows a switch of protocols; null where there is none.
    virtual BufferedReaderPtr raw() const = 0;
};

/// An answer of the proxy itself.
struct OwnReply
{
    int status = 403;
    RefusalForm form = RefusalForm::Json;
    std::string body;
    std::string reason;
    bool keepAlive = false;
    bool withBody = true;
};

/// The side of the sandbox.
class ClientLeg : public HttpLeg
{
public:
    virtual bool isHttp2() const = 0;
    virtual void putInterim(const ResponseHead& response) = 0;
    /// Chooses the framing; what the connection can be used for after the reply.
    virtual After putHead(const ResponseHead& response, bool keepAlive, const std::string& upgrade) = 0;
    virtual void putReply(const OwnReply& reply) = 0;
    /// Called once when the client gives the exchange up; null = nobody is told.
    virtual void onGone(std::function<void()> action) = 0;
    virtual bool isGone() const = 0;
};
using ClientLegPtr = std::shared_ptr<ClientLeg>;

/// The side of the origin.
class ServerLeg : public HttpLeg
{
public:
    struct Request
    {
        const RequestHead& head;
        std::string pathAndQuery;
        std::string authority;
        std::string upgrade;
        bool secret = false; ///< a key is in it: no compression table, and buffers are wiped
        bool hasBody = false;
        bool wantsTrailers = false;
    };
    virtual void putHead(const Request& request) = 0;
    /// One head, interim ones too. Errors carry 502.
    virtual asio::awaitable<HttpResult<ResponseHead>> readHead(const std::string& method) = 0;
    virtual bool isSecure() const = 0;
    virtual const std::string& address() const = 0;
    /// The request surely did nothing at the server, as far as the connection tells: it may go again on another connection.
    /// `isSafe`: even if it did, doing it twice is no harm.
    virtual bool mayRepeat(bool isSafe) const = 0;
    /// The exchange is over; `whole` = both messages were read and written to their ends.
    virtual void release(bool whole) = 0;
};
using ServerLegPtr = std::shared_ptr<ServerLeg>;

} // namespace coldframe::proxy
