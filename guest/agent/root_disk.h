// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe::guest {

/// What the superblock of an ext4 file system says (kernel, Documentation/filesystems/ext4/super.rst).
struct ExtSuperblock
{
    std::string label{};
    std::uint64_t blockSize = 0;      ///< bytes
    std::uint64_t blocks = 0;
    std::uint64_t blocksPerGroup = 0;
};

/// Where a superblock begins on its device, and how many bytes of it the parser looks at.
constexpr std::size_t kExtSuperblockOffset = 1024;
constexpr std::size_t kExtSuperblockBytes = 0x154;

/// Pure; nothing when the bytes are not such a superblock.
std::optional<ExtSuperblock> parseExtSuperblock(std::string_view bytes);

/// The superblock of a device; nothing when it cannot be read or has none.
std::optional<ExtSuperblock> readExtSuperblock(const std::filesystem::path& device);

/// How many blocks the file system should have on a device of that size; nothing when it fills it already. What is
/// smaller than a block group is not worth a change.
std::optional<std::uint64_t> grownBlocks(const ExtSuperblock& superblock, std::uint64_t deviceBytes);

/// Grows the file system mounted at `mountPoint` to its device's size; does nothing when it fills it already. The
/// image's is 40 GiB, a sandbox's disk may be larger.
Result<void> growFileSystem(const std::filesystem::path& device, const std::filesystem::path& mountPoint);

} // namespace coldframe::guest
