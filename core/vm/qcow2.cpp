// SPDX-License-Identifier: Apache-2.0
#include "vm/qcow2.h"

#include "base/unique_fd.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::vm {
namespace {

constexpr std::uint32_t kMagic = 0x514649fb; // "QFI\xfb"
constexpr std::size_t kHeaderBytes = 64u << 10;
constexpr std::size_t kVersion2Length = 72;
constexpr std::size_t kVersion3MinimumLength = 104;
constexpr std::size_t kMaxBackingName = 1023; // qcow2.txt: "Must not be longer than 1023 bytes"
constexpr std::uint64_t kIncompatibleExternalData = 1u << 2;
constexpr std::uint32_t kExtensionEnd = 0;
constexpr std::uint32_t kExtensionBackingFormat = 0xE2792ACA;

std::uint32_t read32(std::string_view bytes, std::size_t offset)
{
    std::uint32_t value = 0;
    for (std::size_t index = 0; index < 4; ++index) {
        value = (value << 8) | static_cast<unsigned char>(bytes[offset + index]);
    }
    return value;
}

std::uint64_t read64(std::string_view bytes, std::size_t offset)
{
    return (std::uint64_t{read32(bytes, offset)} << 32) | read32(bytes, offset + 4);
}

tl::unexpected<Error> corrupt(const std::string& detail)
{
    return fail(ErrorCode::Corrupt, "The disk file is not a valid qcow2 image.", detail);
}

Result<std::string> readFront(const std::filesystem::path& path)
{
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return failErrno("The disk file “" + path.string() + "” cannot be opened.", errno);
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return fail(ErrorCode::Corrupt, "“" + path.string() + "” is not a regular file and cannot be a disk.");
    }
    std::string bytes(kHeaderBytes, '\0');
    std::size_t size = 0;
    while (size < bytes.size()) {
        const ssize_t got = ::pread(fd.get(), bytes.data() + size, bytes.size() - size, static_cast<off_t>(size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("The disk file “" + path.string() + "” cannot be read.", errno);
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
    }
    bytes.resize(size);
    return bytes;
}

const char* formatName(DiskFormat format)
{
    return format == DiskFormat::Qcow2 ? "qcow2" : "raw";
}

Result<void> verifyLayer(const std::filesystem::path& path, DiskFormat format, const ReadOnlyDisk* below)
{
    const std::string name = "“" + path.string() + "”";
    if (format == DiskFormat::Raw) {
        if (below != nullptr) {
            return fail(ErrorCode::Corrupt, "The raw disk " + name + " cannot have a backing file.");
        }
        COLDFRAME_TRY(auto bytes, readFront(path));
        return {};
    }
    auto header = readQcow2Header(path);
    if (!header) {
        return tl::unexpected(header.error());
    }
    const std::string remedy = " Reset the sandbox to start from a fresh disk.";
    if (header->hasExternalDataFile || header->isEncrypted) {
        return fail(ErrorCode::Corrupt, "The disk " + name + " refers to another file or is encrypted, which Coldframe never makes." + remedy);
    }
    const std::string expectedFile = below != nullptr ? below->path.string() : std::string();
    const std::string expectedFormat = below != nullptr ? formatName(below->format) : "";
    if (header->backingFile != expectedFile || (below != nullptr && header->backingFormat != expectedFormat)) {
        return fail(ErrorCode::Corrupt, "The disk " + name + " is not built on the image it belongs to." + remedy,
                    "backing file “" + header->backingFile + "” (" + header->backingFormat + "), expected “"
                        + expectedFile + "” (" + expectedFormat + ")");
    }
    return {};
}

} // namespace

Result<Qcow2Header> parseQcow2Header(std::string_view bytes)
{
    if (bytes.size() < kVersion2Length || read32(bytes, 0) != kMagic) {
        return corrupt("no qcow2 magic");
    }
    Qcow2Header header;
    header.version = read32(bytes, 4);
    if (header.version != 2 && header.version != 3) {
        return corrupt("version " + std::to_string(header.version));
    }
    const std::uint64_t backingOffset = read64(bytes, 8);
    const std::uint32_t backingLength = read32(bytes, 16);
    header.virtualSize = read64(bytes, 24);
    header.isEncrypted = read32(bytes, 32) != 0;
    std::size_t headerLength = kVersion2Length;
    if (header.version == 3) {
        if (bytes.size() < kVersion3MinimumLength) {
            return corrupt("short version 3 header");
        }
        header.hasExternalDataFile = (read64(bytes, 72) & kIncompatibleExternalData) != 0;
        headerLength = read32(bytes, 100);
        if (headerLength < kVersion3MinimumLength || headerLength > bytes.size()) {
            return corrupt("header length");
        }
    }
    if (backingOffset != 0) {
        if (backingLength > kMaxBackingName || backingOffset > bytes.size()
            || backingLength > bytes.size() - backingOffset) {
            return corrupt("backing file name");
        }
        header.backingFile = bytes.substr(backingOffset, backingLength);
    }
    const std::size_t extensionsEnd = backingOffset != 0 ? static_cast<std::size_t>(backingOffset) : bytes.size();
    std::size_t at = headerLength;
    while (at + 8 <= extensionsEnd) {
        const std::uint32_t type = read32(bytes, at);
        const std::uint32_t length = read32(bytes, at + 4);
        at += 8;
        if (type == kExtensionEnd) {
            break;
        }
        if (length > extensionsEnd - at) {
            return corrupt("header extension");
        }
        if (type == kExtensionBackingFormat) {
            header.backingFormat = bytes.substr(at, length);
        }
        at += (std::size_t{length} + 7) & ~std::size_t{7};
    }
    return header;
}

Result<Qcow2Header> readQcow2Header(const std::filesystem::path& path)
{
    COLDFRAME_TRY(auto bytes, readFront(path));
    auto header = parseQcow2Header(bytes);
    if (!header) {
        return fail(ErrorCode::Corrupt, "The disk file “" + path.string() + "” is damaged or not a qcow2 image.",
                    header.error().detail);
    }
    return header;
}

namespace {

Result<void> verifyChain(const std::vector<ReadOnlyDisk>& chain)
{
    for (std::size_t index = 0; index < chain.size(); ++index) {
        const ReadOnlyDisk* below = index + 1 < chain.size() ? &chain[index + 1] : nullptr;
        COLDFRAME_CHECK(verifyLayer(chain[index].path, chain[index].format, below));
    }
    return {};
}

/// Runs qemu-img create with these arguments, the size last, and gives the file its name when it is whole.
Result<void> createDisk(ProcessRunner& runner, const std::vector<std::string>& options, const std::filesystem::path& path,
                        std::uint64_t virtualSize)
{
    const std::string temporary = path.string() + ".new";
    ::unlink(temporary.c_str());
    ProcessSpec spec;
    spec.arguments = {"qemu-img", "create", "-q", "-f", "qcow2"};
    spec.arguments.insert(spec.arguments.end(), options.begin(), options.end());
    spec.arguments.push_back(temporary);
    if (virtualSize != 0) {
        spec.arguments.push_back(std::to_string(virtualSize));
    }
    auto result = runner.run(spec);
    if (!result) {
        ::unlink(temporary.c_str());
        return fail(ErrorCode::Unavailable, "qemu-img could not be run. Install the package qemu-utils (Debian, Ubuntu) or "
                                            "qemu-img (Fedora).", result.error().message + " " + result.error().detail);
    }
    if (result->exitCode != 0) {
        ::unlink(temporary.c_str());
        const bool full = result->standardError.find("No space left") != std::string::npos;
        return fail(full ? ErrorCode::NoSpace : ErrorCode::Io,
                    full ? "There is no space left for the sandbox's disk in “" + path.parent_path().string() + "”. Free some space and try again."
                         : "The sandbox's disk “" + path.string() + "” could not be created.", result->standardError);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        return failErrno("The sandbox's disk “" + path.string() + "” could not be created.", error);
    }
    return {};
}

} // namespace

Result<void> createOverlay(ProcessRunner& runner, const std::vector<ReadOnlyDisk>& chain, const std::filesystem::path& path,
                           std::uint64_t virtualSize)
{
    // qemu-img reads "json:…" and "scheme:…" as more than file names; an absolute path is never one of those.
    if (chain.empty() || !chain[0].path.is_absolute() || !path.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The paths of disks must be absolute.");
    }
    if (::access(path.c_str(), F_OK) == 0) {
        return fail(ErrorCode::AlreadyExists, "There is already a disk “" + path.string() + "”.");
    }
    COLDFRAME_CHECK(verifyChain(chain));
    if (chain[0].format == DiskFormat::Qcow2 && virtualSize != 0) {
        COLDFRAME_TRY(auto header, readQcow2Header(chain[0].path));
        if (virtualSize < header.virtualSize) {
            return fail(ErrorCode::InvalidArgument, "The disk must be at least as large as the image, which has "
                            + std::to_string((header.virtualSize + (1u << 30) - 1) >> 30) + " GiB.");
        }
    }
    // A guest's first writes are a few KiB each, all over the disk, and each takes a whole cluster: with QEMU's usual 64 KiB a fresh
    // sandbox is three times as large. QEMU's usual cache of 32 MiB still maps all of a disk of 64 GiB.
    return createDisk(runner, {"-o", "cluster_size=16k", "-F", formatName(chain[0].format), "-b", chain[0].path.string()}, path, virtualSize);
}

Result<void> ensureEmptyDisk(ProcessRunner& runner, const std::filesystem::path& path, std::uint64_t virtualSize)
{
    const auto header = readQcow2Header(path);
    if (header && header->virtualSize == virtualSize && header->backingFile.empty() && !header->hasExternalDataFile) {
        return {};
    }
    return createDisk(runner, {}, path, virtualSize);
}

Result<void> growOverlay(ProcessRunner& runner, const std::filesystem::path& path, std::uint64_t virtualSize)
{
    COLDFRAME_TRY(const auto header, readQcow2Header(path));
    if (header.virtualSize >= virtualSize) {
        return {};
    }
    ProcessSpec spec;
    spec.arguments = {"qemu-img", "resize", "-q", "-f", "qcow2", path.string(), std::to_string(virtualSize)};
    const auto result = runner.run(spec);
    if (!result || result->exitCode != 0) {
        return fail(ErrorCode::Io, "The sandbox's disk “" + path.string() + "” could not be enlarged.",
                    result ? result->standardError : result.error().message);
    }
    return {};
}

Result<void> verifyDisks(const MachineDescription& machine)
{
    const auto& chain = machine.backingChain;
    COLDFRAME_CHECK(verifyLayer(machine.overlay, DiskFormat::Qcow2, chain.empty() ? nullptr : &chain[0]));
    COLDFRAME_CHECK(verifyChain(chain));
    for (const auto& disk : machine.readOnlyDisks) {
        COLDFRAME_CHECK(verifyLayer(disk.path, disk.format, nullptr));
    }
    return {};
}

} // namespace coldframe::vm
