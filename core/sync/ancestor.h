// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "sync/entry.h"

#include <filesystem>
#include <optional>
#include <string>

namespace coldframe::sync {

/// What both sides last agreed on, and to whom that applies.
struct Ancestor
{
    std::string guestDiskId;
    std::string generation;
    bool seeding = false;          ///< the first copy into an empty guest disk has not been completed
    std::uint64_t rootDevice = 0;  ///< of the host's root folder
    std::uint64_t rootInode = 0;
    bool rootHadEntries = false;
    Node tree{};
};

/// Whole or not at all, with a checksum. Anything that does not verify reads as nothing, which leads to a merge that
/// deletes nothing.
Result<void> saveAncestor(const std::filesystem::path& file, const Ancestor& ancestor);
Result<void> saveEncodedAncestor(const std::filesystem::path& file, const std::string& data);
std::optional<Ancestor> loadAncestor(const std::filesystem::path& file);

/// The same without the file.
std::string encodeAncestor(const Ancestor& ancestor);
std::optional<Ancestor> decodeAncestor(std::string_view data);

} // namespace coldframe::sync
