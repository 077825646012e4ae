// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/engine_start.h"
#include "api/protocol.h"
#include "base/result.h"

#include <QLocalSocket>
#include <QObject>
#include <QPointer>
#include <QTimer>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace coldframe::api {

class Attachment;

/// The window's connection to the engine. Everything is asynchronous and on the thread it lives on (the GUI's);
/// nothing blocks but the fork of ensureEngine(). Reconnects by itself, with pauses that grow to 5 s, once
/// ensureEngine() or connectToEngine() was called.
///
///     client.ensureEngine();
///     client.call("sandbox.start", {{"sandbox", id}}, this, [this](Result<nlohmann::json> result) { … });
class Client : public QObject
{
    Q_OBJECT

public:
    enum class State {
        Disconnected, ///< not connected; trying again by itself when asked to connect before
        Connecting,   ///< the engine is being started or connected to
        Connected,    ///< connected, greeted, and subscribed to events
    };
    Q_ENUM(State)

    using Callback = std::function<void(Result<nlohmann::json>)>;
    using ProgressCallback = std::function<void(const Progress&)>;

    explicit Client(QObject* parent = nullptr);
    ~Client() override;

    /// Another socket than paths::engineSocket(), for tests; before connecting.
    void setSocketPath(const QString& path) { m_socketPath = path; }

    /// Connects; starts the engine first when nobody listens. Gives up after 5 s with connectFailed(), and tries
    /// again later (without starting a second time before that).
    void ensureEngine();
    /// Connects when the engine runs already; never starts it.
    void connectToEngine();

    State state() const { return m_state; }
    /// What engine.hello answered; null while not connected.
    const nlohmann::json& engine() const { return m_engine; }
    /// Asks again, after a setting that changes the answer; stateChanged() tells when it is there.
    void refreshEngine();

    /// `callback` is called exactly once, later, never from inside call(): with the result, an error of the engine, or
    /// Closed when the connection broke. Not at all when `context` (which must not be null) was destroyed before.
    /// Calls made before the connection is up wait for it. Returns an id for cancel().
    qint64 call(std::string method, nlohmann::json params, QObject* context, Callback callback,
                ProgressCallback progress = {});
    /// Asks the engine to cancel; the call still answers (most likely with Cancelled).
    void cancel(qint64 id);

    /// A call whose result holds {"token"}, then the second connection with it. The attachment is not open yet;
    /// it signals `opened` or `failed`. Owned by `parent`.
    Attachment* attach(std::string method, nlohmann::json params, QObject* parent);

signals:
    void stateChanged(coldframe::api::Client::State state);
    /// After each connect: all sandboxes as they are now (the array of PROTOCOL.md); events follow.
    void resynchronised(const nlohmann::json& sandboxes);
    /// One notification `event`; "type" tells which.
    void event(const nlohmann::json& event);
    /// The engine could not be started or does not serve; a sentence for the user.
    void connectFailed(const coldframe::Error& error);

private:
    struct Pending
    {
        QPointer<QObject> context;
        Callback callback;
        ProgressCallback progress;
        std::string line;  ///< not sent yet
        bool internal = false; ///< sent during the greeting, before the state is Connected
    };

    void setState(State state);
    void openSocket();
    void onConnected();
    void onSocketEnded();
    void onReadyRead();
    void handleLine(const std::string& line);
    void greet();
    void failAll(const Error& error);
    qint64 enqueue(std::string method, nlohmann::json params, QObject* context, Callback callback,
                   ProgressCallback progress, bool internal);
    void scheduleRetry(int milliseconds);

    QString m_socketPath;
    QLocalSocket m_socket;
    QTimer m_retry;
    LineSplitter m_lines;
    std::map<qint64, Pending> m_pending;
    nlohmann::json m_engine;
    qint64 m_nextId = 1;
    SpawnedEngine m_spawned;
    qint64 m_startDeadline = 0; ///< of the engine being started, milliseconds of a steady clock; 0: none
    int m_retryPause = 0;
    State m_state = State::Disconnected;
    bool m_wanted = false;
    bool m_mayStart = false;
};

} // namespace coldframe::api
