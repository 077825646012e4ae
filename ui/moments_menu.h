// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QMenu>
#include <QString>

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class SandboxActions;
class SandboxModel;

/// What keeps a moment of a sandbox or goes back to one: fork, save as template, roll back. Templates are asked for when the
/// menu opens.
class MomentsMenu : public QMenu
{
    Q_OBJECT

public:
    MomentsMenu(api::Client& client, const SandboxModel& model, SandboxActions& actions, QString sandbox, QWidget* parent);

private:
    void askName();
    void listTemplates();

    api::Client& m_client;
    const SandboxModel& m_model;
    SandboxActions& m_actions;
    const QString m_sandbox;
    QAction* m_fork = nullptr;
    QAction* m_save = nullptr;
    QMenu* m_back = nullptr;
};

} // namespace coldframe::ui
