// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QPalette>
#include <QString>
#include <QStringList>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace coldframe::ui {

enum class SandboxState { Absent, Preparing, Starting, Running, Stopping, Stopped, Resetting, Removing, Failed, Pausing, Paused, Unknown };

/// One workspace's place between guest and host. All text is fit to be shown.
struct SyncStatus
{
    std::string path; ///< as the API spells it
    QString state;    ///< the API's word
    qint64 entriesToGo = 0;
    qint64 bytesToGo = 0;
    qint64 problems = 0;
    QString pauseReason;
    QString text;

    bool isPaused() const { return state == QStringLiteral("paused"); }
};

struct Workspace
{
    std::string path; ///< as the API spells it
    bool readOnly = false;
};

/// A sandbox as the window knows it; plain data, all QStrings fit to be shown.
struct Sandbox
{
    std::string id;
    QString name;
    QString agent;
    SandboxState state = SandboxState::Unknown;
    QString problem;
    std::vector<Workspace> workspaces;
    bool reducedIsolation = false;
    qint64 cpus = 0;
    qint64 memoryMiB = 0;
    qint64 diskGiB = 0;
    bool isService = false;
    QString notice;        ///< of its last start, or why it was paused
    QStringList warnings;  ///< limits it came up against
    QString launchCommand;
    SyncStatus syncSummary;
    std::vector<SyncStatus> syncs; ///< of sync.status and sync.changed; may be empty
    qint64 blockedCount = 0;

    QString key() const { return QString::fromStdString(id); }
    QString folder() const; ///< the first workspace, for people
    bool isRunning() const { return state == SandboxState::Running; }
    bool isChanging() const;
    bool canStart() const;
};

SyncStatus syncFromJson(const nlohmann::json& value);
/// `syncs` stays empty; see SandboxModel.
Sandbox sandboxFromJson(const nlohmann::json& value);

QString stateText(SandboxState state);
QColor stateColor(SandboxState state, const QPalette& palette);
/// "In step", "12 to go (48 KiB)", "Paused: why".
QString syncText(const SyncStatus& sync);

} // namespace coldframe::ui
