// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that gives its processes units of their own, where systemd runs.
#include "engine/sandbox.h"

#include "base/log.h"
#include "engine/blocking.h"
#include "engine/user_units.h"
#include "vm/host_resources.h"
#include "vm/session_daemon.h"

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

/// Blocking. What holds for the sandbox now, as a sentence.
std::string giveScopes(vm::Hypervisor& hypervisor, const SandboxRecord& record, const std::vector<pid_t>& helpers)
{
    std::vector<ScopeRequest> wanted;
    const auto domain = hypervisor.find(record.id);
    if (domain && *domain && (*domain)->processId > 0) {
        const unsigned cpus = record.reducedIsolation ? 1 : static_cast<unsigned>(record.cpus > 0 ? record.cpus : 2);
        ScopeRequest qemu{scopeName(record, "vm", (*domain)->processId), "Coldframe microVM of " + record.name,
                          {(*domain)->processId}};
        qemu.cpuPercent = (cpus + 1) * 100; // one more for its I/O
        qemu.memoryMiB = static_cast<std::uint64_t>(record.memoryMiB) + kQemuOwnMiB + (record.reducedIsolation ? kTranslationMiB : 0);
        qemu.tasks = kQemuTasks;
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
            return done.error().code == ErrorCode::Unavailable
                       ? vm::describeLimits().text
                       : done.error().message + " Memory and CPUs are limited only by the size of the microVM.";
        }
    }
    return "Processes, memory and CPUs of the microVM are limited by a systemd scope of its own; its disk by its image.";
}

} // namespace

asio::awaitable<void> Sandbox::takeScopes()
{
    const auto self = shared_from_this();
    const SandboxRecord record = m_record;
    const std::vector<pid_t> helpers = m_proxy ? m_proxy->takeNewProcesses() : std::vector<pid_t>();
    auto give = [&hypervisor = m_parts.hypervisor, record, helpers] { return giveScopes(hypervisor, record, helpers); };
    m_limits = co_await onPool(m_parts.pool, std::move(give));
}

} // namespace coldframe::engine
