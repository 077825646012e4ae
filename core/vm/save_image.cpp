// SPDX-License-Identifier: Apache-2.0
#include "vm/save_image.h"

#include "base/unique_fd.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::vm {
namespace {

constexpr char kMagic[] = "LibvirtQemudSave"; // "LibvirtQemudPart" while it is being written
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kMaxXmlBytes = 1u << 20;

struct Header
{
    char magic[16];
    std::uint32_t version;
    std::uint32_t dataLength; ///< of the XML with its final NUL and padding
    std::uint32_t wasRunning;
    std::uint32_t format; ///< 0: not compressed
    std::uint32_t cookieOffset; ///< into the data; 0: none
    std::uint32_t unused[14];
};
static_assert(sizeof(Header) == kSaveHeaderBytes);

tl::unexpected<Error> corrupt(const char* detail)
{
    return fail(ErrorCode::Corrupt, "The saved memory of the microVM cannot be used.", detail);
}

} // namespace

Result<SaveImage> parseSaveHeader(std::string_view bytes)
{
    Header header{};
    if (bytes.size() < sizeof header) {
        return corrupt("it is shorter than its header");
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, kMagic, sizeof header.magic) != 0) {
        return corrupt("it is not a finished save image");
    }
    if (header.version != kVersion) {
        return corrupt("its version is unknown");
    }
    if (header.format != 0) {
        return corrupt("it is compressed");
    }
    if (header.dataLength == 0 || header.dataLength > kMaxXmlBytes || header.cookieOffset >= header.dataLength) {
        return corrupt("the length of its description is out of range");
    }
    return SaveImage{sizeof header + header.dataLength, header.wasRunning != 0};
}

Result<std::string> saveHeader(std::string_view domainXml)
{
    if (domainXml.empty() || domainXml.size() >= kMaxXmlBytes || domainXml.find('\0') != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument, "The microVM's description cannot be put into a save image.");
    }
    Header header{};
    std::memcpy(header.magic, kMagic, sizeof header.magic);
    header.version = kVersion;
    header.dataLength = static_cast<std::uint32_t>(domainXml.size() + 1);
    header.wasRunning = 1;
    std::string bytes(sizeof header, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes += domainXml;
    bytes += '\0';
    return bytes;
}

Result<SaveImage> readSaveImage(const std::filesystem::path& file)
{
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        return failErrno("The saved memory “" + file.string() + "” cannot be opened.", errno);
    }
    struct stat status{};
    std::string bytes(kSaveHeaderBytes, '\0');
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)
        || ::pread(fd.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return corrupt("it is no file with a header");
    }
    COLDFRAME_TRY(const SaveImage image, parseSaveHeader(bytes));
    if (static_cast<std::uint64_t>(status.st_size) <= image.streamOffset) {
        return corrupt("it ends before the memory");
    }
    return image;
}

} // namespace coldframe::vm
