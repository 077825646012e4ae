// SPDX-License-Identifier: Apache-2.0
#include "api/attachment.h"

#include "api/protocol.h"

#include <QPointer>
#include <nlohmann/json.hpp>

namespace coldframe::api {

using nlohmann::json;

namespace {

constexpr qint64 kReadBuffer = 256 << 10; ///< bytes read ahead of a slow view

} // namespace

Attachment::Attachment(QObject* parent) : QObject(parent)
{
    m_socket.setReadBufferSize(kReadBuffer);
    connect(&m_socket, &QLocalSocket::readyRead, this, &Attachment::onReadyRead);
    // errorOccurred comes before the state has changed, and disconnected not at all when connecting failed.
    connect(&m_socket, &QLocalSocket::stateChanged, this, [this](QLocalSocket::LocalSocketState state) {
        if (state == QLocalSocket::UnconnectedState) {
            onSocketEnded();
        }
    });
}

Attachment::~Attachment() { disconnect(&m_socket, nullptr, this, nullptr); }

void Attachment::open(const QString& socketPath, const std::string& token)
{
    if (m_stage != Stage::Idle) {
        return;
    }
    m_stage = Stage::Greeting;
    const std::string line = toJsonText({{"attach", token}}) + "\n";
    connect(&m_socket, &QLocalSocket::connected, this,
            [this, line] { m_socket.write(line.data(), static_cast<qint64>(line.size())); });
    m_socket.connectToServer(socketPath);
}

void Attachment::sendInput(const QByteArray& bytes)
{
    if (!bytes.isEmpty()) {
        send(encodeExecFrame(ExecFrameType::Stdin, {bytes.constData(), static_cast<std::size_t>(bytes.size())}));
    }
}

void Attachment::sendResize(int rows, int columns) { send(encodeResize(rows, columns)); }

void Attachment::sendSignal(int signal)
{
    const char byte = static_cast<char>(signal);
    send(encodeExecFrame(ExecFrameType::Signal, {&byte, 1}));
}

void Attachment::sendInputEnd() { send(encodeExecFrame(ExecFrameType::StdinEnd, {})); }

qint64 Attachment::unsentBytes() const { return m_socket.bytesToWrite() + static_cast<qint64>(m_early.size()); }

void Attachment::setReading(bool reading)
{
    m_reading = reading;
    if (reading && m_stage == Stage::Open) {
        // Not from inside the caller: output() may be what called us.
        QMetaObject::invokeMethod(this, &Attachment::onReadyRead, Qt::QueuedConnection);
    }
}

void Attachment::send(std::string frames)
{
    if (m_stage == Stage::Open) {
        m_socket.write(frames.data(), static_cast<qint64>(frames.size()));
    } else if (m_stage != Stage::Ended) {
        m_early += frames;
    }
}

void Attachment::onReadyRead()
{
    const QPointer<Attachment> alive(this);
    if (m_stage == Stage::Greeting) {
        takeGreeting();
    }
    if (alive && m_stage == Stage::Open) {
        takeFrames();
    }
}

void Attachment::takeGreeting()
{
    m_greeting += m_socket.readLine(4096);
    if (!m_greeting.endsWith('\n')) {
        return;
    }
    const json answer = json::parse(m_greeting.constData(), nullptr, false);
    if (answer.is_object() && answer.value("attached", false)) {
        m_stage = Stage::Open;
        m_socket.write(m_early.data(), static_cast<qint64>(m_early.size()));
        m_early.clear();
        emit opened();
        return;
    }
    Error error{ErrorCode::Protocol, "The engine did not open the terminal stream.", {}};
    if (answer.is_object() && answer.contains("error")) {
        error = decodeFailure(toJsonText(answer["error"]));
    }
    end();
    emit failed(error);
}

void Attachment::takeFrames()
{
    const QPointer<Attachment> alive(this);
    if (m_reading) {
        const QByteArray bytes = m_socket.readAll();
        m_decoder.feed({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    }
    while (alive && m_reading && m_stage == Stage::Open) {
        Result<std::optional<ExecFrame>> frame = m_decoder.next();
        if (!frame) {
            end();
            emit failed(frame.error());
            return;
        }
        if (!frame->has_value()) {
            return;
        }
        const std::string& payload = (*frame)->payload;
        switch ((*frame)->type) {
        case ExecFrameType::Stdout:
        case ExecFrameType::Stderr:
            emit output(QByteArray(payload.data(), static_cast<qsizetype>(payload.size())));
            break;
        case ExecFrameType::Exit: {
            const Result<ExecExit> exit = decodeExit(payload);
            end();
            if (exit) {
                emit exited(exit->exitCode, exit->signal);
            } else {
                emit failed(exit.error());
            }
            return;
        }
        case ExecFrameType::Failure: {
            const Error error = decodeFailure(payload);
            end();
            emit failed(error);
            return;
        }
        default: break; // frames of the other direction mean nothing here
        }
    }
}

void Attachment::onSocketEnded()
{
    if (m_stage == Stage::Idle || m_stage == Stage::Ended) {
        return;
    }
    const QPointer<Attachment> alive(this);
    const bool wasOpen = m_stage == Stage::Open;
    if (wasOpen) {
        m_reading = true; // what arrived is shown, and an Exit among it counts
        takeFrames();
    }
    if (!alive || m_stage == Stage::Ended) {
        return;
    }
    end();
    if (wasOpen) {
        emit closed();
    } else {
        emit failed(Error{ErrorCode::Closed, "The Coldframe engine went away before the terminal opened.", {}});
    }
}

void Attachment::end()
{
    m_stage = Stage::Ended;
    m_socket.disconnectFromServer();
}

void Attachment::close()
{
    if (m_stage == Stage::Ended) {
        return;
    }
    m_stage = Stage::Ended;
    m_socket.disconnectFromServer();
}

} // namespace coldframe::api
