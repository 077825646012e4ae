// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace coldframe::vm {

/// The file virDomainSave() writes: a header of 92 bytes (libvirt's src/qemu/qemu_saveimage.h, version 2, in the host's
/// byte order), the domain's XML, then QEMU's migration stream.
constexpr std::size_t kSaveHeaderBytes = 92;

/// How often libvirt of this version (major * 1000000 + minor * 1000 + release) opens a save image to restore it: from 11 on
/// once for the description alone, and again for QEMU. Each time it reads the header and the XML first.
constexpr int saveImageOpenings(unsigned long libvirtVersion)
{
    return libvirtVersion >= 11'000'000 ? 2 : 1;
}

/// What a save file says of itself, as far as we use it. Its XML is never read: it is written anew for each restore.
struct SaveImage
{
    std::uint64_t streamOffset = 0; ///< where QEMU's stream begins
    bool wasRunning = false;
};

/// Reads the header. Pure; Corrupt for anything but a finished, uncompressed image of version 2 whose XML has a plausible length.
Result<SaveImage> parseSaveHeader(std::string_view bytes);

/// The header and XML to put before a stream, for a domain that runs at once. InvalidArgument when the XML is empty or beyond 1 MiB.
Result<std::string> saveHeader(std::string_view domainXml);

/// Opens and parses the header of a file, which must be longer than header and XML.
Result<SaveImage> readSaveImage(const std::filesystem::path& file);

} // namespace coldframe::vm
