// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QMainWindow>
#include <QPointer>
#include <functional>

class QLabel;
class QListView;
class QPushButton;
class QSplitter;
class QStackedWidget;

namespace coldframe {
struct Error;
}

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class KeysDialog;
class NewSandboxDialog;
class SandboxActions;
class SandboxModel;
class SandboxPage;

/// The sandboxes at the left, the chosen one at the right. GUI thread; everything it does is a call of `client`, which
/// outlives it.
class MainWindow : public QMainWindow
{
    Q_OBJECT

public:
    explicit MainWindow(api::Client& client, QWidget* parent = nullptr);

    SandboxModel& model() const { return *m_model; }
    SandboxActions& actions() const { return *m_actions; }
    SandboxPage* page(const QString& id);

    /// While this says yes, closing the window only hides it (the tray brings it back).
    void setStaysInTray(std::function<bool()> stays) { m_staysInTray = std::move(stays); }

public slots:
    void bringUp();
    void showSandbox(const QString& id);
    void openNewSandbox(const QString& folder = {});
    void openKeys();
    void say(const QString& text);

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    QWidget* makeSide();
    QWidget* makeWelcome();
    void makeMenus();
    void showRightSide();
    void showEngine();
    void sandboxCreated(const QString& id);

    api::Client& m_client;
    SandboxModel* m_model = nullptr;
    SandboxActions* m_actions = nullptr;
    QSplitter* m_splitter = nullptr;
    QListView* m_list = nullptr;
    QStackedWidget* m_stack = nullptr;
    QWidget* m_welcome = nullptr;
    QLabel* m_welcomeTitle = nullptr;
    QLabel* m_welcomeText = nullptr;
    QPushButton* m_welcomeButton = nullptr;
    QPushButton* m_newButton = nullptr;
    QPushButton* m_keysButton = nullptr;
    QLabel* m_engine = nullptr;
    QString m_problem;
    QPointer<NewSandboxDialog> m_newSandbox;
    QPointer<KeysDialog> m_keys;
    std::function<bool()> m_staysInTray;
};

} // namespace coldframe::ui
