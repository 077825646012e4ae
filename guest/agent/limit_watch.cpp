// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/limit_watch.h"

#include "base/file.h"
#include "guest/agent/event.h"

#include <algorithm>
#include <sys/statvfs.h>

namespace coldframe::guest {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kGiB = 1u << 30;
constexpr auto kEvery = 3s; ///< rarely enough that an idle guest costs its host nothing to speak of
constexpr auto kSayAgainAfter = 60s;
constexpr auto kStillAReason = 10s;
constexpr const char* kNoticeFile = "/run/coldframe/notice";

std::string fullDisk(std::uint64_t bytes)
{
    return "The disk of this sandbox is full (" + std::to_string((bytes + kGiB / 2) / kGiB) +
           " GiB). Delete something in here, or give it more outside: coldframe set NAME --disk GIB";
}

} // namespace

DiskState diskState(const DiskFill& fill, DiskState before)
{
    if (fill.bytes == 0) {
        return DiskState::Roomy; // it could not be read
    }
    const std::uint64_t full = 16 * kMiB;
    const std::uint64_t nearly = std::min<std::uint64_t>(fill.bytes / 20, 2 * kGiB);
    const bool wasFull = before == DiskState::Full;
    const bool wasNearly = before != DiskState::Roomy;
    if (fill.freeNodes == 0 || fill.freeBytes < (wasFull ? 4 * full : full)) {
        return DiskState::Full;
    }
    return fill.freeBytes < (wasNearly ? nearly + nearly / 4 : nearly) ? DiskState::NearlyFull : DiskState::Roomy;
}

bool LimitRemarks::grew(Kind& kind, std::uint64_t count, Time now)
{
    const bool more = count > kind.count;
    kind.count = count;
    if (more) {
        kind.seen = now;
    }
    const bool isDue = more && (!kind.said || now - *kind.said > kSayAgainAfter);
    if (isDue) {
        kind.said = now;
    }
    return isDue;
}

std::vector<std::string> LimitRemarks::look(const DiskFill& disk, const UserUsage& usage, Time now)
{
    std::vector<std::string> remarks;
    const DiskState before = std::exchange(m_disk, diskState(disk, m_disk));
    m_diskBytes = disk.bytes;
    if (m_disk == DiskState::Full && before != DiskState::Full) {
        remarks.push_back(fullDisk(disk.bytes));
    } else if (m_disk == DiskState::NearlyFull && before == DiskState::Roomy) {
        remarks.push_back("The disk of this sandbox is nearly full: " + std::to_string(disk.freeBytes / kMiB) + " MiB are left.");
    }
    if (grew(m_memory, usage.killedForMemory, now)) {
        m_memory.text = "The memory of this sandbox (" + std::to_string(usage.mostMemoryBytes / kMiB) +
                        " MiB for programs) was full, and the kernel ended a program.";
        remarks.push_back(m_memory.text);
    }
    if (grew(m_processes, usage.refusedProcesses, now)) {
        m_processes.text = "This sandbox has as many processes as it may have (" + std::to_string(usage.mostProcesses) +
                           "); no more are started until some end.";
        remarks.push_back(m_processes.text);
    }
    return remarks;
}

std::string LimitRemarks::reason(Time now) const
{
    if (m_disk == DiskState::Full) {
        return fullDisk(m_diskBytes);
    }
    for (const Kind* kind : {&m_memory, &m_processes}) {
        if (kind->seen && now - *kind->seen < kStillAReason) {
            return kind->text;
        }
    }
    return {};
}

DiskFill diskFill(const char* path)
{
    struct statvfs status
    {
    };
    if (::statvfs(path, &status) != 0) {
        return {};
    }
    return {std::uint64_t{status.f_blocks} * status.f_frsize, std::uint64_t{status.f_bavail} * status.f_frsize, status.f_ffree};
}

void LimitWatch::look()
{
    m_limits.followMemory();
    for (const std::string& remark : m_remarks.look(diskFill(), m_limits.usage(), std::chrono::steady_clock::now())) {
        (void)writeFileAtomic(kNoticeFile, remark + "\n", 0644);
        m_say(remark);
    }
}

asio::awaitable<void> LimitWatch::run()
{
    for (;;) {
        look();
        co_await pause(m_io, kEvery);
    }
}

std::string LimitWatch::reason()
{
    look();
    return m_remarks.reason(std::chrono::steady_clock::now());
}

} // namespace coldframe::guest
