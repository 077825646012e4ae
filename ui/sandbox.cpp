// SPDX-License-Identifier: Apache-2.0
#include "ui/sandbox.h"

#include "ui/text.h"
#include "ui/theme.h"

#include <QCoreApplication>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace coldframe::ui {

namespace {

constexpr std::array<std::pair<const char*, SandboxState>, 11> kStates = {{
    {"absent", SandboxState::Absent},
    {"preparing", SandboxState::Preparing},
    {"starting", SandboxState::Starting},
    {"running", SandboxState::Running},
    {"stopping", SandboxState::Stopping},
    {"stopped", SandboxState::Stopped},
    {"resetting", SandboxState::Resetting},
    {"removing", SandboxState::Removing},
    {"failed", SandboxState::Failed},
    {"pausing", SandboxState::Pausing},
    {"paused", SandboxState::Paused},
}};

/// Not called tr: lupdate would look inside its brackets for a literal and miss the marked text.
QString translated(const char* text, int n = -1) { return QCoreApplication::translate("Sandbox", text, nullptr, n); }

} // namespace

QString Sandbox::folder() const { return workspaces.empty() ? QString() : shownPath(workspaces.front().path); }

bool Sandbox::isChanging() const
{
    return state == SandboxState::Preparing || state == SandboxState::Starting || state == SandboxState::Stopping ||
           state == SandboxState::Resetting || state == SandboxState::Removing || state == SandboxState::Pausing;
}

bool Sandbox::canStart() const
{
    return state == SandboxState::Stopped || state == SandboxState::Failed || state == SandboxState::Absent ||
           state == SandboxState::Paused;
}

SyncStatus syncFromJson(const nlohmann::json& value)
{
    SyncStatus sync;
    sync.path = rawField(value, "path");
    sync.state = shownField(value, "state");
    sync.entriesToGo = numberField(value, "entriesToGo");
    sync.bytesToGo = numberField(value, "bytesToGo");
    sync.problems = static_cast<qint64>(listField(value, "problems").size());
    sync.pauseReason = shownField(value, "pauseReason");
    sync.text = shownField(value, "text");
    return sync;
}

Sandbox sandboxFromJson(const nlohmann::json& value)
{
    Sandbox sandbox;
    sandbox.id = rawField(value, "id");
    sandbox.name = shownField(value, "name");
    sandbox.agent = shownField(value, "agent");
    const std::string state = rawField(value, "state");
    for (const auto& [word, known] : kStates) {
        if (state == word) {
            sandbox.state = known;
        }
    }
    sandbox.problem = shownField(value, "problem");
    for (const nlohmann::json& workspace : listField(value, "workspaces")) {
        sandbox.workspaces.push_back({rawField(workspace, "path"), flagField(workspace, "readOnly")});
    }
    sandbox.reducedIsolation = flagField(value, "reducedIsolation");
    sandbox.cpus = numberField(value, "cpus");
    sandbox.memoryMiB = numberField(value, "memoryMiB");
    sandbox.diskGiB = numberField(value, "diskGiB");
    sandbox.isService = flagField(value, "service");
    sandbox.notice = shownField(value, "notice");
    for (const nlohmann::json& warning : listField(value, "warnings")) {
        if (warning.is_string() && sandbox.warnings.size() < 10) {
            sandbox.warnings.append(shown(warning.get<std::string>()));
        }
    }
    sandbox.launchCommand = shownField(value, "launchCommand");
    if (value.is_object() && value.contains("sync")) {
        sandbox.syncSummary = syncFromJson(value["sync"]);
    }
    sandbox.blockedCount = numberField(value, "blockedCount");
    return sandbox;
}

QString stateText(SandboxState state)
{
    switch (state) {
    case SandboxState::Absent: return translated(QT_TRANSLATE_NOOP("Sandbox", "not made yet"));
    case SandboxState::Preparing: return translated(QT_TRANSLATE_NOOP("Sandbox", "preparing"));
    case SandboxState::Starting: return translated(QT_TRANSLATE_NOOP("Sandbox", "starting"));
    case SandboxState::Running: return translated(QT_TRANSLATE_NOOP("Sandbox", "running"));
    case SandboxState::Stopping: return translated(QT_TRANSLATE_NOOP("Sandbox", "stopping"));
    case SandboxState::Stopped: return translated(QT_TRANSLATE_NOOP("Sandbox", "stopped"));
    case SandboxState::Resetting: return translated(QT_TRANSLATE_NOOP("Sandbox", "resetting"));
    case SandboxState::Removing: return translated(QT_TRANSLATE_NOOP("Sandbox", "being removed"));
    case SandboxState::Failed: return translated(QT_TRANSLATE_NOOP("Sandbox", "failed"));
    case SandboxState::Pausing: return translated(QT_TRANSLATE_NOOP("Sandbox", "being paused"));
    case SandboxState::Paused: return translated(QT_TRANSLATE_NOOP("Sandbox", "paused"));
    case SandboxState::Unknown: break;
    }
    return translated(QT_TRANSLATE_NOOP("Sandbox", "unknown"));
}

QColor stateColor(SandboxState state, const QPalette& palette)
{
    switch (state) {
    case SandboxState::Running: return Theme::good(palette);
    case SandboxState::Failed: return Theme::bad(palette);
    case SandboxState::Absent:
    case SandboxState::Stopped:
    case SandboxState::Paused:
    case SandboxState::Unknown: return Theme::quiet(palette);
    default: return Theme::busy(palette);
    }
}

QString syncText(const SyncStatus& sync)
{
    if (sync.state == QStringLiteral("in-step")) {
        return translated(QT_TRANSLATE_NOOP("Sandbox", "In step"));
    }
    if (sync.isPaused() && !sync.pauseReason.isEmpty()) {
        return translated(QT_TRANSLATE_NOOP("Sandbox", "Paused: %1")).arg(sync.pauseReason);
    }
    if (sync.entriesToGo > 0) {
        return translated(QT_TRANSLATE_NOOP("Sandbox", "%1 to go (%2)")).arg(sync.entriesToGo).arg(shownBytes(sync.bytesToGo));
    }
    if (sync.state == QStringLiteral("offline")) {
        return translated(QT_TRANSLATE_NOOP("Sandbox", "Offline: goes on when the sandbox runs"));
    }
    if (sync.state == QStringLiteral("scanning")) {
        return translated(QT_TRANSLATE_NOOP("Sandbox", "Looking for changes"));
    }
    const QString text = sync.text.isEmpty() ? sync.state : sync.text;
    return text.isEmpty() ? text : text.at(0).toUpper() + text.mid(1);
}

} // namespace coldframe::ui
