// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include "base/random.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

namespace coldframe {

Result<std::string> readFile(const std::filesystem::path& path, std::size_t maxBytes)
{
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return failErrno("Cannot open " + path.string() + ".", errno);
    }
    std::string content;
    char buffer[65536];
    for (;;) {
        const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failErrno("Cannot read " + path.string() + ".", errno);
        }
        if (got == 0) {
            return content;
        }
        content.append(buffer, static_cast<std::size_t>(got));
        if (content.size() > maxBytes) {
            return fail(ErrorCode::Corrupt, path.string() + " is larger than expected.");
        }
    }
}

Result<void> writeAll(int fd, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t put = ::write(fd, data.data(), data.size());
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failErrno("Cannot write.", errno);
        }
        data.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

namespace {

Result<void> writeAndRename(const std::filesystem::path& path, std::string_view content, mode_t mode, bool sync)
{
    const std::filesystem::path temporary = path.string() + ".new-" + randomHex(6);
    UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd) {
        return failErrno("Cannot create " + temporary.string() + ".", errno);
    }
    auto written = writeAll(fd.get(), content);
    if (written && sync && ::fsync(fd.get()) != 0) {
        written = failErrno("Cannot write " + path.string() + ".", errno);
    }
    fd.reset();
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
        written = failErrno("Cannot replace " + path.string() + ".", errno);
    }
    if (!written) {
        ::unlink(temporary.c_str());
    }
    return written;
}

} // namespace

Result<void> writeFileAtomic(const std::filesystem::path& path, std::string_view content, mode_t mode)
{
    COLDFRAME_CHECK(writeAndRename(path, content, mode, true));
    if (auto folder = openFolder(path.parent_path())) {
        ::fsync(folder->get());
    }
    return {};
}

Result<void> replaceFile(const std::filesystem::path& path, std::string_view content, mode_t mode)
{
    return writeAndRename(path, content, mode, false);
}

Result<void> makeFolders(const std::filesystem::path& path, mode_t mode)
{
    if (path.empty() || path == path.root_path()) {
        return {};
    }
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) {
            return {};
        }
        return fail(ErrorCode::AlreadyExists, path.string() + " exists and is not a folder.");
    }
    COLDFRAME_CHECK(makeFolders(path.parent_path(), 0755));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
        return failErrno("Cannot create the folder " + path.string() + ".", errno);
    }
    return {};
}

Result<UniqueFd> openBeneath(int folder, const std::string& relativePath, int flags, mode_t mode)
{
    struct open_how how {};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
    how.mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    for (int attempt = 0;; ++attempt) {
        const long fd = ::syscall(SYS_openat2, folder, relativePath.c_str(), &how, sizeof how);
        if (fd >= 0) {
            return UniqueFd(static_cast<int>(fd));
        }
        if ((errno == EAGAIN || errno == EINTR) && attempt < 64) {
            continue;
        }
        if (errno == EXDEV || errno == ELOOP) {
            return fail(ErrorCode::NotAllowed, "The path leaves its folder: " + relativePath,
                        errno == ELOOP ? "symlink on the way" : "beneath check");
        }
        return failErrno("Cannot open " + relativePath + ".", errno);
    }
}

Result<UniqueFd> openFolder(const std::filesystem::path& path)
{
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        return failErrno("Cannot open the folder " + path.string() + ".", errno);
    }
    return fd;
}

Result<std::uint64_t> freeBytes(const std::filesystem::path& path)
{
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) {
        return failErrno("Cannot tell how much space is left in “" + path.string() + "”.", errno);
    }
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

} // namespace coldframe
