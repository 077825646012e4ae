// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that is frozen into snapshots and goes on from them. See "Snapshots and forks" in core/ARCHITECTURE.md.
#include "engine/sandbox_plan.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "vm/qcow2.h"

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxCredentials = 100;
constexpr std::size_t kMaxPath = 4096;

} // namespace

/// The guest's own word, bounded.
asio::awaitable<std::vector<std::string>> Sandbox::credentialsInside()
{
    std::vector<std::string> files;
    if (!m_control || !m_control->isAlive()) {
        co_return files;
    }
    auto answer = co_await m_control->request("GET", "/credentials", "", 20s);
    const json said = answer ? json::parse(*answer, nullptr, false) : json();
    const json list = said.is_object() ? said.value("files", json::array()) : json::array();
    for (const json& file : list) {
        if (list.is_array() && file.is_string() && files.size() < kMaxCredentials) {
            files.push_back(escapeForDisplay(file.get<std::string>(), kMaxPath));
        }
    }
    co_return files;
}

asio::awaitable<Result<Snapshot>> Sandbox::takeSnapshot(SnapshotWish wish, Steps steps)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    const bool runs = m_record.state == SandboxState::Running;
    std::error_code ignored;
    if (!runs && (m_record.state != SandboxState::Stopped || !std::filesystem::exists(diskFile(), ignored))) {
        co_return fail(ErrorCode::InvalidArgument, "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) +
                                                       "; it must run, or have run and be stopped. To start it: coldframe start " + m_record.name);
    }
    const Operation operation(*this);
    Snapshot snapshot = snapshotOf(m_record);
    snapshot.id = randomHex(16);
    snapshot.name = wish.name;
    snapshot.createdAt = formatUtc(utcNow());
    snapshot.hasMemory = runs && wish.memory;
    if (auto deep = m_parts.snapshots.chain(m_record.snapshotId); !deep || deep->size() >= SnapshotStore::kMaxDepth) {
        co_return deep ? fail(ErrorCode::InvalidArgument, "The sandbox " + m_record.name + " stands on too many templates. Reset it first, which starts afresh.")
                       : tl::unexpected(deep.error());
    }
    if (!wish.name.empty()) {
        snapshot.credentials = co_await credentialsInside();
    }
    if (auto begun = m_parts.snapshots.begin(snapshot.id); !begun) {
        co_return tl::unexpected(begun.error());
    }
    Result<void> done;
    if (runs) {
        transition(SandboxEvent::PauseAsked);
        done = co_await freeze(m_parts.snapshots.memoryOf(snapshot.id), !wish.name.empty(), steps);
        if (!done) {
            m_parts.snapshots.discard(snapshot.id);
            co_return tl::unexpected(done.error());
        }
    }
    if (wish.whileFrozen) {
        steps.say("copy", "Copying the workspace");
        done = co_await onPool(m_parts.pool, std::move(wish.whileFrozen));
    }
    if (done) {
        done = co_await changeLayer(snapshot);
    }
    if (!done) {
        if (m_record.snapshotId != snapshot.id) {
            // Back to what it was: paused on its own disk.
            if (runs) {
                (void)std::rename(m_parts.snapshots.memoryOf(snapshot.id).c_str(), m_parts.store.memoryOf(m_record.id).c_str());
                m_record.pausedDisk = stampUntilReboot(diskFile());
                m_record.cleanStop = false;
            }
            m_parts.snapshots.discard(snapshot.id);
        }
        if (runs) {
            transition(SandboxEvent::Frozen);
        }
        co_return tl::unexpected(done.error());
    }
    if (runs) {
        transition(SandboxEvent::Frozen);
    }
    co_return snapshot;
}

/// The sandbox's disk becomes the snapshot's, and a new one on it the sandbox's. The order is what an interrupted engine needs:
/// until the record stands on the snapshot the disk is the sandbox's own.
asio::awaitable<Result<void>> Sandbox::changeLayer(Snapshot& snapshot)
{
    Plan plan;
    plan.ofMemory = m_record.state == SandboxState::Pausing;
    const Steps quietly;
    Result<void> done = co_await describeMachine(quietly, plan);
    if (done) {
        done = co_await addLayers(plan);
    }
    if (!done) {
        co_return done;
    }
    const bool runs = m_record.state == SandboxState::Pausing;
    const std::string diskId = randomHex(16);
    std::string key;
    auto change = [&parts = m_parts, &record = m_record, &snapshot, &plan, &key, runs, diskId]() -> Result<void> {
        COLDFRAME_CHECK(parts.snapshots.freeze(snapshot, parts.store.diskOf(record.id, record.diskId)));
        if (runs) {
            COLDFRAME_TRY(const auto info, parts.hypervisor.info());
            COLDFRAME_TRY(key, machineKey(plan.machine, plan.shape.diskBytes(), info));
        }
        auto& chain = plan.machine.backingChain;
        chain.insert(chain.begin(), {parts.snapshots.diskOf(snapshot.id), vm::DiskFormat::Qcow2, {}});
        if (runs && key == record.machineKey) {
            COLDFRAME_TRY(const auto info, parts.hypervisor.info());
            COLDFRAME_TRY(key, machineKey(plan.machine, plan.shape.diskBytes(), info));
        } else {
            key.clear(); // QEMU or libvirt was replaced meanwhile: the resume will say so
        }
        SystemProcessRunner runner;
        COLDFRAME_CHECK(vm::createOverlay(runner, chain, parts.store.diskOf(record.id, diskId), plan.shape.diskBytes()));
        if (runs && ::link(parts.snapshots.memoryOf(snapshot.id).c_str(), parts.store.memoryOf(record.id).c_str()) != 0) {
            return failErrno("The saved memory cannot be kept.", errno);
        }
        return {};
    };
    done = co_await onPool(m_parts.pool, std::move(change));
    if (!done) {
        std::error_code ignored;
        std::filesystem::remove(m_parts.store.diskOf(m_record.id, diskId), ignored);
        co_return done;
    }
    const std::filesystem::path old = diskFile();
    m_record.diskId = diskId;
    m_record.snapshotId = snapshot.id;
    if (runs) {
        m_record.machineKey = key;
        m_record.pausedDisk = stampUntilReboot(diskFile());
        m_record.cleanStop = false;
    }
    if (auto saved = save(); !saved) {
        co_return saved;
    }
    auto finish = [&parts = m_parts, &snapshot, old]() -> Result<void> {
        COLDFRAME_CHECK(parts.snapshots.finish(snapshot.id));
        std::error_code ignored;
        std::filesystem::remove(old, ignored);
        if (!snapshot.hasMemory) {
            std::filesystem::remove(parts.snapshots.memoryOf(snapshot.id), ignored);
        }
        return {};
    };
    co_return co_await onPool(m_parts.pool, std::move(finish));
}

asio::awaitable<Result<void>> Sandbox::standOn(Snapshot snapshot, bool withMemory)
{
    m_record.imageId = snapshot.imageId;
    m_record.templateId = snapshot.templateId;
    m_record.agentLayer = snapshot.agentLayer;
    m_record.snapshotId = snapshot.id;
    Plan plan;
    plan.ofMemory = withMemory && snapshot.hasMemory;
    if (plan.ofMemory) {
        m_record.machineCpus = snapshot.cpus;
        m_record.machineMemoryMiB = snapshot.memoryMiB;
    }
    const Steps quietly;
    Result<void> done = co_await describeMachine(quietly, plan);
    if (done) {
        done = co_await makeDisk(plan);
    }
    if (!done || !withMemory || !snapshot.hasMemory) {
        co_return done;
    }
    std::string key;
    auto lay = [&parts = m_parts, &snapshot, &plan, &key, memory = m_parts.store.memoryOf(m_record.id)]() -> Result<void> {
        COLDFRAME_TRY(const auto info, parts.hypervisor.info());
        COLDFRAME_TRY(key, machineKey(plan.machine, plan.shape.diskBytes(), info));
        auto& chain = plan.machine.backingChain;
        chain.erase(chain.begin());
        COLDFRAME_TRY(const std::string then, machineKey(plan.machine, plan.shape.diskBytes(), info));
        if (then != snapshot.machineKey) {
            return fail(ErrorCode::Unavailable, "QEMU, libvirt or the way it runs have changed since.");
        }
        if (::link(parts.snapshots.memoryOf(snapshot.id).c_str(), memory.c_str()) != 0) {
            return failErrno("The saved memory is not there any more.", errno);
        }
        return {};
    };
    if (auto laid = co_await onPool(m_parts.pool, std::move(lay)); !laid) {
        // The disk is whole without it.
        logWarning("sandbox " + m_record.name, "the snapshot's memory is not used: " + laid.error().message + " " + laid.error().detail);
        m_lostMemory = "What ran at that moment does not come back: " + laid.error().message;
        co_return done;
    }
    m_record.machineKey = key;
    m_record.hostTscKhz = snapshot.hostTscKhz;
    m_record.pausedDisk = stampUntilReboot(diskFile());
    m_record.cleanStop = false;
    m_record.guestName = snapshot.sandboxId == m_record.id ? m_record.name : std::string();
    m_record.state = SandboxState::Paused;
    co_return save();
}

asio::awaitable<Result<void>> Sandbox::rollBack(Snapshot snapshot, Steps steps, bool force)
{
    if (snapshot.agent != m_record.agent || snapshot.diskGiB != m_record.diskGiB) {
        co_return fail(ErrorCode::InvalidArgument, "The template " + snapshot.name + " is of another kind of sandbox (" + snapshot.agent + ", " +
                                                       std::to_string(snapshot.diskGiB) + " GiB). Make a new sandbox of it: coldframe create --template " + snapshot.name);
    }
    const DiskIdentity wanted = identityOn(snapshot);
    // Another sandbox's memory has its names, its authority and its workspace in it.
    std::optional<Snapshot> moment;
    if (snapshot.hasMemory && snapshot.sandboxId == m_record.id) {
        moment = std::move(snapshot);
    }
    co_return co_await changeDisk(steps, force, wanted, std::move(moment));
}

SandboxRecord Sandbox::forkRecord(const Snapshot& snapshot) const
{
    SandboxRecord fork;
    fork.agent = m_record.agent;
    fork.agentArguments = m_record.agentArguments;
    fork.cpus = m_record.cpus;
    fork.memoryMiB = m_record.memoryMiB;
    fork.diskGiB = m_record.diskGiB;
    fork.processes = m_record.processes;
    fork.openFiles = m_record.openFiles;
    fork.isService = m_record.isService;
    fork.dockerAtStart = m_record.dockerAtStart;
    fork.whenIdle = m_record.whenIdle;
    fork.idleMinutes = m_record.idleMinutes;
    fork.mode = m_record.mode;
    fork.rules = m_record.rules;
    fork.originSnapshot = m_record.originSnapshot;
    // Its processes go on with them: they are in their memory.
    fork.sentinels = m_record.sentinels;
    fork.imageId = snapshot.imageId;
    fork.templateId = snapshot.templateId;
    fork.agentLayer = snapshot.agentLayer;
    fork.snapshotId = snapshot.id;
    fork.provisional = true;
    fork.createdAt = formatUtc(utcNow());
    return fork;
}

void Sandbox::inheritRun(const Sandbox& parent)
{
    for (const auto& [service, key] : parent.m_runKeys) {
        m_runKeys[service] = key.clone();
        m_record.runKeys.insert(service);
    }
    m_sessionRules = parent.m_sessionRules;
}

} // namespace coldframe::engine
