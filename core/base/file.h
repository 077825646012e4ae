// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace coldframe {

/// Reads a whole regular file; Corrupt when it is longer than maxBytes.
Result<std::string> readFile(const std::filesystem::path& path, std::size_t maxBytes = 64u << 20);

/// Whole or not at all: temporary file beside it, fsync, rename, fsync of the folder.
Result<void> writeFileAtomic(const std::filesystem::path& path, std::string_view content, mode_t mode = 0600);

/// As writeFileAtomic() for those who look, but not on the disk when it returns: a power cut may leave the old content, the new
/// one or an empty file. For what is written anew at the next start anyway.
Result<void> replaceFile(const std::filesystem::path& path, std::string_view content, mode_t mode = 0600);

/// mkdir -p; the last folder gets `mode` when it is created here.
Result<void> makeFolders(const std::filesystem::path& path, mode_t mode = 0700);

/// openat2(2) beneath `folder`: refuses "..", absolute paths, and (unless allowed) every symlink on the way
/// and magic links. The one way untrusted relative paths are opened. NotAllowed on any escape.
Result<UniqueFd> openBeneath(int folder, const std::string& relativePath, int flags, mode_t mode = 0);

/// Opens a folder O_PATH-free (O_DIRECTORY|O_CLOEXEC|O_NOFOLLOW).
Result<UniqueFd> openFolder(const std::filesystem::path& path);

/// What an ordinary user may still write to the file system that `path` is on, in bytes.
Result<std::uint64_t> freeBytes(const std::filesystem::path& path);

/// Writes everything or fails; retries EINTR. Blocking descriptors only.
Result<void> writeAll(int fd, std::string_view data);

} // namespace coldframe
