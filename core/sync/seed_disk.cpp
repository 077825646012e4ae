// SPDX-License-Identifier: Apache-2.0
#include "sync/seed_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>

namespace coldframe::sync {

Result<void> makeSeedDisk(const std::filesystem::path& path)
{
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return failErrno("An old seed disk cannot be removed.", errno);
    }
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(kSeedDiskBytes)) != 0) {
        return failErrno("The seed disk cannot be made.", errno);
    }
    return {};
}

Result<std::shared_ptr<SeedDisk>> SeedDisk::open(const std::filesystem::path& path)
{
    UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0) {
        return failErrno("The seed disk cannot be opened.", errno);
    }
    if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != kSeedDiskBytes) {
        return fail(ErrorCode::Corrupt, "The seed disk is not what Coldframe made.", path.string());
    }
    std::shared_ptr<SeedDisk> disk(new SeedDisk(std::move(file)));
    disk->clear(0, kSeedDiskBytes); // of an engine that ended in the middle
    return disk;
}

std::optional<SeedWindow> SeedDisk::take()
{
    const std::lock_guard guard(m_mutex);
    for (std::uint32_t number = 0; number < kSeedWindows; ++number) {
        if (!m_taken[number]) {
            m_taken[number] = true;
            return SeedWindow(shared_from_this(), number);
        }
    }
    return std::nullopt;
}

void SeedDisk::clear(std::uint64_t offset, std::uint64_t length)
{
    // Where it cannot be done the file goes when the microVM ends, and until then shows its own guest what that has anyway.
    (void)::fallocate(m_file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                      static_cast<off_t>(length));
}

SeedWindow::~SeedWindow()
{
    if (!m_disk) {
        return;
    }
    if (m_used > 0) {
        // Only whole pages become a hole.
        m_disk->clear(offsetOf(0), (m_used + kSeedAlignment - 1) / kSeedAlignment * kSeedAlignment);
    }
    const std::lock_guard guard(m_disk->m_mutex);
    m_disk->m_taken[m_number] = false;
}

std::uint64_t SeedWindow::offsetOf(std::uint64_t place) const
{
    return kSeedPieceBytes + m_number * kSeedWindowBytes + place % kSeedPlaces * kSeedPieceBytes;
}

Result<void> SeedWindow::write(std::uint64_t place, std::uint32_t position, std::string_view bytes)
{
    if (bytes.size() > kSeedPieceBytes || position > kSeedPieceBytes - bytes.size()) {
        return fail(ErrorCode::Internal, "A piece is larger than its place on the seed disk.");
    }
    const std::uint64_t start = offsetOf(place) + position;
    m_used = std::max(m_used, start + bytes.size() - offsetOf(0));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::pwrite(m_disk->m_file.get(), bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(start + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return failErrno("The seed disk cannot be written.", errno);
        }
        done += static_cast<std::size_t>(put);
    }
    return {};
}

SeedReader::SeedReader(int device) : m_device(device)
{
    const off_t end = device >= 0 ? ::lseek(device, 0, SEEK_END) : 0; // of a block device too
    m_size = end > 0 ? static_cast<std::uint64_t>(end) : 0;
}

bool SeedReader::isPiece(std::uint64_t offset, std::uint32_t length) const
{
    return length > 0 && length <= kSeedPieceBytes && offset % kSeedAlignment == 0 && m_size >= kSeedPieceBytes &&
           offset <= m_size - kSeedPieceBytes;
}

Result<std::string_view> SeedReader::read(std::uint64_t offset, std::uint32_t length)
{
    if (!isPiece(offset, length)) {
        return fail(ErrorCode::InvalidArgument, "The seed disk has no such place.");
    }
    if (!m_buffer) {
        m_buffer.reset(static_cast<char*>(std::aligned_alloc(kSeedAlignment, kSeedPieceBytes)));
        if (!m_buffer) {
            return fail(ErrorCode::Unavailable, "There is no memory for reading the seed disk.");
        }
    }
    // Whole sectors; what lies behind the piece in the last one is zeros or an older piece, and left out.
    const std::size_t wanted = (std::size_t{length} + kSeedAlignment - 1) / kSeedAlignment * kSeedAlignment;
    std::size_t done = 0;
    while (done < length) {
        const ssize_t got = ::pread(m_device, m_buffer.get() + done, wanted - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return failErrno("The seed disk cannot be read.", got < 0 ? errno : EIO);
        }
        done += static_cast<std::size_t>(got);
    }
    return std::string_view(m_buffer.get(), length);
}

void SeedReader::Free::operator()(char* memory) const { std::free(memory); }

} // namespace coldframe::sync
