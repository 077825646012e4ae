// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QHash>
#include <QWidget>

class QFormLayout;
class QLabel;
class QLineEdit;
class QVBoxLayout;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

struct Sandbox;
struct SyncStatus;

/// What a sandbox is and how it does: state, problem, isolation, workspaces and their sync, launch command.
class OverviewPage : public QWidget
{
    Q_OBJECT

public:
    OverviewPage(api::Client& client, const QString& sandbox, QWidget* parent = nullptr);
    void show(const Sandbox& sandbox);

signals:
    void copyRequested();
    void networkRequested();
    void failed(const QString& text);

protected:
    void changeEvent(QEvent* event) override;

private:
    QLabel* addRow(const QString& title, const char* name);
    void showSyncs(const Sandbox& sandbox);
    void askToGoOn(const SyncStatus& sync);
    void goOn(const std::string& path, const std::string& accept);
    void paintColors();

    api::Client& m_client;
    QString m_id;
    QFormLayout* m_form = nullptr;
    QLabel* m_state = nullptr;
    QLabel* m_problem = nullptr;
    QLabel* m_isolation = nullptr;
    QLabel* m_agent = nullptr;
    QLabel* m_workspaces = nullptr;
    QLabel* m_resources = nullptr;
    QLabel* m_blocked = nullptr;
    QLabel* m_notice = nullptr;
    QLabel* m_warnings = nullptr;
    QWidget* m_syncBox = nullptr;
    QVBoxLayout* m_syncLayout = nullptr;
    QString m_syncShown; ///< what m_syncBox shows, so that buttons are not made anew under the pointer
    QHash<QString, QString> m_pauses; ///< path → why it is paused now
    QLineEdit* m_command = nullptr;
    int m_stateValue = -1;
};

} // namespace coldframe::ui
