// SPDX-License-Identifier: Apache-2.0
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
#include "engine/questions.h"
#include "vm/emulator.h"
#include "vm/qcow2.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

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
    m_record.provisional = m_record.provisional && event != SandboxEvent::Ready;
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
        co_await engine::pause(20ms);
    }
    co_return !m_vmAlive;
}

// --- life cycle

asio::awaitable<Result<void>> Sandbox::start(Steps steps)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    if (m_record.state == SandboxState::Running) {
        m_idle.touch(std::chrono::steady_clock::now());
        co_return Result<void>();
    }
    if (!nextState(m_record.state, SandboxEvent::StartAsked)) {
        co_return fail(ErrorCode::Busy, "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) +
                                            "; try again when that is done.");
    }
    const Operation operation(*this);
    co_return co_await bringUp(steps);
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
    if (auto moves = needRoom(); !moves && !force) {
        co_return moves;
    }
    const Operation operation(*this);
    transition(SandboxEvent::StopAsked);
    Result<void> down = co_await bringDown(steps, force);
    if (down) {
        forgetMemory();
    }
    if (m_record.state == SandboxState::Stopping) {
        transition(SandboxEvent::VmGone);
    }
    co_return down;
}

void Sandbox::forgetRunKeys()
{
    m_runKeys.clear();
    m_record.runKeys.clear();
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
        auto destroy = [&hypervisor = m_parts.hypervisor, id] { return hypervisor.destroy(id); };
        destroyed = co_await onPool(m_parts.pool, std::move(destroy));
        if (destroyed) {
            // Its event comes later; taken for that of a microVM started meanwhile, it would end that start.
            (void)co_await waitVmGone(5s);
            m_vmAlive = false;
        }
    }
    closeLinks();
    if (destroyed) {
        clearSockets();
    }
    forgetRunKeys();
    m_sessionRules.clear();
    m_record.cleanStop = clean;
    (void)save();
    co_return destroyed;
}

asio::awaitable<Result<void>> Sandbox::reset(Steps steps, bool force)
{
    DiskIdentity fresh;
    if (!m_record.originSnapshot.empty()) {
        auto origin = m_parts.snapshots.find(m_record.originSnapshot);
        if (!origin) {
            co_return tl::unexpected(origin.error());
        }
        fresh = identityOn(*origin);
    }
    co_return co_await changeDisk(steps, force, fresh, std::nullopt);
}

asio::awaitable<Result<void>> Sandbox::undoReset(Steps steps, bool force)
{
    std::error_code ignored;
    const DiskIdentity wanted = m_record.previousDisk;
    if (wanted.diskId.empty() || !std::filesystem::exists(m_parts.store.diskOf(m_record.id, wanted.diskId), ignored)) {
        co_return fail(ErrorCode::NotFound, "The sandbox " + m_record.name + " has no disk from before a reset.");
    }
    co_return co_await changeDisk(steps, force, wanted, std::nullopt);
}

std::uintmax_t Sandbox::forgetPreviousDisk()
{
    if (m_record.previousDisk.diskId.empty() || m_busy) {
        return 0;
    }
    const auto file = m_parts.store.diskOf(m_record.id, m_record.previousDisk.diskId);
    std::error_code ignored;
    const auto bytes = std::filesystem::file_size(file, ignored);
    const bool hadFile = !ignored;
    m_record.previousDisk = {};
    if (auto saved = save(); !saved) {
        logWarning("sandbox " + m_record.name, saved.error().message);
        return 0;
    }
    std::filesystem::remove(file, ignored);
    return hadFile ? bytes : 0;
}

/// Ends the sandbox and starts it on another disk, a fresh one when `wanted` names none. The one it had is put aside.
/// With a `moment` it goes on from that snapshot's memory, if that can still be used.
asio::awaitable<Result<void>> Sandbox::changeDisk(Steps steps, bool force, DiskIdentity wanted, std::optional<Snapshot> moment)
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
    // Keys handed over for this run stay with the sandbox: a reset is the same run on another disk.
    std::map<std::string, SecretBuffer> keys = std::move(m_runKeys);
    transition(SandboxEvent::ResetAsked);
    Result<void> down = co_await bringDown(steps, true);
    if (!down) {
        failWith(down.error());
        co_return down;
    }
    std::error_code ignored;
    const std::string older = m_record.previousDisk.diskId;
    if (std::filesystem::exists(diskFile(), ignored)) {
        m_record.previousDisk = {m_record.diskId, m_record.imageId, m_record.templateId, m_record.agentLayer, m_record.snapshotId, m_record.contentId};
    }
    m_record.diskId = wanted.diskId;
    m_record.imageId = wanted.imageId;
    m_record.templateId = wanted.templateId;
    m_record.agentLayer = wanted.agentLayer;
    m_record.snapshotId = wanted.snapshotId;
    m_record.contentId = wanted.contentId;
    // A disk that comes back was switched off in the middle: it is merged, and nothing deleted (HAZARDS 1).
    m_record.cleanStop = wanted.diskId.empty();
    transition(SandboxEvent::DiskRemoved);
    forgetMemory();
    // Only now that the record, which transition() wrote, does not name it any more.
    if (!older.empty() && older != wanted.diskId && older != m_record.previousDisk.diskId) {
        std::filesystem::remove(m_parts.store.diskOf(m_record.id, older), ignored);
    }
    m_runKeys = std::move(keys);
    for (const auto& [service, key] : m_runKeys) {
        m_record.runKeys.insert(service);
    }
    if (moment) {
        if (auto stands = co_await standOn(std::move(*moment), true); !stands) {
            failWith(stands.error());
            co_return stands;
        }
    }
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
    m_isStalled = false;
    *m_stopTrying = true;
    if (m_busy) {
        return; // the operation under way sees it
    }
    closeLinks();
    clearSockets();
    if (m_record.state == SandboxState::Running) {
        transition(SandboxEvent::VmGone);
        m_record.problem = reason == vm::StopReason::Shutdown ? "" : text;
        forgetRunKeys();
        (void)save();
        changed();
    }
}

asio::awaitable<void> Sandbox::adopt(bool isStalled)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    if (m_record.state == SandboxState::Running) {
        co_return;
    }
    const Operation operation(*this);
    if (!nextState(m_record.state, SandboxEvent::Adopted)) {
        m_record.state = SandboxState::Stopped;
    }
    transition(SandboxEvent::Adopted);
    m_vmAlive = true;
    m_stopTrying = std::make_shared<bool>(false);
    if (isStalled) {
        onVmStalled();
        while (m_isStalled && m_vmAlive) {
            co_await engine::pause(200ms);
        }
    }
    const Result<void> done = co_await takeOver();
    if (done && m_record.state == SandboxState::Starting) {
        forgetMemory(); // of a resume that its engine did not see to the end
        transition(SandboxEvent::Ready);
        asio::co_spawn(m_parts.io, applyLimits(), asio::detached);
        co_return;
    }
    const bool endedByItself = !m_vmAlive; // as one whose stop was under way when the engine before ended
    closeLinks();
    co_await endVm();
    failWith(done ? Error{ErrorCode::Closed, "The sandbox ended while Coldframe took it over.", {}} : done.error());
    if (endedByItself) {
        m_record.state = SandboxState::Stopped;
        (void)save();
        changed();
    }
}

/// Links, proxy, set-up and workspace of a microVM that lives.
asio::awaitable<Result<void>> Sandbox::takeOver()
{
    auto control = co_await GuestLink::connect(m_parts.io, socketFolder() / "control.sock",
                                               m_record.reducedIsolation ? 180s : 30s, m_stopTrying); // it may still be booting
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
    if (done && !m_proxy) {
        done = co_await connectProxy();
    }
    co_return done;
}

void Sandbox::closeLinks()
{
    m_parts.questions.forget(m_record.id);
    m_sync.stop();
    m_control.reset();
    m_bulk.reset();
    if (m_proxy) {
        m_proxy->shutdown();
        m_proxy.reset();
    }
    m_keyedServices.clear();
    m_blockedHosts.clear();
    m_usage.reset();
    m_warnings.clear();
}

void Sandbox::clearSockets()
{
    std::error_code ignored;
    std::filesystem::remove_all(socketFolder(), ignored);
}

asio::awaitable<Result<channel::StreamPtr>> Sandbox::exec(json specification)
{
    const auto self = shared_from_this();
    if (auto there = needControl(); !there) {
        co_return tl::unexpected(there.error());
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
                                                           : api::encodePath(m_record.workspaces[0].inside().native());
    }
    co_return co_await m_control->openExec("/exec", specification.dump());
}

Result<void> Sandbox::needControl() const
{
    if (m_record.state != SandboxState::Running || !m_control || !m_control->isAlive()) {
        return fail(ErrorCode::Unavailable, "The sandbox " + m_record.name + " is not running.");
    }
    return needRoom();
}

asio::awaitable<Result<channel::StreamPtr>> Sandbox::attachSession(json how)
{
    const auto self = shared_from_this();
    if (auto there = needControl(); !there) {
        co_return tl::unexpected(there.error());
    }
    co_return co_await m_control->openExec("/attach", how.dump());
}

asio::awaitable<Result<std::string>> Sandbox::askGuest(std::string method, std::string path, std::string body,
                                                       std::chrono::milliseconds within)
{
    const auto self = shared_from_this();
    if (auto there = needControl(); !there) {
        co_return tl::unexpected(there.error());
    }
    co_return co_await m_control->request(std::move(method), std::move(path), std::move(body), within);
}

Result<std::vector<std::string>> Sandbox::launchCommand(const std::vector<std::string>& arguments) const
{
    std::vector<std::string> all = m_record.agentArguments;
    all.insert(all.end(), arguments.begin(), arguments.end());
    return m_parts.agents.launchCommand(m_record, all);
}

} // namespace coldframe::engine
