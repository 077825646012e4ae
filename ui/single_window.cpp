// SPDX-License-Identifier: Apache-2.0
#include "ui/single_window.h"

#include "base/log.h"
#include "base/paths.h"

#include <QFile>
#include <QLocalSocket>
#include <filesystem>

namespace coldframe::ui {

namespace {
constexpr int kWaitMilliseconds = 500;
constexpr qint64 kMaxWish = 8192;
} // namespace

SingleWindow::SingleWindow(QObject* parent) : QObject(parent)
{
    connect(&m_server, &QLocalServer::newConnection, this, &SingleWindow::takeConnection);
}

bool SingleWindow::handOver(bool newSandbox, const QString& folder)
{
    const std::filesystem::path folderPath = paths::runtimeFolder();
    std::error_code ignored;
    std::filesystem::create_directories(folderPath, ignored);
    std::filesystem::permissions(folderPath, std::filesystem::perms::owner_all, ignored);
    const QString path = QFile::decodeName((folderPath / "window.sock").c_str());
    QLocalSocket socket;
    socket.connectToServer(path);
    if (socket.waitForConnected(kWaitMilliseconds)) {
        socket.write(newSandbox ? "new " + QFile::encodeName(folder) + '\0' : QByteArray("show") + '\0');
        return socket.waitForBytesWritten(kWaitMilliseconds);
    }
    QLocalServer::removeServer(path);
    m_server.setSocketOptions(QLocalServer::UserAccessOption);
    if (!m_server.listen(path)) {
        logWarning("window", "cannot listen for a second start: " + m_server.errorString().toStdString());
    }
    return false;
}

void SingleWindow::takeConnection()
{
    while (QLocalSocket* socket = m_server.nextPendingConnection()) {
        connect(socket, &QLocalSocket::disconnected, socket, &QObject::deleteLater);
        connect(socket, &QLocalSocket::readyRead, this, [this, socket] {
            // A wish ends with a NUL, since a folder's name may hold anything else.
            const QByteArray sofar = socket->peek(kMaxWish);
            const qsizetype end = sofar.indexOf('\0');
            if (end < 0 && sofar.size() < kMaxWish) {
                return;
            }
            const QByteArray wish = sofar.left(end);
            socket->readAll();
            if (wish == "show") {
                emit asked(false, {});
            } else if (wish.startsWith("new ")) {
                emit asked(true, QFile::decodeName(wish.mid(4)));
            }
            socket->disconnectFromServer();
        });
    }
}

} // namespace coldframe::ui
