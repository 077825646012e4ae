// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "sync/entry.h"
#include "sync/watcher.h"

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace coldframe::sync {

struct ScanOptions
{
    std::uint64_t maxEntries = 1'000'000;
    std::uint64_t maxFileBytes = std::uint64_t(4) << 30; ///< larger files become a Problem
    /// Host side: files whose content must not be seen by the other side as it is. Called with the path, whether its
    /// folder is a git directory, and (for files up to 1 MiB) the content. See HostContent in guards.h.
    std::function<bool(std::string_view path, bool inGitFolder)> needsContent{};
    std::function<Entry(std::string_view path, bool inGitFolder, std::string_view content, const Entry& plain)> present{};
    std::function<void()> onProgress{}; ///< at least every 500 ms of work
    std::function<bool()> cancelled{};
};

/// Keeps an up-to-date tree of one root: walks by directory handles without ever following a symlink, hashes only
/// what changed, and reads again only the folders inotify named. Entry kinds by what is safe to move: sockets, FIFOs,
/// devices and git's lock files are Untracked; unreadable things and other file systems are Problems.
/// Owned by one thread.
class Scanner
{
public:
    /// `root` is borrowed and must stay open.
    Scanner(int root, ScanOptions options);

    /// Brings the tree up to date and answers what changed since the last scan. `full` reads every folder again.
    Result<std::vector<Record>> scan(bool full);

    /// Collects watch events; true when a scan would have something to do.
    bool hasChanges();
    void markChanged(std::string_view folder) { m_dirty.insert(std::string(folder)); }
    bool isWatching() const { return m_watcher.isComplete(); }
    int watchFd() const { return m_watcher.fd(); }
    /// Files that changed while they were read; they need another scan soon.
    bool hasUnsettled() const { return m_unsettled; }
    std::chrono::milliseconds lastFullScan() const { return m_lastFull; }

    const Node& tree() const { return m_tree; }
    Node& tree() { return m_tree; }

    /// Notes what the applier put at `path`, so that it is not hashed again.
    void noteApplied(std::string_view path, const Entry& entry, const Stamp& stamp);

private:
    Result<void> scanFolder(int folder, const std::string& path, Node& node, bool recursive, std::size_t depth);
    Result<void> scanChild(int folder, const std::string& path, const std::string& name, bool inGitFolder, Node& node,
                           bool recursive, std::size_t depth);
    Result<void> scanRegular(int folder, const std::string& path, const std::string& name, bool inGitFolder,
                             const struct stat& info, Node& node, const std::string& childPath);
    void put(Node& parent, const std::string& name, const std::string& path, Entry entry, const Stamp& stamp);
    void drop(Node& parent, const std::string& name, const std::string& path);
    void tick();

    int m_root;
    ScanOptions m_options;
    Watcher m_watcher;
    Node m_tree;
    std::set<std::string> m_dirty;
    std::vector<Record> m_changes;
    std::uint64_t m_entries = 0;
    std::uint64_t m_device = 0;
    std::int64_t m_scanStartNs = 0;
    bool m_full = true;
    bool m_unsettled = false;
    std::chrono::milliseconds m_lastFull{0};
    std::chrono::steady_clock::time_point m_lastTick{};
};

Stamp stampOf(const struct stat& info);

} // namespace coldframe::sync
