// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_recording.h"

#include <QDateTime>

namespace coldframe::ui {

bool TerminalRecording::start(const QString& path, int rows, int columns, const QString& title, QString* problem)
{
    stop();
    m_file.setFileName(path);
    if (!m_file.open(QIODevice::WriteOnly | QIODevice::Truncate, QFile::ReadOwner | QFile::WriteOwner)) {
        *problem = m_file.errorString();
        return false;
    }
    m_file.setPermissions(QFile::ReadOwner | QFile::WriteOwner);
    m_writer = {};
    m_time.start();
    write(m_writer.begin({rows, columns, QDateTime::currentSecsSinceEpoch(), title.toStdString()}));
    return true;
}

void TerminalRecording::stop()
{
    if (m_file.isOpen()) {
        const std::string rest = m_writer.end(m_time.nsecsElapsed() / 1000);
        m_file.write(rest.data(), static_cast<qint64>(rest.size()));
        m_file.close();
    }
}

void TerminalRecording::output(const QByteArray& bytes)
{
    if (isOn()) {
        write(m_writer.output(m_time.nsecsElapsed() / 1000, {bytes.constData(), static_cast<std::size_t>(bytes.size())}));
    }
}

void TerminalRecording::resize(int rows, int columns)
{
    if (isOn()) {
        write(m_writer.resize(m_time.nsecsElapsed() / 1000, rows, columns));
    }
}

void TerminalRecording::write(const std::string& line)
{
    const bool isWritten = m_file.write(line.data(), static_cast<qint64>(line.size())) == static_cast<qint64>(line.size());
    if (!isWritten || m_writer.isFull()) {
        const QString why = isWritten ? tr("it is as large as it may be.") : m_file.errorString();
        m_file.close();
        emit failed(why);
    }
}

} // namespace coldframe::ui
