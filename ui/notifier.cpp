// SPDX-License-Identifier: Apache-2.0
#include "ui/notifier.h"

#include "base/paths.h"

#include <QCoreApplication>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QFile>
#include <QIcon>
#include <QTimer>
#include <QVariantMap>

namespace coldframe::ui {

namespace {

const QString kService = QStringLiteral("org.freedesktop.Notifications");
const QString kPath = QStringLiteral("/org/freedesktop/Notifications");
constexpr int kReplyMilliseconds = 5000;
constexpr int kServerDecides = -1;

/// By name where the desktop knows it, else by file: a build that was not installed has its icon as well.
QString iconName()
{
    const QString name = QStringLiteral("coldframe");
    const QString file = QFile::decodeName((paths::resourcesFolder() / "icons" / "coldframe.svg").c_str());
    return QIcon::hasThemeIcon(name) || !QFile::exists(file) ? name : file;
}

} // namespace

DesktopNotifier::DesktopNotifier(QObject* parent) : Notifier(parent)
{
    QDBusConnection bus = QDBusConnection::sessionBus();
    bus.connect(kService, kPath, kService, QStringLiteral("ActionInvoked"), this, SLOT(takeAction(uint, QString)));
    bus.connect(kService, kPath, kService, QStringLiteral("NotificationClosed"), this, SLOT(takeClosed(uint, uint)));
}

void DesktopNotifier::show(const Notice& notice)
{
    QDBusConnection bus = QDBusConnection::sessionBus();
    if (!bus.isConnected()) {
        QTimer::singleShot(0, this, [this, notice] { emit undelivered(notice.title, notice.text); });
        return;
    }
    QStringList actions = {QStringLiteral("default"), tr("Open")};
    if (!notice.action.isEmpty()) {
        actions << QStringLiteral("act") << notice.action;
    }
    QVariantMap hints;
    hints.insert(QStringLiteral("desktop-entry"), QCoreApplication::applicationName());
    hints.insert(QStringLiteral("category"), QStringLiteral("network"));
    QDBusMessage call = QDBusMessage::createMethodCall(kService, kPath, kService, QStringLiteral("Notify"));
    // The body may hold markup by the specification, the summary may not.
    call << tr("Coldframe") << 0u << iconName() << notice.title << notice.text.toHtmlEscaped() << actions
         << hints << kServerDecides;
    auto* watcher = new QDBusPendingCallWatcher(bus.asyncCall(call, kReplyMilliseconds), this);
    connect(watcher, &QDBusPendingCallWatcher::finished, this, [this, watcher, notice] {
        const QDBusPendingReply<uint> reply = *watcher;
        if (reply.isValid()) {
            m_keys.insert(reply.value(), notice.key);
        } else {
            emit undelivered(notice.title, notice.text);
        }
        watcher->deleteLater();
    });
}

void DesktopNotifier::takeAction(uint id, const QString& action)
{
    const auto found = m_keys.constFind(id);
    if (found == m_keys.constEnd()) {
        return; // another program's
    }
    const QString key = *found;
    if (action == QStringLiteral("act")) {
        emit actionChosen(key);
    } else {
        emit opened(key);
    }
}

void DesktopNotifier::takeClosed(uint id, uint) { m_keys.remove(id); }

} // namespace coldframe::ui
