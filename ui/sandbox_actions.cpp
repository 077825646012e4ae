// SPDX-License-Identifier: Apache-2.0
#include "ui/sandbox_actions.h"

#include "api/client.h"
#include "ui/ask.h"
#include "ui/sandbox_model.h"
#include "ui/text.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QWidget>
#include <nlohmann/json.hpp>

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
         tr("Lost: the sandbox with its disk, installed programs and rules.\n\nKept: the workspace %1 on this computer, "
            "and the record of its connections for as long as the settings say.")
             .arg(sandbox->folder()),
         tr("Remove")},
        this, [this, id] { run(id, "sandbox.remove", tr("Removing")); });
}

void SandboxActions::fork(const QString& id) { run(id, "sandbox.fork", tr("Forking")); }

void SandboxActions::saveTemplate(const QString& id, const QString& name, bool withMemory)
{
    run(id, "template.save", tr("Saving"), {{"name", name.toStdString()}, {"memory", withMemory}});
}

void SandboxActions::rollBack(const QString& id, const QString& name)
{
    const Sandbox* sandbox = m_model.find(id);
    if (!sandbox) {
        return;
    }
    ask(m_window,
        {tr("Roll back sandbox"), tr("Take %1 back to “%2”?").arg(sandbox->name, name),
         tr("Lost: what runs in it now. Its disk is put aside and can be brought back with “coldframe reset --undo”.\n\nKept: the workspace %1, the "
            "rules and the keys.")
             .arg(sandbox->folder()),
         tr("Roll Back")},
        this, [this, id, name] { run(id, "sandbox.rollback", tr("Rolling back"), {{"template", name.toStdString()}}); });
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

void SandboxActions::run(const QString& id, std::string method, const QString& text)
{
    run(id, std::move(method), text, nlohmann::json::object());
}

void SandboxActions::run(const QString& id, std::string method, const QString& text, nlohmann::json more)
{
    if (m_operations.contains(id) || !m_model.find(id)) {
        return;
    }
    nlohmann::json params = more;
    params["sandbox"] = id.toStdString();
    params["progress"] = true;
    Operation operation;
    operation.text = text;
    operation.call = m_client.call(
        method, std::move(params), this,
        [this, id, method, more](Result<nlohmann::json> answer) { finished(id, method, more, answer); },
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

void SandboxActions::finished(const QString& id, const std::string& method, const nlohmann::json& more, const Result<nlohmann::json>& answer)
{
    m_operations.remove(id);
    emit operationChanged(id);
    if (answer) {
        tell(id, method, *answer);
        return;
    }
    if (answer.error().code == ErrorCode::Cancelled) {
        return;
    }
    const bool canForce = method == "sandbox.reset" || method == "sandbox.remove" || method == "sandbox.rollback";
    if (answer.error().code == ErrorCode::Busy && canForce) {
        askForce(id, method, more, answer.error());
    } else {
        emit failed(id, shown(answer.error().message));
    }
}

/// What the user should know of something that went well.
void SandboxActions::tell(const QString& id, const std::string& method, const nlohmann::json& answer)
{
    if (const QString notice = shownField(answer, "notice"); !notice.isEmpty()) {
        emit failed(id, notice);
    }
    if (method == "sandbox.fork") {
        for (const nlohmann::json& fork : listField(answer, "sandboxes")) {
            emit said(tr("%1 runs.").arg(shownField(fork, "name")));
        }
    }
    if (method == "template.save") {
        const auto credentials = listField(answer, "credentials");
        emit said(tr("Saved: %1").arg(shownField(answer, "name")));
        if (!credentials.empty() && credentials[0].is_string()) {
            emit failed(id, tr("The template %1 holds files that look like credentials, for example %2. Every sandbox made of it has them.")
                                .arg(shownField(answer, "name"), shown(credentials[0].get<std::string>())));
        }
    }
}

void SandboxActions::askForce(const QString& id, const std::string& method, const nlohmann::json& more, const Error& error)
{
    // Hazard 11: what would be lost is named by the engine, and a second yes is needed.
    const bool removes = method == "sandbox.remove";
    const QString title = removes ? tr("Remove sandbox") : method == "sandbox.reset" ? tr("Reset sandbox") : tr("Roll back sandbox");
    const QString accept = removes ? tr("Remove Anyway") : method == "sandbox.reset" ? tr("Reset Anyway") : tr("Roll Back Anyway");
    ask(m_window, {title, shown(error.message), tr("This cannot be undone."), accept}, this, [this, id, method, more, removes] {
        nlohmann::json forced = more;
        forced["force"] = true;
        run(id, method, removes ? tr("Removing") : method == "sandbox.reset" ? tr("Resetting") : tr("Rolling back"), forced);
    });
}

} // namespace coldframe::ui
