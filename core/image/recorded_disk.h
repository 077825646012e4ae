// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "image/image_archive.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace coldframe::image {

/// A new raw disk file (sparse) that is filled from foreign records: nothing lands outside it, and it never takes the last of the
/// storage. Blocking; one thread at a time.
class RecordedDisk
{
public:
    /// AlreadyExists, or why the file cannot be made.
    static Result<std::shared_ptr<RecordedDisk>> create(const std::filesystem::path& file, const std::string& headerText,
                                                        std::uint64_t diskBytes);
    /// Corrupt (ArchiveRecords), NoSpace, Io.
    Result<void> feed(std::string_view bytes);
    bool isComplete() const { return m_records.isComplete(); }

private:
    RecordedDisk(std::filesystem::path path, UniqueFd file, const std::string& headerText, std::uint64_t diskBytes);
    Result<void> write(std::uint64_t offset, std::string_view bytes);

    std::filesystem::path m_path;
    UniqueFd m_file;
    ArchiveRecords m_records;
    std::uint64_t m_sinceCheck = 0;
};

/// Bytes that may still be written beside `path` while its storage keeps a reserve; 0 when there are none.
std::uint64_t spareBytes(const std::filesystem::path& path);

} // namespace coldframe::image
