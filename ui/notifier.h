// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QHash>
#include <QObject>

namespace coldframe::ui {

/// Something to tell while the user looks elsewhere. Text is plain: what a desktop may read as markup is escaped.
struct Notice
{
    QString key;    ///< comes back with the user's choice
    QString title;
    QString text;
    QString action; ///< label of the one action; empty: none
};

/// Shows notices; GUI thread, never waits.
class Notifier : public QObject
{
    Q_OBJECT

public:
    using QObject::QObject;
    virtual void show(const Notice& notice) = 0;

signals:
    void actionChosen(const QString& key);
    /// The notice itself was clicked.
    void opened(const QString& key);
};

/// org.freedesktop.Notifications on the session bus (Desktop Notifications Specification 1.2).
class DesktopNotifier : public Notifier
{
    Q_OBJECT

public:
    explicit DesktopNotifier(QObject* parent = nullptr);
    void show(const Notice& notice) override;

signals:
    /// No service took it.
    void undelivered(const QString& title, const QString& text);

private slots:
    void takeAction(uint id, const QString& action);
    void takeClosed(uint id, uint reason);

private:
    QHash<uint, QString> m_keys; ///< of notices on the screen
};

} // namespace coldframe::ui
