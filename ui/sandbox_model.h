// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/sandbox.h"

#include <QAbstractListModel>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

/// All sandboxes, kept up to date by the engine's events; sorted by name.
class SandboxModel : public QAbstractListModel
{
    Q_OBJECT

public:
    enum Role { IdRole = Qt::UserRole + 1, StateRole, AgentRole, FolderRole, ReducedRole };

    explicit SandboxModel(api::Client& client, QObject* parent = nullptr);

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

    const std::vector<Sandbox>& all() const { return m_sandboxes; }
    /// Null when there is none; valid until the next event.
    const Sandbox* find(const QString& id) const;
    int rowOf(const QString& id) const; ///< -1: none
    /// Has the engine told the list once?
    bool isKnown() const { return m_known; }

signals:
    void sandboxChanged(const QString& id);
    void sandboxRemoved(const QString& id);
    /// Any of the above, and once after the first list.
    void changed();

private:
    void takeAll(const nlohmann::json& sandboxes);
    void takeEvent(const nlohmann::json& event);
    void put(Sandbox sandbox);
    void remove(const QString& id);
    void putSync(const QString& id, const nlohmann::json& sync);
    void askForSyncs(const QString& id);

    api::Client& m_client;
    std::vector<Sandbox> m_sandboxes;
    bool m_known = false;
};

} // namespace coldframe::ui
