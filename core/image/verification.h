// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "image/manifest.h"

#include <filesystem>
#include <mutex>
#include <string>

namespace coldframe::image {

/// The file's sha256 as lower-case hex, read in pieces.
Result<std::string> sha256OfFile(const std::filesystem::path& path);

/// Compares files with the digests they must have. A digest that was read once is kept with the file's device,
/// inode, size, mtime and ctime in `stampFile`, so a file that nobody touched is not read again.
/// The stamp guards against damage and mistakes, not against the user's own forgery. Any thread.
class Verification
{
public:
    explicit Verification(std::filesystem::path stampFile);

    /// The digest, from the stamp when the file is as it was then.
    Result<std::string> digest(const std::filesystem::path& path);
    /// NotFound or Corrupt, the message naming the part.
    Result<void> check(const std::filesystem::path& path, const Manifest::Part& expected);
    /// Every part of the folder's manifest.
    Result<void> checkAll(const std::filesystem::path& folder, const Manifest& manifest);

private:
    std::filesystem::path m_stampFile;
    std::mutex m_mutex;
};

} // namespace coldframe::image
