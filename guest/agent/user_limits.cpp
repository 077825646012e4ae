// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/user_limits.h"

#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <limits>
#include <sys/sysinfo.h>
#include <unistd.h>

namespace coldframe::guest {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kLeastForSystem = 48 * kMiB;
constexpr std::uint64_t kRescueProcesses = 64;
constexpr int kRescueGroups = 8;
constexpr auto kStillFull = std::chrono::seconds(5);

bool put(const fs::path& file, const std::string& value)
{
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    return fd && ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

/// 0 for "max" and for what cannot be read.
std::uint64_t numberIn(const fs::path& file)
{
    const std::string text = readFile(file, 4096).value_or("");
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::uint64_t totalMemory()
{
    struct sysinfo info
    {
    };
    return ::sysinfo(&info) == 0 ? std::uint64_t{info.totalram} * info.mem_unit : 0;
}

/// A controller that the kernel lacks must not cost the others.
void handDown(const fs::path& group, std::initializer_list<const char*> controllers)
{
    for (const char* controller : controllers) {
        if (!put(group / "cgroup.subtree_control", controller)) {
            logWarning("limits", std::string("no control group has ") + (controller + 1));
        }
    }
}

} // namespace

std::uint64_t eventCount(std::string_view text, std::string_view name)
{
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ') {
            std::uint64_t number = 0;
            std::from_chars(line.data() + name.size() + 1, line.data() + line.size(), number);
            return number;
        }
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return 0;
}

std::uint64_t usualProcesses(std::uint64_t memoryBytes)
{
    return std::clamp<std::uint64_t>(memoryBytes / kMiB * 2, 1024, 16384);
}

std::uint64_t memoryForUser(std::uint64_t memoryBytes)
{
    const std::uint64_t forSystem = std::max(kLeastForSystem, memoryBytes / 32);
    return memoryBytes > 2 * forSystem ? memoryBytes - forSystem : memoryBytes;
}

Result<void> UserLimits::make()
{
    if (::access((m_root / "cgroup.controllers").c_str(), F_OK) != 0) {
        return fail(ErrorCode::Unavailable, "The kernel has no control groups; the user's programs are not limited.");
    }
    handDown(m_root, {"+cpu", "+cpuset", "+memory", "+pids", "+io"});
    const fs::path top = m_root / "coldframe";
    COLDFRAME_CHECK(makeFolders(top / "rescue", 0755));
    COLDFRAME_CHECK(makeFolders(top / "all/programs", 0755));
    COLDFRAME_CHECK(makeFolders(top / "all/docker", 0755));
    handDown(top, {"+cpu", "+cpuset", "+memory", "+pids", "+io"});
    handDown(top / "all", {"+cpu", "+cpuset", "+memory", "+pids", "+io"});
    handDown(top / "rescue", {"+cpu", "+pids"}); // a group of one process runs as much as one of 64
    put(top / "rescue/pids.max", std::to_string(kRescueProcesses * kRescueGroups));
    m_made = true;
    followMemory();
    apply(LimitsRequest{});
    return {};
}

void UserLimits::apply(const LimitsRequest& limits)
{
    if (limits.openFiles > 0) {
        m_openFiles = static_cast<std::uint64_t>(limits.openFiles);
    }
    if (!m_made) {
        return;
    }
    m_processes = limits.processes > 0 ? static_cast<std::uint64_t>(limits.processes) : usualProcesses(totalMemory());
    if (!put(m_root / "coldframe/all/pids.max", std::to_string(m_processes))) {
        logWarning("limits", "the number of processes is not limited");
    }
    const long present = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
    const long allowed = limits.cpus > 0 ? std::min<long>(limits.cpus, present) : present;
    put(m_root / "coldframe/cpuset.cpus", "0-" + std::to_string(allowed - 1));
}

void UserLimits::followMemory()
{
    const std::uint64_t total = totalMemory();
    if (m_made && total != 0 && total != m_memory && put(m_root / "coldframe/memory.max", std::to_string(memoryForUser(total)))) {
        m_memory = total;
    }
}

/// A fork bomb's number goes up and down below its limit, so nearly full is full, and half full what was full a moment ago.
bool UserLimits::isFull()
{
    const auto now = std::chrono::steady_clock::now();
    const std::uint64_t refused = eventCount(readFile(m_root / "coldframe/all/pids.events", 4096).value_or(""), "max");
    if (refused != std::exchange(m_refused, refused)) {
        m_refusedAt = now;
    }
    const bool wasJustFull = m_refusedAt && now - *m_refusedAt < kStillFull;
    const std::uint64_t least = wasJustFull ? m_processes / 2 : m_processes - m_processes / 8;
    return m_processes > 0 && numberIn(m_root / "coldframe/all/pids.current") >= least;
}

UniqueFd UserLimits::entrance()
{
    if (!m_made) {
        return {};
    }
    const fs::path group = isFull() ? rescueGroup() : m_root / "coldframe/all/programs";
    return UniqueFd(::open((group / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
}

/// The emptiest. A bomb that is started there fills its own group, and where all are full the first of them is ended.
fs::path UserLimits::rescueGroup()
{
    fs::path emptiest;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (int number = 0; number < kRescueGroups && least > 0; ++number) {
        const fs::path group = m_root / "coldframe/rescue" / std::to_string(number);
        (void)makeFolders(group, 0755);
        put(group / "pids.max", std::to_string(kRescueProcesses));
        if (const std::uint64_t processes = numberIn(group / "pids.current"); processes < least) {
            least = processes;
            emptiest = group;
        }
    }
    if (least >= kRescueProcesses - kRescueProcesses / 8) {
        put(emptiest / "cgroup.kill", "1");
    }
    return emptiest;
}

UserUsage UserLimits::usage() const
{
    UserUsage usage;
    if (!m_made) {
        return usage;
    }
    const fs::path top = m_root / "coldframe";
    usage.cpuMicroseconds = eventCount(readFile(top / "cpu.stat", 4096).value_or(""), "usage_usec");
    usage.processes = numberIn(top / "all/pids.current");
    usage.mostProcesses = m_processes;
    usage.refusedProcesses = eventCount(readFile(top / "all/pids.events", 4096).value_or(""), "max");
    usage.memoryBytes = numberIn(top / "memory.current");
    usage.mostMemoryBytes = numberIn(top / "memory.max");
    usage.killedForMemory = eventCount(readFile(top / "memory.events", 4096).value_or(""), "oom_kill");
    return usage;
}

} // namespace coldframe::guest
