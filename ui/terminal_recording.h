// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/asciicast.h"

#include <QElapsedTimer>
#include <QFile>
#include <QObject>

namespace coldframe::ui {

/// Writes what a program shows into a file (asciicast v2), while it is shown. What is typed is not in it, unless the program shows it.
class TerminalRecording : public QObject
{
    Q_OBJECT

public:
    using QObject::QObject;
    ~TerminalRecording() override { stop(); }

    /// Readable for the user alone: a screen may hold secrets. False: `problem` says why.
    bool start(const QString& path, int rows, int columns, const QString& title, QString* problem);
    void stop();
    bool isOn() const { return m_file.isOpen(); }
    QString path() const { return m_file.fileName(); }
    void output(const QByteArray& bytes);
    void resize(int rows, int columns);

signals:
    /// It ended by itself: the disk is full, or it grew too large.
    void failed(const QString& why);

private:
    void write(const std::string& line);

    QFile m_file;
    terminal::CastWriter m_writer;
    QElapsedTimer m_time;
};

} // namespace coldframe::ui
