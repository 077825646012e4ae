// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::sync {

/// What stands at a path. Untracked things (sockets, devices, lock files, files kept out of the sandbox) count as
/// absent when both sides are compared, but block the removal of their folder. A Problem is left alone on both sides.
enum class Kind : std::uint8_t { None = 0, Directory = 1, File = 2, Symlink = 3, Untracked = 4, Problem = 5 };

using Digest = std::array<std::uint8_t, 16>; ///< XXH3-128, big-endian

struct Entry
{
    Kind kind = Kind::None;
    bool executable = false;  ///< files only
    std::uint64_t size = 0;   ///< files only
    Digest digest{};          ///< files only
    std::string text{};       ///< Symlink: target; Untracked and Problem: the reason, for the user
};

/// The same content for synchronisation: kind, digest and executable bit, link target.
bool sameContent(const Entry& left, const Entry& right);

/// What stat(2) said when a file was hashed; equal stamps mean the digest still holds.
struct Stamp
{
    std::int64_t mtimeNs = 0;
    std::int64_t ctimeNs = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint32_t mode = 0;
    bool trusted = false; ///< false while the file is so young that a second write could leave the stamp equal

    bool sameFile(const Stamp& other) const
    {
        return mtimeNs == other.mtimeNs && inode == other.inode && size == other.size && mode == other.mode;
    }
};

/// A tree of entries by name. Names are raw bytes.
struct Node
{
    Entry entry{};
    Stamp stamp{};
    std::map<std::string, Node, std::less<>> children{};
};

/// One changed path; kind None means it is gone with everything beneath it.
struct Record
{
    std::string path;
    Entry entry;
};

/// A path with a sentence about it, shown to the user.
struct Note
{
    std::string path;
    std::string text;

    bool operator==(const Note&) const = default;
};

inline constexpr std::size_t kMaxDepth = 128;
inline constexpr std::size_t kMaxPathBytes = 4000;
inline constexpr std::size_t kMaxNameBytes = 255;

/// The folder the engine keeps inside a root when its own state folder is on another file system; never synced.
inline constexpr std::string_view kReservedName = ".coldframe-sync";

/// A relative path of plain components: no "", ".", "..", NUL, none too long or too deep, none reserved.
bool isValidPath(std::string_view path);
bool isValidName(std::string_view name);

std::vector<std::string_view> splitPath(std::string_view path);
std::string joinPath(std::string_view folder, std::string_view name);
std::string_view parentOf(std::string_view path); ///< "" for a top-level path
std::string_view nameOf(std::string_view path);
std::string foldCase(std::string_view text); ///< ASCII only
bool isBeneath(std::string_view path, std::string_view folder); ///< equal or inside; everything is inside ""

const Node* findNode(const Node& root, std::string_view path);
Node* findNode(Node& root, std::string_view path);
/// Sets the entry at `path`; children stay when both old and new are directories. False when the parent is no directory.
bool setNode(Node& root, std::string_view path, const Entry& entry);
void removeNode(Node& root, std::string_view path);
std::uint64_t countNodes(const Node& node); ///< without the node itself

/// A folder that git would take for a repository by its content, names compared without case.
bool looksLikeRepository(const Node& folder);

} // namespace coldframe::sync
