// SPDX-License-Identifier: Apache-2.0
#include "sync/watcher.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <sys/inotify.h>

namespace coldframe::sync {

namespace {
constexpr std::uint32_t kMask = IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
                                IN_CLOSE_WRITE | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
} // namespace

Watcher::Watcher() : m_fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

void Watcher::add(int folder, const std::string& path)
{
    if (!m_fd) {
        return;
    }
    const std::string handle = "/proc/self/fd/" + std::to_string(folder);
    const int watch = ::inotify_add_watch(m_fd.get(), handle.c_str(), kMask);
    if (watch < 0) {
        m_complete = false;
        return;
    }
    m_paths[watch] = path;
}

bool Watcher::drain(std::set<std::string>& dirty)
{
    bool overflow = false;
    alignas(inotify_event) char buffer[65536];
    while (m_fd) {
        const ssize_t got = ::read(m_fd.get(), buffer, sizeof buffer);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) {
                continue;
            }
            break;
        }
        for (const char* at = buffer; at < buffer + got;) {
            inotify_event event{};
            std::memcpy(&event, at, sizeof event);
            at += sizeof event + event.len;
            if ((event.mask & IN_Q_OVERFLOW) != 0) {
                overflow = true;
                continue;
            }
            const auto known = m_paths.find(event.wd);
            if (known == m_paths.end()) {
                continue;
            }
            if ((event.mask & IN_IGNORED) != 0) {
                m_paths.erase(known);
                continue;
            }
            dirty.insert(known->second);
        }
    }
    return overflow;
}

void Watcher::restart() { m_complete = true; }

} // namespace coldframe::sync
