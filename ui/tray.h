// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QMenu>
#include <QObject>
#include <QSystemTrayIcon>
#include <QTimer>

namespace coldframe::ui {

class MainWindow;
struct Sandbox;

/// The icon in the panel with a menu per sandbox. Where the desktop has no tray nothing is shown and nothing is lost.
class Tray : public QObject
{
    Q_OBJECT

public:
    explicit Tray(MainWindow& window, QObject* parent = nullptr);
    ~Tray() override;

    bool isShown() const;
    QMenu& menu() { return m_menu; }
    /// A message from the tray, where the desktop has no notification service.
    void say(const QString& title, const QString& text);

private:
    void build();
    void addSandbox(const Sandbox& sandbox);
    QString contents() const;

    MainWindow& m_window;
    QMenu m_menu;
    QSystemTrayIcon m_icon;
    QTimer m_rebuild;
    QString m_built; ///< what the menu shows, so that it is not rebuilt under the pointer without need
};

} // namespace coldframe::ui
