// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QPointer>
#include <QWidget>
#include <nlohmann/json.hpp>
#include <string>

class QLabel;
class QPushButton;
class QStackedWidget;
class QTabWidget;

namespace coldframe::api {
class Attachment;
class Client;
}

namespace coldframe::ui {

class TerminalWidget;

/// One session: from the request to the exit, which stays readable. When the connection breaks it waits to be attached again.
class TerminalSession : public QWidget
{
    Q_OBJECT

public:
    /// Begins at once, when the view knows its size.
    TerminalSession(api::Client& client, std::string method, nlohmann::json params, QWidget* parent = nullptr);
    ~TerminalSession() override;

    bool isRunning() const { return m_running; }
    /// The engine's id of it; empty before the engine has said it.
    const std::string& session() const { return m_session; }
    /// The connection broke, not the program as far as is known.
    bool isLost() const { return m_lost; }
    /// Of a lost one: shows its screen as it is now.
    void attachAgain();
    /// Of a lost one: the program is no more.
    void giveUp();
    /// What a terminal that is closed tells its program: a program may outlive its terminal otherwise.
    void hangUp();
    TerminalWidget* view() const { return m_view; }

signals:
    void titleChanged(const QString& title);
    void ended();

protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void begin();
    void attach();
    void lose(const QString& text);
    void dropAttachment();
    void end(const QString& text, bool good);
    void askPaste(const QString& text);

    api::Client& m_client;
    std::string m_method;
    nlohmann::json m_params;
    TerminalWidget* m_view = nullptr;
    QLabel* m_status = nullptr;
    QPointer<api::Attachment> m_attachment;
    std::string m_session;
    bool m_begun = false;
    bool m_running = true; ///< or about to begin
    bool m_lost = false;
};

/// The terminals of one sandbox, each in a tab: the agent and shells. Sessions that run already and are open nowhere else, and the
/// agent's, get their tab when the page is made, when the engine is reached again and when the sandbox comes up.
class TerminalPage : public QWidget
{
    Q_OBJECT

public:
    TerminalPage(api::Client& client, const QString& sandbox, QWidget* parent = nullptr);
    int runningSessions() const;
    void setRunning(bool running);

public slots:
    /// Shows the agent's session when there is one.
    void startAgent();
    void startNewAgent();
    void openShell();
    void closeCurrent();

protected:
    void changeEvent(QEvent* event) override;

private:
    void paintIcons();
    TerminalSession* add(std::string method, nlohmann::json params, const QString& title, bool isAgent, bool show = true);
    void lookForSessions();
    void takeSessions(const nlohmann::json& sessions);
    TerminalSession* at(int index) const;
    int runningAgent() const;
    void closeSession(int index);
    void drop(QWidget* session);
    void showRightSide();

    api::Client& m_client;
    QString m_id;
    QPushButton* m_agent = nullptr;
    QPushButton* m_newAgent = nullptr;
    QPushButton* m_shell = nullptr;
    QStackedWidget* m_stack = nullptr;
    QTabWidget* m_tabs = nullptr;
    bool m_isRunning = false;
};

} // namespace coldframe::ui
