// SPDX-License-Identifier: Apache-2.0
#include "image/tar_stream.h"

#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::image {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kPiece = 256u << 10;
constexpr std::size_t kNameField = 100;

void putOctal(std::string& block, std::size_t at, std::size_t width, std::uint64_t value)
{
    for (std::size_t i = width - 1; i-- > 0; value >>= 3) {
        block[at + i] = static_cast<char>('0' + (value & 7));
    }
}

/// One header block; names that do not fit are cut (they stand whole in an entry before).
std::string headerBlock(const std::string& name, const std::string& link, char type, std::uint32_t mode, unsigned uid, unsigned gid,
                        std::uint64_t size)
{
    std::string block(kBlock, '\0');
    std::memcpy(block.data(), name.data(), std::min(name.size(), kNameField));
    putOctal(block, 100, 8, mode);
    putOctal(block, 108, 8, uid);
    putOctal(block, 116, 8, gid);
    putOctal(block, 124, 12, size);
    putOctal(block, 136, 12, 0); // the time is not part of an image's key
    std::memset(block.data() + 148, ' ', 8);
    block[156] = type;
    std::memcpy(block.data() + 157, link.data(), std::min(link.size(), kNameField));
    std::memcpy(block.data() + 257, "ustar  ", 8); // GNU's magic: 'L' and 'K' are its entries
    unsigned sum = 0;
    for (const char byte : block) {
        sum += static_cast<unsigned char>(byte);
    }
    putOctal(block, 148, 7, sum);
    return block;
}

std::string longText(const std::string& text, char type)
{
    std::string entry = headerBlock("././@LongLink", "", type, 0, 0, 0, text.size() + 1) + text;
    entry.append(kBlock - text.size() % kBlock, '\0');
    return entry;
}

} // namespace

std::string tarHeader(const GatheredFile& entry, const std::string& name, unsigned uid, unsigned gid)
{
    const std::string shown = entry.kind == 'd' ? name + "/" : name;
    const char type = entry.kind == 'd' ? '5' : entry.kind == 'l' ? '2' : '0';
    std::string bytes;
    if (entry.linkTarget.size() > kNameField) {
        bytes += longText(entry.linkTarget, 'K');
    }
    if (shown.size() > kNameField) {
        bytes += longText(shown, 'L');
    }
    return bytes + headerBlock(shown, entry.linkTarget, type, entry.mode, uid, gid, entry.size);
}

TarStream::TarStream(const std::filesystem::path& folder, const Gathered& gathered, unsigned agentUid, unsigned agentGid)
    : m_folderPath(folder), m_gathered(gathered), m_uid(agentUid), m_gid(agentGid)
{
}

Result<std::string> TarStream::header()
{
    const GatheredFile& entry = m_gathered.files[m_index++];
    if (entry.kind == 'f') {
        COLDFRAME_TRY(m_file, openBeneath(m_folder.get(), entry.source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        struct stat info{};
        if (::fstat(m_file.get(), &info) != 0 || !S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != entry.size) {
            return fail(ErrorCode::Io, "The file “" + escapeForDisplay(entry.source, 200) + "” of the recipe changed while it was copied.");
        }
        m_left = entry.size;
        m_padding = (kBlock - entry.size % kBlock) % kBlock;
    }
    return tarHeader(entry, entry.target.substr(1), entry.ownedByAgent ? m_uid : 0, entry.ownedByAgent ? m_gid : 0);
}

Result<std::string> TarStream::next()
{
    if (!m_folder) {
        COLDFRAME_TRY(m_folder, openFolder(m_folderPath));
    }
    std::string piece;
    while (piece.size() < kPiece && !m_ended) {
        if (m_left > 0) {
            const std::size_t before = piece.size();
            piece.resize(before + std::min<std::uint64_t>(m_left, kPiece));
            const ssize_t got = ::read(m_file.get(), piece.data() + before, piece.size() - before);
            if (got <= 0) {
                return fail(ErrorCode::Io, "A file of the recipe changed while it was copied.");
            }
            piece.resize(before + static_cast<std::size_t>(got));
            m_left -= static_cast<std::uint64_t>(got);
        } else if (m_padding > 0) {
            piece.append(m_padding, '\0');
            m_padding = 0;
        } else if (m_index < m_gathered.files.size()) {
            COLDFRAME_TRY(const std::string bytes, header());
            piece += bytes;
        } else {
            piece.append(2 * kBlock, '\0');
            m_ended = true;
        }
    }
    return piece;
}

} // namespace coldframe::image
