// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that brings it up: disk, microVM (restored from a template or booted), ports, set-up, workspace.
#include "engine/network_note.h"
#include "engine/sandbox_plan.h"

#include "api/path_encoding.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "engine/certificate_authority.h"
#include "engine/deadline.h"
#include "engine/machine_plan.h"
#include "engine/warm_start.h"
#include "sync/seed_disk.h"
#include "vm/emulator.h"
#include "vm/qcow2.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

double secondsNow() { return std::chrono::duration<double>(utcNow().time_since_epoch()).count(); }

std::string freshEntropy()
{
    std::string entropy(64, '\0');
    fillRandom({reinterpret_cast<std::uint8_t*>(entropy.data()), entropy.size()});
    return entropy;
}

} // namespace

/// What another coroutine of the same start comes to.
struct Sandbox::Joined
{
    explicit Joined(asio::io_context& io) : arrived(io, asio::steady_timer::time_point::max()) {}
    std::optional<Result<void>> outcome;
    asio::steady_timer arrived; ///< cancelled when there is an outcome
};

asio::awaitable<void> Sandbox::runBeside(asio::awaitable<Result<void>> work, std::shared_ptr<Joined> result)
{
    result->outcome = co_await std::move(work);
    result->arrived.cancel();
}

asio::awaitable<Result<void>> Sandbox::join(std::shared_ptr<Joined> result)
{
    while (!result->outcome) {
        std::error_code ignored;
        co_await result->arrived.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_return *result->outcome;
}

asio::awaitable<Result<void>> Sandbox::connectBulk(std::filesystem::path socket, std::chrono::milliseconds within)
{
    auto bulk = co_await GuestLink::connect(m_parts.io, std::move(socket), within, m_stopTrying);
    if (!bulk) {
        co_return tl::unexpected(bulk.error());
    }
    m_bulk = std::move(*bulk);
    co_return Result<void>();
}

asio::awaitable<Result<void>> Sandbox::bringUp(Steps steps)
{
    *m_stopTrying = true;
    m_stopTrying = std::make_shared<bool>(false);
    m_notice = std::exchange(m_lostMemory, {});
    m_isStalled = false;
    transition(SandboxEvent::StartAsked);
    Plan plan;
    Result<void> done = checkRoom();
    if (done) {
        done = co_await prepareDisk(steps, plan);
    }
    if (done) {
        transition(SandboxEvent::Prepared);
        done = co_await launch(steps, plan);
    }
    if (done) {
        done = co_await startSync(steps);
    }
    if (done && m_record.state == SandboxState::Starting) {
        co_await takeScopes();
    }
    if (done && !m_proxy) {
        done = co_await connectProxy(); // it ended while the rest came up
    }
    if (done && m_record.state == SandboxState::Starting) {
        m_record.pausedByItself = false;
        transition(SandboxEvent::Ready);
        m_idle.touch(std::chrono::steady_clock::now());
        asio::co_spawn(m_parts.io, applyLimits(), asio::detached);
        if (plan.freshDisk && !plan.warm && m_record.snapshotId.empty()) {
            m_parts.warmStart.want(plan.shape);
        }
        co_return done;
    }
    if (auto moves = needRoom(); !moves) {
        done = moves;
    }
    Error error = done ? Error{ErrorCode::Closed, "The sandbox ended while it was starting.", m_record.problem} : done.error();
    if (error.code == ErrorCode::Closed && !m_vmAlive) {
        error = {ErrorCode::Closed, "The microVM of " + m_record.name + " ended while it was starting. Try again.", error.message};
    }
    co_await endFailedStart(error);
    co_return tl::unexpected(error);
}

asio::awaitable<void> Sandbox::endFailedStart(Error error)
{
    closeLinks();
    co_await endVm();
    failWith(error);
    const bool isFrozen = m_parts.store.hasMemory(m_record);
    if (error.code != ErrorCode::Cancelled && !isFrozen) {
        co_return;
    }
    m_record.state = isFrozen ? SandboxState::Paused : SandboxState::Stopped;
    if (error.code == ErrorCode::Cancelled) {
        m_record.problem.clear();
    }
    (void)save();
    changed();
}

/// The microVM and nothing else; whatever it was doing.
asio::awaitable<void> Sandbox::endVm()
{
    if (m_vmAlive) {
        auto destroy = [&hypervisor = m_parts.hypervisor, id = m_record.id] { return hypervisor.destroy(id); };
        (void)co_await onPool(m_parts.pool, std::move(destroy));
        m_vmAlive = false;
    }
    clearSockets();
}

/// The machine on the image, with the agent's layer, before it has a disk.
asio::awaitable<Result<void>> Sandbox::describeMachine(const Steps& steps, Plan& plan)
{
    Result<AgentPlan> agent = m_parts.agents.plan(m_record, {});
    if (!agent) {
        co_return tl::unexpected(agent.error());
    }
    auto findImage = [&images = m_parts.images, imageId = m_record.imageId.empty() ? m_record.ownImage : m_record.imageId, steps] {
        return imageId.empty() ? images.ensureImage(steps) : images.pinnedImage(imageId);
    };
    Result<GuestImage> image = co_await onPool(m_parts.pool, std::move(findImage));
    if (!image) {
        co_return tl::unexpected(image.error());
    }
    if (!agent->npmPackage.empty() && m_record.agentLayer.empty()) {
        auto buildLayer = [&images = m_parts.images, name = m_record.agent, package = agent->npmPackage, steps] {
            return images.ensureAgentLayer(name, package, steps);
        };
        Result<std::filesystem::path> layer = co_await onPool(m_parts.pool, std::move(buildLayer));
        if (!layer) {
            co_return tl::unexpected(layer.error());
        }
        m_record.agentLayer = layer->string();
    }
    const vm::AccelerationDecision acceleration = co_await m_parts.acceleration();
    plan.isTrial = acceleration.isTrial;
    const bool ofMemory = plan.ofMemory || !m_record.pausedDisk.empty();
    const int memoryMiB = ofMemory && m_record.machineMemoryMiB > 0 ? m_record.machineMemoryMiB : m_record.memoryMiB;
    const int cpus = ofMemory && m_record.machineCpus > 0 ? m_record.machineCpus : m_record.cpus;
    plan.shape = {*image, m_record.agentLayer, memoryMiB, cpus, m_record.diskGiB, acceleration.acceleration};
    if (m_record.agentLayer.empty()) {
        auto makeSlot = [&warmStart = m_parts.warmStart] { return warmStart.emptySlot(); };
        Result<std::filesystem::path> slot = co_await onPool(m_parts.pool, std::move(makeSlot));
        if (!slot) {
            co_return tl::unexpected(slot.error());
        }
        plan.shape.agentSlot = *slot;
    }
    plan.machine = machineOf(plan.shape);
    co_return Result<void>();
}

/// What lies between the image and the sandbox's own disk: a template's disk, and snapshots on it.
asio::awaitable<Result<void>> Sandbox::addLayers(Plan& plan)
{
    using Layers = std::vector<vm::ReadOnlyDisk>;
    auto find = [&parts = m_parts, templateId = m_record.templateId, snapshotId = m_record.snapshotId]() -> Result<Layers> {
        Layers layers;
        COLDFRAME_TRY(const auto snapshots, parts.snapshots.chain(snapshotId));
        for (const Snapshot& snapshot : snapshots) {
            layers.push_back({parts.snapshots.diskOf(snapshot.id), vm::DiskFormat::Qcow2, {}});
        }
        if (!templateId.empty()) {
            COLDFRAME_TRY(const image::Template pinned, parts.templates.pinned(templateId));
            layers.push_back({pinned.disk, vm::DiskFormat::Qcow2, {}});
        }
        return layers;
    };
    Result<Layers> layers = co_await onPool(m_parts.pool, std::move(find));
    if (!layers) {
        co_return tl::unexpected(layers.error());
    }
    auto& chain = plan.machine.backingChain;
    chain.insert(chain.begin(), layers->begin(), layers->end());
    co_return Result<void>();
}

asio::awaitable<Result<void>> Sandbox::prepareDisk(const Steps& steps, Plan& plan)
{
    if (auto described = co_await describeMachine(steps, plan); !described) {
        co_return described;
    }
    std::error_code ignored;
    plan.freshDisk = m_record.imageId.empty() || !std::filesystem::exists(diskFile(), ignored);
    if (plan.freshDisk) {
        if (m_record.snapshotId.empty()) {
            m_record.templateId.clear();
            plan.warm = co_await m_parts.warmStart.find(plan.shape);
            if (!plan.warm && plan.shape.memoryMiB < MachineShape{}.memoryMiB) {
                // The template of the usual size is there most of the time; its balloon takes what is too much (applyLimits).
                MachineShape larger = plan.shape;
                larger.memoryMiB = MachineShape{}.memoryMiB;
                plan.warm = co_await m_parts.warmStart.find(larger);
                if (plan.warm) {
                    plan.shape = larger;
                    plan.machine = machineOf(larger);
                }
            }
        }
        co_return co_await makeDisk(plan);
    }
    if (auto layered = co_await addLayers(plan); !layered) {
        co_return layered;
    }
    if (!m_record.pausedDisk.empty()) {
        const std::string why = co_await unusableMemory(plan);
        plan.isResume = why.empty();
        if (plan.isResume) {
            plan.machine.hostTscKhz = m_record.hostTscKhz;
        } else {
            m_notice = "What ran in " + m_record.name + " when it was paused is lost: " + why;
            logWarning("sandbox " + m_record.name, m_notice);
            forgetMemory();
        }
    }
    if (!plan.isResume) {
        auto grow = [disk = diskFile(), size = plan.shape.diskBytes()] {
            SystemProcessRunner runner;
            return vm::growOverlay(runner, disk, size);
        };
        if (auto grown = co_await onPool(m_parts.pool, std::move(grow)); !grown) {
            co_return grown;
        }
    }
    if (!m_record.cleanStop) {
        m_record.generation = randomHex(8);
    }
    co_return save();
}

/// A fresh overlay: on the template's disk when the sandbox is restored from it, else on the image.
asio::awaitable<Result<void>> Sandbox::makeDisk(Plan& plan)
{
    plan.machine.backingChain = imageChain(plan.shape.image);
    if (plan.warm) {
        plan.machine.backingChain.insert(plan.machine.backingChain.begin(), {plan.warm->disk, vm::DiskFormat::Qcow2, {}});
        plan.machine.hostTscKhz = plan.warm->hostTscKhz;
    } else if (!m_record.snapshotId.empty()) {
        if (auto layered = co_await addLayers(plan); !layered) {
            co_return layered;
        }
    }
    // The record names the new disk only when it is there; until then nothing refers to the file.
    const std::string diskId = randomHex(16);
    auto make = [chain = plan.machine.backingChain, old = diskFile(), disk = m_parts.store.diskOf(m_record.id, diskId), size = plan.shape.diskBytes()] {
        std::error_code ignored;
        std::filesystem::remove(old, ignored); // of a restore that failed
        SystemProcessRunner runner;
        return vm::createOverlay(runner, chain, disk, size);
    };
    if (auto made = co_await onPool(m_parts.pool, std::move(make)); !made) {
        co_return made;
    }
    m_record.imageId = plan.shape.image.id;
    if (m_record.snapshotId.empty()) {
        m_record.templateId = plan.warm ? plan.warm->id : std::string();
    }
    m_record.diskId = diskId;
    m_record.contentId = diskId;
    m_record.cleanStop = true;
    m_record.generation = randomHex(8);
    co_return save();
}

/// Restores or boots. A restore that does not come back is followed by a cold boot on a new disk.
asio::awaitable<Result<void>> Sandbox::launch(const Steps& steps, Plan& plan)
{
    if (plan.isResume) {
        co_return co_await bringBack(steps, plan);
    }
    if (!plan.warm) {
        co_return co_await bootAndConnect(steps, plan);
    }
    const Result<void> restored = co_await bootAndConnect(steps, plan);
    if (restored || steps.isCancelled() || restored.error().code == ErrorCode::Cancelled) {
        co_return restored;
    }
    logWarning("sandbox " + m_record.name, "the restore failed: " + restored.error().message + " " + restored.error().detail);
    steps.say("boot", "The quick start failed; starting the slow way");
    closeLinks();
    co_await endVm();
    *m_stopTrying = true;
    m_stopTrying = std::make_shared<bool>(false);
    const std::string id = plan.warm->id;
    plan.warm.reset();
    plan.machine.hostTscKhz = plan.shape.acceleration == vm::Acceleration::Emulate ? vm::hostTscKhz() : 0;
    if (auto made = co_await makeDisk(plan); !made) {
        co_return made;
    }
    const Result<void> booted = co_await bootAndConnect(steps, plan);
    if (booted) {
        m_parts.warmStart.distrust(id);
    }
    co_return booted;
}

asio::awaitable<Result<void>> Sandbox::bootAndConnect(const Steps& steps, Plan& plan)
{
    if (steps.isCancelled()) {
        co_return fail(ErrorCode::Cancelled, "Starting was stopped.");
    }
    if (auto made = makeFolders(socketFolder(), 0700); !made) {
        co_return made;
    }
    if (auto made = sync::makeSeedDisk(seedDiskIn(socketFolder())); !made) {
        co_return made;
    }
    const bool emulated = plan.shape.acceleration == vm::Acceleration::Emulate;
    steps.say("boot", plan.isResume ? "Bringing its memory back" : plan.warm ? "Starting the microVM" : emulated ? "Booting the microVM (emulated: about ten seconds)" : "Booting the microVM");
    vm::MachineDescription& machine = plan.machine;
    machine.sandboxId = m_record.id;
    machine.title = m_record.name;
    machine.generation = m_record.generation;
    machine.uuid = m_record.uuid;
    machine.overlay = diskFile();
    machine.consoleLog = folder() / "console.log";
    setSockets(machine, socketFolder());
    m_record.reducedIsolation = emulated;
    m_record.hostTscKhz = machine.hostTscKhz;
    m_record.machineMemoryMiB = static_cast<int>(machine.memoryMiB);
    m_record.machineCpus = static_cast<int>(machine.vcpus);
    if (auto identified = co_await identify(plan); !identified) {
        co_return identified;
    }
    // From here on the disk is doubtful until the guest acknowledges its unmount (HAZARDS 1).
    m_record.cleanStop = false;
    if (auto saved = save(); !saved) {
        co_return saved;
    }
    m_vmAlive = true;
    auto startVm = [&hypervisor = m_parts.hypervisor, &plan, own = m_parts.store.memoryOf(m_record.id)]() -> Result<void> {
        if (plan.isResume || plan.warm) {
            return hypervisor.restore(plan.machine, plan.isResume ? own : plan.warm->memory);
        }
        return hypervisor.start(plan.machine);
    };
    Result<void> started = co_await onPool(m_parts.pool, std::move(startVm));
    if (!started) {
        m_vmAlive = false;
        co_return started;
    }
    logDebug("sandbox " + m_record.name, plan.warm || plan.isResume ? "restored" : "started");
    // The proxy comes up, and the second port is connected, while the guest is set up. A restored guest answers at once or not
    // at all.
    const std::chrono::seconds within = plan.warm || plan.isResume ? 20s : emulated ? 180s : 30s;
    const auto proxy = std::make_shared<Joined>(m_parts.io);
    asio::co_spawn(m_parts.io, runBeside(connectProxy(), proxy), asio::detached);
    const auto bulk = std::make_shared<Joined>(m_parts.io);
    asio::co_spawn(m_parts.io, runBeside(connectBulk(machine.bulkSocket, within + 20s), bulk), asio::detached);
    const Result<void> guest = co_await connectGuest(steps, plan, within);
    if (!guest) {
        *m_stopTrying = true;
    }
    const Result<void> proxyUp = co_await join(proxy);
    const Result<void> bulkUp = co_await join(bulk);
    co_return !guest ? guest : !proxyUp ? proxyUp : bulkUp;
}

/// The emulator, and what a memory saved of this microVM will need to come back.
asio::awaitable<Result<void>> Sandbox::identify(Plan& plan)
{
    auto look = [&hypervisor = m_parts.hypervisor, &plan]() -> Result<std::string> {
        COLDFRAME_TRY(const auto info, hypervisor.info());
        COLDFRAME_TRY(plan.machine.emulator,
                      vm::confinedEmulator(paths::dataFolder() / "emulator", paths::helperExecutable("coldframe-qemu"), info.emulator));
        return machineKey(plan.machine, plan.shape.diskBytes(), info);
    };
    Result<std::string> key = co_await onPool(m_parts.pool, std::move(look));
    if (!key) {
        co_return tl::unexpected(key.error());
    }
    m_record.machineKey = *key;
    co_return Result<void>();
}

asio::awaitable<Result<void>> Sandbox::connectGuest(const Steps& steps, const Plan& plan, std::chrono::milliseconds within)
{
    auto control = co_await GuestLink::connect(m_parts.io, plan.machine.controlSocket, within, m_stopTrying);
    if (plan.isTrial && (control || control.error().code == ErrorCode::Timeout)) {
        m_parts.kvmTrialEnded(control.has_value(), control ? std::string() : control.error().detail);
    }
    if (!control && plan.isTrial && control.error().code == ErrorCode::Timeout) {
        co_return fail(ErrorCode::Unavailable,
                       "Hardware virtualisation is offered on this machine but did not run the sandbox in time. It is switched "
                       "off for now: start again to run emulated, or see: coldframe diagnose",
                       control.error().detail);
    }
    if (!control) {
        co_return tl::unexpected(control.error());
    }
    m_control = std::move(*control);
    steps.say("setup", "Setting up the sandbox");
    if (auto done = co_await setUpGuest(); !done) {
        co_return done;
    }
    auto endConsole = [&hypervisor = m_parts.hypervisor, id = m_record.id] {
        hypervisor.endConsole(id);
        return 0;
    };
    co_await onPool(m_parts.pool, std::move(endConsole));
    co_return Result<void>();
}

asio::awaitable<Result<void>> Sandbox::setUpGuest()
{
    const LoginsInside logins = co_await loginsNow();
    Result<AgentPlan> plan = m_parts.agents.plan(m_record, logins);
    if (!plan) {
        co_return tl::unexpected(plan.error());
    }
    m_record.loginFiles = plan->loginFiles;
    auto authority = loadOrMakeCertificateAuthority(folder(), m_record.name);
    if (!authority) {
        co_return tl::unexpected(authority.error());
    }
    wipe(authority->privateKeyPem);
    json workspaces = json::array();
    for (const Workspace& workspace : m_record.workspaces) {
        workspaces.push_back({{"path", api::encodePath(workspace.inside().native())}, {"readOnly", workspace.readOnly}});
    }
    json files = json::array();
    for (SeedFile& note : networkNote(m_record.agent)) {
        plan->files.push_back(std::move(note));
    }
    for (const SeedFile& file : plan->files) {
        files.push_back({{"path", api::encodePath(file.path)},
                         {"mode", file.mode},
                         {"owner", file.owner},
                         {"content", encodeBase64(file.content)}});
    }
    const json setup{{"generation", m_record.generation},
                     {"hostName", m_record.name},
                     {"time", secondsNow()},
                     {"entropy", encodeBase64(freshEntropy())},
                     {"user", {{"name", "agent"}, {"uid", ::getuid()}, {"gid", ::getgid()}, {"home", "/home/agent"}}},
                     {"caPem", authority->certificatePem},
                     {"caSubjectHash", subjectHash(authority->certificatePem)},
                     {"environment", plan->environment},
                     {"workspaces", workspaces},
                     {"files", files},
                     {"limits", guestLimits()},
                     {"dockerAtStart", m_record.dockerAtStart.value_or(plan->dockerAtStart)}};
    auto answer = co_await m_control->request("POST", "/setup", setup.dump(), 60s);
    // Set up already: it was paused, or is taken over from an engine that ended before it could say this.
    if (!answer && answer.error().code == ErrorCode::AlreadyExists) {
        co_return co_await renewGuest();
    }
    if (!answer) {
        co_return tl::unexpected(answer.error());
    }
    m_record.guestName = m_record.name;
    logDebug("sandbox " + m_record.name, "set up: " + escapeForDisplay(answer.value_or("again"), 200));
    co_return Result<void>();
}

/// For a guest that goes on with a memory of before: a new generation, entropy, clock and, where it is another sandbox from now
/// on, a name.
asio::awaitable<Result<void>> Sandbox::renewGuest()
{
    json renewal{{"generation", m_record.generation}, {"time", secondsNow()}, {"entropy", encodeBase64(freshEntropy())}};
    if (m_record.guestName != m_record.name) {
        renewal["hostName"] = m_record.name;
    }
    auto answer = co_await m_control->request("POST", "/renew", renewal.dump(), 30s);
    if (!answer) {
        co_return tl::unexpected(answer.error());
    }
    m_record.guestName = m_record.name;
    co_return Result<void>();
}

asio::awaitable<Result<void>> Sandbox::startSync(const Steps& steps)
{
    if (m_record.workspaces.empty()) {
        co_return Result<void>();
    }
    steps.say("workspace", "Bringing the workspace into the sandbox");
    if (auto started = co_await m_sync.start(*m_bulk, m_record, seedDiskIn(socketFolder())); !started) {
        co_return started;
    }
    co_return co_await m_sync.waitComplete(steps);
}

} // namespace coldframe::engine
