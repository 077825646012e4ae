// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "image/digest.h"
#include "image/image_store.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace coldframe::image {

/// What an exported image says of itself. The file: magic, length and text of this as JSON, then one zstd frame with the disk's
/// content as records (offset u64, length u32, bytes; big-endian), the last of which holds the sha256 of all before it. It is
/// content only: no memory, no kernel, no file names.
struct ArchiveHeader
{
    std::string name{};          ///< a proposal
    std::uint64_t diskBytes = 0; ///< the disk's size
    std::string kernelRelease{}; ///< whose modules are on it
    std::string createdAt{};
    std::string origin{};
    std::map<std::string, std::string> packages{};
};

std::string archiveHeaderToJson(const ArchiveHeader& header);
/// Corrupt on anything that is not such a header. Pure.
Result<ArchiveHeader> archiveHeaderFromJson(const std::string& text);

/// Reads the records of an archive as they come out of the decompression. Pure. Corrupt on a record out of order, beyond the
/// disk's end, too long, on a digest that does not fit, and on anything after it; that sticks.
class ArchiveRecords
{
public:
    using Sink = std::function<Result<void>(std::uint64_t offset, std::string_view bytes)>;
    ArchiveRecords(const std::string& headerText, std::uint64_t diskBytes, Sink sink);
    Result<void> feed(std::string_view bytes);
    /// The last record was there and fits.
    bool isComplete() const { return m_complete; }

private:
    Result<void> step();

    std::uint64_t m_diskBytes;
    Sink m_sink;
    Sha256 m_digest;
    std::string m_pending{};
    std::uint64_t m_next = 0; ///< the least offset that may follow
    bool m_complete = false;
    bool m_failed = false;
};

/// Writes what is not a hole of the raw disk file. The file at `target` appears whole or not at all. AlreadyExists, NoSpace, Cancelled.
Result<void> writeArchive(const std::filesystem::path& rawDisk, const ArchiveHeader& header, const std::filesystem::path& target,
                          const BuildControl& control);

/// Reads an archive into a new raw disk file. Corrupt with a sentence for a file that is foreign, altered or cut off; nothing is
/// to be trusted of the disk then.
Result<ArchiveHeader> readArchive(const std::filesystem::path& file, const std::filesystem::path& rawDisk, const BuildControl& control);

/// Whether the file begins like an archive of ours.
bool isArchive(const std::filesystem::path& file);

} // namespace coldframe::image
