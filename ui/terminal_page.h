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

/// One program on a terminal: from the request to the exit, which stays readable.
class TerminalSession : public QWidget
{
    Q_OBJECT

public:
    /// Begins at once, when the view knows its size.
    TerminalSession(api::Client& client, std::string method, nlohmann::json params, QWidget* parent = nullptr);
    ~TerminalSession() override;

    bool isRunning() const { return m_running; }
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
    void end(const QString& text, bool good);
    void askPaste(const QString& text);

    api::Client& m_client;
    std::string m_method;
    nlohmann::json m_params;
    TerminalWidget* m_view = nullptr;
    QLabel* m_status = nullptr;
    QPointer<api::Attachment> m_attachment;
    bool m_begun = false;
    bool m_running = false;
};

/// The terminals of one sandbox, each in a tab: the agent and shells.
class TerminalPage : public QWidget
{
    Q_OBJECT

public:
    TerminalPage(api::Client& client, const QString& sandbox, QWidget* parent = nullptr);
    int runningSessions() const;

public slots:
    void startAgent();
    void openShell();
    void closeCurrent();

protected:
    void changeEvent(QEvent* event) override;

private:
    void paintIcons();
    TerminalSession* add(std::string method, nlohmann::json params, const QString& title);
    void closeSession(int index);
    void drop(QWidget* session);
    void showRightSide();

    api::Client& m_client;
    QString m_id;
    QPushButton* m_agent = nullptr;
    QPushButton* m_shell = nullptr;
    QStackedWidget* m_stack = nullptr;
    QTabWidget* m_tabs = nullptr;
};

} // namespace coldframe::ui
