// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that gives its processes units of their own, where systemd runs.
#include "engine/sandbox.h"

#include "base/log.h"
#include "engine/blocking.h"
#include "engine/user_units.h"
#include "vm/cpu_share.h"
#include "vm/host_resources.h"
#include "vm/session_daemon.h"

#include <algorithm>
#include <fstream>

namespace coldframe::engine {

namespace {

/// Beside the guest's memory: QEMU's own, and under emulation its buffer of translated code (1 GiB).
constexpr std::uint64_t kQemuOwnMiB = 512;
constexpr std::uint64_t kTranslationMiB = 1024;
constexpr std::uint64_t kQemuTasks = 256;
constexpr std::uint64_t kHelperMiB = 1024;
constexpr std::uint64_t kHelperTasks = 64;

/// Every run gets scopes of its own name: those of the run before may not be gone yet.
std::string scopeName(const SandboxRecord& record, const char* part, pid_t process)
{
    return "coldframe-" + record.id + "-" + part + "-" + std::to_string(process);
}

pid_t libvirtDaemon()
{
    std::ifstream file(vm::sessionDaemon().runtimeFolder / "libvirt/libvirtd.pid");
    pid_t process = 0;
    file >> process;
    return file ? process : 0;
}

struct Scopes
{
    std::string text;    ///< what holds for the sandbox now, as a sentence
    std::string machine; ///< the scope of its QEMU, where there is one
};

std::uint64_t beside(const SandboxRecord& record) { return kQemuOwnMiB + (record.reducedIsolation ? kTranslationMiB : 0); }

/// The machine's size ends the microVM when it is exceeded; the limit below it, which a balloon holds, only squeezes it.
void setLimits(ScopeRequest& qemu, const SandboxRecord& record)
{
    const auto machineMiB = static_cast<std::uint64_t>(record.machineMemoryMiB > 0 ? record.machineMemoryMiB : record.memoryMiB);
    const unsigned machineCpus = static_cast<unsigned>(record.machineCpus > 0 ? record.machineCpus : 2);
    const unsigned wanted = record.cpus > 0 ? std::min(static_cast<unsigned>(record.cpus), machineCpus) : machineCpus;
    qemu.cpuPercent = ((record.reducedIsolation ? 1 : wanted) + 1) * 100; // one more for its I/O
    qemu.memoryMiB = machineMiB + beside(record);
    qemu.memoryHighMiB = std::min(machineMiB, static_cast<std::uint64_t>(record.memoryMiB)) + beside(record);
    qemu.tasks = kQemuTasks;
}

/// Blocking.
Scopes giveScopes(vm::Hypervisor& hypervisor, const SandboxRecord& record, const std::vector<pid_t>& helpers)
{
    std::vector<ScopeRequest> wanted;
    std::string machine;
    const auto domain = hypervisor.find(record.id);
    if (domain && *domain && (*domain)->processId > 0) {
        ScopeRequest qemu{scopeName(record, "vm", (*domain)->processId), "Coldframe microVM of " + record.name,
                          {(*domain)->processId}};
        setLimits(qemu, record);
        machine = qemu.name;
        wanted.push_back(std::move(qemu));
    }
    if (!helpers.empty()) {
        ScopeRequest proxy{scopeName(record, "net", helpers.front()), "Coldframe proxy of " + record.name, helpers};
        proxy.memoryMiB = kHelperMiB;
        proxy.tasks = kHelperTasks;
        wanted.push_back(std::move(proxy));
    }
    if (const pid_t daemon = libvirtDaemon(); daemon > 0 && sharesControlGroup(daemon)) {
        wanted.push_back({"coldframe-libvirt-" + std::to_string(daemon), "libvirt's session daemon", {daemon}});
    }
    for (const ScopeRequest& request : wanted) {
        if (auto done = startScope(request); !done) {
            logInfo("sandbox " + record.name, done.error().message + " " + done.error().detail);
            return {done.error().code == ErrorCode::Unavailable
                        ? vm::describeLimits().text
                        : done.error().message + " Memory and CPUs are limited only by the size of the microVM.",
                    {}};
        }
    }
    return {"Processes, memory and CPUs of the microVM are limited by a systemd scope of its own; its disk by its image.", machine};
}

} // namespace

asio::awaitable<void> Sandbox::takeScopes()
{
    const auto self = shared_from_this();
    const SandboxRecord record = m_record;
    const std::vector<pid_t> helpers = m_proxy ? m_proxy->takeNewProcesses() : std::vector<pid_t>();
    auto give = [&hypervisor = m_parts.hypervisor, record, helpers] { return giveScopes(hypervisor, record, helpers); };
    Scopes given = co_await onPool(m_parts.pool, std::move(give));
    m_limits = std::move(given.text);
    m_vmScope = given.machine.empty() ? m_vmScope : std::move(given.machine);
}

/// What holds the limits on the host follows them: the scope, and where there is none and the microVM has more CPUs than it may
/// use, a tie to some of the host's.
asio::awaitable<void> Sandbox::shareHost()
{
    const auto self = shared_from_this();
    auto hold = [&hypervisor = m_parts.hypervisor, record = m_record, scope = m_vmScope, wasTied = m_isTied]() -> Result<bool> {
        if (!scope.empty()) {
            ScopeRequest qemu{scope, "Coldframe microVM of " + record.name, {}};
            setLimits(qemu, record);
            COLDFRAME_CHECK(changeScope(qemu));
            return false;
        }
        const bool isLess = !record.reducedIsolation && record.cpus > 0 && record.cpus < record.machineCpus;
        if (!isLess && !wasTied) {
            return false;
        }
        COLDFRAME_TRY(const auto domain, hypervisor.find(record.id));
        if (!domain || domain->processId <= 0) {
            return fail(ErrorCode::NotFound, "The microVM's process is not known.");
        }
        COLDFRAME_CHECK(vm::tieToCpus(domain->processId, isLess ? static_cast<unsigned>(record.cpus) : 0));
        return isLess;
    };
    const Result<bool> held = co_await onPool(m_parts.pool, std::move(hold));
    if (held) {
        m_isTied = *held;
    } else {
        logWarning("sandbox " + m_record.name, held.error().message + " " + held.error().detail);
    }
}

} // namespace coldframe::engine
