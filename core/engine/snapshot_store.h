// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace coldframe::engine {

/// A moment of a sandbox: its disk, and its memory where that was asked for. The user's named templates are such, and what
/// forks stand on.
struct Snapshot
{
    static constexpr int kVersion = 1;

    std::string id;        ///< 32 hex digits, random: the folder's name, which is never used again (HAZARDS 2)
    std::string name;      ///< the user's; unique; empty: none, it goes with the last sandbox on it
    std::string createdAt; ///< RFC 3339
    std::string sandboxId;
    std::string sandboxName;
    std::string agent;
    std::string imageId;    ///< what its disk stands on, as in SandboxRecord
    std::string templateId;
    std::string parent;     ///< the snapshot between that and its disk; empty: none
    std::string agentLayer;
    int cpus = 0;
    int memoryMiB = 0;
    int diskGiB = 0;
    bool hasMemory = false;
    std::string machineKey; ///< of the microVM the memory is of, on its disk as it was then (HAZARDS 18)
    std::uint32_t hostTscKhz = 0;
    std::string diskStamp;  ///< diskStamp() of the frozen disk
    std::vector<std::string> credentials; ///< files inside that look like credentials, for people
};

struct DiskIdentity;
struct SandboxRecord;
/// What a snapshot taken of it now has of it.
Snapshot snapshotOf(const SandboxRecord& record);
/// A disk that is still to be made on it.
DiskIdentity identityOn(const Snapshot& snapshot);

std::string snapshotToJson(const Snapshot& snapshot);
Result<Snapshot> snapshotFromJson(const std::string& text);

/// Snapshots as folders: disk.qcow2 (read-only, only ever a backing file), memory.save, manifest.json. Made in two steps, so that
/// an engine that ends in between leaves either none, or one that a record stands on. Blocking but small; one engine only.
class SnapshotStore
{
public:
    /// The chain's length at which a sandbox has to be reset first.
    static constexpr std::size_t kMaxDepth = 16;

    explicit SnapshotStore(std::filesystem::path folder) : m_folder(std::move(folder)) {}

    std::filesystem::path diskOf(const std::string& id) const { return m_folder / id / "disk.qcow2"; }
    std::filesystem::path memoryOf(const std::string& id) const { return m_folder / id / "memory.save"; }

    /// A folder that counts as unfinished.
    Result<void> begin(const std::string& id) const;
    /// Takes the disk in (a hard link: the caller still has it under its own name) and writes the manifest; its stamp is set.
    Result<void> freeze(Snapshot& snapshot, const std::filesystem::path& disk) const;
    /// From now on it is one: a record stands on it, or it has a name.
    Result<void> finish(const std::string& id) const;
    void discard(const std::string& id) const;

    /// All finished ones, oldest first. Damaged ones are left out.
    std::vector<Snapshot> list() const;
    /// By name, id or unique prefix (≥ 4) of an id.
    Result<Snapshot> find(const std::string& nameOrId) const;
    /// Itself and those below, top first. NotFound or Corrupt, with a sentence, when a layer is missing or was changed.
    Result<std::vector<Snapshot>> chain(const std::string& id) const;
    /// A name that is free and valid.
    Result<void> checkName(const std::string& name) const;
    /// Those that prune() would remove.
    std::vector<Snapshot> unused(const std::set<std::string>& pinned) const;
    /// Takes the name away; what nothing stands on goes with prune().
    Result<void> forgetName(const std::string& id) const;

    /// After an engine's start: unfinished ones that no record stands on go, the others become whole.
    void repair(const std::set<std::string>& pinned) const;
    /// Removes those without a name that neither `pinned` names nor a kept one stands on. Returns the bytes.
    std::uintmax_t prune(const std::set<std::string>& pinned) const;

private:
    Result<Snapshot> read(const std::string& id) const;
    std::vector<std::string> ids() const;

    std::filesystem::path m_folder;
};

} // namespace coldframe::engine
