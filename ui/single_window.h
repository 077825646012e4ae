// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QLocalServer>
#include <QObject>

namespace coldframe::ui {

/// One window per user and session: a second start hands its wish to the first, over a socket beside the engine's.
class SingleWindow : public QObject
{
    Q_OBJECT

public:
    explicit SingleWindow(QObject* parent = nullptr);
    /// True when a window runs already and took the wish. Else this one is the window from now on. Waits at most half
    /// a second, before there is anything to show.
    bool handOver(bool newSandbox, const QString& folder);

signals:
    void asked(bool newSandbox, const QString& folder);

private:
    void takeConnection();
    QLocalServer m_server;
};

} // namespace coldframe::ui
