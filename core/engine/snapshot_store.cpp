// SPDX-License-Identifier: Apache-2.0
#include "engine/snapshot_store.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/sandbox_record.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::engine {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kUnfinished = "unfinished";
constexpr std::size_t kIdDigits = 32;

bool isId(const std::string& name)
{
    return name.size() == kIdDigits && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<void> makeReadOnly(const fs::path& file, bool durable)
{
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd || ::fchmod(fd.get(), 0400) != 0 || (durable && ::fsync(fd.get()) != 0)) {
        return failErrno("The file " + file.string() + " cannot be kept.", errno);
    }
    return {};
}

} // namespace

Snapshot snapshotOf(const SandboxRecord& record)
{
    Snapshot snapshot;
    snapshot.sandboxId = record.id;
    snapshot.sandboxName = record.name;
    snapshot.agent = record.agent;
    snapshot.imageId = record.imageId;
    snapshot.templateId = record.templateId;
    snapshot.parent = record.snapshotId;
    snapshot.agentLayer = record.agentLayer;
    snapshot.cpus = record.machineCpus > 0 ? record.machineCpus : record.cpus;
    snapshot.memoryMiB = record.machineMemoryMiB > 0 ? record.machineMemoryMiB : record.memoryMiB;
    snapshot.diskGiB = record.diskGiB;
    snapshot.machineKey = record.machineKey;
    snapshot.hostTscKhz = record.hostTscKhz;
    return snapshot;
}

DiskIdentity identityOn(const Snapshot& snapshot)
{
    return {{}, snapshot.imageId, snapshot.templateId, snapshot.agentLayer, snapshot.id, {}};
}

std::string snapshotToJson(const Snapshot& s)
{
    return json{{"version", Snapshot::kVersion},
                {"id", s.id},
                {"name", s.name},
                {"createdAt", s.createdAt},
                {"sandboxId", s.sandboxId},
                {"sandboxName", s.sandboxName},
                {"agent", s.agent},
                {"imageId", s.imageId},
                {"templateId", s.templateId},
                {"parent", s.parent},
                {"agentLayer", s.agentLayer},
                {"cpus", s.cpus},
                {"memoryMiB", s.memoryMiB},
                {"diskGiB", s.diskGiB},
                {"hasMemory", s.hasMemory},
                {"machineKey", s.machineKey},
                {"hostTscKhz", s.hostTscKhz},
                {"diskStamp", s.diskStamp},
                {"credentials", s.credentials}}
        .dump(2, ' ', true, json::error_handler_t::replace);
}

Result<Snapshot> snapshotFromJson(const std::string& text)
{
    try {
        const json j = json::parse(text);
        if (j.at("version").get<int>() != Snapshot::kVersion) {
            return fail(ErrorCode::Corrupt, "The template was written by another version of Coldframe.");
        }
        Snapshot s;
        s.id = j.at("id");
        s.name = j.at("name");
        s.createdAt = j.at("createdAt");
        s.sandboxId = j.at("sandboxId");
        s.sandboxName = j.at("sandboxName");
        s.agent = j.at("agent");
        s.imageId = j.at("imageId");
        s.templateId = j.at("templateId");
        s.parent = j.at("parent");
        s.agentLayer = j.at("agentLayer");
        s.cpus = j.at("cpus");
        s.memoryMiB = j.at("memoryMiB");
        s.diskGiB = j.at("diskGiB");
        s.hasMemory = j.at("hasMemory");
        s.machineKey = j.at("machineKey");
        s.hostTscKhz = j.at("hostTscKhz");
        s.diskStamp = j.at("diskStamp");
        s.credentials = j.at("credentials").get<std::vector<std::string>>();
        if (!isId(s.id) || (!s.parent.empty() && !isId(s.parent))) {
            return fail(ErrorCode::Corrupt, "The template's record is damaged.", "id");
        }
        return s;
    } catch (const json::exception& error) {
        return fail(ErrorCode::Corrupt, "The template's record is damaged.", error.what());
    }
}

Result<void> SnapshotStore::begin(const std::string& id) const
{
    COLDFRAME_CHECK(makeFolders(m_folder / id, 0700));
    return writeFileAtomic(m_folder / id / kUnfinished, "", 0600);
}

Result<void> SnapshotStore::freeze(Snapshot& snapshot, const fs::path& disk) const
{
    const fs::path frozen = diskOf(snapshot.id);
    if (::link(disk.c_str(), frozen.c_str()) != 0) {
        return failErrno("The disk " + disk.string() + " cannot be frozen.", errno);
    }
    snapshot.diskStamp = diskStamp(frozen);
    return writeFileAtomic(m_folder / snapshot.id / "manifest.json", snapshotToJson(snapshot), 0600);
}

Result<void> SnapshotStore::finish(const std::string& id) const
{
    COLDFRAME_CHECK(makeReadOnly(diskOf(id), true));
    std::error_code error;
    if (fs::exists(memoryOf(id), error)) {
        COLDFRAME_CHECK(makeReadOnly(memoryOf(id), false)); // what must last was forced to the disk when it was written
    }
    fs::remove(m_folder / id / kUnfinished, error);
    return {};
}

void SnapshotStore::discard(const std::string& id) const
{
    std::error_code ignored;
    if (isId(id)) {
        fs::remove_all(m_folder / id, ignored);
    }
}

std::vector<std::string> SnapshotStore::ids() const
{
    std::vector<std::string> found;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(m_folder, error)) {
        if (const std::string name = entry.path().filename().string(); isId(name)) {
            found.push_back(name);
        }
    }
    return found;
}

Result<Snapshot> SnapshotStore::read(const std::string& id) const
{
    std::error_code ignored;
    if (!isId(id) || !fs::exists(m_folder / id / "manifest.json", ignored)) {
        return fail(ErrorCode::NotFound, "The template that the sandbox stands on is missing. Reset the sandbox to start afresh.", id);
    }
    COLDFRAME_TRY(const std::string text, readFile(m_folder / id / "manifest.json", 1u << 20));
    COLDFRAME_TRY(Snapshot snapshot, snapshotFromJson(text));
    if (snapshot.id != id) {
        return fail(ErrorCode::Corrupt, "The template's record is damaged.", "id");
    }
    return snapshot;
}

std::vector<Snapshot> SnapshotStore::list() const
{
    std::vector<Snapshot> all;
    for (const std::string& id : ids()) {
        std::error_code ignored;
        auto snapshot = read(id);
        if (snapshot && !fs::exists(m_folder / id / kUnfinished, ignored)) {
            all.push_back(std::move(*snapshot));
        } else if (!snapshot) {
            logWarning("template", snapshot.error().message + " " + (m_folder / id).string());
        }
    }
    std::sort(all.begin(), all.end(), [](const Snapshot& a, const Snapshot& b) { return a.createdAt < b.createdAt; });
    return all;
}

Result<Snapshot> SnapshotStore::find(const std::string& nameOrId) const
{
    std::vector<Snapshot> matching;
    for (Snapshot& snapshot : list()) {
        if (snapshot.id == nameOrId || (!nameOrId.empty() && snapshot.name == nameOrId)) {
            return std::move(snapshot);
        }
        if (nameOrId.size() >= 4 && snapshot.id.starts_with(nameOrId)) {
            matching.push_back(std::move(snapshot));
        }
    }
    if (matching.size() > 1) {
        return fail(ErrorCode::InvalidArgument, "Several templates have ids that begin with " + escapeForDisplay(nameOrId, 80) + ". Give more of it.");
    }
    if (matching.empty()) {
        return fail(ErrorCode::NotFound, "There is no template named " + escapeForDisplay(nameOrId, 80) + ". See all of them with: coldframe template ls");
    }
    return std::move(matching[0]);
}

Result<std::vector<Snapshot>> SnapshotStore::chain(const std::string& id) const
{
    std::vector<Snapshot> layers;
    for (std::string next = id; !next.empty(); next = layers.back().parent) {
        if (layers.size() > kMaxDepth) {
            return fail(ErrorCode::Corrupt, "The sandbox stands on too many templates. Reset it to start afresh.");
        }
        COLDFRAME_TRY(Snapshot layer, read(next));
        if (diskStamp(diskOf(next)) != layer.diskStamp) {
            return fail(ErrorCode::Corrupt, "The disk of a template that the sandbox stands on is missing or was changed. Reset the sandbox to start afresh.",
                        diskOf(next).string());
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

Result<void> SnapshotStore::checkName(const std::string& name) const
{
    COLDFRAME_CHECK(checkSandboxName(name));
    for (const Snapshot& snapshot : list()) {
        if (snapshot.name == name) {
            return fail(ErrorCode::AlreadyExists, "A template named " + name + " exists already. Remove it first (coldframe template rm " + name +
                                                      "), or give another name.");
        }
    }
    return {};
}

Result<void> SnapshotStore::forgetName(const std::string& id) const
{
    COLDFRAME_TRY(Snapshot snapshot, read(id));
    snapshot.name.clear();
    snapshot.hasMemory = false;
    COLDFRAME_CHECK(writeFileAtomic(m_folder / id / "manifest.json", snapshotToJson(snapshot), 0600));
    std::error_code ignored;
    fs::remove(memoryOf(id), ignored);
    return {};
}

void SnapshotStore::repair(const std::set<std::string>& pinned) const
{
    for (const std::string& id : ids()) {
        std::error_code ignored;
        if (!fs::exists(m_folder / id / kUnfinished, ignored)) {
            continue;
        }
        if (!pinned.contains(id)) {
            discard(id); // its disk is still the sandbox's own, under its other name
        } else if (auto finished = finish(id); !finished) {
            logWarning("template", finished.error().message + " " + finished.error().detail);
        }
    }
}

std::vector<Snapshot> SnapshotStore::unused(const std::set<std::string>& pinned) const
{
    std::set<std::string> kept = pinned;
    std::vector<Snapshot> all = list();
    for (bool grew = true; grew;) {
        grew = false;
        for (const Snapshot& snapshot : all) {
            const bool isKept = !snapshot.name.empty() || kept.contains(snapshot.id);
            grew = (isKept && kept.insert(snapshot.id).second) || grew;
            grew = (isKept && !snapshot.parent.empty() && kept.insert(snapshot.parent).second) || grew;
        }
    }
    std::erase_if(all, [&kept](const Snapshot& snapshot) { return kept.contains(snapshot.id); });
    return all;
}

std::uintmax_t SnapshotStore::prune(const std::set<std::string>& pinned) const
{
    std::uintmax_t bytes = 0;
    for (const Snapshot& snapshot : unused(pinned)) {
        std::error_code ignored;
        for (const fs::path& file : {diskOf(snapshot.id), memoryOf(snapshot.id)}) {
            const auto size = fs::file_size(file, ignored);
            bytes += ignored ? 0 : size;
        }
        discard(snapshot.id);
    }
    return bytes;
}

} // namespace coldframe::engine
