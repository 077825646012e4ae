// SPDX-License-Identifier: Apache-2.0
#include "image/image_archive.h"

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "image/own_images.h"
#include "image/recorded_disk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

namespace coldframe::image {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::string_view kMagic = "COLDFRAME-IMAGE-1\n";
constexpr std::size_t kMaxHeader = 8u << 20;
constexpr std::size_t kMaxRecord = 1u << 20;
constexpr std::size_t kRecordHead = 12;
constexpr std::size_t kDigestDigits = 64;
constexpr std::uint64_t kLastRecord = ~std::uint64_t{0};
constexpr std::uint64_t kLeastDisk = 64ull << 20;
constexpr std::uint64_t kLargestDisk = 4096ull << 30;
constexpr std::size_t kMaxPackages = 50'000;
constexpr int kLevel = 3;

std::string bigEndian(std::uint64_t value, std::size_t bytes)
{
    std::string text(bytes, '\0');
    for (std::size_t i = bytes; i-- > 0; value >>= 8) {
        text[i] = static_cast<char>(value & 0xff);
    }
    return text;
}

std::uint64_t fromBigEndian(std::string_view bytes)
{
    std::uint64_t value = 0;
    for (const char byte : bytes) {
        value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
}

tl::unexpected<Error> corrupt(std::string detail)
{
    return fail(ErrorCode::Corrupt, "The file is damaged, cut off or not an image that Coldframe exported. Nothing was imported.",
                std::move(detail));
}

Result<std::string> textField(const json& object, const char* key, std::size_t most)
{
    const json value = object.value(key, json(""));
    if (!value.is_string() || value.get<std::string>().size() > most) {
        return corrupt(std::string("the field ") + key);
    }
    return value.get<std::string>();
}

Result<void> stopIfAsked(const BuildControl& control)
{
    if (control.cancelled != nullptr && control.cancelled->load()) {
        return fail(ErrorCode::Cancelled, "It was stopped. Nothing was left behind.");
    }
    return {};
}

/// Compresses into a file.
class Compressor
{
public:
    explicit Compressor(int fd) : m_fd(fd), m_stream(ZSTD_createCStream(), &ZSTD_freeCStream), m_buffer(ZSTD_CStreamOutSize(), '\0')
    {
        ZSTD_CCtx_setParameter(m_stream.get(), ZSTD_c_compressionLevel, kLevel);
        ZSTD_CCtx_setParameter(m_stream.get(), ZSTD_c_checksumFlag, 1);
        ZSTD_CCtx_setParameter(m_stream.get(), ZSTD_c_nbWorkers, 2); // ignored where the library has no threads
    }

    Result<void> add(std::string_view bytes, bool isLast)
    {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        for (;;) {
            ZSTD_outBuffer out{m_buffer.data(), m_buffer.size(), 0};
            const std::size_t left = ZSTD_compressStream2(m_stream.get(), &out, &in, isLast ? ZSTD_e_end : ZSTD_e_continue);
            if (ZSTD_isError(left)) {
                return fail(ErrorCode::Internal, "The image could not be compressed.", ZSTD_getErrorName(left));
            }
            COLDFRAME_CHECK(writeAll(m_fd, {m_buffer.data(), out.pos}));
            if (isLast ? left == 0 : in.pos == in.size) {
                return {};
            }
        }
    }

private:
    int m_fd;
    std::unique_ptr<ZSTD_CStream, decltype(&ZSTD_freeCStream)> m_stream;
    std::string m_buffer;
};

/// Reads exactly so much, or fails.
Result<std::string> readExactly(int fd, std::size_t size)
{
    std::string bytes(size, '\0');
    for (std::size_t have = 0; have < size;) {
        const ssize_t got = ::read(fd, bytes.data() + have, size - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return corrupt("it ends in its header");
        }
        have += static_cast<std::size_t>(got);
    }
    return bytes;
}

/// The next stretch of data of a sparse file from `at`; {size, size} at its end.
std::pair<std::uint64_t, std::uint64_t> nextData(int fd, std::uint64_t at, std::uint64_t size)
{
    const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) {
        return errno == ENXIO ? std::pair{size, size} : std::pair{at, size};
    }
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    return {static_cast<std::uint64_t>(data), hole < 0 ? size : std::min(size, static_cast<std::uint64_t>(hole))};
}

Result<void> writeRecords(int from, std::uint64_t size, const std::string& headerText, Compressor& to, const BuildControl& control)
{
    Sha256 digest;
    digest.add(headerText);
    std::string bytes;
    for (auto [begin, end] = nextData(from, 0, size); begin < size; std::tie(begin, end) = nextData(from, end, size)) {
        while (begin < end) {
            COLDFRAME_CHECK(stopIfAsked(control));
            bytes.resize(std::min<std::uint64_t>(kMaxRecord, end - begin));
            const ssize_t got = ::pread(from, bytes.data(), bytes.size(), static_cast<off_t>(begin));
            if (got <= 0) {
                return fail(ErrorCode::Io, "The image's disk cannot be read.");
            }
            bytes.resize(static_cast<std::size_t>(got));
            if (bytes.find_first_not_of('\0') != std::string::npos) {
                const std::string head = bigEndian(begin, 8) + bigEndian(bytes.size(), 4);
                digest.add(head);
                digest.add(bytes);
                COLDFRAME_CHECK(to.add(head, false));
                COLDFRAME_CHECK(to.add(bytes, false));
            }
            begin += bytes.size();
            if (control.progress) {
                control.progress(static_cast<std::int64_t>(begin >> 20), static_cast<std::int64_t>(size >> 20), "Writing the image");
            }
        }
    }
    return to.add(bigEndian(kLastRecord, 8) + bigEndian(kDigestDigits, 4) + digest.hex(), true);
}

} // namespace

std::string archiveHeaderToJson(const ArchiveHeader& header)
{
    return json{{"schema", 1},
                {"name", header.name},
                {"diskBytes", header.diskBytes},
                {"kernelRelease", header.kernelRelease},
                {"createdAt", header.createdAt},
                {"origin", header.origin},
                {"packages", header.packages}}
        .dump(-1, ' ', true, json::error_handler_t::replace);
}

Result<ArchiveHeader> archiveHeaderFromJson(const std::string& text)
{
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object() || document.value("schema", json()) != 1) {
        return corrupt("its header");
    }
    ArchiveHeader header;
    COLDFRAME_TRY(header.name, textField(document, "name", 63));
    COLDFRAME_TRY(header.kernelRelease, textField(document, "kernelRelease", 100));
    COLDFRAME_TRY(header.createdAt, textField(document, "createdAt", 40));
    COLDFRAME_TRY(header.origin, textField(document, "origin", 40));
    if (!checkImageName(header.name)) {
        return corrupt("its name");
    }
    const json size = document.value("diskBytes", json());
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() < kLeastDisk || size.get<std::uint64_t>() > kLargestDisk ||
        size.get<std::uint64_t>() % 512 != 0) {
        return corrupt("the size of its disk");
    }
    header.diskBytes = size.get<std::uint64_t>();
    const json packages = document.value("packages", json::object());
    if (!packages.is_object() || packages.size() > kMaxPackages) {
        return corrupt("its packages");
    }
    for (const auto& [name, version] : packages.items()) {
        if (!version.is_string() || name.size() + version.get<std::string>().size() > 600) {
            return corrupt("its packages");
        }
        header.packages.emplace(name, version.get<std::string>());
    }
    return header;
}

ArchiveRecords::ArchiveRecords(const std::string& headerText, std::uint64_t diskBytes, Sink sink)
    : m_diskBytes(diskBytes), m_sink(std::move(sink))
{
    m_digest.add(headerText);
}

Result<void> ArchiveRecords::feed(std::string_view bytes)
{
    if (m_failed || (m_complete && !bytes.empty())) {
        m_failed = true;
        return corrupt("bytes after its end");
    }
    while (!bytes.empty()) {
        // A record at a time is held, however much is fed.
        const std::size_t room = std::min(bytes.size(), kRecordHead + kMaxRecord - std::min(m_pending.size(), kRecordHead + kMaxRecord));
        m_pending.append(bytes.substr(0, room));
        bytes.remove_prefix(room);
        if (auto done = step(); !done) {
            m_failed = true;
            return done;
        }
        if (m_complete && (!bytes.empty() || !m_pending.empty())) {
            m_failed = true;
            return corrupt("bytes after its end");
        }
    }
    return {};
}

/// Takes whole records out of what is pending.
Result<void> ArchiveRecords::step()
{
    std::size_t taken = 0;
    while (!m_complete && m_pending.size() - taken >= kRecordHead) {
        const std::string_view head = std::string_view(m_pending).substr(taken, kRecordHead);
        const std::uint64_t offset = fromBigEndian(head.substr(0, 8));
        const std::uint64_t length = fromBigEndian(head.substr(8));
        const bool isLast = offset == kLastRecord;
        if (length == 0 || length > kMaxRecord || (isLast && length != kDigestDigits)) {
            return corrupt("the length of a record");
        }
        if (!isLast && (offset < m_next || offset > m_diskBytes || length > m_diskBytes - offset)) {
            return corrupt("the place of a record");
        }
        if (m_pending.size() - taken < kRecordHead + length) {
            break;
        }
        const std::string_view body = std::string_view(m_pending).substr(taken + kRecordHead, length);
        if (isLast) {
            if (m_digest.hex() != body) {
                return corrupt("its digest does not fit");
            }
            m_complete = true;
        } else {
            m_digest.add(head);
            m_digest.add(body);
            COLDFRAME_CHECK(m_sink(offset, body));
            m_next = offset + length;
        }
        taken += kRecordHead + length;
    }
    m_pending.erase(0, taken);
    return {};
}

Result<void> writeArchive(const fs::path& rawDisk, const ArchiveHeader& header, const fs::path& target, const BuildControl& control)
{
    const UniqueFd from(::open(rawDisk.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from) {
        return failErrno("The image's disk cannot be read.", errno);
    }
    const fs::path part = target.parent_path() / ("." + target.filename().string().substr(0, 200) + "." + randomHex(4) + ".part");
    const UniqueFd to(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!to) {
        return failErrno("The file “" + target.string() + "” cannot be written.", errno);
    }
    const std::string text = archiveHeaderToJson(header);
    Result<void> done = writeAll(to.get(), std::string(kMagic) + bigEndian(text.size(), 4) + text);
    if (done) {
        Compressor compressor(to.get());
        done = writeRecords(from.get(), header.diskBytes, text, compressor, control);
    }
    if (done && ::fsync(to.get()) != 0) {
        done = failErrno("The file “" + target.string() + "” cannot be written.", errno);
    }
    // link() and not rename(): what another program put there meanwhile is not replaced.
    if (done && ::link(part.c_str(), target.c_str()) != 0) {
        done = failErrno("The file “" + target.string() + "” cannot be written.", errno);
    }
    ::unlink(part.c_str());
    return done;
}

Result<ArchiveHeader> readArchive(const fs::path& file, const fs::path& rawDisk, const BuildControl& control)
{
    const UniqueFd from(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info{};
    if (!from || ::fstat(from.get(), &info) != 0) {
        return failErrno("The file “" + file.string() + "” cannot be read.", errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(ErrorCode::InvalidArgument, "“" + file.string() + "” is not a regular file.");
    }
    COLDFRAME_TRY(const std::string front, readExactly(from.get(), kMagic.size() + 4));
    const std::uint64_t length = fromBigEndian(std::string_view(front).substr(kMagic.size()));
    if (!front.starts_with(kMagic) || length > kMaxHeader) {
        return corrupt("its first bytes");
    }
    COLDFRAME_TRY(const std::string text, readExactly(from.get(), length));
    COLDFRAME_TRY(ArchiveHeader header, archiveHeaderFromJson(text));
    COLDFRAME_TRY(const auto disk, RecordedDisk::create(rawDisk, text, header.diskBytes));
    const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), &ZSTD_freeDStream);
    std::string packed(ZSTD_DStreamInSize(), '\0');
    std::string plain(1u << 20, '\0');
    std::uint64_t readBytes = 0;
    std::size_t hint = 1; // 0 when a frame is through
    for (;;) {
        COLDFRAME_CHECK(stopIfAsked(control));
        const ssize_t got = ::read(from.get(), packed.data(), packed.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("The file “" + file.string() + "” cannot be read.", errno);
        }
        if (got == 0) {
            break;
        }
        if (hint == 0) {
            return corrupt("bytes after its end");
        }
        readBytes += static_cast<std::uint64_t>(got);
        ZSTD_inBuffer in{packed.data(), static_cast<std::size_t>(got), 0};
        bool isFull = true;
        while (in.pos < in.size || isFull) {
            if (hint == 0) {
                if (in.pos < in.size) {
                    return corrupt("bytes after its end");
                }
                break;
            }
            ZSTD_outBuffer out{plain.data(), plain.size(), 0};
            hint = ZSTD_decompressStream(stream.get(), &out, &in);
            if (ZSTD_isError(hint)) {
                return corrupt(ZSTD_getErrorName(hint));
            }
            isFull = out.pos == out.size;
            COLDFRAME_CHECK(disk->feed({plain.data(), out.pos}));
            COLDFRAME_CHECK(stopIfAsked(control));
        }
        if (control.progress) {
            control.progress(static_cast<std::int64_t>(readBytes >> 10), static_cast<std::int64_t>(info.st_size >> 10), "Reading the image");
        }
    }
    if (hint != 0 || !disk->isComplete()) {
        return corrupt("it is cut off");
    }
    return header;
}

bool isArchive(const fs::path& file)
{
    const UniqueFd from(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, kMagic.size()> front{};
    return from && ::read(from.get(), front.data(), front.size()) == static_cast<ssize_t>(front.size()) &&
           std::string_view(front.data(), front.size()) == kMagic;
}

} // namespace coldframe::image
