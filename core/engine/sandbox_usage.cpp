// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that holds its limits, watches what it uses and puts it away when nobody does.
#include "engine/sandbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/blocking.h"
#include "engine/deadline.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// What is to go between host and guest, so that memory on disk would be of a moment in the middle of it.
bool isUnderWay(const json& sync)
{
    const std::string state = sync.value("state", "");
    return state == "scanning" || state == "syncing";
}

json limit(const char* name, const std::string& value, const std::string& heldBy)
{
    return json{{"name", name}, {"value", value}, {"heldBy", heldBy}};
}

} // namespace

json Sandbox::guestLimits() const
{
    return json{{"processes", m_record.processes}, {"openFiles", m_record.openFiles}, {"cpus", m_record.cpus}};
}

asio::awaitable<Result<void>> Sandbox::tellLimits()
{
    const auto self = shared_from_this();
    const std::string body = guestLimits().dump();
    auto answer = co_await askGuest("POST", "/limits", body, 10s);
    if (!answer && answer.error().code == ErrorCode::NotFound) {
        co_return fail(ErrorCode::Unavailable, "The sandbox " + m_record.name +
                                                   " has a guest from before it could be told. A reset gives it the present one.");
    }
    if (!answer) {
        co_return tl::unexpected(answer.error());
    }
    if (auto usage = parseUsage(*answer)) {
        takeUsage(*usage);
    }
    co_return Result<void>();
}

/// After a start: what the microVM's size does not hold by itself.
asio::awaitable<void> Sandbox::applyLimits()
{
    const auto self = shared_from_this();
    if (m_record.memoryMiB < m_record.machineMemoryMiB) {
        auto inflate = [&hypervisor = m_parts.hypervisor, id = m_record.id, memory = static_cast<std::uint32_t>(m_record.memoryMiB)] {
            return hypervisor.setMemory(id, memory);
        };
        if (auto done = co_await onPool(m_parts.pool, std::move(inflate)); !done) {
            logWarning("sandbox " + m_record.name, done.error().message + " " + done.error().detail);
        }
    }
    if (auto told = co_await tellLimits(); !told) {
        logInfo("sandbox " + m_record.name, told.error().message);
    }
    if (m_record.cpus > 0 && m_record.cpus < m_record.machineCpus) {
        co_await shareHost();
    }
}

asio::awaitable<Result<std::vector<std::string>>> Sandbox::change(LimitsChange change)
{
    const auto self = shared_from_this();
    co_await waitIdle();
    const bool isRunning = m_record.state == SandboxState::Running;
    Result<PlannedChange> plan = planChange(m_record, change, isRunning);
    if (!plan) {
        co_return tl::unexpected(plan.error());
    }
    const SandboxRecord before = std::exchange(m_record, plan->record);
    if (auto saved = save(); !saved) {
        m_record = before;
        co_return tl::unexpected(saved.error());
    }
    changed();
    std::vector<std::string> notes = plan->notes;
    if (isRunning && plan->balloonMiB) {
        auto resize = [&hypervisor = m_parts.hypervisor, id = m_record.id, memory = static_cast<std::uint32_t>(*plan->balloonMiB)] {
            return hypervisor.setMemory(id, memory);
        };
        if (auto done = co_await onPool(m_parts.pool, std::move(resize)); !done) {
            notes.push_back(done.error().message + " The limit holds from the next start on.");
        }
    }
    if (isRunning && plan->tellsGuest) {
        if (auto told = co_await tellLimits(); !told) {
            notes.push_back(told.error().message);
        }
        co_await shareHost();
    }
    co_return notes;
}

std::shared_ptr<void> Sandbox::use()
{
    ++m_attached;
    m_idle.touch(std::chrono::steady_clock::now());
    return std::shared_ptr<void>(this, [weak = weak_from_this()](void*) {
        if (const auto self = weak.lock()) {
            --self->m_attached;
            self->m_idle.touch(std::chrono::steady_clock::now());
        }
    });
}

void Sandbox::takeUsage(const GuestUsage& now)
{
    std::vector<LimitWarning> warnings = limitWarnings(m_record.name, m_usage.value_or(now), now);
    for (const LimitWarning& old : m_warnings) {
        // What happened once stays to be seen for as long as the sandbox runs; what is a state goes with it.
        const bool isThere = std::any_of(warnings.begin(), warnings.end(), [&](const LimitWarning& one) { return one.kind == old.kind; });
        if (old.kind == "memory" && !isThere) {
            warnings.push_back(old);
        }
    }
    m_usage = now;
    if (warnings == m_warnings) {
        return;
    }
    for (const LimitWarning& warning : warnings) {
        if (std::find(m_warnings.begin(), m_warnings.end(), warning) == m_warnings.end()) {
            logInfo("sandbox " + m_record.name, warning.text);
            m_parts.emitEvent({{"type", "limit"}, {"sandbox", m_record.id}, {"kind", warning.kind}, {"text", warning.text}});
        }
    }
    m_warnings = std::move(warnings);
    changed();
}

asio::awaitable<void> Sandbox::look()
{
    const auto self = shared_from_this();
    if (m_isLooking || m_busy || m_record.state != SandboxState::Running) {
        co_return;
    }
    m_isLooking = true;
    const auto answer = co_await askGuest("GET", "/usage", "", 10s);
    m_isLooking = false;
    const auto usage = answer ? parseUsage(*answer) : Result<GuestUsage>(tl::unexpected(answer.error()));
    if (!usage || m_record.state != SandboxState::Running) {
        co_return; // of an older image, or busy: then it is not known to be idle either
    }
    takeUsage(*usage);
    IdleLook now;
    now.attached = m_attached;
    now.isBusy = m_busy;
    now.hasSyncToDo = isUnderWay(m_sync.summaryJson());
    now.connections = usage->connections;
    now.cpuMicroseconds = usage->cpuMicroseconds;
    const auto at = std::chrono::steady_clock::now();
    const std::string used = m_idle.look(now, at);
    const std::string how = m_record.whenIdle.empty() ? m_parts.settings.whenIdle : m_record.whenIdle;
    const double minutes = m_record.idleMinutes > 0 ? m_record.idleMinutes : m_parts.settings.whenIdleMinutes;
    if (how != "nothing" && !used.empty()) {
        logDebug("sandbox " + m_record.name, "not idle: " + used);
    }
    if (how == "nothing" || m_record.isService || m_record.isBuilder || !used.empty() || m_idle.idleFor(at) < std::chrono::duration<double>(minutes * 60)) {
        co_return;
    }
    if (how == "stop" && usage->running > 0) {
        co_return; // what runs in it would be lost: it waits for somebody
    }
    co_await putAway(how, minutes);
}

asio::awaitable<void> Sandbox::putAway(std::string how, double minutes)
{
    const bool pauses = how == "pause";
    logInfo("sandbox " + m_record.name, std::string(pauses ? "paused" : "stopped") + ": not used for " + std::to_string(minutes) + " minutes");
    const Steps quietly;
    Result<void> done;
    if (pauses) {
        done = co_await pause(quietly);
    } else {
        done = co_await stop(quietly, false);
    }
    if (!done) {
        m_idle.touch(std::chrono::steady_clock::now()); // and not at once again
        logWarning("sandbox " + m_record.name, done.error().message + " " + done.error().detail);
        co_return;
    }
    if (m_record.state == SandboxState::Paused || m_record.state == SandboxState::Stopped) {
        m_record.pausedByItself = pauses;
        m_notice = pauses ? "It was paused because nobody used it. It goes on by itself with the next command, or when its terminal is opened."
                          : "It was stopped because nobody used it. It starts by itself with the next command.";
        (void)save();
        changed();
    }
}

json Sandbox::limitsJson() const
{
    const bool runs = m_record.state == SandboxState::Running;
    const bool hasScope = runs && !m_vmScope.empty();
    const bool guards = runs && m_usage && m_usage->isLimited;
    const std::string inside = guards ? "a control group inside" : runs ? "nothing: its guest has no control groups" : "a control group inside, when it runs";
    const std::string scope = hasScope ? ", and a systemd scope on this computer" : "";
    const int machineCpus = m_record.reducedIsolation ? 1 : m_record.machineCpus;
    const bool lessCpus = runs && machineCpus > 0 && m_record.cpus > 0 && m_record.cpus < machineCpus;
    const int cpus = lessCpus ? m_record.cpus : runs && machineCpus > 0 ? machineCpus : m_record.cpus > 0 ? m_record.cpus : 2;
    json all = json::array();
    all.push_back(limit("cpus", std::to_string(cpus),
                        lessCpus ? inside + (m_isTied ? ", and a tie of its microVM to as many CPUs of this computer" : scope)
                                 : "the number of CPUs of its microVM" + scope));
    const bool lessMemory = runs && m_record.memoryMiB < m_record.machineMemoryMiB;
    all.push_back(limit("memory", std::to_string(runs && m_record.machineMemoryMiB > 0 ? std::min(m_record.memoryMiB, m_record.machineMemoryMiB) : m_record.memoryMiB) + " MiB",
                        lessMemory ? "its balloon (the microVM itself has " + std::to_string(m_record.machineMemoryMiB) + " MiB)" + scope
                                   : "the size of its microVM" + scope));
    all.push_back(limit("disk", std::to_string(m_record.diskGiB) + " GiB", "the size of its disk image"));
    all.push_back(limit("processes", m_usage ? std::to_string(m_usage->mostProcesses) : m_record.processes > 0 ? std::to_string(m_record.processes) : "by its memory",
                        inside));
    all.push_back(limit("openFiles", std::to_string(m_record.openFiles > 0 ? m_record.openFiles : 65536), "the limit of each program inside (RLIMIT_NOFILE)"));
    all.push_back(limit("connections", "512", "its proxy"));
    return all;
}

} // namespace coldframe::engine
