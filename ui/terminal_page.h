// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QList>
#include <QStringList>
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
class TerminalSplits;

/// The terminals of one sandbox in tabs that may be split: the agent and shells. Sessions that run already and are open nowhere else, and the
/// agent's, get their tab when the page is made, when the engine is reached again and when the sandbox comes up.
class TerminalPage : public QWidget
{
    Q_OBJECT

public:
    TerminalPage(api::Client& client, const QString& sandbox, QWidget* parent = nullptr);
    int runningSessions() const;
    void setRunning(bool running);
    /// The workspaces on this computer.
    void setFolders(const QStringList& folders);

public slots:
    /// Shows the agent's session when there is one.
    void startAgent();
    void startNewAgent();
    void openShell();
    void closeCurrent();
    /// A shell beside the terminal that has the focus.
    void splitRight();
    void splitDown();
    void focusNext();
    void renameTab(int index);
    /// Plays it in a window of its own.
    void openRecording(const QString& path);
    void chooseRecording();

signals:
    /// A program of a terminal that nobody looks at says something.
    void notified(const QString& title, const QString& text);
    /// Of the program that is furthest from its end, 0 to 100; -1: none tells.
    void progressChanged(int percent);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void paintIcons();
    TerminalSession* make(std::string method, nlohmann::json params, const QString& title, bool isAgent);
    TerminalSession* add(std::string method, nlohmann::json params, const QString& title, bool isAgent, bool show = true);
    nlohmann::json shellParams() const;
    void split(Qt::Orientation direction);
    void lookForSessions();
    void takeSessions(const nlohmann::json& sessions);
    QList<TerminalSession*> sessions() const; ///< of all tabs
    TerminalSplits* tab(int index) const;
    int tabOf(TerminalSession* session) const;
    TerminalSession* current() const;
    TerminalSession* runningAgent() const;
    void closeSession(TerminalSession* session);
    void closeTab(int index);
    void drop(TerminalSession* session);
    void showTab(TerminalSplits* splits);
    void tellProgress();
    void showRightSide();

    api::Client& m_client;
    QString m_id;
    QPushButton* m_agent = nullptr;
    QPushButton* m_newAgent = nullptr;
    QPushButton* m_shell = nullptr;
    QStackedWidget* m_stack = nullptr;
    QTabWidget* m_tabs = nullptr;
    QStringList m_folders;
    bool m_isRunning = false;
};

} // namespace coldframe::ui
