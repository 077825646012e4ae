// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/shutdown.h"

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/event.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <set>
#include <sstream>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>
#include <vector>

namespace coldframe::guest {

namespace {

struct MountEntry
{
    std::string source;
    std::string target;
    std::string type;
    std::string options;
};

/// Mounts of disks and what Docker leaves over them, from /proc/mounts, in which blanks and backslashes are
/// octal escapes (proc_mounts(5)).
std::vector<MountEntry> diskMounts()
{
    std::vector<MountEntry> found;
    std::istringstream lines(readFile("/proc/mounts").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        MountEntry entry;
        std::string escaped;
        fields >> entry.source >> escaped >> entry.type >> entry.options;
        for (std::size_t i = 0; i < escaped.size(); ++i) {
            if (escaped[i] == '\\' && i + 3 < escaped.size()) {
                entry.target += static_cast<char>(std::stoi(escaped.substr(i + 1, 3), nullptr, 8));
                i += 3;
            } else {
                entry.target += escaped[i];
            }
        }
        if (entry.source.starts_with("/dev/") || entry.type == "overlay" || entry.type == "nsfs") {
            found.push_back(std::move(entry));
        }
    }
    return found;
}

bool isWritable(const MountEntry& entry)
{
    return entry.options == "rw" || entry.options.starts_with("rw,");
}

asio::awaitable<bool> waitUntilAlone(asio::io_context& io, std::chrono::milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (processCount() > 0) {
        if (std::chrono::steady_clock::now() >= deadline) {
            co_return false;
        }
        co_await pause(io, std::chrono::milliseconds(50));
    }
    co_return true;
}

} // namespace

Result<void> flushDisks()
{
    std::set<std::string> done;
    for (const MountEntry& entry : diskMounts()) {
        if (!entry.source.starts_with("/dev/") || !isWritable(entry) || !done.insert(entry.source).second) {
            continue;
        }
        UniqueFd folder(::open(entry.target.c_str(), O_RDONLY | O_CLOEXEC));
        if (!folder || ::syncfs(folder.get()) != 0) {
            return failErrno("The disk cannot be flushed.", errno);
        }
    }
    return {};
}

int processCount()
{
    int count = 0;
    DIR* folder = ::opendir("/proc");
    if (!folder) {
        return 0;
    }
    while (const dirent* entry = ::readdir(folder)) {
        const std::string name = entry->d_name;
        if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }) ||
            name == std::to_string(::getpid())) {
            continue;
        }
        // Kernel threads have an empty command line, and so have zombies.
        const auto line = readFile("/proc/" + name + "/cmdline", 4u << 20);
        count += line && !line->empty() ? 1 : 0;
    }
    ::closedir(folder);
    return count;
}

asio::awaitable<bool> stopEverything(asio::io_context& io, std::chrono::milliseconds grace)
{
    if (::getpid() != 1) {
        co_return false;
    }
    ::kill(-1, SIGTERM);
    ::kill(-1, SIGHUP);  // a shell at its prompt ignores TERM; the order is systemd's SendSIGHUP=
    ::kill(-1, SIGCONT); // a stopped program would not see the TERM
    const bool polite = co_await waitUntilAlone(io, grace);
    if (!polite) {
        ::kill(-1, SIGKILL);
        co_await waitUntilAlone(io, std::chrono::seconds(5));
    }
    bool clean = processCount() == 0;
    clean = flushDisks().has_value() && clean;
    auto mounts = diskMounts();
    std::reverse(mounts.begin(), mounts.end());
    for (const MountEntry& entry : mounts) {
        if (entry.target != "/" && ::umount2(entry.target.c_str(), 0) != 0) {
            ::umount2(entry.target.c_str(), MNT_DETACH);
        }
    }
    ::sync();
    if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
        logWarning("shutdown", std::string("the root disk stays writable: ") + std::strerror(errno));
        clean = false;
    }
    co_return clean;
}

void powerOff()
{
    if (::getpid() == 1) {
        ::sync();
        ::reboot(RB_POWER_OFF);
        ::reboot(RB_AUTOBOOT);
    }
}

} // namespace coldframe::guest
