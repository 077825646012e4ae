// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/server.h"

#include <asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

namespace coldframe::api {

class Session;

/// A request under way. The session's map holds it while it runs; a detached one lives on in its own coroutine.
class Call final : public CallContext
{
public:
    Call(std::weak_ptr<Session> session, std::uint64_t clientId, std::string id, bool wantsProgress)
        : m_session(std::move(session)), m_clientId(clientId), m_id(std::move(id)), m_wantsProgress(wantsProgress)
    {
    }
    void progress(const Progress& progress) override;
    void onCancel(std::function<void()> action) override;
    void detach() override { m_detached = true; }
    void subscribe() override;
    std::uint64_t clientId() const override { return m_clientId; }

    const std::string& id() const { return m_id; }
    bool isDetached() const { return m_detached; }
    void cancel();
    /// The answer is on its way: no more progress, and the cancel actions are forgotten.
    void finish();
    void answer(std::string line);

private:
    std::weak_ptr<Session> m_session;
    std::uint64_t m_clientId;
    std::string m_id;
    std::vector<std::function<void()>> m_cancelActions;
    bool m_wantsProgress;
    bool m_detached = false;
    bool m_finished = false;
};

/// What the sessions share. Owned by the Server and kept by every coroutine that may outlive it.
struct ServerShared : std::enable_shared_from_this<ServerShared>
{
    ServerShared(asio::io_context& ioContext, Dispatcher& calls, ServerOptions serverOptions)
        : io(ioContext), dispatcher(calls), options(std::move(serverOptions))
    {
    }
    struct Offer
    {
        AttachmentHandler handler;
        std::function<void()> onExpired;
        std::unique_ptr<asio::steady_timer> timer;
    };
    asio::io_context& io;
    Dispatcher& dispatcher;
    ServerOptions options;
    std::map<std::uint64_t, std::shared_ptr<Session>> sessions;
    std::unordered_map<std::string, Offer> offers;
    std::uint64_t nextClientId = 1;
    std::size_t runningCalls = 0;
    std::size_t attachments = 0;
    bool stopped = false;
};

/// One connection until it closes or turns into an attachment.
class Session : public std::enable_shared_from_this<Session>
{
public:
    Session(std::shared_ptr<ServerShared> shared, AttachmentSocket socket, std::uint64_t clientId)
        : m_shared(std::move(shared)), m_socket(std::move(socket)), m_clientId(clientId)
    {
    }
    /// The coroutine that reads until the end.
    static asio::awaitable<void> serve(std::shared_ptr<Session> self);
    /// Queues a line; drops the client when too much is queued already.
    void send(std::string line);
    /// The same for what may be left out when the client reads slowly.
    void sendIfRoom(std::string line);
    void close();
    void subscribe() { m_subscribed = true; }
    bool isSubscribed() const { return m_subscribed; }
    void forgetCall(const std::string& id) { m_calls.erase(id); }

private:
    void handleLine(const std::string& line);
    void cancelCall(const std::string& paramsText);
    void startCall(std::string id, std::string method, const std::string& paramsText);
    bool tryAttach(const std::string& line);
    void writeNext();

    std::shared_ptr<ServerShared> m_shared;
    AttachmentSocket m_socket;
    std::uint64_t m_clientId;
    std::map<std::string, std::shared_ptr<Call>> m_calls;
    std::deque<std::string> m_queue;
    std::size_t m_queuedBytes = 0;
    bool m_writing = false;
    bool m_subscribed = false;
    bool m_closed = false;
};

} // namespace coldframe::api
