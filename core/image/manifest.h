// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace coldframe::image {

/// The manifest.json of an image or agent folder, as written by guest/image/build and build-agent.
struct Manifest
{
    struct Part
    {
        std::string sha256{}; ///< lower-case hex
        std::uint64_t size = 0;
    };
    std::string kind{}; ///< "base", "agent" or "template"
    std::string name{}; ///< the folder's name, which ends in a sha256 over the parts
    std::map<std::string, Part> parts{};
    std::string guestSha256{};   ///< base: the coldframe-guest in its initrd
    std::string kernelRelease{}; ///< base
    std::string version{};       ///< agent
    std::uint64_t slotBytes = 0; ///< agent: the size its disk shows; 0 in those of earlier versions
    std::string packagesKey{};   ///< agent: the npm packages it was made from, as JSON
    std::string json{};          ///< the whole document, for image.status
};

/// Corrupt when it is not a manifest of schema 1 or a part's name is not a plain file name.
Result<Manifest> parseManifest(const std::string& json);

/// Reads folder/manifest.json and checks that it belongs to a folder of that name. NotFound, Corrupt.
Result<Manifest> readManifest(const std::filesystem::path& folder);

} // namespace coldframe::image
