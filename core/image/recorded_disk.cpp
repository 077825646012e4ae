// SPDX-License-Identifier: Apache-2.0
#include "image/recorded_disk.h"

#include "base/file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace coldframe::image {

namespace {

constexpr std::uint64_t kReserve = 1ull << 30; ///< an image never takes the last of the storage
constexpr std::uint64_t kCheckEvery = 8ull << 20;

} // namespace

std::uint64_t spareBytes(const std::filesystem::path& path)
{
    const std::uint64_t free = freeBytes(path).value_or(0);
    return free > kReserve ? free - kReserve : 0;
}

RecordedDisk::RecordedDisk(std::filesystem::path path, UniqueFd file, const std::string& headerText, std::uint64_t diskBytes)
    : m_path(std::move(path)), m_file(std::move(file)),
      m_records(headerText, diskBytes, [this](std::uint64_t offset, std::string_view bytes) { return write(offset, bytes); }),
      m_sinceCheck(kCheckEvery)
{
}

Result<std::shared_ptr<RecordedDisk>> RecordedDisk::create(const std::filesystem::path& file, const std::string& headerText,
                                                           std::uint64_t diskBytes)
{
    UniqueFd to(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!to || ::ftruncate(to.get(), static_cast<off_t>(diskBytes)) != 0) {
        return failErrno("The image cannot be written to “" + file.parent_path().string() + "”.", errno);
    }
    // Not make_shared: the constructor is private.
    return std::shared_ptr<RecordedDisk>(new RecordedDisk(file, std::move(to), headerText, diskBytes));
}

Result<void> RecordedDisk::feed(std::string_view bytes) { return m_records.feed(bytes); }

Result<void> RecordedDisk::write(std::uint64_t offset, std::string_view bytes)
{
    m_sinceCheck += bytes.size();
    if (m_sinceCheck >= kCheckEvery) {
        m_sinceCheck = 0;
        if (spareBytes(m_path) == 0) {
            return fail(ErrorCode::NoSpace, "There is not enough space left for the image in “" + m_path.parent_path().string() +
                                                "”. Free some and try again.");
        }
    }
    while (!bytes.empty()) {
        const ssize_t put = ::pwrite(m_file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return failErrno("The image cannot be written to “" + m_path.parent_path().string() + "”.", put < 0 ? errno : EIO);
        }
        offset += static_cast<std::uint64_t>(put);
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

} // namespace coldframe::image
