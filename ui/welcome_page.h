// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QWidget>

class QLabel;
class QPushButton;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class SystemCheck;

/// What is seen while there is no sandbox: what this is, the first step, and what this machine lacks for it.
class WelcomePage : public QWidget
{
    Q_OBJECT

public:
    explicit WelcomePage(api::Client& client, QWidget* parent = nullptr);

    /// No engine yet, or `problem` says why there is none.
    void showWaiting(const QString& problem);
    void showReady();

signals:
    void newSandboxWanted();
    void checkWanted();

private:
    QLabel* m_title = nullptr;
    QLabel* m_text = nullptr;
    QPushButton* m_button = nullptr;
    QPushButton* m_more = nullptr;
    SystemCheck* m_check = nullptr;
    bool m_ready = false;
};

} // namespace coldframe::ui
