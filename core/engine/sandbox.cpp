// SPDX-License-Identifier: Apache-2.0
#include "engine/sandbox.h"

#include "api/path_encoding.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "engine/certificate_authority.h"
#include "engine/deadline.h"
#include "vm/emulator.h"
#include "vm/qcow2.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

/// While one lives the sandbox is busy; waiters are woken at its end.
struct Sandbox::Operation
{
    explicit Operation(Sandbox& sandbox) : m_sandbox(sandbox.shared_from_this()) { m_sandbox->m_busy = true; }
    ~Operation()
    {
        m_sandbox->m_busy = false;
        m_sandbox->m_settled->cancel();
    }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

private:
    std::shared_ptr<Sandbox> m_sandbox;
};

Sandbox::Sandbox(EngineParts& parts, SandboxRecord record)
    : m_parts(parts), m_record(std::move(record)), m_sync(parts, m_record.id),
      m_stopTrying(std::make_shared<bool>(false)),
      m_settled(std::make_shared<asio::steady_timer>(parts.io, asio::steady_timer::time_point::max()))
{
}

Sandbox::~Sandbox() { closeLinks(); }

std::filesystem::path Sandbox::socketFolder() const { return paths::runtimeFolder() / "s" / m_record.id.substr(0, 12); }

Result<void> Sandbox::save() { return m_parts.store.save(m_record); }

void Sandbox::changed() { m_parts.emitEvent({{"type", "sandbox.changed"}, {"sandbox", describe()}}); }

void Sandbox::transition(SandboxEvent event)
{
    const auto next = nextState(m_record.state, event);
    if (!next) {
        logError("sandbox " + m_record.name, "impossible event in state " + std::string(stateName(m_record.state)));
        return;
    }
    if (*next == m_record.state) {
        return;
    }
    m_record.state = *next;
    if (*next != SandboxState::Failed) {
        m_record.problem.clear();
    }
    if (auto saved = save(); !saved) {
        logError("sandbox " + m_record.name, saved.error().message + " " + saved.error().detail);
    }
    changed();
}

void Sandbox::failWith(const Error& error)
{
    m_record.problem = error.message;
    if (nextState(m_record.state, SandboxEvent::StepFailed)) {
        transition(SandboxEvent::StepFailed);
    }
    logWarning("sandbox " + m_record.name, error.message + " " + error.detail);
    changed();
}

asio::awaitable<void> Sandbox::waitIdle()
{
    while (m_busy) {
        std::error_code ignored;
        m_settled->expires_at(asio::steady_timer::time_point::max());
        co_await m_settled->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

asio::awaitable<bool> Sandbox::waitVmGone(std::chrono::milliseconds within)
{
    const auto end = std::chrono::steady_clock::now() + within;
    while (m_vmAlive && std::chrono::steady_clock::now() < end) {
        co_await pause(20ms);
    }
    co_return !m_vmAlive;
}

// --- life cycle

asio::awaitable<Result<void>> Sandbox::start(Steps steps)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    if (m_record.state == SandboxState::Running) {
        co_return Result<void>();
    }
    if (!nextState(m_record.state, SandboxEvent::StartAsked)) {
        co_return fail(ErrorCode::Busy, "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) +
                                            "; try again when that is done.");
    }
    const Operation operation(*this);
    co_return co_await bringUp(steps);
}

asio::awaitable<Result<void>> Sandbox::bringUp(Steps steps)
{
    *m_stopTrying = true;
    m_stopTrying = std::make_shared<bool>(false);
    transition(SandboxEvent::StartAsked);
    GuestImage image;
    Result<void> done = co_await prepareDisk(steps, image);
    if (done) {
        transition(SandboxEvent::Prepared);
        done = co_await bootAndConnect(steps, image);
    }
    if (done) {
        done = co_await startSync(steps);
    }
    if (done && m_record.state == SandboxState::Starting) {
        transition(SandboxEvent::Ready);
        co_return done;
    }
    const Error error = done ? Error{ErrorCode::Closed, "The sandbox ended while it was starting.", m_record.problem} : done.error();
    closeLinks();
    const std::string id = m_record.id;
    auto endVm = [&hypervisor = m_parts.hypervisor, id] { return hypervisor.destroy(id); };
    (void)co_await onPool(m_parts.pool, std::move(endVm));
    m_vmAlive = false;
    failWith(error);
    if (error.code == ErrorCode::Cancelled) {
        m_record.state = SandboxState::Stopped;
        m_record.problem.clear();
        (void)save();
        changed();
    }
    co_return tl::unexpected(error);
}

asio::awaitable<Result<void>> Sandbox::prepareDisk(const Steps& steps, GuestImage& image)
{
    Result<AgentPlan> plan = m_parts.agents.plan(m_record);
    if (!plan) {
        co_return tl::unexpected(plan.error());
    }
    const std::string imageId = m_record.imageId;
    auto findImage = [&images = m_parts.images, imageId, steps] {
        return imageId.empty() ? images.ensureImage(steps) : images.pinnedImage(imageId);
    };
    Result<GuestImage> found = co_await onPool(m_parts.pool, std::move(findImage));
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    image = *found;
    if (!plan->npmPackage.empty() && m_record.agentLayer.empty()) {
        const std::string agent = m_record.agent;
        const std::string package = plan->npmPackage;
        auto buildLayer = [&images = m_parts.images, agent, package, steps] {
            return images.ensureAgentLayer(agent, package, steps);
        };
        Result<std::filesystem::path> layer = co_await onPool(m_parts.pool, std::move(buildLayer));
        if (!layer) {
            co_return tl::unexpected(layer.error());
        }
        m_record.agentLayer = layer->string();
    }
    const std::filesystem::path disk = folder() / "disk.qcow2";
    std::error_code ignored;
    if (m_record.imageId.empty() || !std::filesystem::exists(disk, ignored)) {
        // An overlay left by an interrupted create holds nothing: the record names no image for it yet.
        std::filesystem::remove(disk, ignored);
        const vm::ReadOnlyDisk base{image.baseDisk, vm::DiskFormat::Qcow2, {}};
        const std::uint64_t size = static_cast<std::uint64_t>(m_record.diskGiB) << 30;
        auto makeDisk = [base, disk, size] {
            SystemProcessRunner runner;
            return vm::createOverlay(runner, base, disk, size);
        };
        Result<void> made = co_await onPool(m_parts.pool, std::move(makeDisk));
        if (!made) {
            co_return made;
        }
        m_record.imageId = image.id;
        m_record.diskId = randomHex(16);
        m_record.cleanStop = true;
        m_record.generation = randomHex(8);
    } else if (!m_record.cleanStop) {
        m_record.generation = randomHex(8);
    }
    co_return save();
}

asio::awaitable<Result<void>> Sandbox::bootAndConnect(const Steps& steps, const GuestImage& image)
{
    if (steps.isCancelled()) {
        co_return fail(ErrorCode::Cancelled, "Starting was stopped.");
    }
    if (auto made = makeFolders(socketFolder(), 0700); !made) {
        co_return made;
    }
    const vm::AccelerationDecision acceleration = m_parts.acceleration();
    const bool emulated = acceleration.acceleration == vm::Acceleration::Emulate;
    steps.say("boot", emulated ? "Starting the microVM (emulated: about ten seconds)" : "Starting the microVM");
    vm::MachineDescription machine;
    machine.sandboxId = m_record.id;
    machine.title = m_record.name;
    machine.owner = paths::dataFolder().string();
    machine.generation = m_record.generation;
    machine.uuid = m_record.uuid;
    machine.kernel = image.kernel;
    machine.initrd = image.initrd;
    machine.overlay = folder() / "disk.qcow2";
    machine.backingChain = {{image.baseDisk, vm::DiskFormat::Qcow2, {}}};
    if (!m_record.agentLayer.empty()) {
        machine.readOnlyDisks.push_back({m_record.agentLayer, vm::DiskFormat::Qcow2, "agent"});
    }
    machine.memoryMiB = static_cast<std::uint32_t>(m_record.memoryMiB);
    machine.vcpus = static_cast<std::uint32_t>(m_record.cpus > 0 ? m_record.cpus : 2);
    machine.controlSocket = socketFolder() / "control.sock";
    machine.bulkSocket = socketFolder() / "bulk.sock";
    machine.netSocket = socketFolder() / "net.sock";
    machine.consoleSocket = socketFolder() / "console.sock";
    machine.consoleLog = folder() / "console.log";
    machine.acceleration = acceleration.acceleration;
    machine.hostTscKhz = emulated ? vm::hostTscKhz() : 0;
    m_record.reducedIsolation = emulated;
    // From here on the disk is doubtful until the guest acknowledges its unmount (HAZARDS 1).
    m_record.cleanStop = false;
    if (auto saved = save(); !saved) {
        co_return saved;
    }
    m_vmAlive = true;
    auto startVm = [&hypervisor = m_parts.hypervisor, machine]() mutable -> Result<void> {
        auto info = hypervisor.info();
        if (!info) {
            return tl::unexpected(info.error());
        }
        COLDFRAME_TRY(machine.emulator,
                      vm::confinedEmulator(paths::dataFolder() / "emulator", paths::helperExecutable("coldframe-qemu"),
                                           info->emulator));
        return hypervisor.start(machine);
    };
    Result<void> started = co_await onPool(m_parts.pool, std::move(startVm));
    if (!started) {
        m_vmAlive = false;
        co_return started;
    }
    if (auto proxy = co_await connectProxy(); !proxy) {
        co_return proxy;
    }
    const auto within = emulated ? 180s : 30s;
    auto control = co_await GuestLink::connect(m_parts.io, machine.controlSocket, within, m_stopTrying);
    if (acceleration.isTrial && (control || control.error().code == ErrorCode::Timeout)) {
        m_parts.kvmTrialEnded(control.has_value(), control ? std::string() : control.error().detail);
    }
    if (!control && acceleration.isTrial && control.error().code == ErrorCode::Timeout) {
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
    const std::string id = m_record.id;
    auto endConsole = [&hypervisor = m_parts.hypervisor, id] {
        hypervisor.endConsole(id);
        return 0;
    };
    co_await onPool(m_parts.pool, std::move(endConsole));
    auto bulk = co_await GuestLink::connect(m_parts.io, machine.bulkSocket, 20s, m_stopTrying);
    if (!bulk) {
        co_return tl::unexpected(bulk.error());
    }
    m_bulk = std::move(*bulk);
    co_return Result<void>();
}

asio::awaitable<Result<void>> Sandbox::setUpGuest()
{
    Result<AgentPlan> plan = m_parts.agents.plan(m_record);
    if (!plan) {
        co_return tl::unexpected(plan.error());
    }
    auto authority = loadOrMakeCertificateAuthority(folder(), m_record.name);
    if (!authority) {
        co_return tl::unexpected(authority.error());
    }
    wipe(authority->privateKeyPem);
    std::string entropy(64, '\0');
    fillRandom({reinterpret_cast<std::uint8_t*>(entropy.data()), entropy.size()});
    json workspaces = json::array();
    for (const Workspace& workspace : m_record.workspaces) {
        workspaces.push_back({{"path", api::encodePath(workspace.path.native())}, {"readOnly", workspace.readOnly}});
    }
    json files = json::array();
    for (const SeedFile& file : plan->files) {
        files.push_back({{"path", api::encodePath(file.path)},
                         {"mode", file.mode},
                         {"owner", file.owner},
                         {"content", encodeBase64(file.content)}});
    }
    const double now = std::chrono::duration<double>(utcNow().time_since_epoch()).count();
    const json setup{{"generation", m_record.generation},
                     {"hostName", m_record.name},
                     {"time", now},
                     {"entropy", encodeBase64(entropy)},
                     {"user", {{"name", "agent"}, {"uid", ::getuid()}, {"gid", ::getgid()}, {"home", "/home/agent"}}},
                     {"caPem", authority->certificatePem},
                     {"environment", plan->environment},
                     {"workspaces", workspaces},
                     {"files", files},
                     {"dockerAtStart", false}};
    auto answer = co_await m_control->request("POST", "/setup", setup.dump(), 60s);
    // Taken over after an engine restart: the guest has been set up already.
    if (!answer && answer.error().code != ErrorCode::AlreadyExists) {
        co_return tl::unexpected(answer.error());
    }
    co_return Result<void>();
}

asio::awaitable<Result<void>> Sandbox::startSync(const Steps& steps)
{
    if (m_record.workspaces.empty()) {
        co_return Result<void>();
    }
    steps.say("workspace", "Bringing the workspace into the sandbox");
    if (auto started = co_await m_sync.start(*m_bulk, m_record); !started) {
        co_return started;
    }
    co_return co_await m_sync.waitComplete(steps);
}

asio::awaitable<Result<void>> Sandbox::stop(Steps steps, bool force)
{
    const auto self = shared_from_this();
    *m_stopTrying = true; // ends a start that is still trying
    co_await waitIdle();
    if (m_record.state == SandboxState::Stopped || (m_record.state == SandboxState::Failed && !m_vmAlive)) {
        co_return Result<void>();
    }
    if (!nextState(m_record.state, SandboxEvent::StopAsked)) {
        co_return fail(ErrorCode::Busy, "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) + ".");
    }
    const Operation operation(*this);
    transition(SandboxEvent::StopAsked);
    Result<void> down = co_await bringDown(steps, force);
    if (m_record.state == SandboxState::Stopping) {
        transition(SandboxEvent::VmGone);
    }
    co_return down;
}

asio::awaitable<Result<void>> Sandbox::bringDown(const Steps& steps, bool force)
{
    if (!force && m_sync.isRunning()) {
        steps.say("flush", "Bringing the last changes back");
        if (auto flushed = co_await m_sync.flush(20s); !flushed) {
            logWarning("sandbox " + m_record.name, flushed.error().message);
        }
    }
    m_sync.stop();
    bool clean = false;
    if (!force && m_control && m_control->isAlive()) {
        steps.say("stop", "Stopping the sandbox");
        auto answer = co_await m_control->request("POST", "/shutdown", "{\"graceSeconds\":5}", 30s);
        const json said = answer ? json::parse(*answer, nullptr, false) : json();
        clean = said.is_object() && said.value("clean", false);
        clean = co_await waitVmGone(10s) && clean;
    }
    Result<void> destroyed;
    if (m_vmAlive) {
        const std::string id = m_record.id;
        auto endVm = [&hypervisor = m_parts.hypervisor, id] { return hypervisor.destroy(id); };
        destroyed = co_await onPool(m_parts.pool, std::move(endVm));
        if (destroyed) {
            // Its event comes later; taken for that of a microVM started meanwhile, it would end that start.
            (void)co_await waitVmGone(5s);
            m_vmAlive = false;
        }
    }
    closeLinks();
    m_runKeys.clear();
    m_sessionRules.clear();
    m_record.cleanStop = clean;
    (void)save();
    co_return destroyed;
}

asio::awaitable<Result<void>> Sandbox::reset(Steps steps, bool force)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    const bool running = m_record.state == SandboxState::Running;
    if (!nextState(m_record.state, SandboxEvent::ResetAsked)) {
        co_return fail(ErrorCode::Busy, "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) + ".");
    }
    const Operation operation(*this);
    if (running && !force) {
        steps.say("flush", "Bringing the last changes back");
        if (auto flushed = co_await m_sync.flush(30s); !flushed) {
            co_return fail(ErrorCode::Busy,
                           "Not everything in the workspace has come back, and a reset would lose it: " +
                               flushed.error().message + " Wait for it, or reset with force.",
                           flushed.error().detail);
        }
    }
    // Keys handed over for this run stay with the sandbox: a reset is the same run on a fresh disk.
    std::map<std::string, SecretBuffer> keys = std::move(m_runKeys);
    transition(SandboxEvent::ResetAsked);
    Result<void> down = co_await bringDown(steps, true);
    if (!down) {
        failWith(down.error());
        co_return down;
    }
    std::error_code error;
    std::filesystem::rename(folder() / "disk.qcow2", folder() / "disk-before-reset.qcow2", error);
    if (error && error != std::errc::no_such_file_or_directory) {
        const Error problem{ErrorCode::Io, "The old disk could not be put aside.", error.message()};
        failWith(problem);
        co_return tl::unexpected(problem);
    }
    m_record.imageId.clear();
    m_record.agentLayer.clear();
    m_record.diskId.clear();
    m_record.cleanStop = true;
    transition(SandboxEvent::DiskRemoved);
    m_runKeys = std::move(keys);
    co_return co_await bringUp(steps);
}

asio::awaitable<Result<void>> Sandbox::remove(Steps steps, bool force)
{
    const auto self = shared_from_this();
    *m_stopTrying = true;
    co_await waitIdle();
    const bool running = m_record.state == SandboxState::Running;
    if (!nextState(m_record.state, SandboxEvent::RemoveAsked)) {
        co_return fail(ErrorCode::Busy, "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) + ".");
    }
    const Operation operation(*this);
    if (running && !force) {
        steps.say("flush", "Bringing the last changes back");
        if (auto flushed = co_await m_sync.flush(30s); !flushed) {
            co_return fail(ErrorCode::Busy,
                           "Not everything in the workspace has come back, and removing the sandbox would lose it: " +
                               flushed.error().message + " Wait for it, or remove with force.",
                           flushed.error().detail);
        }
    }
    transition(SandboxEvent::RemoveAsked);
    Result<void> down = co_await bringDown(steps, true);
    if (!down) {
        failWith(down.error());
        co_return down;
    }
    const std::string id = m_record.id;
    auto removeFiles = [&store = m_parts.store, id] { return store.remove(id); };
    Result<void> removed = co_await onPool(m_parts.pool, std::move(removeFiles));
    std::error_code ignored;
    std::filesystem::remove_all(socketFolder(), ignored);
    if (!removed) {
        failWith(removed.error());
        co_return removed;
    }
    m_record.state = SandboxState::Absent;
    m_parts.emitEvent({{"type", "sandbox.removed"}, {"id", m_record.id}});
    co_return Result<void>();
}

void Sandbox::onVmGone(vm::StopReason reason, const std::string& text)
{
    m_vmAlive = false;
    *m_stopTrying = true;
    if (m_busy) {
        return; // the operation under way sees it
    }
    closeLinks();
    if (m_record.state == SandboxState::Running) {
        transition(SandboxEvent::VmGone);
        m_record.problem = reason == vm::StopReason::Shutdown ? "" : text;
        m_runKeys.clear();
        (void)save();
        changed();
    }
}

asio::awaitable<void> Sandbox::adopt()
{
    const auto self = shared_from_this();
    const Operation operation(*this);
    if (!nextState(m_record.state, SandboxEvent::Adopted)) {
        m_record.state = SandboxState::Stopped;
    }
    transition(SandboxEvent::Adopted);
    m_vmAlive = true;
    m_stopTrying = std::make_shared<bool>(false);
    auto control = co_await GuestLink::connect(m_parts.io, socketFolder() / "control.sock", 20s, m_stopTrying);
    Result<void> done = control ? Result<void>() : tl::unexpected(control.error());
    if (done) {
        m_control = std::move(*control);
        done = co_await connectProxy();
    }
    if (done) {
        done = co_await setUpGuest();
    }
    if (done) {
        auto bulk = co_await GuestLink::connect(m_parts.io, socketFolder() / "bulk.sock", 20s, m_stopTrying);
        done = bulk ? Result<void>() : tl::unexpected(bulk.error());
        if (bulk) {
            m_bulk = std::move(*bulk);
            const Steps quietly;
            done = co_await startSync(quietly);
        }
    }
    if (done && m_record.state == SandboxState::Starting) {
        transition(SandboxEvent::Ready);
        co_return;
    }
    closeLinks();
    const std::string id = m_record.id;
    auto endVm = [&hypervisor = m_parts.hypervisor, id] { return hypervisor.destroy(id); };
    (void)co_await onPool(m_parts.pool, std::move(endVm));
    m_vmAlive = false;
    failWith(done ? Error{ErrorCode::Closed, "The sandbox ended while Coldframe took it over.", {}} : done.error());
}

void Sandbox::closeLinks()
{
    m_sync.stop();
    m_control.reset();
    m_bulk.reset();
    if (m_proxy) {
        m_proxy->shutdown();
        m_proxy.reset();
    }
    m_keyedServices.clear();
    m_blockedHosts.clear();
}

asio::awaitable<Result<channel::StreamPtr>> Sandbox::exec(json specification)
{
    const auto self = shared_from_this();
    if (m_record.state != SandboxState::Running || !m_control || !m_control->isAlive()) {
        co_return fail(ErrorCode::Unavailable, "The sandbox " + m_record.name + " is not running.");
    }
    json environment = specification.value("environment", json::object());
    for (const auto& [name, sentinel] : sentinelEnvironment()) {
        if (!environment.contains(name)) {
            environment[name] = sentinel;
        }
    }
    specification["environment"] = environment;
    if (!specification.contains("cwd") || specification["cwd"] == "") {
        specification["cwd"] = m_record.workspaces.empty() ? std::string("/home/agent")
                                                           : api::encodePath(m_record.workspaces[0].path.native());
    }
    co_return co_await m_control->openExec(specification.dump());
}

Result<std::vector<std::string>> Sandbox::launchCommand(const std::vector<std::string>& arguments) const
{
    std::vector<std::string> all = m_record.agentArguments;
    all.insert(all.end(), arguments.begin(), arguments.end());
    return m_parts.agents.launchCommand(m_record, all);
}

} // namespace coldframe::engine
