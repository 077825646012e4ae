// SPDX-License-Identifier: Apache-2.0
#include "sync/scanner.h"

#include "base/file.h"
#include "sync/digest.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <time.h>

namespace coldframe::sync {

namespace {

/// File times move in steps of a kernel tick; a file this young may be written again without its stamp changing.
constexpr std::int64_t kYoungNs = 30'000'000;
constexpr std::size_t kContentBytes = 1u << 20;

std::int64_t toNs(const timespec& time) { return time.tv_sec * std::int64_t(1'000'000'000) + time.tv_nsec; }

std::int64_t wallClockNs()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return toNs(now);
}

struct CloseFolder
{
    void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<std::vector<std::string>> listNames(int folder)
{
    UniqueFd copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!copy) {
        return failErrno("Cannot read a folder.", errno);
    }
    std::unique_ptr<DIR, CloseFolder> stream(::fdopendir(copy.get()));
    if (!stream) {
        return failErrno("Cannot read a folder.", errno);
    }
    copy.release();
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* item = ::readdir(stream.get());
        if (item == nullptr) {
            if (errno != 0) {
                return failErrno("Cannot read a folder.", errno);
            }
            return names;
        }
        if (isValidName(item->d_name)) {
            names.emplace_back(item->d_name);
        }
    }
}

bool isGitName(std::string_view name) { return name.size() == 4 && foldCase(name) == ".git"; }

/// Inside a git directory: locks and half-written objects belong to a running git.
bool isGitTransient(std::string_view path, std::string_view name)
{
    return name.ends_with(".lock") || name.starts_with("tmp_obj_") || name.starts_with("tmp_pack_") ||
           name.starts_with("tmp_idx_") || name.starts_with("tmp_rev_") || name.starts_with("incoming-") ||
           name.starts_with("tmp_objdir-") || (name == "gc.pid" && isGitName(nameOf(parentOf(path))));
}

bool insideGit(std::string_view path)
{
    for (const auto part : splitPath(path)) {
        if (isGitName(part)) {
            return true;
        }
    }
    return false;
}

} // namespace

Stamp stampOf(const struct stat& info)
{
    Stamp stamp;
    stamp.mtimeNs = toNs(info.st_mtim);
    stamp.ctimeNs = toNs(info.st_ctim);
    stamp.inode = info.st_ino;
    stamp.size = static_cast<std::uint64_t>(info.st_size);
    stamp.mode = info.st_mode;
    return stamp;
}

Scanner::Scanner(int root, ScanOptions options) : m_root(root), m_options(std::move(options))
{
    m_tree.entry.kind = Kind::Directory;
}

bool Scanner::hasChanges()
{
    if (m_watcher.drain(m_dirty)) {
        m_full = true;
    }
    return m_full || !m_dirty.empty();
}

void Scanner::tick()
{
    if (!m_options.onProgress) {
        return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - m_lastTick > std::chrono::milliseconds(500)) {
        m_lastTick = now;
        m_options.onProgress();
    }
}

Result<std::vector<Record>> Scanner::scan(bool full)
{
    const auto began = std::chrono::steady_clock::now();
    m_lastTick = began;
    hasChanges();
    full = full || m_full;
    m_unsettled = false;
    m_scanStartNs = wallClockNs();
    struct stat info {};
    if (::fstat(m_root, &info) != 0) {
        return failErrno("Cannot read the workspace folder.", errno);
    }
    m_device = info.st_dev;
    std::set<std::string> dirty;
    dirty.swap(m_dirty);
    Result<void> result;
    if (full) {
        m_watcher.restart();
        result = scanFolder(m_root, "", m_tree, true, 0);
        m_lastFull = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    } else {
        // Parents sort before their children, so a folder that is new or gone is settled by its parent's turn.
        for (const std::string& path : dirty) {
            Node* node = findNode(m_tree, path);
            if (node == nullptr || node->entry.kind != Kind::Directory) {
                continue;
            }
            Result<UniqueFd> opened = path.empty() ? openBeneath(m_root, ".", O_RDONLY | O_DIRECTORY)
                                                   : openBeneath(m_root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (!opened) {
                m_dirty.insert(std::string(parentOf(path)));
                m_unsettled = true;
                continue;
            }
            const std::size_t depth = splitPath(path).size();
            result = scanFolder(opened->get(), path, *node, false, depth);
            if (!result) {
                break;
            }
        }
    }
    if (!result) {
        // What was found so far stands in the tree and in m_changes; the next scan repeats the rest.
        m_full = true;
        return tl::unexpected(result.error());
    }
    m_full = false;
    return std::exchange(m_changes, {});
}

Result<void> Scanner::scanFolder(int folder, const std::string& path, Node& node, bool recursive, std::size_t depth)
{
    if (m_options.cancelled && m_options.cancelled()) {
        return fail(ErrorCode::Cancelled, "The scan was stopped.");
    }
    tick();
    m_watcher.add(folder, path);
    auto names = listNames(folder);
    if (!names) {
        m_dirty.insert(path);
        m_unsettled = true;
        return {};
    }
    bool inGitFolder = isGitName(nameOf(path));
    if (!inGitFolder && m_options.needsContent) {
        Node sketch;
        for (const std::string& name : *names) {
            if (name.size() >= 4 && name.size() <= 9) {
                sketch.children[name];
            }
        }
        inGitFolder = looksLikeRepository(sketch);
    }
    std::set<std::string_view> present(names->begin(), names->end());
    for (auto child = node.children.begin(); child != node.children.end();) {
        const std::string name = child->first;
        ++child;
        if (!present.contains(name)) {
            drop(node, name, joinPath(path, name));
        }
    }
    for (const std::string& name : *names) {
        COLDFRAME_CHECK(scanChild(folder, path, name, inGitFolder, node, recursive, depth));
    }
    return {};
}

Result<void> Scanner::scanChild(int folder, const std::string& path, const std::string& name, bool inGitFolder,
                                Node& node, bool recursive, std::size_t depth)
{
    const std::string childPath = joinPath(path, name);
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) {
            drop(node, name, childPath);
        } else {
            put(node, name, childPath, {Kind::Problem, false, 0, {}, std::strerror(errno)}, {});
        }
        return {};
    }
    const Stamp stamp = stampOf(info);
    if (m_entries > m_options.maxEntries) {
        return fail(ErrorCode::NotAllowed, "The workspace has too many files to keep in step.",
                    "more than " + std::to_string(m_options.maxEntries));
    }
    if (childPath.size() > kMaxPathBytes || depth + 1 > kMaxDepth) {
        put(node, name, childPath, {Kind::Problem, false, 0, {}, "The path is too long or too deep."}, stamp);
        return {};
    }
    if (S_ISREG(info.st_mode)) {
        return scanRegular(folder, path, name, inGitFolder, info, node, childPath);
    }
    if (S_ISLNK(info.st_mode)) {
        char target[PATH_MAX];
        const ssize_t length = ::readlinkat(folder, name.c_str(), target, sizeof target);
        if (length <= 0 || length >= PATH_MAX) {
            m_dirty.insert(path);
            m_unsettled = true;
            return {};
        }
        put(node, name, childPath, {Kind::Symlink, false, 0, {}, std::string(target, static_cast<std::size_t>(length))},
            stamp);
        return {};
    }
    if (!S_ISDIR(info.st_mode)) {
        put(node, name, childPath, {Kind::Untracked, false, 0, {}, "A socket, pipe or device is not copied."}, stamp);
        return {};
    }
    if (info.st_dev != m_device) {
        put(node, name, childPath, {Kind::Problem, false, 0, {}, "Another file system is mounted here."}, stamp);
        return {};
    }
    const auto known = node.children.find(name);
    const bool sameFolder = known != node.children.end() && known->second.entry.kind == Kind::Directory &&
                            known->second.stamp.inode == stamp.inode;
    if (sameFolder && !recursive) {
        return {};
    }
    UniqueFd opened(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!opened) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) {
            m_dirty.insert(path);
            m_unsettled = true;
        } else {
            put(node, name, childPath, {Kind::Problem, false, 0, {}, std::strerror(errno)}, stamp);
        }
        return {};
    }
    put(node, name, childPath, {Kind::Directory, false, 0, {}, {}}, stamp);
    return scanFolder(opened.get(), childPath, node.children.find(name)->second, true, depth + 1);
}

Result<void> Scanner::scanRegular(int folder, const std::string& path, const std::string& name, bool inGitFolder,
                                  const struct stat& info, Node& node, const std::string& childPath)
{
    if ((inGitFolder || name.ends_with(".lock") || name.starts_with("tmp_")) && isGitTransient(childPath, name) &&
        insideGit(childPath)) {
        put(node, name, childPath, {Kind::Untracked, false, 0, {}, "git is at work here."}, stampOf(info));
        return {};
    }
    const Stamp stamp = stampOf(info);
    const auto known = node.children.find(name);
    const bool executable = (info.st_mode & S_IXUSR) != 0;
    if (known != node.children.end() && known->second.stamp.trusted && known->second.stamp.sameFile(stamp) &&
        known->second.stamp.ctimeNs == stamp.ctimeNs) {
        return {};
    }
    if (stamp.size > m_options.maxFileBytes) {
        put(node, name, childPath, {Kind::Problem, false, 0, {}, "The file is larger than the limit for sync."}, stamp);
        return {};
    }
    UniqueFd file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) {
        if (errno == ENOENT || errno == ELOOP) {
            m_dirty.insert(path);
            m_unsettled = true;
        } else {
            put(node, name, childPath, {Kind::Problem, false, 0, {}, std::strerror(errno)}, stamp);
        }
        return {};
    }
    const bool keep = m_options.needsContent && m_options.needsContent(childPath, inGitFolder);
    std::string content;
    Hasher hasher;
    std::uint64_t size = 0;
    char buffer[65536];
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            put(node, name, childPath, {Kind::Problem, false, 0, {}, std::strerror(errno)}, stamp);
            return {};
        }
        if (got == 0) {
            break;
        }
        const std::string_view bytes(buffer, static_cast<std::size_t>(got));
        hasher.update(bytes);
        size += bytes.size();
        if (keep && content.size() <= kContentBytes) {
            content.append(bytes);
        }
        if (size > m_options.maxFileBytes) {
            break;
        }
        tick();
    }
    struct stat after {};
    if (::fstat(file.get(), &after) != 0 || !S_ISREG(after.st_mode) || !stampOf(after).sameFile(stamp) ||
        size != stamp.size) {
        // Written while it was read: what was known before stays until a quiet moment.
        m_dirty.insert(path);
        m_unsettled = true;
        return {};
    }
    Entry entry{Kind::File, executable, size, hasher.finish(), {}};
    if (keep && m_options.present) {
        entry = m_options.present(childPath, inGitFolder, content, entry);
    }
    Stamp settled = stamp;
    settled.trusted = std::max(stamp.mtimeNs, stamp.ctimeNs) + kYoungNs < m_scanStartNs;
    put(node, name, childPath, std::move(entry), settled);
    return {};
}

void Scanner::put(Node& parent, const std::string& name, const std::string& path, Entry entry, const Stamp& stamp)
{
    const auto [position, isNew] = parent.children.try_emplace(name);
    Node& node = position->second;
    if (isNew) {
        ++m_entries;
    }
    if (isNew || !sameContent(node.entry, entry)) {
        if (!node.children.empty() && entry.kind != Kind::Directory) {
            m_entries -= countNodes(node);
            node.children.clear();
        }
        node.entry = std::move(entry);
        m_changes.push_back({path, node.entry});
    }
    node.stamp = stamp;
}

void Scanner::drop(Node& parent, const std::string& name, const std::string& path)
{
    const auto child = parent.children.find(name);
    if (child == parent.children.end()) {
        return;
    }
    m_entries -= 1 + countNodes(child->second);
    parent.children.erase(child);
    m_changes.push_back({path, Entry{}});
}

void Scanner::noteApplied(std::string_view path, const Entry& entry, const Stamp& stamp)
{
    if (entry.kind == Kind::None) {
        if (const Node* gone = findNode(m_tree, path)) {
            m_entries -= 1 + countNodes(*gone);
            removeNode(m_tree, path);
        }
        return;
    }
    const bool isNew = findNode(m_tree, path) == nullptr;
    if (setNode(m_tree, path, entry)) {
        m_entries += isNew ? 1 : 0;
        findNode(m_tree, path)->stamp = stamp;
    }
}

} // namespace coldframe::sync
