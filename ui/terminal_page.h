// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QWidget>
#include <nlohmann/json.hpp>
#include <string>

class QPushButton;
class QStackedWidget;
class QTabWidget;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class TerminalSession;

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
