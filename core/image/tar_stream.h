// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "image/recipe.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace coldframe::image {

/// The header blocks of one entry (POSIX.1-1988 ustar, long names by GNU's 'L' and 'K' entries). `name` without a leading slash.
std::string tarHeader(const GatheredFile& entry, const std::string& name, unsigned uid, unsigned gid);

/// Makes a tar stream of gathered files, a piece at a time. Blocking.
class TarStream
{
public:
    /// `agentId` becomes the owner of what the agent is to own, root of the rest.
    TarStream(const std::filesystem::path& folder, const Gathered& gathered, unsigned agentUid, unsigned agentGid);
    /// The next piece, at most about 256 KiB; empty at the end. Io when a file is no longer as it was gathered.
    Result<std::string> next();

private:
    Result<std::string> header();

    std::filesystem::path m_folderPath;
    const Gathered& m_gathered;
    unsigned m_uid;
    unsigned m_gid;
    UniqueFd m_folder;
    UniqueFd m_file;
    std::size_t m_index = 0;
    std::uint64_t m_left = 0;    ///< of the file under way
    std::uint64_t m_padding = 0; ///< after it
    bool m_ended = false;
};

} // namespace coldframe::image
