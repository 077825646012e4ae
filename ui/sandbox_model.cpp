// SPDX-License-Identifier: Apache-2.0
#include "ui/sandbox_model.h"

#include "api/client.h"
#include "ui/text.h"

#include <QSet>
#include <algorithm>

namespace coldframe::ui {

using nlohmann::json;

SandboxModel::SandboxModel(api::Client& client, QObject* parent) : QAbstractListModel(parent), m_client(client)
{
    connect(&client, &api::Client::resynchronised, this, &SandboxModel::takeAll);
    connect(&client, &api::Client::event, this, &SandboxModel::takeEvent);
}

int SandboxModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_sandboxes.size());
}

QVariant SandboxModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount()) {
        return {};
    }
    const Sandbox& sandbox = m_sandboxes[static_cast<std::size_t>(index.row())];
    switch (role) {
    case Qt::DisplayRole: return sandbox.name;
    case Qt::ToolTipRole:
    case Qt::AccessibleTextRole:
        return tr("%1, %2, %3 in %4").arg(sandbox.name, stateText(sandbox.state), sandbox.agent, sandbox.folder());
    case IdRole: return sandbox.key();
    case StateRole: return static_cast<int>(sandbox.state);
    case AgentRole: return sandbox.agent;
    case FolderRole: return sandbox.folder();
    case ReducedRole: return sandbox.reducedIsolation;
    default: return {};
    }
}

int SandboxModel::rowOf(const QString& id) const
{
    const auto found = std::find_if(m_sandboxes.begin(), m_sandboxes.end(), [&](const Sandbox& s) { return s.key() == id; });
    return found == m_sandboxes.end() ? -1 : static_cast<int>(found - m_sandboxes.begin());
}

const Sandbox* SandboxModel::find(const QString& id) const
{
    const int row = rowOf(id);
    return row < 0 ? nullptr : &m_sandboxes[static_cast<std::size_t>(row)];
}

void SandboxModel::takeAll(const json& sandboxes)
{
    QSet<QString> seen;
    if (sandboxes.is_array()) {
        for (const json& value : sandboxes) {
            Sandbox sandbox = sandboxFromJson(value);
            seen.insert(sandbox.key());
            put(std::move(sandbox));
        }
    }
    QStringList gone;
    for (const Sandbox& sandbox : m_sandboxes) {
        if (!seen.contains(sandbox.key())) {
            gone.append(sandbox.key());
        }
    }
    for (const QString& id : gone) {
        remove(id);
    }
    m_known = true;
    emit changed();
}

void SandboxModel::takeEvent(const json& event)
{
    const std::string type = rawField(event, "type");
    if (type == "sandbox.changed" && event.contains("sandbox")) {
        put(sandboxFromJson(event["sandbox"]));
    } else if (type == "sandbox.removed") {
        remove(QString::fromStdString(rawField(event, "id")));
    } else if (type == "sync.changed" && event.contains("sync")) {
        putSync(QString::fromStdString(rawField(event, "sandbox")), event["sync"]);
    } else if (type == "connection" && event.contains("connection")) {
        // The engine counts as well, and tells its count with the next change of the sandbox.
        const int row = rowOf(QString::fromStdString(rawField(event["connection"], "sandbox")));
        if (row >= 0 && rawField(event["connection"], "verdict") == "denied") {
            ++m_sandboxes[static_cast<std::size_t>(row)].blockedCount;
            emit sandboxChanged(m_sandboxes[static_cast<std::size_t>(row)].key());
        }
    }
}

void SandboxModel::askForSyncs(const QString& id)
{
    m_client.call("sync.status", {{"sandbox", id.toStdString()}}, this, [this, id](Result<json> answer) {
        if (!answer) {
            return; // it stopped meanwhile
        }
        for (const json& sync : listField(*answer, "syncs")) {
            putSync(id, sync);
        }
    });
}

void SandboxModel::put(Sandbox sandbox)
{
    if (sandbox.id.empty()) {
        return;
    }
    const QString id = sandbox.key();
    const int row = rowOf(id);
    const bool begins = sandbox.isRunning() && (row < 0 || !m_sandboxes[static_cast<std::size_t>(row)].isRunning());
    if (row >= 0) {
        Sandbox& old = m_sandboxes[static_cast<std::size_t>(row)];
        // What sync.changed told is finer than the summary, while the sandbox runs.
        if (sandbox.isRunning()) {
            sandbox.syncs = std::move(old.syncs);
        }
        old = std::move(sandbox);
        emit dataChanged(index(row), index(row));
    } else {
        const auto place = std::lower_bound(m_sandboxes.begin(), m_sandboxes.end(), sandbox.name,
                                            [](const Sandbox& s, const QString& name) { return s.name < name; });
        const int at = static_cast<int>(place - m_sandboxes.begin());
        beginInsertRows({}, at, at);
        m_sandboxes.insert(place, std::move(sandbox));
        endInsertRows();
    }
    emit sandboxChanged(id);
    emit changed();
    if (begins) {
        askForSyncs(id); // events tell of changes only
    }
}

void SandboxModel::remove(const QString& id)
{
    const int row = rowOf(id);
    if (row < 0) {
        return;
    }
    beginRemoveRows({}, row, row);
    m_sandboxes.erase(m_sandboxes.begin() + row);
    endRemoveRows();
    emit sandboxRemoved(id);
    emit changed();
}

void SandboxModel::putSync(const QString& id, const json& value)
{
    const int row = rowOf(id);
    if (row < 0) {
        return;
    }
    Sandbox& sandbox = m_sandboxes[static_cast<std::size_t>(row)];
    SyncStatus sync = syncFromJson(value);
    const auto known = std::find_if(sandbox.syncs.begin(), sandbox.syncs.end(),
                                    [&](const SyncStatus& s) { return s.path == sync.path; });
    if (known != sandbox.syncs.end()) {
        *known = std::move(sync);
    } else if (sandbox.syncs.size() < 64) {
        sandbox.syncs.push_back(std::move(sync));
    }
    emit sandboxChanged(id);
}

} // namespace coldframe::ui
