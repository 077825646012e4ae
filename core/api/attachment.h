// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exec_frames.h"
#include "base/result.h"

#include <QByteArray>
#include <QLocalSocket>
#include <QObject>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::api {

/// The second connection of a terminal, an exec or a key: exec frames both ways. Made by Client::attach(); on the
/// thread it lives on. Ends with exactly one of exited, failed, closed, after which it may be deleted.
class Attachment : public QObject
{
    Q_OBJECT

public:
    explicit Attachment(QObject* parent = nullptr);
    ~Attachment() override;

    /// Connects and presents the token.
    void open(const QString& socketPath, const std::string& token);
    bool isOpen() const { return m_stage == Stage::Open; }

    /// What is sent before `opened` is kept and follows it. Nothing is sent after the end.
    void sendInput(const QByteArray& bytes);
    void sendResize(int rows, int columns);
    void sendSignal(int signal);
    void sendInputEnd();
    /// Bytes of input that the engine has not taken yet; a pasting view waits when it grows.
    qint64 unsentBytes() const;
    /// Output is read only while true (the default): a slow view stops the program, not the memory.
    void setReading(bool reading);
    /// Ends the connection; no more signals. The program goes on when the engine keeps it.
    void close();

signals:
    /// The call's answer, whose token is presented next.
    void offered(const nlohmann::json& answer);
    void opened();
    /// Stdout or Stderr.
    void output(const QByteArray& bytes);
    void exited(int exitCode, int signal);
    /// Not opened or not started; a sentence for the user.
    void failed(const coldframe::Error& error);
    /// The connection broke without an exit.
    void closed();

private:
    enum class Stage { Idle, Greeting, Open, Ended };

    void send(std::string frames);
    void onReadyRead();
    void takeGreeting();
    void takeFrames();
    void onSocketEnded();
    void end();

    QLocalSocket m_socket;
    ExecFrameDecoder m_decoder;
    QByteArray m_greeting;
    std::string m_early; ///< frames sent before the connection was open
    Stage m_stage = Stage::Idle;
    bool m_reading = true;
};

} // namespace coldframe::api
