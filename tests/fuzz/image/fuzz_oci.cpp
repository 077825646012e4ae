// SPDX-License-Identifier: Apache-2.0
#include "image/digest.h"
#include "image/oci_archive.h"

#include <cstdint>
#include <cstdlib>
#include <map>

using namespace coldframe;
using namespace coldframe::image;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kDigits = 64;

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

bool isDigest(const std::string& text) { return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos; }

} // namespace

/// Blocks and documents of a foreign archive: a plan that is accepted has a digest for each layer, a variable is one line, a size has
/// room for its sums. The input's lines are documents; "blobs" are found by the digest of a line, so that chains can be built.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string text(data, data + size);
    if (const auto entry = parseTarHeader(text.substr(0, kBlock)); entry && *entry) {
        require((*entry)->size >> 62 == 0 && (*entry)->name.size() <= 256);
    }
    if (const auto pax = parsePaxRecords(text)) {
        require(!pax->size || *pax->size >> 62 == 0);
    }
    std::map<std::string, std::string> files;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        Sha256 digest;
        digest.add(line);
        files["blobs/sha256/" + digest.hex()] = line;
        files.try_emplace(files.contains("first") ? "index.json" : "first", line);
        at = end + 1;
    }
    for (const char* front : {"manifest.json", "index.json"}) {
        const OciFiles find = [&](const std::string& name) -> Result<std::string> {
            const auto found = files.find(name == front ? "first" : name);
            if (found == files.end() || (name != front && name.ends_with(".json"))) {
                return fail(ErrorCode::NotFound, "not there");
            }
            return found->second;
        };
        if (const auto plan = planOci(find)) {
            require(!plan->layerNames.empty() && plan->layerNames.size() == plan->diffIds.size() && plan->layerNames.size() == plan->layerDigests.size());
            for (std::size_t i = 0; i < plan->diffIds.size(); ++i) {
                require(isDigest(plan->diffIds[i]) && (plan->layerDigests[i].empty() || isDigest(plan->layerDigests[i])));
            }
        }
    }
    if (const auto image = readOciConfig(text)) {
        for (const std::string& line : image->environment) {
            require(line.find('\n') == std::string::npos && line.find('=') != 0 && line.find('=') != std::string::npos);
        }
    }
    (void)imageNameOf(text.substr(0, kBlock));
    return 0;
}
