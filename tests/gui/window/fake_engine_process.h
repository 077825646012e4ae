// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>

/// fake-coldframed with a socket and a record of its own; ends with the test.
class FakeEngineProcess
{
public:
    explicit FakeEngineProcess(const QStringList& options = {})
    {
        m_process.setProcessChannelMode(QProcess::ForwardedErrorChannel);
        start(options);
    }
    ~FakeEngineProcess()
    {
        m_process.closeWriteChannel();
        if (!m_process.waitForFinished(3000)) {
            kill();
        }
    }

    void start(const QStringList& options)
    {
        m_process.start(QStringLiteral(FAKE_ENGINE),
                        QStringList{QStringLiteral("--socket"), socket(), QStringLiteral("--record"), recordPath(),
                                    QStringLiteral("--stdin-life")} + options);
        m_process.waitForReadyRead(5000);
    }
    void kill()
    {
        m_process.kill();
        m_process.waitForFinished(3000);
    }

    QString socket() const { return m_folder.filePath(QStringLiteral("engine.sock")); }

    /// The params of all requests of this method so far.
    QList<QJsonObject> requests(const QString& method) const
    {
        QList<QJsonObject> found;
        for (const QJsonObject& line : record()) {
            if (line[QStringLiteral("method")].toString() == method) {
                found.append(line[QStringLiteral("params")].toObject());
            }
        }
        return found;
    }
    QList<QJsonObject> record() const
    {
        QList<QJsonObject> lines;
        QFile file(recordPath());
        if (file.open(QIODevice::ReadOnly)) {
            for (const QByteArray& line : file.readAll().split('\n')) {
                if (!line.isEmpty()) {
                    lines.append(QJsonDocument::fromJson(line).object());
                }
            }
        }
        return lines;
    }

private:
    QString recordPath() const { return m_folder.filePath(QStringLiteral("record")); }
    QTemporaryDir m_folder;
    QProcess m_process;
};
