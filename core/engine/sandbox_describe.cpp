// SPDX-License-Identifier: Apache-2.0
// What the API says of a sandbox.
#include "engine/sandbox.h"

#include "api/path_encoding.h"
#include "vm/host_resources.h"

#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

std::string quotedForShell(const std::string& text)
{
    std::string quoted = "'";
    for (const char c : text) {
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return quoted + "'";
}

} // namespace

json Sandbox::describe() const
{
    json workspaces = json::array();
    for (const Workspace& workspace : m_record.workspaces) {
        workspaces.push_back({{"path", api::encodePath(workspace.path.native())},
                              {"guestPath", api::encodePath(workspace.inside().native())},
                              {"readOnly", workspace.readOnly}});
    }
    json warnings = json::array();
    for (const LimitWarning& warning : m_warnings) {
        warnings.push_back(warning.text);
    }
    return json{{"id", m_record.id},
                {"name", m_record.name},
                {"agent", m_record.agent},
                {"state", stateName(m_record.state)},
                {"problem", m_record.problem},
                {"notice", m_notice},
                {"workspaces", workspaces},
                {"reducedIsolation", m_record.reducedIsolation},
                {"createdAt", m_record.createdAt},
                {"cpus", m_record.cpus},
                {"memoryMiB", m_record.memoryMiB},
                {"diskGiB", m_record.diskGiB},
                {"service", m_record.isService},
                {"dockerAtStart", m_record.dockerAtStart ? json(*m_record.dockerAtStart) : json()},
                {"pausedByItself", m_record.pausedByItself},
                {"warnings", warnings},
                {"launchCommand", "coldframe run " + quotedForShell(m_record.name)},
                {"image", m_record.ownImage.empty() ? std::string() : m_parts.ownImages.nameOf(m_record.ownImage)},
                {"isBuilder", m_record.isBuilder},
                {"sync", m_sync.summaryJson()},
                {"blockedCount", m_blockedCount}};
}

json Sandbox::inspect() const
{
    json all = describe();
    std::error_code ignored;
    const auto diskBytes = std::filesystem::file_size(diskFile(), ignored);
    all["disk"] = {{"path", diskFile().string()},
                   {"canUndoReset", !m_record.previousDisk.diskId.empty()},
                   {"bytes", ignored ? 0 : diskBytes},
                   {"capGiB", m_record.diskGiB},
                   {"image", m_record.imageId},
                   {"template", m_record.templateId},
                   {"agentLayer", m_record.agentLayer}};
    all["policy"] = json::parse(policy::toJson(effectivePolicy()));
    all["vm"] = {{"uuid", m_record.uuid}, {"generation", m_record.generation}, {"consoleLog", (folder() / "console.log").string()}};
    all["syncs"] = m_sync.statusJson();
    all["limits"] = limitsJson();
    all["limitsText"] = m_limits.empty() ? vm::describeLimits().text : m_limits;
    all["usage"] = m_usage ? usageJson(*m_usage) : json();
    all["processes"] = m_record.processes;
    all["openFiles"] = m_record.openFiles;
    all["idle"] = {{"when", m_record.whenIdle}, {"minutes", m_record.idleMinutes}};
    all["keyServices"] = m_keyedServices;
    all["keyAccounts"] = m_record.accounts;
    return all;
}

} // namespace coldframe::engine
