// SPDX-License-Identifier: Apache-2.0
#include "sync/trash.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <linux/fs.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>

namespace coldframe::sync {

namespace {

/// Paths are raw bytes: everything outside printable ASCII, and '%', as %XX.
std::string percentEncode(std::string_view text)
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f || c == '%') {
            encoded += {'%', digits[byte >> 4], digits[byte & 15]};
        } else {
            encoded.push_back(c);
        }
    }
    return encoded;
}

std::string percentDecode(std::string_view text)
{
    const auto value = [](char c) { return c >= 'A' ? c - 'A' + 10 : c - '0'; };
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            decoded.push_back(static_cast<char>(value(text[i + 1]) * 16 + value(text[i + 2])));
            i += 2;
        } else {
            decoded.push_back(text[i]);
        }
    }
    return decoded;
}

Result<UniqueFd> openOrMakeFolder(int parent, const char* name)
{
    if (::mkdirat(parent, name, 0700) != 0 && errno != EEXIST) {
        return failErrno("Cannot create the trash folder.", errno);
    }
    return openBeneath(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<std::string> readLink(int folder, const std::string& name)
{
    char target[PATH_MAX];
    const ssize_t length = ::readlinkat(folder, name.c_str(), target, sizeof target);
    if (length <= 0 || length >= PATH_MAX) {
        return failErrno("Cannot read a link.", errno);
    }
    return std::string(target, static_cast<std::size_t>(length));
}

} // namespace

Result<void> copyContent(int from, int to)
{
    if (::ioctl(to, FICLONE, from) != 0) {
        char buffer[65536];
        for (;;) {
            const ssize_t got = ::read(from, buffer, sizeof buffer);
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                return failErrno("Cannot copy a file.", errno);
            }
            if (got == 0) {
                break;
            }
            COLDFRAME_CHECK(writeAll(to, {buffer, static_cast<std::size_t>(got)}));
        }
    }
    if (::fdatasync(to) != 0) {
        return failErrno("Cannot copy a file.", errno);
    }
    return {};
}

Trash::Trash(UniqueFd folder, UniqueFd files, UniqueFd index, std::uint64_t maxBytes)
    : m_folder(std::move(folder)), m_files(std::move(files)), m_index(std::move(index)), m_maxBytes(maxBytes)
{
}

Result<std::unique_ptr<Trash>> Trash::open(const std::filesystem::path& folder, std::uint64_t maxBytes)
{
    COLDFRAME_CHECK(makeFolders(folder, 0700));
    COLDFRAME_TRY(UniqueFd handle, openFolder(folder));
    COLDFRAME_TRY(UniqueFd files, openOrMakeFolder(handle.get(), "files"));
    COLDFRAME_TRY(UniqueFd index, openBeneath(handle.get(), "index.jsonl", O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
    // A line cut short by a kill must not swallow the next one.
    struct stat info {};
    char last = '\n';
    if (::fstat(index.get(), &info) == 0 && info.st_size > 0 &&
        ::pread(index.get(), &last, 1, info.st_size - 1) == 1 && last != '\n') {
        COLDFRAME_CHECK(writeAll(index.get(), "\n"));
    }
    std::unique_ptr<Trash> trash(new Trash(std::move(handle), std::move(files), std::move(index), maxBytes));
    COLDFRAME_TRY(const auto known, trash->entries());
    for (const TrashEntry& entry : known) {
        trash->m_usedBytes += entry.size;
    }
    return trash;
}

Result<void> Trash::append(const TrashEntry& entry)
{
    nlohmann::json line{{"id", entry.id},         {"path", percentEncode(entry.path)},
                        {"when", entry.when},     {"reason", percentEncode(entry.reason)},
                        {"size", entry.size},     {"mode", entry.mode},
                        {"link", percentEncode(entry.linkTarget)}};
    return writeAll(m_index.get(), line.dump() + "\n");
}

Result<void> Trash::keep(int parent, const std::string& name, std::string_view path, const struct stat& info,
                         std::string_view reason)
{
    const std::lock_guard lock(m_mutex);
    return keepLocked(parent, name, path, info, reason);
}

Result<void> Trash::keepLocked(int parent, const std::string& name, std::string_view path, const struct stat& info,
                               std::string_view reason)
{
    TrashEntry entry{randomHex(8), std::string(path),  formatUtc(utcNow()), std::string(reason), {},
                     static_cast<std::uint64_t>(info.st_size), info.st_mode};
    if (S_ISLNK(info.st_mode)) {
        entry.size = 0;
        COLDFRAME_TRY(entry.linkTarget, readLink(parent, name));
        return append(entry);
    }
    COLDFRAME_CHECK(append(entry));
    if (::linkat(parent, name.c_str(), m_files.get(), entry.id.c_str(), 0) != 0) {
        COLDFRAME_TRY(UniqueFd from, openBeneath(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        COLDFRAME_TRY(UniqueFd to, openBeneath(m_files.get(), entry.id, O_WRONLY | O_CREAT | O_EXCL, 0600));
        COLDFRAME_CHECK(copyContent(from.get(), to.get()));
    }
    m_usedBytes += entry.size;
    return {};
}

Result<void> Trash::adopt(int folder, const std::string& name)
{
    const std::lock_guard lock(m_mutex);
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return failErrno("Cannot read a file left by an interruption.", errno);
    }
    COLDFRAME_CHECK(keepLocked(folder, name, "recovered-" + name, info, "found after an interruption"));
    ::unlinkat(folder, name.c_str(), 0);
    return {};
}

Result<std::vector<TrashEntry>> Trash::entries() const
{
    std::string text;
    char buffer[65536];
    for (off_t at = 0;;) {
        const ssize_t got = ::pread(m_index.get(), buffer, sizeof buffer, at);
        if (got < 0) {
            return failErrno("Cannot read the trash.", errno);
        }
        if (got == 0) {
            break;
        }
        text.append(buffer, static_cast<std::size_t>(got));
        at += got;
    }
    std::vector<TrashEntry> list;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto line = nlohmann::json::parse(text.substr(begin, end - begin), nullptr, false);
        begin = end + 1;
        if (!line.is_object()) {
            continue;
        }
        TrashEntry entry;
        entry.id = line.value("id", "");
        entry.path = percentDecode(line.value("path", ""));
        entry.when = line.value("when", "");
        entry.reason = percentDecode(line.value("reason", ""));
        entry.linkTarget = percentDecode(line.value("link", ""));
        entry.size = line.value("size", std::uint64_t(0));
        entry.mode = line.value("mode", std::uint32_t(0));
        struct stat info {};
        const bool isThere = isValidName(entry.id) && (S_ISLNK(entry.mode) ||
                             ::fstatat(m_files.get(), entry.id.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0);
        if (isThere && isValidPath(entry.path)) {
            list.push_back(std::move(entry));
        }
    }
    return list;
}

bool Trash::isFull() const
{
    const std::lock_guard lock(m_mutex);
    return m_usedBytes >= m_maxBytes;
}

Result<void> Trash::restore(int root, const std::string& id)
{
    COLDFRAME_TRY(const auto list, entries());
    const TrashEntry* wanted = nullptr;
    for (const TrashEntry& entry : list) {
        wanted = entry.id == id ? &entry : wanted;
    }
    if (wanted == nullptr) {
        return fail(ErrorCode::NotFound, "There is no such entry in the trash.", id);
    }
    const std::lock_guard lock(m_mutex);
    std::string folderPath;
    UniqueFd folder;
    for (const auto part : splitPath(parentOf(wanted->path))) {
        folderPath = joinPath(folderPath, part);
        const int parent = folder ? folder.get() : root;
        if (::mkdirat(parent, std::string(part).c_str(), 0755) != 0 && errno != EEXIST) {
            return failErrno("Cannot create the folder " + folderPath + ".", errno);
        }
        COLDFRAME_TRY(folder, openBeneath(parent, std::string(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    }
    const int parent = folder ? folder.get() : root;
    const std::string name(nameOf(wanted->path));
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(info.st_mode)) {
            return fail(ErrorCode::AlreadyExists, "A folder stands where the file was: " + wanted->path);
        }
        COLDFRAME_CHECK(keepLocked(parent, name, wanted->path, info, "replaced by a restored file"));
    }
    const std::string temporary = std::string(kReservedName) + "-" + randomHex(6);
    if (S_ISLNK(wanted->mode)) {
        if (::symlinkat(wanted->linkTarget.c_str(), parent, temporary.c_str()) != 0) {
            return failErrno("Cannot restore " + wanted->path + ".", errno);
        }
    } else {
        COLDFRAME_TRY(UniqueFd from, openBeneath(m_files.get(), wanted->id, O_RDONLY | O_NOFOLLOW));
        COLDFRAME_TRY(UniqueFd to, openBeneath(parent, temporary, O_WRONLY | O_CREAT | O_EXCL, wanted->mode & 0777));
        COLDFRAME_CHECK(copyContent(from.get(), to.get()));
    }
    if (::renameat(parent, temporary.c_str(), parent, name.c_str()) != 0) {
        const int error = errno;
        ::unlinkat(parent, temporary.c_str(), 0);
        return failErrno("Cannot restore " + wanted->path + ".", error);
    }
    return {};
}

} // namespace coldframe::sync
