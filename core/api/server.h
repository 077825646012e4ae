// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/protocol.h"
#include "base/result.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace coldframe::api {

/// One running request, as its handler sees it. Owned by the server, valid until call() has returned; may be kept
/// longer through shared_from_this() (progress is then ignored). On the server's io_context thread, but for
/// isCancelled() and cancelFlag(), which any thread may read.
class CallContext : public std::enable_shared_from_this<CallContext>
{
public:
    virtual ~CallContext() = default;
    /// Sent only when the request asked for it; dropped rather than queued without bound for a slow reader.
    virtual void progress(const Progress& progress) = 0;
    void progress(std::string_view stage, std::string_view text, std::int64_t done = 0, std::int64_t total = 0)
    {
        progress(Progress{std::string(stage), std::string(text), done, total});
    }
    bool isCancelled() const { return m_cancelled.load(std::memory_order_relaxed); }
    /// For ProcessSpec::cancelled and pool work.
    const std::atomic<bool>& cancelFlag() const { return m_cancelled; }
    /// Called once when the request is cancelled (at once when it was already); for timers and sockets to close.
    virtual void onCancel(std::function<void()> action) = 0;
    /// From now on the client's going away does not cancel this call; an explicit cancel still does.
    virtual void detach() = 0;
    /// The client receives every broadcast from now on. Subscribe first, then take the snapshot without a
    /// co_await between, so that nothing falls in the gap.
    virtual void subscribe() = 0;
    /// Unique per connection over the server's life.
    virtual std::uint64_t clientId() const = 0;

protected:
    std::atomic<bool> m_cancelled{false};
};

/// What the engine implements. Both methods on the server's io_context thread.
class Dispatcher
{
public:
    virtual ~Dispatcher() = default;
    /// unknownMethod(method) for a method it does not have. Exceptions: those of nlohmann::json become "invalid
    /// params", others are logged and become an Internal error. `context` outlives the coroutine.
    virtual asio::awaitable<Result<nlohmann::json>> call(std::string method, nlohmann::json params,
                                                         CallContext& context) = 0;
    /// A call of this method goes on when its client drops (creating, stopping: half-made things help nobody).
    virtual bool isDetached(std::string_view method) const
    {
        (void)method;
        return false;
    }
};

using AttachmentSocket = asio::local::stream_protocol::socket;
using AttachmentHandler = std::function<asio::awaitable<void>(AttachmentSocket)>;

struct ServerOptions
{
    std::filesystem::path socketPath; ///< empty: paths::engineSocket()
    std::size_t maxClients = 64;      ///< connections that are not attachments
    std::size_t maxCallsPerClient = 64;
    std::size_t maxQueuedBytes = 8u << 20; ///< unsent, per client; more and the client is dropped
    std::chrono::milliseconds attachmentLife{30'000};
    /// The uid at the other end of a connected socket; tests inject another. Empty: SO_PEERCRED.
    std::function<Result<uid_t>(int fd)> peerUid;
};

/// The engine's end of the API: JSON-RPC 2.0, one message a line, on a unix socket in a folder of mode 0700.
/// Everything on io's one thread. Only processes of the engine's own uid are served.
class Server
{
public:
    Server(asio::io_context& io, Dispatcher& dispatcher, ServerOptions options = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Locks engine.lock beside the socket (AlreadyExists when another engine holds it), removes a stale socket,
    /// listens.
    Result<void> start();
    /// Closes everything, cancels running calls, removes the socket, gives the lock back. Handlers that are still
    /// suspended end on their own; the io_context may run on.
    void stop();

    /// Sends notification `event` with these params to every subscriber.
    void broadcast(const nlohmann::json& event);

    /// A one-use token: the connection that presents it within attachmentLife is handed, raw, to `handler`,
    /// which runs as a coroutine of its own. `onExpired` is called instead when nobody came.
    std::string offerAttachment(AttachmentHandler handler, std::function<void()> onExpired = {});

    std::size_t clientCount() const;
    std::size_t runningCalls() const; ///< detached ones included
    /// Open attachments (terminals); together with clientCount() what keeps an idle engine alive.
    std::size_t attachmentCount() const;

private:
    struct State;
    std::shared_ptr<State> m_state;
};

} // namespace coldframe::api
