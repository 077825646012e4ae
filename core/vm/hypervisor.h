// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "vm/machine_description.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coldframe::vm {

enum class DomainState {
    Running,
    Paused,
    Stalled, ///< it stands still because a write to its disk found no room on the host (QEMU's werror=enospc); resume() tries again
    Ending,
};

/// A microVM of ours that exists now.
struct Domain
{
    std::string sandboxId{};
    std::string generation{}; ///< as it was given at the start
    std::string uuid{};
    DomainState state = DomainState::Running;
    pid_t processId = 0; ///< of QEMU; 0 when not known
};

enum class StopReason {
    Shutdown,  ///< the guest powered itself off (or reset itself: a panic ends so too)
    Destroyed, ///< somebody asked for it: destroy(), or another libvirt tool
    Crashed,   ///< QEMU died or was killed
    Saved,     ///< its memory was written to a file by save()
    Unknown,   ///< gone when libvirt came back after an absence
};

struct DomainEvent
{
    enum class Kind {
        Started,
        Stalled,            ///< as DomainState::Stalled
        GoesOn,             ///< after a stall
        Stopped,            ///< `reason` says how; anything but a clean shut-down makes the disk doubtful
        ConnectionLost,     ///< libvirt's daemon went away; running microVMs live on
        ConnectionRestored, ///< events for what ended meanwhile have been delivered before it
    };
    Kind kind = Kind::Started;
    std::string sandboxId{};
    std::string generation{}; ///< empty where not known (started by another process)
    StopReason reason = StopReason::Unknown;
    std::string text{}; ///< a sentence for people
};

struct HypervisorInfo
{
    bool offersKvm = false;
    std::string emulator{};         ///< the qemu-system-x86_64 libvirt would use
    std::string libvirtVersion{};   ///< "9.0.0"
    std::string hypervisorVersion{}; ///< "7.2.22"; empty when not known
};

/// Starts, stops and watches microVMs. Nothing is ever left defined: a microVM that ended is gone.
/// All calls block (start up to 60 s, others up to 20 s, then Timeout) and may come from any thread.
class Hypervisor
{
public:
    using EventHandler = std::function<void(const DomainEvent&)>;

    virtual ~Hypervisor() = default;

    /// Replaces the handler; an empty one switches events off and returns when a call in progress has ended.
    /// The handler runs on the hypervisor's own threads, one call at a time, and must neither block nor call the
    /// hypervisor: post to your own thread. Events of a start may arrive before start() returns.
    virtual void setEventHandler(EventHandler handler) = 0;

    /// Verifies the disks, starts the microVM and lets it run. AlreadyExists when the sandbox's domain exists.
    virtual Result<void> start(const MachineDescription& machine) = 0;

    /// Writes the microVM's memory and devices to `file` (replaced when there) and ends it (virDomainSave()). Up to 120 s;
    /// after an error the microVM may live on. Its disk must stay as it is for as long as the file is of use.
    virtual Result<void> save(const std::string& sandboxId, const std::filesystem::path& file) = 0;

    /// Starts `machine` from memory that save() wrote, any number of times and beside the others. Its devices, sizes, kernel
    /// line and accelerator must be those of the saved one; names, socket paths and disk files are its own, and its disk's
    /// content that of the moment of the save. What libvirt reads is written anew from `machine`, never taken from the file.
    /// Corrupt when the file is not a save image that we know.
    virtual Result<void> restore(const MachineDescription& machine, const std::filesystem::path& file) = 0;

    /// How much memory its guest may have from now on, by the balloon: at most what it was started with. The guest gives pages
    /// back in its own time, and only as long as its kernel plays along; the machine's size is what binds it.
    virtual Result<void> setMemory(const std::string& sandboxId, std::uint32_t memoryMiB) = 0;

    /// Lets a stalled microVM try its writes again; success when it runs anyway. Where there is still no room it stalls again.
    virtual Result<void> resume(const std::string& sandboxId) = 0;

    /// Ends the microVM at once, as by pulling the plug. Success when there is none.
    virtual Result<void> destroy(const std::string& sandboxId) = 0;

    /// All microVMs of this owner that exist now, whoever started them (re-adoption after a restart).
    virtual Result<std::vector<Domain>> domains() = 0;

    /// That of one sandbox.
    virtual Result<std::optional<Domain>> find(const std::string& sandboxId) = 0;

    /// Stops reading the serial console of a booted guest; from then on QEMU drops its output.
    virtual void endConsole(const std::string& sandboxId) = 0;

    virtual Result<HypervisorInfo> info() = 0;
};

} // namespace coldframe::vm
