// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

namespace coldframe::sync {

/// A *seed disk* is the quick way for content into a microVM: a sparse file on the host that the microVM has from its first
/// moment on as a read-only disk, since microvm has no hot-plug. Its console ports bring a guest 4 KiB with each read;
/// from a disk it reads a piece at once. The host writes a piece into the file and says on the sync stream where it lies, the
/// guest reads it there, past its page cache, and says so; then the place is used again. So the file never holds more than a
/// window for each workspace, and nothing when no content is on its way.
///
/// One piece in each of a window's places. The first and last part of the disk stay empty: a kernel and whoever looks for file systems read
/// there, and nothing in a workspace may look like one.
inline constexpr std::uint32_t kSeedPieceBytes = 1u << 20;
inline constexpr std::uint32_t kSeedPlaces = 16; ///< of a window
inline constexpr std::uint32_t kSeedWindows = 8;
inline constexpr std::uint32_t kSeedAlignment = 4096; ///< of a piece's offset; direct I/O needs no more on any disk
inline constexpr std::uint64_t kSeedWindowBytes = std::uint64_t{kSeedPieceBytes} * kSeedPlaces;
inline constexpr std::uint64_t kSeedDiskBytes = kSeedWindowBytes * kSeedWindows + 2 * std::uint64_t{kSeedPieceBytes};

/// Makes the file, empty, in the place of an older one. Before the microVM starts.
Result<void> makeSeedDisk(const std::filesystem::path& path);

class SeedWindow;

/// The host's end of one sandbox's seed disk. Any thread.
class SeedDisk : public std::enable_shared_from_this<SeedDisk>
{
public:
    /// Takes the file over and empties it. NotFound where there is none: a microVM of an older Coldframe.
    static Result<std::shared_ptr<SeedDisk>> open(const std::filesystem::path& path);

    /// Nothing when all are in use.
    std::optional<SeedWindow> take();

private:
    friend class SeedWindow;
    explicit SeedDisk(UniqueFd file) : m_file(std::move(file)) {}
    void clear(std::uint64_t offset, std::uint64_t length);

    UniqueFd m_file;
    std::mutex m_mutex;
    bool m_taken[kSeedWindows] = {};
};

/// A part of a seed disk for one exchange; emptied and given back on destruction.
class SeedWindow
{
public:
    SeedWindow(SeedWindow&&) noexcept = default;
    SeedWindow& operator=(SeedWindow&&) = delete;
    ~SeedWindow();

    /// Where a place lies on the disk.
    std::uint64_t offsetOf(std::uint64_t place) const;
    /// Writes at `position` of a place; an error means that the host has no room.
    Result<void> write(std::uint64_t place, std::uint32_t position, std::string_view bytes);

private:
    friend class SeedDisk;
    SeedWindow(std::shared_ptr<SeedDisk> disk, std::uint32_t number) : m_disk(std::move(disk)), m_number(number) {}

    std::shared_ptr<SeedDisk> m_disk;
    std::uint32_t m_number;
    std::uint64_t m_used = 0; ///< bytes from the window's start on that may hold something
};

/// The guest's end: the device, opened O_DIRECT so that nothing of an earlier piece comes out of a cache, or a file in tests.
class SeedReader
{
public:
    explicit SeedReader(int device); ///< borrowed; -1: there is none

    std::uint64_t size() const { return m_size; } ///< 0: no disk
    /// Whether that can be a piece of this disk.
    bool isPiece(std::uint64_t offset, std::uint32_t length) const;
    /// The bytes stay until the next call.
    Result<std::string_view> read(std::uint64_t offset, std::uint32_t length);
    void rest() { m_buffer.reset(); } ///< gives its memory back

private:
    struct Free
    {
        void operator()(char* memory) const;
    };
    int m_device;
    std::uint64_t m_size = 0;
    std::unique_ptr<char, Free> m_buffer;
};

} // namespace coldframe::sync
