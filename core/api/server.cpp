// SPDX-License-Identifier: Apache-2.0
#include "api/server.h"

#include "api/engine_lock.h"
#include "api/engine_start.h"
#include "api/server_session.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace coldframe::api {

namespace {

constexpr std::string_view kCategory = "api";
constexpr std::chrono::seconds kLeavingEngine{10};
using Acceptor = asio::local::stream_protocol::acceptor;

Result<uid_t> peerUidOf(int fd)
{
    struct ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return failErrno("The process at the other end cannot be told.", errno);
    }
    return credentials.uid;
}

/// A refusal is one short line into an empty socket buffer, so it never blocks.
void refuse(AttachmentSocket& socket, const Error& error)
{
    const std::string line = errorLine("null", error);
    (void)!::send(socket.native_handle(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void admit(const std::shared_ptr<ServerShared>& shared, AttachmentSocket socket)
{
    const auto& peerUid = shared->options.peerUid;
    const Result<uid_t> uid = peerUid ? peerUid(socket.native_handle()) : peerUidOf(socket.native_handle());
    if (!uid || *uid != ::geteuid()) {
        logWarning(kCategory, "refused a connection of another user");
        refuse(socket, Error{ErrorCode::NotAllowed, "This engine serves only the user who started it.", {}});
        return;
    }
    if (shared->sessions.size() >= shared->options.maxClients) {
        refuse(socket, Error{ErrorCode::Busy, "Too many programs are connected to the engine; close some.", {}});
        return;
    }
    const std::uint64_t id = shared->nextClientId++;
    auto session = std::make_shared<Session>(shared, std::move(socket), id);
    shared->sessions.emplace(id, session);
    asio::co_spawn(shared->io, Session::serve(session), asio::detached);
}

asio::awaitable<void> acceptLoop(std::shared_ptr<ServerShared> shared, std::shared_ptr<Acceptor> acceptor)
{
    while (!shared->stopped) {
        std::error_code error;
        AttachmentSocket socket =
            co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (shared->stopped || error == asio::error::operation_aborted) {
            co_return;
        }
        if (error) {
            // Out of descriptors, most likely: wait rather than spin on the same pending connection.
            logWarning(kCategory, "accept: " + error.message());
            asio::steady_timer pause(shared->io, std::chrono::milliseconds(200));
            co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
            continue;
        }
        admit(shared, std::move(socket));
    }
}

} // namespace

struct Server::State
{
    std::shared_ptr<ServerShared> shared;
    std::shared_ptr<Acceptor> acceptor;
    UniqueFd lock;
};

Server::Server(asio::io_context& io, Dispatcher& dispatcher, ServerOptions options)
    : m_state(std::make_shared<State>())
{
    m_state->shared = std::make_shared<ServerShared>(io, dispatcher, std::move(options));
}

Server::~Server() { stop(); }

Result<void> Server::start()
{
    ServerOptions& options = m_state->shared->options;
    if (options.socketPath.empty()) {
        options.socketPath = paths::engineSocket();
    }
    // An engine that is leaving holds the lock until its last work is done, and answers nobody meanwhile.
    const auto patience = std::chrono::steady_clock::now() + kLeavingEngine;
    Result<UniqueFd> lock = lockEngineFolder(options.socketPath.parent_path());
    while (!lock && lock.error().code == ErrorCode::AlreadyExists && !connectEngine(options.socketPath) &&
           std::chrono::steady_clock::now() < patience) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        lock = lockEngineFolder(options.socketPath.parent_path());
    }
    COLDFRAME_TRY(m_state->lock, std::move(lock));
    COLDFRAME_TRY(UniqueFd listener, listenOn(options.socketPath));
    m_state->acceptor = std::make_shared<Acceptor>(m_state->shared->io);
    std::error_code error;
    m_state->acceptor->assign(asio::local::stream_protocol(), listener.get(), error);
    if (error) {
        return fail(ErrorCode::Internal, "The engine's socket cannot be used.", error.message());
    }
    (void)listener.release();
    asio::co_spawn(m_state->shared->io, acceptLoop(m_state->shared, m_state->acceptor), asio::detached);
    return {};
}

void Server::stop()
{
    ServerShared& shared = *m_state->shared;
    if (shared.stopped) {
        return;
    }
    shared.stopped = true;
    const auto sessions = shared.sessions;
    for (const auto& [id, session] : sessions) {
        session->close();
    }
    shared.offers.clear();
    if (m_state->acceptor) {
        std::error_code ignored;
        m_state->acceptor->close(ignored);
        // While the lock is held, so that it cannot be a successor's socket.
        ::unlink(shared.options.socketPath.c_str());
    }
    m_state->lock.reset();
}

void Server::broadcast(const nlohmann::json& event)
{
    std::string line;
    const auto sessions = m_state->shared->sessions; // sending may drop a client and change the map
    for (const auto& [id, session] : sessions) {
        if (session->isSubscribed()) {
            if (line.empty()) {
                line = notificationLine("event", event);
            }
            session->send(line);
        }
    }
}

std::string Server::offerAttachment(AttachmentHandler handler, std::function<void()> onExpired)
{
    const std::shared_ptr<ServerShared>& shared = m_state->shared;
    std::string token = randomHex(32);
    auto timer = std::make_unique<asio::steady_timer>(shared->io, shared->options.attachmentLife);
    timer->async_wait([weak = std::weak_ptr(shared), token](std::error_code error) {
        const std::shared_ptr<ServerShared> state = weak.lock();
        if (error || !state) {
            return;
        }
        const auto found = state->offers.find(token);
        if (found != state->offers.end()) {
            const std::function<void()> expired = std::move(found->second.onExpired);
            state->offers.erase(found);
            if (expired) {
                expired();
            }
        }
    });
    shared->offers.emplace(token, ServerShared::Offer{std::move(handler), std::move(onExpired), std::move(timer)});
    return token;
}

std::size_t Server::clientCount() const { return m_state->shared->sessions.size(); }
std::size_t Server::runningCalls() const { return m_state->shared->runningCalls; }
std::size_t Server::attachmentCount() const { return m_state->shared->attachments; }

} // namespace coldframe::api
