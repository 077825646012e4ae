// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/root_disk.h"

#include "base/unique_fd.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

constexpr std::size_t kBlocksLow = 0x04;
constexpr std::size_t kLogBlockSize = 0x18;
constexpr std::size_t kBlocksPerGroup = 0x20;
constexpr std::size_t kMagic = 0x38;
constexpr std::size_t kIncompatible = 0x60;
constexpr std::size_t kLabel = 0x78;
constexpr std::size_t kLabelBytes = 16;
constexpr std::size_t kBlocksHigh = 0x150;
constexpr std::uint32_t kIncompatible64Bit = 0x80;
constexpr std::uint32_t kMaxLogBlockSize = 6; // 64 KiB

/// fs/ext4/ext4.h; the kernel does not export it.
constexpr unsigned long kResizeFileSystem = _IOW('f', 16, std::uint64_t);

std::uint32_t read32(std::string_view bytes, std::size_t at)
{
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) {
        value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
    }
    return value;
}

} // namespace

std::optional<ExtSuperblock> parseExtSuperblock(std::string_view bytes)
{
    if (bytes.size() < kExtSuperblockBytes || bytes[kMagic] != '\x53' || bytes[kMagic + 1] != '\xEF') {
        return std::nullopt;
    }
    const std::uint32_t logBlockSize = read32(bytes, kLogBlockSize);
    if (logBlockSize > kMaxLogBlockSize) {
        return std::nullopt;
    }
    ExtSuperblock superblock;
    superblock.label = std::string(bytes.substr(kLabel, ::strnlen(bytes.data() + kLabel, kLabelBytes)));
    superblock.blockSize = std::uint64_t{1024} << logBlockSize;
    superblock.blocks = read32(bytes, kBlocksLow);
    if ((read32(bytes, kIncompatible) & kIncompatible64Bit) != 0) {
        superblock.blocks |= std::uint64_t{read32(bytes, kBlocksHigh)} << 32;
    }
    superblock.blocksPerGroup = read32(bytes, kBlocksPerGroup);
    return superblock;
}

std::optional<ExtSuperblock> readExtSuperblock(const std::filesystem::path& device)
{
    const UniqueFd disk(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, kExtSuperblockBytes> block{};
    if (!disk || ::pread(disk.get(), block.data(), block.size(), kExtSuperblockOffset) != static_cast<ssize_t>(block.size())) {
        return std::nullopt;
    }
    return parseExtSuperblock({block.data(), block.size()});
}

std::optional<std::uint64_t> grownBlocks(const ExtSuperblock& superblock, std::uint64_t deviceBytes)
{
    const std::uint64_t possible = deviceBytes / superblock.blockSize;
    if (possible < superblock.blocks + superblock.blocksPerGroup) {
        return std::nullopt;
    }
    return possible;
}

Result<void> growFileSystem(const std::filesystem::path& device, const std::filesystem::path& mountPoint)
{
    const UniqueFd disk(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
    std::uint64_t deviceBytes = 0;
    const auto superblock = readExtSuperblock(device);
    if (!disk || !superblock || ::ioctl(disk.get(), BLKGETSIZE64, &deviceBytes) != 0) {
        return fail(ErrorCode::Io, "The size of the sandbox's disk cannot be read.", device.string());
    }
    const auto blocks = grownBlocks(*superblock, deviceBytes);
    if (!blocks) {
        return {};
    }
    const UniqueFd folder(::open(mountPoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::ioctl(folder.get(), kResizeFileSystem, &*blocks) != 0) {
        return failErrno("The file system cannot be made as large as the sandbox's disk.", errno);
    }
    return {};
}

} // namespace coldframe::guest
