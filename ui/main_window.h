// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QMainWindow>
#include <QPointer>
#include <functional>

class QAction;
class QLabel;
class QListView;
class QMenu;
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
class PreferencesDialog;
class QuestionBar;
class SandboxModel;
class SandboxPage;
class SystemCheckDialog;
class WelcomePage;
struct WindowSettings;

/// The sandboxes at the left, the chosen one at the right. GUI thread; everything it does is a call of `client`, which
/// outlives it.
class MainWindow : public QMainWindow
{
    Q_OBJECT

public:
    explicit MainWindow(api::Client& client, QWidget* parent = nullptr);

    SandboxModel& model() const { return *m_model; }
    QuestionBar& questions() const { return *m_questions; }
    SandboxActions& actions() const { return *m_actions; }
    SandboxPage* page(const QString& id);

    /// While this says yes, closing the window only hides it (the tray brings it back).
    void setStaysInTray(std::function<bool()> stays) { m_staysInTray = std::move(stays); }

public slots:
    void bringUp();
    void showSandbox(const QString& id);
    void openNewSandbox(const QString& folder = {});
    void openKeys();
    void openPreferences();
    void openSystemCheck();
    void say(const QString& text);

signals:
    void windowSettingsChanged(const coldframe::ui::WindowSettings& settings);
    /// A program of a sandbox says something while nobody looks (OSC 9, 99, 777). Texts are fit to be shown.
    void programNotified(const QString& sandbox, const QString& title, const QString& text);

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    QWidget* makeSide();
    void makeMenus();
    QMenu* makeGoMenu();
    SandboxPage* currentPage() const;
    void showRightSide();
    void showEngine();
    void sandboxCreated(const QString& id);

    api::Client& m_client;
    SandboxModel* m_model = nullptr;
    SandboxActions* m_actions = nullptr;
    QuestionBar* m_questions = nullptr;
    QSplitter* m_splitter = nullptr;
    QListView* m_list = nullptr;
    QStackedWidget* m_stack = nullptr;
    WelcomePage* m_welcome = nullptr;
    QMenu* m_go = nullptr;
    QPushButton* m_newButton = nullptr;
    QPushButton* m_keysButton = nullptr;
    QLabel* m_engine = nullptr;
    QString m_problem;
    QPointer<NewSandboxDialog> m_newSandbox;
    QPointer<KeysDialog> m_keys;
    QPointer<PreferencesDialog> m_preferences;
    QPointer<SystemCheckDialog> m_check;
    std::function<bool()> m_staysInTray;
};

} // namespace coldframe::ui
