// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that freezes it: its memory in a file, its disk as it was, no microVM. See "Pause" in core/ARCHITECTURE.md.
#include "engine/sandbox_plan.h"

#include "base/log.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "engine/deadline.h"
#include "vm/acceleration.h"
#include "vm/template_key.h"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace coldframe::engine {

using namespace std::chrono_literals;

namespace {

/// QEMU read it and could not make sense of it (qemu_loadvm_state() in its migration/savevm.c), or the header is not ours.
bool isBadMemory(const Error& error)
{
    const auto says = [&error](const char* words) { return error.detail.find(words) != std::string::npos; };
    return error.code == ErrorCode::Corrupt || says("load of migration failed") || says("while loading state");
}

} // namespace

asio::awaitable<Result<void>> Sandbox::pause(Steps steps)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    if (m_record.state == SandboxState::Paused) {
        co_return Result<void>();
    }
    if (!nextState(m_record.state, SandboxEvent::PauseAsked)) {
        const bool isDown = isAtRest(m_record.state);
        co_return fail(isDown ? ErrorCode::InvalidArgument : ErrorCode::Busy,
                       "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) + "; only one that runs can be paused.");
    }
    if (auto moves = needRoom(); !moves) {
        co_return moves;
    }
    const Operation operation(*this);
    transition(SandboxEvent::PauseAsked);
    Result<void> frozen = co_await freeze(m_parts.store.memoryOf(m_record.id), true, steps);
    if (frozen) {
        m_record.pausedDisk = diskStamp(diskFile());
        m_record.cleanStop = false; // its kernel has the file system mounted
        transition(SandboxEvent::Frozen);
    }
    co_return frozen;
}

asio::awaitable<Result<void>> Sandbox::resume(Steps steps)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    if (m_record.state != SandboxState::Paused && m_record.state != SandboxState::Running) {
        co_return fail(ErrorCode::InvalidArgument, "The sandbox " + m_record.name + " is " + std::string(stateName(m_record.state)) +
                                                       ", not paused. To start it: coldframe start " + m_record.name);
    }
    co_return co_await start(steps);
}

/// Writes the memory to `file`, complete or not at all, and ends the microVM. When that fails the microVM runs on, its links
/// made anew; the state is Running then, or Failed where it did not live. `durable`: it must survive a power cut.
asio::awaitable<Result<void>> Sandbox::freeze(std::filesystem::path file, bool durable, Steps steps)
{
    // What is not on the host yet comes when it runs again. Its disk must be whole without its memory (HAZARDS 18).
    if (m_sync.isRunning()) {
        steps.say("flush", "Bringing the last changes back");
        if (auto flushed = co_await m_sync.flush(10s); !flushed) {
            logInfo("sandbox " + m_record.name, "paused with work under way: " + flushed.error().message);
        }
    }
    Result<void> saved = co_await flushDisk();
    const std::filesystem::path unfinished = file.parent_path() / "memory.new";
    if (saved) {
        steps.say("pause", "Saving its memory");
        closeLinks(); // first, so that its kernel knows it: a restored guest finds its ports closed, and waits for the host
        co_await engine::pause(50ms);
        auto save = [&hypervisor = m_parts.hypervisor, id = m_record.id, unfinished, durable]() -> Result<void> {
            COLDFRAME_CHECK(hypervisor.save(id, unfinished));
            if (!durable) {
                return {};
            }
            const UniqueFd fd(::open(unfinished.c_str(), O_RDONLY | O_CLOEXEC));
            return fd && ::fsync(fd.get()) == 0 ? Result<void>() : failErrno("The saved memory cannot be kept.", errno);
        };
        saved = co_await onPool(m_parts.pool, std::move(save));
    }
    if (saved) {
        // Its event comes later; taken for that of a microVM started meanwhile, it would end that one.
        (void)co_await waitVmGone(5s);
        m_vmAlive = false;
        clearSockets();
        if (std::rename(unfinished.c_str(), file.c_str()) != 0) {
            saved = failErrno("The saved memory cannot be kept.", errno);
        }
    }
    if (saved) {
        co_return saved;
    }
    std::error_code ignored;
    std::filesystem::remove(unfinished, ignored);
    co_await runOn(saved.error());
    co_return tl::unexpected(Error{saved.error().code, "The sandbox " + m_record.name + " could not be paused" +
                                       (m_vmAlive ? " and runs on: " : ": ") + saved.error().message, saved.error().detail});
}

asio::awaitable<Result<void>> Sandbox::flushDisk()
{
    if (!m_control || !m_control->isAlive()) {
        co_return fail(ErrorCode::Unavailable, "The sandbox does not answer.");
    }
    auto flushed = co_await m_control->request("POST", "/flush", "", 30s);
    if (!flushed) {
        co_return tl::unexpected(flushed.error());
    }
    co_return Result<void>();
}

/// After a freeze that failed.
asio::awaitable<void> Sandbox::runOn(Error why)
{
    logWarning("sandbox " + m_record.name, "not paused: " + why.message + " " + why.detail);
    if (m_vmAlive && !m_control) {
        m_stopTrying = std::make_shared<bool>(false);
        const Result<void> back = co_await takeOver();
        if (!back) {
            why = back.error();
            closeLinks();
            co_await endVm();
        }
    }
    if (m_vmAlive) {
        transition(SandboxEvent::RunsOn);
    } else {
        closeLinks();
        clearSockets();
        failWith(why);
    }
}

/// Why the memory of a paused sandbox cannot be used; empty when it can.
asio::awaitable<std::string> Sandbox::unusableMemory(const Plan& plan)
{
    if (!m_parts.store.hasMemory(m_record)) {
        co_return "its disk was changed since.";
    }
    auto compute = [&hypervisor = m_parts.hypervisor, &plan]() -> Result<std::string> {
        COLDFRAME_TRY(const auto info, hypervisor.info());
        return machineKey(plan.machine, plan.shape.diskBytes(), info);
    };
    const Result<std::string> key = co_await onPool(m_parts.pool, std::move(compute));
    if (key && *key != m_record.machineKey) {
        co_return "QEMU, libvirt or the way it runs have changed since.";
    }
    if (plan.shape.acceleration == vm::Acceleration::Emulate && !vm::fitsTsc(m_record.hostTscKhz, vm::hostTscKhz())) {
        co_return "the computer's clock runs at another rate than then.";
    }
    co_return std::string(); // libvirt not there: the restore will say so, and nothing is lost by it
}

/// A resume. The memory is given up once its guest has answered, or once it can be of no more use.
asio::awaitable<Result<void>> Sandbox::bringBack(const Steps& steps, Plan& plan)
{
    const Result<void> back = co_await bootAndConnect(steps, plan);
    if (back) {
        forgetMemory();
        co_return back;
    }
    if (m_parts.store.hasMemory(m_record) && !isBadMemory(back.error())) {
        // It did not come so far as to write: it is paused as before.
        const std::string remedy = " It is still paused: resume it again, or give up what runs in it with: coldframe stop ";
        co_return fail(back.error().code, back.error().message + remedy + m_record.name, back.error().detail);
    }
    logWarning("sandbox " + m_record.name, "it did not come back: " + back.error().message + " " + back.error().detail);
    closeLinks();
    co_await endVm();
    forgetMemory();
    if (steps.isCancelled() || back.error().code == ErrorCode::Cancelled) {
        co_return back;
    }
    *m_stopTrying = true;
    m_stopTrying = std::make_shared<bool>(false);
    m_notice = "What ran in " + m_record.name + " when it was paused is lost: its saved memory is damaged.";
    plan.isResume = false;
    plan.machine.hostTscKhz = plan.shape.acceleration == vm::Acceleration::Emulate ? vm::hostTscKhz() : 0;
    m_record.generation = randomHex(8);
    co_return co_await bootAndConnect(steps, plan);
}

void Sandbox::forgetMemory()
{
    if (!m_record.pausedDisk.empty()) {
        m_record.pausedDisk.clear();
        if (auto saved = save(); !saved) {
            logWarning("sandbox " + m_record.name, saved.error().message); // the disk's stamp tells as well
        }
    }
    std::error_code ignored;
    std::filesystem::remove(m_parts.store.memoryOf(m_record.id), ignored);
}

asio::awaitable<void> Sandbox::renewClock()
{
    const auto self = shared_from_this();
    if (m_record.state == SandboxState::Running && m_control && m_control->isAlive()) {
        if (auto renewed = co_await renewGuest(); !renewed) {
            logWarning("sandbox " + m_record.name, "its clock was not set: " + renewed.error().message);
        }
    }
}

} // namespace coldframe::engine
