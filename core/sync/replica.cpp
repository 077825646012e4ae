// SPDX-License-Identifier: Apache-2.0
#include "sync/replica.h"

#include "base/file.h"
#include "base/random.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <time.h>

namespace coldframe::sync {

namespace {

/// Only such names can hold what was taken out of the tree; others are content that had not arrived yet.
constexpr std::string_view kSwapPrefix = "swap-";

OperationResult changed(std::string text) { return {Outcome::Changed, std::move(text)}; }
OperationResult failedWith(int error) { return {Outcome::Failed, std::strerror(error)}; }

mode_t withExecutable(mode_t mode, bool executable)
{
    mode &= 0777;
    return executable ? (mode | ((mode & 0444) >> 2)) : (mode & ~mode_t(0111));
}

Result<UniqueFd> openStaging(const ReplicaOptions& options, int root)
{
    struct stat rootInfo {};
    struct stat info {};
    if (!options.stagingFolder.empty() && makeFolders(options.stagingFolder)) {
        auto folder = openFolder(options.stagingFolder);
        // A rename shows what st_dev does not: bind mounts of one file system.
        if (folder && ::fstat(root, &rootInfo) == 0 && ::fstat(folder->get(), &info) == 0 &&
            info.st_dev == rootInfo.st_dev) {
            const std::string probe = std::string(kReservedName) + "-" + randomHex(6);
            if (::mkdirat(folder->get(), probe.c_str(), 0700) == 0) {
                const bool works = ::renameat(folder->get(), probe.c_str(), root, probe.c_str()) == 0;
                ::unlinkat(works ? root : folder->get(), probe.c_str(), AT_REMOVEDIR);
                if (works) {
                    return folder;
                }
            }
        }
    }
    const std::string name(kReservedName);
    if (::mkdirat(root, name.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("Cannot write in the workspace folder.", errno);
    }
    COLDFRAME_TRY(UniqueFd folder, openBeneath(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (auto ignore = openBeneath(folder.get(), ".gitignore", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644)) {
        COLDFRAME_CHECK(writeAll(ignore->get(), "*\n"));
    }
    return folder;
}

} // namespace

Result<void> StagedFile::write(std::string_view bytes)
{
    COLDFRAME_CHECK(writeAll(m_file.get(), bytes));
    m_hasher.update(bytes);
    m_size += bytes.size();
    return {};
}

bool StagedFile::matches(const Entry& entry) const
{
    return entry.kind == Kind::File && entry.size == m_size && entry.digest == m_hasher.finish();
}

bool Replica::bringsContent(const Operation& operation)
{
    return operation.after.kind == Kind::File &&
           !(operation.before.kind == Kind::File && operation.before.size == operation.after.size &&
             operation.before.digest == operation.after.digest);
}

Result<std::unique_ptr<Replica>> Replica::open(ReplicaOptions options)
{
    COLDFRAME_TRY(UniqueFd root, openFolder(options.root));
    COLDFRAME_TRY(UniqueFd staging, openStaging(options, root.get()));
    std::unique_ptr<Replica> replica(new Replica(std::move(options), std::move(root), std::move(staging)));
    replica->recoverStaging();
    return replica;
}

Replica::Replica(ReplicaOptions options, UniqueFd root, UniqueFd staging)
    : m_options(std::move(options)), m_root(std::move(root)), m_staging(std::move(staging)),
      m_scanner(m_root.get(), m_options.scan)
{
}

Replica::~Replica() = default;

void Replica::recoverStaging()
{
    const int copy = ::openat(m_staging.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
    if (stream == nullptr) {
        return;
    }
    while (const dirent* item = ::readdir(stream)) {
        const std::string name(item->d_name);
        if (name == "." || name == ".." || name == ".gitignore") {
            continue;
        }
        if (name.starts_with(kSwapPrefix) &&
            (m_options.trash == nullptr || !m_options.trash->adopt(m_staging.get(), name))) {
            continue; // rather left here than lost
        }
        ::unlinkat(m_staging.get(), name.c_str(), 0);
    }
    ::closedir(stream);
}

Result<StagedFile> Replica::stage()
{
    StagedFile file;
    file.m_name = "in-" + randomHex(8);
    // The mode passes through the user's umask, like any file the user makes.
    COLDFRAME_TRY(file.m_file,
                  openBeneath(m_staging.get(), file.m_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666));
    return file;
}

void Replica::discard(StagedFile& file)
{
    if (!file.m_name.empty()) {
        ::unlinkat(m_staging.get(), file.m_name.c_str(), 0);
        file.m_name.clear();
    }
}

Result<UniqueFd> Replica::openContent(const std::string& path) const
{
    COLDFRAME_TRY(UniqueFd file, openBeneath(m_root.get(), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return fail(ErrorCode::NotAllowed, "Not a plain file.", path);
    }
    return file;
}

Result<UniqueFd> Replica::openParent(const std::string& path) const
{
    const std::string parent(parentOf(path));
    if (m_options.followLinksForTest) {
        UniqueFd folder(::open((m_options.root / parent).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!folder) {
            return failErrno("Cannot open a folder.", errno);
        }
        return folder;
    }
    return openBeneath(m_root.get(), parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY);
}

OperationResult Replica::apply(const Operation& operation, StagedFile* staged, std::string_view reason)
{
    if (!isValidPath(operation.path)) {
        return {Outcome::Failed, "The path is not allowed."};
    }
    const std::string name(nameOf(operation.path));
    auto parent = openParent(operation.path);
    if (!parent) {
        m_scanner.markChanged(parentOf(parentOf(operation.path)));
        return changed("The folder it belongs to is not there.");
    }
    OperationResult result;
    const Kind after = operation.after.kind;
    if (after == Kind::Directory) {
        result = makeFolder(parent->get(), name, operation);
    } else if (after == Kind::None && operation.before.kind == Kind::Directory) {
        result = removeFolder(parent->get(), name, operation);
    } else if (after == Kind::None) {
        result = take(parent->get(), name, operation, reason);
    } else if (after == Kind::File || after == Kind::Symlink) {
        result = put(parent->get(), name, operation, staged, reason);
    }
    if (result.outcome == Outcome::Changed && operation.before.kind == Kind::None) {
        // Not a change that the next scan would sort out: what stands here is never synced.
        const Node* known = findNode(m_scanner.tree(), operation.path);
        if (known != nullptr && (known->entry.kind == Kind::Untracked || known->entry.kind == Kind::Problem)) {
            result = {Outcome::Failed, "Something that is not synced stands here."};
        }
    }
    if (result.outcome == Outcome::Done) {
        settle(parent->get(), name, operation);
    } else {
        m_scanner.markChanged(parentOf(operation.path));
    }
    return result;
}

OperationResult Replica::makeFolder(int parent, const std::string& name, const Operation& operation)
{
    if (operation.before.kind != Kind::None) {
        return {Outcome::Failed, "Something else stands here."};
    }
    if (::mkdirat(parent, name.c_str(), 0777) != 0) {
        return errno == EEXIST ? changed("Something else stands here.") : failedWith(errno);
    }
    return {Outcome::Done, {}};
}

OperationResult Replica::removeFolder(int parent, const std::string& name, const Operation&)
{
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0) {
        return {Outcome::Done, {}};
    }
    if (errno == ENOTEMPTY || errno == EEXIST) {
        return {Outcome::Failed, "The folder holds things that are not synced, so it stays."};
    }
    return errno == ENOENT || errno == ENOTDIR ? changed("The folder changed meanwhile.") : failedWith(errno);
}

std::optional<OperationResult> Replica::checkTarget(int parent, const std::string& name, const Operation& operation,
                                                    struct stat& info) const
{
    const bool exists = ::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (!exists && errno != ENOENT) {
        return failedWith(errno);
    }
    if (operation.before.kind == Kind::None) {
        return exists ? std::optional(changed("Something else stands here.")) : std::nullopt;
    }
    const Node* known = findNode(m_scanner.tree(), operation.path);
    if (!exists || known == nullptr || !sameContent(known->entry, operation.before)) {
        return changed("It changed meanwhile.");
    }
    if (operation.before.kind == Kind::File) {
        if (!S_ISREG(info.st_mode) || !stampOf(info).sameFile(known->stamp)) {
            return changed("It changed meanwhile.");
        }
        if (!known->stamp.trusted) {
            // Too young for its stamp to prove anything: read it again.
            const int file = ::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
            UniqueFd owner(file);
            Hasher hasher;
            char buffer[65536];
            ssize_t got = -1;
            while (file >= 0 && (got = ::read(file, buffer, sizeof buffer)) > 0) {
                hasher.update({buffer, static_cast<std::size_t>(got)});
            }
            if (got < 0 || hasher.finish() != operation.before.digest) {
                return changed("It changed meanwhile.");
            }
        }
        return std::nullopt;
    }
    if (operation.before.kind == Kind::Symlink) {
        char target[PATH_MAX];
        const ssize_t length = ::readlinkat(parent, name.c_str(), target, sizeof target);
        if (length < 0 || std::string_view(target, static_cast<std::size_t>(length)) != operation.before.text) {
            return changed("It changed meanwhile.");
        }
        return std::nullopt;
    }
    return OperationResult{Outcome::Failed, "Something else stands here."};
}

/// What lies in the staging folder under `name` is the very file that was checked.
bool Replica::isSwapped(const std::string& name, const struct stat& expected) const
{
    struct stat info {};
    return ::fstatat(m_staging.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_dev == expected.st_dev &&
           stampOf(info).sameFile(stampOf(expected));
}

OperationResult Replica::put(int parent, const std::string& name, const Operation& operation, StagedFile* staged,
                             std::string_view reason)
{
    struct stat info {};
    if (auto problem = checkTarget(parent, name, operation, info)) {
        return *problem;
    }
    if (operation.after.kind == Kind::File && !bringsContent(operation)) {
        // Only the executable bit. The handle, not the name, is changed.
        UniqueFd file(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        struct stat opened {};
        if (!file || ::fstat(file.get(), &opened) != 0 || opened.st_ino != info.st_ino) {
            return changed("It changed meanwhile.");
        }
        return ::fchmod(file.get(), withExecutable(opened.st_mode, operation.after.executable)) == 0
                   ? OperationResult{Outcome::Done, {}}
                   : failedWith(errno);
    }
    const std::string swap = std::string(kSwapPrefix) + randomHex(8);
    if (operation.after.kind == Kind::Symlink) {
        if (::symlinkat(operation.after.text.c_str(), m_staging.get(), swap.c_str()) != 0) {
            return failedWith(errno);
        }
    } else {
        if (staged == nullptr || !staged->matches(operation.after)) {
            return changed("The content changed while it was copied.");
        }
        struct stat own {};
        const int file = staged->m_file.get();
        if (::fstat(file, &own) != 0) {
            return failedWith(errno);
        }
        const mode_t base = S_ISREG(info.st_mode) && operation.before.kind == Kind::File ? info.st_mode : own.st_mode;
        const mode_t mode = withExecutable(base, operation.after.executable);
        if (::fchmod(file, mode) != 0) {
            return failedWith(errno);
        }
        if (m_options.keepTimes && operation.mtimeNs > 0) {
            const timespec when{operation.mtimeNs / 1'000'000'000, operation.mtimeNs % 1'000'000'000};
            const timespec times[2] = {when, when};
            ::futimens(file, times);
        }
        if (::renameat(m_staging.get(), staged->m_name.c_str(), m_staging.get(), swap.c_str()) != 0) {
            return failedWith(errno);
        }
        staged->m_name.clear();
    }
    const auto drop = [&] { ::unlinkat(m_staging.get(), swap.c_str(), 0); };
    if (operation.before.kind == Kind::None) {
        if (::renameat2(m_staging.get(), swap.c_str(), parent, name.c_str(), RENAME_NOREPLACE) != 0) {
            const int error = errno;
            drop();
            return error == EEXIST ? changed("Something else stands here.") : failedWith(error);
        }
        return {Outcome::Done, {}};
    }
    if (m_options.trash != nullptr) {
        if (auto kept = m_options.trash->keep(parent, name, operation.path, info, reason); !kept) {
            drop();
            return {Outcome::Failed, kept.error().message};
        }
    }
    if (::renameat2(m_staging.get(), swap.c_str(), parent, name.c_str(), RENAME_EXCHANGE) != 0) {
        const int error = errno;
        drop();
        return error == ENOENT ? changed("It changed meanwhile.") : failedWith(error);
    }
    if (!isSwapped(swap, info)) {
        // Someone was faster between the check and the swap: their file goes back. RACE: a third write in this
        // instant lands in the staging folder and from there, at the next start, in the trash.
        ::renameat2(m_staging.get(), swap.c_str(), parent, name.c_str(), RENAME_EXCHANGE);
        drop();
        return changed("It changed meanwhile.");
    }
    drop();
    return {Outcome::Done, {}};
}

OperationResult Replica::take(int parent, const std::string& name, const Operation& operation, std::string_view reason)
{
    struct stat info {};
    if (auto problem = checkTarget(parent, name, operation, info)) {
        return *problem;
    }
    if (m_options.trash != nullptr) {
        if (auto kept = m_options.trash->keep(parent, name, operation.path, info, reason); !kept) {
            return {Outcome::Failed, kept.error().message};
        }
    }
    const std::string swap = std::string(kSwapPrefix) + randomHex(8);
    if (::renameat2(parent, name.c_str(), m_staging.get(), swap.c_str(), RENAME_NOREPLACE) != 0) {
        return errno == ENOENT ? changed("It changed meanwhile.") : failedWith(errno);
    }
    if (!isSwapped(swap, info)) {
        // When the name was taken again meanwhile, ours stays in the staging folder and goes to the trash later.
        ::renameat2(m_staging.get(), swap.c_str(), parent, name.c_str(), RENAME_NOREPLACE);
        return changed("It changed meanwhile.");
    }
    ::unlinkat(m_staging.get(), swap.c_str(), 0);
    return {Outcome::Done, {}};
}

void Replica::settle(int parent, const std::string& name, const Operation& operation)
{
    if (operation.after.kind == Kind::None) {
        m_scanner.noteApplied(operation.path, operation.after, {});
        return;
    }
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        m_scanner.markChanged(parentOf(operation.path));
        return;
    }
    Stamp stamp = stampOf(info);
    // With a modification time of the past any later write shows; without, the next scan reads the file once more.
    stamp.trusted = operation.after.kind != Kind::File ||
                    (m_options.keepTimes && operation.mtimeNs > 0 && stamp.mtimeNs == operation.mtimeNs &&
                     stamp.size == operation.after.size && stamp.ctimeNs - stamp.mtimeNs > 1'000'000'000);
    m_scanner.noteApplied(operation.path, operation.after, stamp);
    if (operation.after.kind == Kind::Directory) {
        // Not yet watched; reading it sets the watch.
        if (Node* node = findNode(m_scanner.tree(), operation.path)) {
            node->stamp.inode = 0;
        }
        m_scanner.markChanged(parentOf(operation.path));
    }
}

} // namespace coldframe::sync
