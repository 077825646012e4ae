// SPDX-License-Identifier: Apache-2.0
#include "api/client.h"

#include "api/attachment.h"
#include "api/engine_start.h"
#include "base/log.h"
#include "base/paths.h"

#include <algorithm>
#include <chrono>

namespace coldframe::api {

using nlohmann::json;

namespace {

constexpr int kStartPollMs = 30;
constexpr qint64 kStartTimeoutMs = 20000;
constexpr int kMaxRetryMs = 5000;

qint64 steadyMs()
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

Error closedError()
{
    return Error{ErrorCode::Closed, "The connection to the Coldframe engine was lost; it is being restored.", {}};
}

} // namespace

Client::Client(QObject* parent) : QObject(parent)
{
    m_retry.setSingleShot(true);
    connect(&m_retry, &QTimer::timeout, this, &Client::openSocket);
    connect(&m_socket, &QLocalSocket::connected, this, &Client::onConnected);
    connect(&m_socket, &QLocalSocket::readyRead, this, &Client::onReadyRead);
    // errorOccurred comes before the state has changed, and disconnected not at all when connecting failed.
    connect(&m_socket, &QLocalSocket::stateChanged, this, [this](QLocalSocket::LocalSocketState state) {
        if (state == QLocalSocket::UnconnectedState) {
            onSocketEnded();
        }
    });
}

Client::~Client()
{
    // Destroying the socket would signal into a half-destroyed object.
    disconnect(&m_socket, nullptr, this, nullptr);
}

void Client::ensureEngine()
{
    m_mayStart = true;
    connectToEngine();
}

void Client::connectToEngine()
{
    m_wanted = true;
    if (m_state == State::Connected || m_socket.state() != QLocalSocket::UnconnectedState) {
        return;
    }
    setState(State::Connecting);
    m_retryPause = 0;
    scheduleRetry(0);
}

void Client::scheduleRetry(int milliseconds) { m_retry.start(milliseconds); }

void Client::openSocket()
{
    if (m_socketPath.isEmpty()) {
        m_socketPath = QString::fromStdString(paths::engineSocket().string());
    }
    if (m_socket.state() == QLocalSocket::UnconnectedState) {
        m_lines = LineSplitter();
        m_socket.connectToServer(m_socketPath);
    }
}

void Client::onConnected()
{
    m_startDeadline = 0;
    m_retryPause = 0;
    greet();
}

void Client::greet()
{
    const auto failed = [this](const Error& error) {
        emit connectFailed(error);
        m_socket.abort();
    };
    enqueue("engine.hello", {{"version", kProtocolVersion}, {"client", "window"}}, this,
            [this, failed](Result<json> hello) {
                if (!hello) {
                    if (hello.error().code != ErrorCode::Closed) {
                        failed(hello.error());
                    }
                    return;
                }
                m_engine = std::move(*hello);
                enqueue("events.subscribe", json::object(), this,
                        [this, failed](Result<json> snapshot) {
                            if (!snapshot) {
                                if (snapshot.error().code != ErrorCode::Closed) {
                                    failed(snapshot.error());
                                }
                                return;
                            }
                            setState(State::Connected);
                            emit resynchronised(snapshot->is_object() && snapshot->contains("sandboxes")
                                                    ? (*snapshot)["sandboxes"]
                                                    : json::array());
                            for (auto& [id, pending] : m_pending) {
                                if (!pending.line.empty()) {
                                    m_socket.write(pending.line.data(), static_cast<qint64>(pending.line.size()));
                                    pending.line.clear();
                                }
                            }
                        },
                        {}, true);
            },
            {}, true);
}

void Client::refreshEngine()
{
    call("engine.hello", {{"version", kProtocolVersion}, {"client", "window"}}, this, [this](Result<json> hello) {
        if (hello && m_state == State::Connected) {
            m_engine = std::move(*hello);
            emit stateChanged(m_state);
        }
    });
}

void Client::onSocketEnded()
{
    const bool wasOpen = m_state == State::Connected || m_engine.is_object();
    m_engine = nullptr;
    if (wasOpen) {
        failAll(closedError());
    } else {
        // What waits for the connection goes on waiting; only a half-done greeting is over.
        std::erase_if(m_pending, [](const auto& entry) { return entry.second.internal; });
    }
    if (!m_wanted) {
        setState(State::Disconnected);
        return;
    }
    if (m_startDeadline == 0 && m_mayStart) {
        Result<SpawnedEngine> spawned = spawnEngine();
        if (spawned) {
            m_spawned = std::move(*spawned);
            m_startDeadline = steadyMs() + kStartTimeoutMs;
            setState(State::Connecting);
            scheduleRetry(kStartPollMs);
            return;
        }
        emit connectFailed(spawned.error());
        failAll(spawned.error());
    } else if (m_startDeadline != 0) {
        const std::optional<Error> failure = startFailure(m_spawned);
        if (!failure && steadyMs() < m_startDeadline) {
            scheduleRetry(kStartPollMs);
            return;
        }
        m_startDeadline = 0;
        const Error error = failure.value_or(Error{ErrorCode::Unavailable,
                                                   "The Coldframe engine did not start in time; its log " +
                                                       (paths::runtimeFolder() / "engine.log").string() + " says why.",
                                                   {}});
        emit connectFailed(error);
        failAll(error);
    }
    setState(State::Disconnected);
    m_retryPause = std::clamp(m_retryPause * 2, 250, kMaxRetryMs);
    scheduleRetry(m_retryPause);
}

void Client::onReadyRead()
{
    const QByteArray bytes = m_socket.readAll();
    m_lines.feed({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    // A handler may destroy this object's owner or break the connection.
    const QPointer<Client> alive(this);
    while (alive) {
        Result<std::optional<std::string>> line = m_lines.next();
        if (!line) {
            logWarning("api", "the engine sent a line that is too long");
            m_socket.abort();
            return;
        }
        if (!line->has_value()) {
            return;
        }
        handleLine(**line);
    }
}

void Client::handleLine(const std::string& line)
{
    const ParsedMessage message = parseMessage(line);
    if (message.kind == ParsedMessage::Kind::Malformed) {
        return;
    }
    if (message.kind == ParsedMessage::Kind::Notification) {
        const json body = json::parse(*message.body, nullptr, false);
        if (message.method == "event" && body.is_object()) {
            emit event(body);
        } else if (message.method == "progress" && body.is_object() && body.contains("id") &&
                   body["id"].is_number_integer()) {
            const auto found = m_pending.find(body["id"].get<qint64>());
            if (found != m_pending.end() && found->second.progress && found->second.context) {
                const ProgressCallback progress = found->second.progress;
                progress(Progress{body.value("stage", ""), body.value("text", ""),
                                  body.value("done", std::int64_t{0}), body.value("total", std::int64_t{0})});
            }
        }
        return;
    }
    if (!message.id) {
        // The server refuses a connection (another user, too many clients) with an answer to no request.
        if (!message.body && m_state != State::Connected) {
            emit connectFailed(message.body.error());
        }
        return;
    }
    const auto found = m_pending.find(*message.id);
    if (found == m_pending.end()) {
        return;
    }
    const Pending pending = std::move(found->second);
    m_pending.erase(found);
    if (pending.context) {
        Result<json> result = tl::unexpected(Error{});
        if (message.body) {
            result = json::parse(*message.body, nullptr, false);
        } else {
            result = tl::unexpected(message.body.error());
        }
        pending.callback(std::move(result));
    }
}

qint64 Client::enqueue(std::string method, json params, QObject* context, Callback callback, ProgressCallback progress,
                       bool internal)
{
    const qint64 id = m_nextId++;
    if (progress) {
        params["progress"] = true;
    }
    Pending pending{context, std::move(callback), std::move(progress), requestLine(id, method, params), internal};
    if (internal || m_state == State::Connected) {
        m_socket.write(pending.line.data(), static_cast<qint64>(pending.line.size()));
        pending.line.clear();
    }
    m_pending.emplace(id, std::move(pending));
    return id;
}

qint64 Client::call(std::string method, json params, QObject* context, Callback callback, ProgressCallback progress)
{
    return enqueue(std::move(method), std::move(params), context, std::move(callback), std::move(progress), false);
}

void Client::cancel(qint64 id)
{
    const auto found = m_pending.find(id);
    if (found == m_pending.end()) {
        return;
    }
    if (found->second.line.empty()) {
        const std::string line = notificationLine("cancel", {{"id", id}});
        m_socket.write(line.data(), static_cast<qint64>(line.size()));
        return;
    }
    // Never sent: it is over here. Answered later, as every call is.
    Pending pending = std::move(found->second);
    m_pending.erase(found);
    if (pending.context) {
        QTimer::singleShot(0, pending.context.data(), [callback = std::move(pending.callback)] {
            callback(fail(ErrorCode::Cancelled, "Interrupted."));
        });
    }
}

Attachment* Client::attach(std::string method, json params, QObject* parent)
{
    auto* attachment = new Attachment(parent);
    call(std::move(method), std::move(params), attachment, [this, attachment](Result<json> result) {
        if (!result) {
            emit attachment->failed(result.error());
        } else if (!result->is_object() || !result->contains("token")) {
            emit attachment->failed(Error{ErrorCode::Protocol, "The engine gave no token.", {}});
        } else {
            emit attachment->offered(*result);
            attachment->open(m_socketPath, result->value("token", ""));
        }
    });
    return attachment;
}

void Client::failAll(const Error& error)
{
    const auto pending = std::exchange(m_pending, {});
    for (const auto& [id, call] : pending) {
        if (call.context && !call.internal) {
            // Later, so that a callback finds the client in its new state and may call again.
            QTimer::singleShot(0, call.context.data(),
                               [callback = call.callback, error] { callback(tl::unexpected(error)); });
        }
    }
}

void Client::setState(State state)
{
    if (m_state != state) {
        m_state = state;
        emit stateChanged(state);
    }
}

} // namespace coldframe::api
