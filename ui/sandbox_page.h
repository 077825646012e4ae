// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QColor>
#include <QWidget>
#include <nlohmann/json_fwd.hpp>
#include <string>

class QLabel;
class QProgressBar;
class QPushButton;
class QTabWidget;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class NetworkPage;
class PolicyPage;
class OverviewPage;
class SandboxActions;
class SandboxModel;
class TerminalPage;

/// Everything about one sandbox: its name, state and actions, what is under way, and the pages.
class SandboxPage : public QWidget
{
    Q_OBJECT

public:
    SandboxPage(api::Client& client, SandboxModel& model, SandboxActions& actions, const QString& sandbox,
                QWidget* parent = nullptr);

    const QString& sandbox() const { return m_id; }
    TerminalPage* terminal() const { return m_terminal; }
    void showTerminal();
    void showOverview();
    void showNetwork();
    void showPolicy();
    /// The page to the right of this one, or to the left.
    void turnPage(int step);
    void showError(const QString& text);

signals:
    void said(const QString& text);
    /// A program of a terminal that nobody looks at says something.
    void programNotified(const QString& title, const QString& text);

protected:
    void changeEvent(QEvent* event) override;

private:
    QWidget* makeHeader();
    QWidget* makeNotices();
    void refresh();
    void refreshOperation();
    void takeBlocked(const nlohmann::json& event);
    void allowBlocked();
    void lookAtBlocked();
    void paintColors();

    api::Client& m_client;
    SandboxModel& m_model;
    SandboxActions& m_actions;
    QString m_id;
    QLabel* m_name = nullptr;
    QLabel* m_line = nullptr;
    QLabel* m_mark = nullptr;
    QPushButton* m_start = nullptr;
    QPushButton* m_pause = nullptr;
    QPushButton* m_stop = nullptr;
    QPushButton* m_reset = nullptr;
    QPushButton* m_remove = nullptr;
    QWidget* m_operation = nullptr;
    QLabel* m_operationText = nullptr;
    QProgressBar* m_progress = nullptr;
    QPushButton* m_cancel = nullptr;
    QWidget* m_error = nullptr;
    QLabel* m_errorText = nullptr;
    QWidget* m_blocked = nullptr;
    QLabel* m_blockedText = nullptr;
    QPushButton* m_blockedAllow = nullptr;
    QColor m_iconInk; ///< what the icons were drawn with
    std::string m_blockedPattern;
    std::string m_blockedHost;
    qint64 m_blockedPort = 0;
    QTabWidget* m_tabs = nullptr;
    OverviewPage* m_overview = nullptr;
    TerminalPage* m_terminal = nullptr;
    NetworkPage* m_network = nullptr;
    PolicyPage* m_policy = nullptr;
};

} // namespace coldframe::ui
