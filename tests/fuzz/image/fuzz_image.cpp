// SPDX-License-Identifier: Apache-2.0
#include "image/image_archive.h"
#include "image/recipe.h"

#include <cstdint>
#include <cstdlib>

using namespace coldframe;
using namespace coldframe::image;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::uint64_t kDiskBytes = 1u << 20;

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

} // namespace

/// A recipe that is accepted copies only from beneath its folder to absolute places; a header that is accepted says the same when it
/// is written again; records never reach beyond the disk, and mean the same however they are cut.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string text(data, data + size);
    if (const auto recipe = parseRecipe(text)) {
        for (const Recipe::File& file : recipe->files) {
            require(!file.from.starts_with('/') && !file.from.starts_with("../") && file.from != ".." && file.from.find("/../") == std::string::npos);
            require(file.to.size() > 1 && file.to.starts_with('/') && file.to.find("/../") == std::string::npos);
        }
        for (const std::string& package : recipe->packages) {
            require(!package.starts_with('-') && package.find(' ') == std::string::npos);
        }
    }
    if (const auto header = archiveHeaderFromJson(text)) {
        const auto again = archiveHeaderFromJson(archiveHeaderToJson(*header));
        require(again.has_value() && again->diskBytes == header->diskBytes && again->packages == header->packages);
    }
    std::uint64_t reached = 0;
    const auto sink = [&reached](std::uint64_t offset, std::string_view bytes) -> Result<void> {
        require(offset >= reached && offset + bytes.size() <= kDiskBytes);
        reached = offset + bytes.size();
        return {};
    };
    ArchiveRecords whole("header", kDiskBytes, sink);
    const bool accepted = whole.feed(text).has_value();
    const std::uint64_t reachedWhole = reached;
    reached = 0;
    ArchiveRecords pieces("header", kDiskBytes, sink);
    bool acceptedToo = true;
    for (std::size_t at = 0; at < text.size() && acceptedToo; at += 7) {
        acceptedToo = pieces.feed(std::string_view(text).substr(at, 7)).has_value();
    }
    require(accepted == acceptedToo && reached == reachedWhole && whole.isComplete() == pieces.isComplete());
    return 0;
}
