// SPDX-License-Identifier: Apache-2.0
#include "sync/ancestor.h"

#include "base/file.h"
#include "sync/digest.h"
#include "sync/wire.h"

namespace coldframe::sync {

namespace {

constexpr std::uint32_t kMagic = 0x43464131; // "CFA1"
constexpr std::size_t kMaxFileBytes = std::size_t(1) << 30;
constexpr std::size_t kMaxIdBytes = 256;

void writeTree(Writer& out, const std::string& path, const Node& node)
{
    for (const auto& [name, child] : node.children) {
        const std::string childPath = joinPath(path, name);
        out.u8(1);
        out.record({childPath, child.entry});
        writeTree(out, childPath, child);
    }
}

} // namespace

std::string encodeAncestor(const Ancestor& ancestor)
{
    Writer out;
    out.u32(kMagic);
    out.bytes(ancestor.guestDiskId);
    out.bytes(ancestor.generation);
    out.u8(ancestor.seeding ? 1 : 0);
    out.u64(ancestor.rootDevice);
    out.u64(ancestor.rootInode);
    out.u8(ancestor.rootHadEntries ? 1 : 0);
    writeTree(out, "", ancestor.tree);
    out.u8(0);
    out.u64(checksum64(out.data()));
    return out.take();
}

std::optional<Ancestor> decodeAncestor(std::string_view data)
{
    if (data.size() < 8) {
        return std::nullopt;
    }
    Reader sum(data.substr(data.size() - 8));
    data.remove_suffix(8);
    if (sum.u64() != checksum64(data)) {
        return std::nullopt;
    }
    Reader in(data);
    if (in.u32() != kMagic) {
        return std::nullopt;
    }
    Ancestor ancestor;
    ancestor.tree.entry.kind = Kind::Directory;
    ancestor.guestDiskId = std::string(in.bytes(kMaxIdBytes));
    ancestor.generation = std::string(in.bytes(kMaxIdBytes));
    ancestor.seeding = in.u8() != 0;
    ancestor.rootDevice = in.u64();
    ancestor.rootInode = in.u64();
    ancestor.rootHadEntries = in.u8() != 0;
    while (in.u8() == 1) {
        const Record record = in.record();
        const Kind kind = record.entry.kind;
        const bool isAllowed = kind == Kind::Directory || kind == Kind::File || kind == Kind::Symlink;
        if (!in.ok() || !isAllowed || !setNode(ancestor.tree, record.path, record.entry)) {
            return std::nullopt;
        }
    }
    if (!in.atEnd()) {
        return std::nullopt;
    }
    return ancestor;
}

Result<void> saveAncestor(const std::filesystem::path& file, const Ancestor& ancestor)
{
    return saveEncodedAncestor(file, encodeAncestor(ancestor));
}

Result<void> saveEncodedAncestor(const std::filesystem::path& file, const std::string& data)
{
    // A broken ancestor on disk could delete files later; so it is read back before it may replace a good one.
    if (!decodeAncestor(data)) {
        return fail(ErrorCode::Internal, "The sync state would not be readable and was not saved.");
    }
    return writeFileAtomic(file, data);
}

std::optional<Ancestor> loadAncestor(const std::filesystem::path& file)
{
    const auto data = readFile(file, kMaxFileBytes);
    return data ? decodeAncestor(*data) : std::nullopt;
}

} // namespace coldframe::sync
