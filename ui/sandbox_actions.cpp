// SPDX-License-Identifier: Apache-2.0
#include "ui/sandbox_actions.h"

#include "api/client.h"
#include "ui/ask.h"
#include "ui/sandbox_model.h"
#include "ui/text.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QWidget>

namespace coldframe::ui {

SandboxActions::SandboxActions(api::Client& client, SandboxModel& model, QWidget* window)
    : QObject(window), m_client(client), m_model(model), m_window(window)
{
    connect(&m_model, &SandboxModel::sandboxRemoved, this, [this](const QString& id) { m_operations.remove(id); });
}

const Operation* SandboxActions::operation(const QString& id) const
{
    const auto found = m_operations.constFind(id);
    return found == m_operations.constEnd() ? nullptr : &*found;
}

void SandboxActions::start(const QString& id) { run(id, "sandbox.start", tr("Starting")); }

void SandboxActions::stop(const QString& id)
{
    const Sandbox* sandbox = m_model.find(id);
    if (!sandbox) {
        return;
    }
    ask(m_window,
        {tr("Stop sandbox"), tr("Stop %1?").arg(sandbox->name),
         tr("Programs that run in it end, the agent included. Its files, installed programs and the workspace stay."),
         tr("Stop")},
        this, [this, id] { run(id, "sandbox.stop", tr("Stopping")); });
}

void SandboxActions::pause(const QString& id) { run(id, "sandbox.pause", tr("Pausing")); }

void SandboxActions::reset(const QString& id)
{
    const Sandbox* sandbox = m_model.find(id);
    if (!sandbox) {
        return;
    }
    ask(m_window,
        {tr("Reset sandbox"), tr("Reset %1 to a fresh disk?").arg(sandbox->name),
         tr("Lost: running programs, installed programs, container images and all files in the sandbox outside the "
            "workspace, the agent's session included.\n\nKept: the workspace %1, the rules and the keys.")
             .arg(sandbox->folder()),
         tr("Reset")},
        this, [this, id] { run(id, "sandbox.reset", tr("Resetting")); });
}

void SandboxActions::remove(const QString& id)
{
    const Sandbox* sandbox = m_model.find(id);
    if (!sandbox) {
        return;
    }
    ask(m_window,
        {tr("Remove sandbox"), tr("Remove %1?").arg(sandbox->name),
         tr("Lost: the sandbox with its disk, installed programs, rules and network log.\n\nKept: the workspace %1 on "
            "this computer.")
             .arg(sandbox->folder()),
         tr("Remove")},
        this, [this, id] { run(id, "sandbox.remove", tr("Removing")); });
}

void SandboxActions::copyLaunchCommand(const QString& id)
{
    if (const Sandbox* sandbox = m_model.find(id)) {
        QGuiApplication::clipboard()->setText(sandbox->launchCommand);
        emit said(tr("Copied: %1").arg(sandbox->launchCommand));
    }
}

void SandboxActions::cancel(const QString& id)
{
    const auto found = m_operations.find(id);
    if (found == m_operations.end() || found->cancelling) {
        return;
    }
    found->cancelling = true;
    found->text = tr("Cancelling");
    m_client.cancel(found->call);
    emit operationChanged(id);
}

void SandboxActions::run(const QString& id, std::string method, const QString& text, bool force)
{
    if (m_operations.contains(id) || !m_model.find(id)) {
        return;
    }
    nlohmann::json params = {{"sandbox", id.toStdString()}, {"progress", true}};
    if (force) {
        params["force"] = true;
    }
    Operation operation;
    operation.text = text;
    operation.call = m_client.call(
        method, std::move(params), this,
        [this, id, method](Result<nlohmann::json> answer) { 
            finished(id, method, answer ? nullptr : &answer.error());
            if (const QString notice = answer ? shownField(*answer, "notice") : QString(); !notice.isEmpty()) {
                emit failed(id, notice);
            }
        },
        [this, id](const api::Progress& progress) {
            const auto found = m_operations.find(id);
            if (found == m_operations.end() || found->cancelling) {
                return;
            }
            found->text = shown(progress.text);
            found->done = progress.done;
            found->total = progress.total;
            emit operationChanged(id);
        });
    m_operations.insert(id, operation);
    emit operationChanged(id);
}

void SandboxActions::finished(const QString& id, const std::string& method, const Error* error)
{
    m_operations.remove(id);
    emit operationChanged(id);
    if (!error || error->code == ErrorCode::Cancelled) {
        return;
    }
    const bool canForce = method == "sandbox.reset" || method == "sandbox.remove";
    if (error->code == ErrorCode::Busy && canForce) {
        askForce(id, method, *error);
    } else {
        emit failed(id, shown(error->message));
    }
}

void SandboxActions::askForce(const QString& id, const std::string& method, const Error& error)
{
    // Hazard 11: what would be lost is named by the engine, and a second yes is needed.
    const bool reset = method == "sandbox.reset";
    ask(m_window,
        {reset ? tr("Reset sandbox") : tr("Remove sandbox"), shown(error.message),
         tr("This cannot be undone."), reset ? tr("Reset Anyway") : tr("Remove Anyway")},
        this, [this, id, method, reset] { run(id, method, reset ? tr("Resetting") : tr("Removing"), true); });
}

} // namespace coldframe::ui
