// SPDX-License-Identifier: Apache-2.0
#include "engine/image_references.h"

#include "base/file.h"
#include "vm/qcow2.h"

#include <system_error>

namespace coldframe::engine {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxRecord = 8u << 20;
constexpr std::size_t kDigest = 64;

bool isNameByte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '+';
}

/// Below a sandbox's folder these hold what the user's files were; nothing there is ours to read. Of images only those
/// count that stand on others: a base or an agent's disk names itself.
bool holdsNoReferences(const fs::path& folder)
{
    const std::string name = folder.filename().string();
    if (folder.parent_path().filename() == "images") {
        return name.starts_with("base-") || name.starts_with("agent-") || name.starts_with(".");
    }
    return name == "sync" || name == "trash";
}

Result<void> addReferences(const fs::path& path, std::set<std::string>& names)
{
    std::string text;
    if (path.extension() == ".json") {
        COLDFRAME_TRY(text, readFile(path, kMaxRecord));
    } else if (path.extension() == ".qcow2") {
        COLDFRAME_TRY(const vm::Qcow2Header header, vm::readQcow2Header(path));
        text = header.backingFile;
    }
    names.merge(imageNamesIn(text));
    return {};
}

} // namespace

std::set<std::string> imageNamesIn(std::string_view text)
{
    std::set<std::string> names;
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
        std::size_t end = begin;
        while (end < text.size() && isNameByte(text[end])) {
            ++end;
        }
        const std::string_view word = text.substr(begin, end - begin);
        if ((word.starts_with("base-") || word.starts_with("agent-") || word.starts_with("own-")) && word.size() > kDigest &&
            word.substr(word.size() - kDigest).find_first_not_of("0123456789abcdef") == std::string_view::npos) {
            names.emplace(word);
        }
        begin = end;
    }
    return names;
}

Result<std::set<std::string>> referencedImages(const fs::path& dataFolder)
{
    std::set<std::string> names;
    std::error_code error;
    fs::recursive_directory_iterator entry(dataFolder, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        const fs::file_status status = entry->symlink_status(error);
        if (error) {
            break;
        }
        if (fs::is_directory(status)) {
            if (holdsNoReferences(entry->path())) {
                entry.disable_recursion_pending();
            }
        } else if (fs::is_regular_file(status) && entry->path().parent_path() != dataFolder / "images") {
            COLDFRAME_CHECK(addReferences(entry->path(), names));
        }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return fail(ErrorCode::Io, "The sandboxes' folders cannot be read.", error.message());
    }
    return names;
}

} // namespace coldframe::engine
