// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "sync/entry.h"

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace coldframe::sync {

struct TrashEntry
{
    std::string id;
    std::string path; ///< relative to the root, raw bytes
    std::string when; ///< RFC 3339
    std::string reason;
    std::string linkTarget; ///< of a symlink
    std::uint64_t size = 0;
    std::uint32_t mode = 0;
};

/// What sync replaced or deleted on the host. `index.jsonl` has a line for each thing, written before the thing is
/// touched; `files/<id>` is its content: a hard link of the old file, or a copy when the trash is on another file
/// system. Any thread.
class Trash
{
public:
    static Result<std::unique_ptr<Trash>> open(const std::filesystem::path& folder, std::uint64_t maxBytes);

    /// Keeps a second name for the file or symlink `name` in `parent`; the original stays where it is.
    Result<void> keep(int parent, const std::string& name, std::string_view path, const struct stat& info,
                      std::string_view reason);
    /// Takes over a file the applier had in its hands when it was interrupted.
    Result<void> adopt(int folder, const std::string& name);

    Result<std::vector<TrashEntry>> entries() const;
    /// Puts an entry back beneath `root`. What stands there now goes to the trash first.
    Result<void> restore(int root, const std::string& id);
    bool isFull() const;

private:
    Trash(UniqueFd folder, UniqueFd files, UniqueFd index, std::uint64_t maxBytes);
    Result<void> append(const TrashEntry& entry);
    Result<void> keepLocked(int parent, const std::string& name, std::string_view path, const struct stat& info,
                            std::string_view reason);

    UniqueFd m_folder;
    UniqueFd m_files;
    UniqueFd m_index;
    std::uint64_t m_maxBytes;
    std::uint64_t m_usedBytes = 0;
    mutable std::mutex m_mutex;
};

/// Copies content and flushes it to disk. Descriptors stand at the start.
Result<void> copyContent(int from, int to);

} // namespace coldframe::sync
