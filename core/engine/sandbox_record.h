// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "engine/sandbox_state.h"
#include "engine/workspace_rules.h"
#include "policy/presets.h"

#include <filesystem>
#include <map>
#include <set>
#include <optional>
#include <string>
#include <vector>

namespace coldframe::engine {

/// What a disk of a sandbox is: which file (disk-<diskId>.qcow2 in the sandbox's folder) on which layers.
struct DiskIdentity
{
    std::string diskId;
    std::string imageId;
    std::string templateId;
    std::string agentLayer;
    std::string snapshotId{}; ///< of the snapshot that the disk stands on; empty: none
    std::string contentId{};  ///< whose content it is: what the workspace's ancestor is bound to
};

/// What is kept of a sandbox on disk (sandboxes/<id>/state.json, written whole or not at all).
struct SandboxRecord
{
    static constexpr int kVersion = 1;

    std::string id;     ///< 16 hex digits
    std::string name;   ///< unique; letters, digits, '.', '_', '-'; starts with a letter or digit; ≤ 63
    std::string agent;  ///< an agent's canonical name
    std::string uuid;   ///< the domain's
    std::vector<Workspace> workspaces;
    std::vector<std::string> agentArguments; ///< given at create, after "--"
    int cpus = 0;       ///< 0 = what suits the machine
    int memoryMiB = 2048;
    int diskGiB = 40;
    int processes = 0;  ///< that the user's programs inside may be at a time; 0 = what suits the memory
    int openFiles = 0;  ///< of each program inside; 0 = the usual number
    bool isService = false;          ///< never stopped or paused for want of use
    std::string whenIdle;            ///< "nothing", "pause", "stop"; empty: as the settings say
    double idleMinutes = 0;          ///< until that happens; 0: as the settings say
    std::optional<bool> dockerAtStart; ///< Docker's daemon runs from the start on; nothing: as its agent's definition says
    bool pausedByItself = false;     ///< paused for want of use, not by the user
    policy::Mode mode = policy::Mode::Balanced;
    std::vector<policy::Rule> rules; ///< scope Sandbox (session rules are never stored)
    policy::PresetSwitches presets;  ///< that the user switched for this sandbox
    std::vector<std::string> bypassHosts; ///< patterns tunnelled uninspected, beside those of the settings
    std::string createdAt;           ///< RFC 3339
    std::string diskId;              ///< random per fresh disk: the sync ancestor is bound to it (HAZARDS 1)
    std::string generation;          ///< random per start not preceded by a clean, acknowledged unmount
    bool provisional = false;        ///< made to be started at once, and forgotten when that first start fails
    bool cleanStop = true;           ///< false from a start until the guest acknowledged its unmount
    std::string ownImage;            ///< the user's own image that fresh disks are made on; empty: the current base image. Pinned
    bool isBuilder = false;          ///< an image is being built in it: it goes when the engine that builds it goes
    std::string imageId;             ///< folder name of the image the disk stands on; pinned (HAZARDS 2)
    std::string templateId;          ///< of the template whose disk lies between the image and the sandbox's own; empty: none. Pinned
    std::string agentLayer;          ///< absolute path of the agent's layer, or empty
    std::string snapshotId;          ///< of the snapshot whose disk lies directly under the sandbox's own; empty: none. Pinned
    std::string contentId;           ///< whose content the disk is: goes over to the disk made when this one is frozen
    std::string originSnapshot;      ///< what a reset goes back to; empty: the image. Pinned
    std::string guestName;           ///< the host name that the guest has
    DiskIdentity previousDisk;       ///< the one before the last reset, which can be brought back; diskId empty: none
    std::string machineKey;          ///< of the microVM as last started: what a memory saved of it needs to come back (vm::templateKey())
    int machineCpus = 0;             ///< of the microVM as last started, which may be larger than the limit; 0: as the limit
    int machineMemoryMiB = 0;        ///< the same for its memory: the balloon takes the difference
    std::uint32_t hostTscKhz = 0;    ///< its guest was calibrated with; 0 with KVM
    std::string pausedDisk;          ///< diskStamp() or stampUntilReboot() when the memory beside it was saved; empty: no memory is saved
    bool reducedIsolation = false;   ///< started under emulation
    SandboxState state = SandboxState::Stopped; ///< at rest: stopped or failed; others are repaired at start
    std::string problem;
    std::map<std::string, std::string> sentinels; ///< service → sentinel; random per sandbox, no secret
    std::map<std::string, std::string> accounts; ///< service → the account whose key is used; none: the one without a name
    std::set<std::string> loginFiles; ///< services for whose log-in a file stands inside
    std::string proxyCookie;         ///< for taking the proxy over after an engine restart
    std::set<std::string> runKeys;   ///< services whose key was given for this run; the keys are with proxy and engine only
};

/// Whether a name may be used; the error shows the rule.
Result<void> checkSandboxName(const std::string& name);

/// "<agent>-<folder>", made valid, with -2, -3 … when taken.
std::string defaultSandboxName(const std::string& agent, const std::filesystem::path& folder,
                               const std::vector<std::string>& taken);

std::string recordToJson(const SandboxRecord& record);
Result<SandboxRecord> recordFromJson(const std::string& json);

/// Size and time of the last change of a disk. A saved memory fits its disk for as long as this stays (HAZARDS 2). Empty: no such file.
std::string diskStamp(const std::filesystem::path& disk);

/// The same for a memory that was not forced to the disk, as between the two halves of a fork: after a reboot of the host it is of no use.
std::string stampUntilReboot(const std::filesystem::path& disk);

/// The folder of all sandboxes, with one folder each.
class RecordStore
{
public:
    explicit RecordStore(std::filesystem::path folder) : m_folder(std::move(folder)) {}

    std::filesystem::path folderOf(const std::string& id) const { return m_folder / id; }
    /// The file of a disk; where there is no disk yet, a name that no disk has.
    std::filesystem::path diskOf(const std::string& id, const std::string& diskId) const
    {
        return m_folder / id / ("disk-" + diskId + ".qcow2");
    }
    /// The memory of a paused sandbox.
    std::filesystem::path memoryOf(const std::string& id) const { return m_folder / id / "memory.save"; }
    /// Whether that memory is there and still fits the disk.
    bool hasMemory(const SandboxRecord& record) const;
    Result<void> save(const SandboxRecord& record) const;
    /// All that can be read; folders left half-made by an interrupted create or remove are cleared away,
    /// damaged ones are named in `problems` and left alone.
    std::vector<SandboxRecord> loadAll(std::vector<std::string>& problems) const;
    Result<void> remove(const std::string& id) const;

private:
    std::filesystem::path m_folder;
};

} // namespace coldframe::engine
