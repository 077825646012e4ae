// SPDX-License-Identifier: Apache-2.0
#include "engine/sandbox_record.h"

#include "api/path_encoding.h"
#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace coldframe::engine {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

bool isNameCharacter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// The marker a remove puts first; a folder that has it is only rubbish to clear away.
constexpr const char* kRemovedMarker = "removed";

/// Removes disks and memories that the record does not name: of a start, a pause or a reset that was interrupted.
void clearDisks(const fs::path& folder, const SandboxRecord& record)
{
    // Named by its id only since there are resets that can be undone.
    std::error_code absent;
    const fs::path unnamed = folder / "disk.qcow2";
    const fs::path named = folder / ("disk-" + record.diskId + ".qcow2");
    if (!record.diskId.empty() && fs::exists(unnamed, absent) && !fs::exists(named, absent)) {
        fs::rename(unnamed, named, absent);
    }
    fs::remove(folder / "memory.new", absent);
    if (record.pausedDisk.empty()) {
        fs::remove(folder / "memory.save", absent);
    }
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        const bool isKnown = name == "disk-" + record.diskId + ".qcow2" || name == "disk-" + record.previousDisk.diskId + ".qcow2";
        if (name.starts_with("disk-") && name.find(".qcow2") != std::string::npos && !isKnown) {
            std::error_code ignored;
            fs::remove(entry.path(), ignored);
        }
    }
}

json rulesToJson(const SandboxRecord& record)
{
    policy::PolicySet set;
    set.mode = record.mode;
    set.rules = record.rules;
    set.bypassHosts = record.bypassHosts;
    json stored = json::parse(policy::toJson(set));
    stored["presets"] = record.presets;
    return stored;
}

} // namespace

Result<void> checkSandboxName(const std::string& name)
{
    const bool fits = !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), isNameCharacter) &&
                      name[0] != '.' && name[0] != '-' && name[0] != '_';
    if (!fits) {
        return fail(ErrorCode::InvalidArgument,
                    "The name \"" + escapeForDisplay(name, 80) +
                        "\" cannot be used. A name has 1 to 63 letters, digits, dots, dashes or underscores and starts "
                        "with a letter or digit.");
    }
    return {};
}

std::string defaultSandboxName(const std::string& agent, const fs::path& folder, const std::vector<std::string>& taken)
{
    std::string base = agent + "-";
    const std::string last = folder.filename().native(); // a range over a part of a temporary would outlive it
    for (const char c : last) {
        base += isNameCharacter(c) ? c : '-';
    }
    base.resize(std::min<std::size_t>(base.size(), 56));
    std::string name = base;
    for (int n = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++n) {
        name = base + "-" + std::to_string(n);
    }
    return name;
}

std::string recordToJson(const SandboxRecord& r)
{
    json workspaces = json::array();
    for (const Workspace& workspace : r.workspaces) {
        workspaces.push_back({{"path", api::encodePath(workspace.path.native())},
                              {"guestPath", api::encodePath(workspace.inside().native())},
                              {"readOnly", workspace.readOnly}});
    }
    return json{{"version", SandboxRecord::kVersion},
                {"id", r.id},
                {"name", r.name},
                {"agent", r.agent},
                {"uuid", r.uuid},
                {"workspaces", workspaces},
                {"agentArguments", r.agentArguments},
                {"cpus", r.cpus},
                {"memoryMiB", r.memoryMiB},
                {"diskGiB", r.diskGiB},
                {"processes", r.processes},
                {"openFiles", r.openFiles},
                {"service", r.isService},
                {"whenIdle", r.whenIdle},
                {"idleMinutes", r.idleMinutes},
                {"dockerAtStart", r.dockerAtStart ? json(*r.dockerAtStart) : json()},
                {"pausedByItself", r.pausedByItself},
                {"machineCpus", r.machineCpus},
                {"machineMemoryMiB", r.machineMemoryMiB},
                {"policy", rulesToJson(r)},
                {"createdAt", r.createdAt},
                {"diskId", r.diskId},
                {"generation", r.generation},
                {"cleanStop", r.cleanStop},
                {"ownImage", r.ownImage},
                {"isBuilder", r.isBuilder},
                {"imageId", r.imageId},
                {"templateId", r.templateId},
                {"agentLayer", r.agentLayer},
                {"snapshotId", r.snapshotId},
                {"contentId", r.contentId},
                {"originSnapshot", r.originSnapshot},
                {"guestName", r.guestName},
                {"previousDisk",
                 {{"diskId", r.previousDisk.diskId},
                  {"imageId", r.previousDisk.imageId},
                  {"templateId", r.previousDisk.templateId},
                  {"agentLayer", r.previousDisk.agentLayer},
                  {"snapshotId", r.previousDisk.snapshotId},
                  {"contentId", r.previousDisk.contentId}}},
                {"machineKey", r.machineKey},
                {"hostTscKhz", r.hostTscKhz},
                {"pausedDisk", r.pausedDisk},
                {"reducedIsolation", r.reducedIsolation},
                {"state", stateName(r.state)},
                {"problem", r.problem},
                {"sentinels", r.sentinels},
                {"accounts", r.accounts},
                {"proxyCookie", r.proxyCookie},
                {"runKeys", r.runKeys},
                {"loginFiles", r.loginFiles},
                {"provisional", r.provisional}}
        .dump(2);
}

Result<SandboxRecord> recordFromJson(const std::string& text)
{
    try {
        const json j = json::parse(text);
        if (j.at("version").get<int>() != SandboxRecord::kVersion) {
            return fail(ErrorCode::Corrupt, "The sandbox was written by another version of Coldframe.");
        }
        SandboxRecord r;
        r.id = j.at("id");
        r.name = j.at("name");
        r.agent = j.at("agent");
        r.uuid = j.at("uuid");
        for (const json& workspace : j.at("workspaces")) {
            COLDFRAME_TRY(std::string path, api::decodePath(workspace.at("path").get<std::string>()));
            COLDFRAME_TRY(std::string inside, api::decodePath(workspace.value("guestPath", workspace.at("path").get<std::string>())));
            r.workspaces.push_back({fs::path(path), workspace.at("readOnly").get<bool>(), inside == path ? fs::path() : fs::path(inside)});
        }
        r.agentArguments = j.at("agentArguments").get<std::vector<std::string>>();
        r.cpus = j.at("cpus");
        r.memoryMiB = j.at("memoryMiB");
        r.diskGiB = j.at("diskGiB");
        r.processes = j.value("processes", 0);
        r.openFiles = j.value("openFiles", 0);
        r.isService = j.value("service", false);
        r.whenIdle = j.value("whenIdle", "");
        r.idleMinutes = j.value("idleMinutes", 0.0);
        if (j.contains("dockerAtStart") && !j.at("dockerAtStart").is_null()) {
            r.dockerAtStart = j.at("dockerAtStart").get<bool>();
        }
        r.pausedByItself = j.value("pausedByItself", false);
        r.machineCpus = j.value("machineCpus", 0);
        r.machineMemoryMiB = j.value("machineMemoryMiB", 0);
        COLDFRAME_TRY(policy::PolicySet set, policy::policyFromJson(j.at("policy").dump()));
        r.mode = set.mode;
        r.rules = std::move(set.rules);
        r.bypassHosts = std::move(set.bypassHosts);
        r.presets = j.at("policy").value("presets", policy::PresetSwitches());
        r.createdAt = j.at("createdAt");
        r.diskId = j.at("diskId");
        r.generation = j.at("generation");
        r.cleanStop = j.at("cleanStop");
        r.ownImage = j.value("ownImage", "");
        r.isBuilder = j.value("isBuilder", false);
        r.imageId = j.at("imageId");
        r.templateId = j.value("templateId", ""); // not in records of before there were templates
        r.agentLayer = j.at("agentLayer");
        if (const auto previous = j.find("previousDisk"); previous != j.end()) {
            r.previousDisk = {previous->at("diskId"), previous->at("imageId"), previous->at("templateId"), previous->at("agentLayer"),
                              previous->value("snapshotId", ""), previous->value("contentId", previous->at("diskId").get<std::string>())};
        }
        r.snapshotId = j.value("snapshotId", "");
        r.contentId = j.value("contentId", r.diskId);
        r.originSnapshot = j.value("originSnapshot", "");
        r.guestName = j.value("guestName", "");
        r.machineKey = j.value("machineKey", "");
        r.hostTscKhz = j.value("hostTscKhz", 0u);
        r.pausedDisk = j.value("pausedDisk", "");
        r.reducedIsolation = j.at("reducedIsolation");
        r.state = stateFromName(j.at("state").get<std::string>()).value_or(SandboxState::Failed);
        r.problem = j.at("problem");
        r.sentinels = j.at("sentinels").get<std::map<std::string, std::string>>();
        r.accounts = j.value("accounts", std::map<std::string, std::string>());
        r.proxyCookie = j.at("proxyCookie");
        r.provisional = j.value("provisional", false);
        r.runKeys = j.value("runKeys", std::set<std::string>());
        r.loginFiles = j.value("loginFiles", std::set<std::string>());
        COLDFRAME_CHECK(checkSandboxName(r.name));
        return r;
    } catch (const json::exception& error) {
        return fail(ErrorCode::Corrupt, "The sandbox's record is damaged.", error.what());
    }
}

std::string diskStamp(const fs::path& disk)
{
    struct stat status{};
    if (::stat(disk.c_str(), &status) != 0) {
        return {};
    }
    return std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

std::string stampUntilReboot(const fs::path& disk)
{
    const std::string stamp = diskStamp(disk);
    return stamp.empty() ? stamp : stamp + " until " + readFile("/proc/sys/kernel/random/boot_id", 64).value_or("?");
}

bool RecordStore::hasMemory(const SandboxRecord& record) const
{
    std::error_code ignored;
    const fs::path disk = diskOf(record.id, record.diskId);
    return !record.pausedDisk.empty() && (record.pausedDisk == diskStamp(disk) || record.pausedDisk == stampUntilReboot(disk))
        && fs::exists(memoryOf(record.id), ignored);
}

Result<void> RecordStore::save(const SandboxRecord& record) const
{
    COLDFRAME_CHECK(makeFolders(folderOf(record.id), 0700));
    return writeFileAtomic(folderOf(record.id) / "state.json", recordToJson(record), 0600);
}

std::vector<SandboxRecord> RecordStore::loadAll(std::vector<std::string>& problems) const
{
    std::vector<SandboxRecord> records;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(m_folder, error)) {
        std::error_code ignored;
        const fs::path folder = entry.path();
        // No record: a create that was interrupted before it said so, or a remove that was; neither holds work.
        if (fs::exists(folder / kRemovedMarker, ignored) || !fs::exists(folder / "state.json", ignored)) {
            fs::remove_all(folder, ignored);
            continue;
        }
        auto text = readFile(folder / "state.json", 1u << 20);
        auto record = text ? recordFromJson(*text) : Result<SandboxRecord>(tl::unexpected(text.error()));
        if (record && record->id == folder.filename().native()) {
            clearDisks(folder, *record);
            records.push_back(std::move(*record));
        } else {
            problems.push_back("The sandbox in " + folder.string() +
                               " cannot be read and is left as it is: " + (record ? "its id does not fit" : record.error().message));
        }
    }
    std::sort(records.begin(), records.end(),
              [](const SandboxRecord& a, const SandboxRecord& b) { return a.createdAt < b.createdAt; });
    return records;
}

Result<void> RecordStore::remove(const std::string& id) const
{
    const fs::path folder = folderOf(id);
    std::error_code error;
    if (!fs::exists(folder, error)) {
        return {};
    }
    COLDFRAME_CHECK(writeFileAtomic(folder / kRemovedMarker, "", 0600));
    fs::remove_all(folder, error);
    if (error) {
        return fail(ErrorCode::Io, "Some files of the sandbox could not be removed from " + folder.string() + ".",
                    error.message());
    }
    return {};
}

} // namespace coldframe::engine
