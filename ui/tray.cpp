// SPDX-License-Identifier: Apache-2.0
#include "ui/tray.h"

#include "ui/main_window.h"
#include "ui/sandbox_actions.h"
#include "ui/sandbox_model.h"
#include "ui/sandbox_page.h"
#include "ui/theme.h"

#include <QApplication>

namespace coldframe::ui {

namespace {
QString menuText(QString text) { return text.replace(QLatin1Char('&'), QStringLiteral("&&")); }
} // namespace

Tray::Tray(MainWindow& window, QObject* parent) : QObject(parent), m_window(window)
{
    m_menu.setObjectName(QStringLiteral("trayMenu"));
    m_icon.setObjectName(QStringLiteral("trayIcon"));
    // Panels are dark more often than not and cannot be asked: the icon carries its own colours.
    m_icon.setIcon(Theme::icon(QStringLiteral("coldframe"), QApplication::palette()));
    m_icon.setToolTip(tr("Coldframe"));
    m_icon.setContextMenu(&m_menu);
    connect(&m_icon, &QSystemTrayIcon::activated, this, [this](QSystemTrayIcon::ActivationReason reason) {
        if (reason == QSystemTrayIcon::Trigger || reason == QSystemTrayIcon::DoubleClick) {
            m_window.bringUp();
        }
    });
    m_rebuild.setSingleShot(true);
    m_rebuild.setInterval(0);
    connect(&m_rebuild, &QTimer::timeout, this, &Tray::build);
    connect(&window.model(), &SandboxModel::changed, this, [this] { m_rebuild.start(); });
    build();
    m_icon.show();
}

Tray::~Tray() { m_icon.hide(); }

bool Tray::isShown() const { return QSystemTrayIcon::isSystemTrayAvailable() && m_icon.isVisible(); }

void Tray::say(const QString& title, const QString& text)
{
    if (isShown()) {
        m_icon.showMessage(title, text);
    }
}

QString Tray::contents() const
{
    QString all;
    for (const Sandbox& sandbox : m_window.model().all()) {
        all += sandbox.key() + sandbox.name + QString::number(static_cast<int>(sandbox.state)) + QLatin1Char('\n');
    }
    return all;
}

void Tray::build()
{
    const QString wanted = contents();
    if (!m_menu.isEmpty() && wanted == m_built) {
        return;
    }
    m_built = wanted;
    for (QMenu* old : m_menu.findChildren<QMenu*>(QString(), Qt::FindDirectChildrenOnly)) {
        old->deleteLater();
    }
    m_menu.clear();
    int running = 0;
    for (const Sandbox& sandbox : m_window.model().all()) {
        addSandbox(sandbox);
        running += sandbox.isRunning() ? 1 : 0;
    }
    if (!m_window.model().all().empty()) {
        m_menu.addSeparator();
    }
    QAction* open = m_menu.addAction(tr("Open Coldframe"), &m_window, &MainWindow::bringUp);
    open->setObjectName(QStringLiteral("trayOpen"));
    QAction* make = m_menu.addAction(tr("New Sandbox…"), &m_window, [this] { m_window.openNewSandbox(); });
    make->setObjectName(QStringLiteral("trayNewSandbox"));
    m_menu.addSeparator();
    QAction* quit = m_menu.addAction(tr("Quit (agents go on)"), qApp, &QApplication::quit);
    quit->setObjectName(QStringLiteral("trayQuit"));
    m_icon.setToolTip(running == 0 ? tr("Coldframe") : tr("Coldframe: running sandboxes: %1").arg(running));
}

void Tray::addSandbox(const Sandbox& sandbox)
{
    const QString id = sandbox.key();
    QMenu* sub = m_menu.addMenu(menuText(tr("%1 (%2)").arg(sandbox.name, stateText(sandbox.state))));
    sub->setObjectName(QStringLiteral("traySandbox-") + id);
    SandboxActions& actions = m_window.actions();
    const auto add = [&](const QString& text, const char* name, auto slot) {
        sub->addAction(text, this, slot)->setObjectName(QString::fromLatin1(name));
    };
    add(tr("Open"), "open", [this, id] { m_window.showSandbox(id); });
    add(tr("Terminal"), "terminal", [this, id] {
        m_window.showSandbox(id);
        if (SandboxPage* page = m_window.page(id)) {
            page->showTerminal();
        }
    });
    add(tr("Network"), "network", [this, id] {
        m_window.showSandbox(id);
        if (SandboxPage* page = m_window.page(id)) {
            page->showNetwork();
        }
    });
    if (sandbox.isRunning()) {
        add(tr("Pause"), "pause", [id, &actions] { actions.pause(id); });
        add(tr("Stop…"), "stop", [this, id, &actions] {
            m_window.showSandbox(id);
            actions.stop(id);
        });
    } else if (sandbox.canStart()) {
        add(sandbox.state == SandboxState::Paused ? tr("Resume") : tr("Start"), "start", [id, &actions] { actions.start(id); });
    }
    if (!sandbox.isChanging()) {
        add(tr("Reset…"), "reset", [this, id, &actions] {
            m_window.showSandbox(id);
            actions.reset(id);
        });
    }
    add(tr("Copy Launch Command"), "copy", [id, &actions] { actions.copyLaunchCommand(id); });
}

} // namespace coldframe::ui
