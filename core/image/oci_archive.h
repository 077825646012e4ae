// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::image {

/// Where a regular file of a tar archive lies in it.
struct TarPlace
{
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// One header block of a tar archive (POSIX ustar, GNU). Pure.
struct TarEntry
{
    std::string name{};
    char type = '0';
    std::uint64_t size = 0;
};
/// Nothing for a block of zeros; Corrupt when the sum does not fit or a number is none.
Result<std::optional<TarEntry>> parseTarHeader(std::string_view block);

/// What a pax header (POSIX.1-2001) says of the entry after it. Pure; Corrupt on anything odd.
struct PaxRecords
{
    std::string name{};
    std::optional<std::uint64_t> size{};
};
Result<PaxRecords> parsePaxRecords(std::string_view text);

/// The regular files of a tar archive; nothing is unpacked. Bounded; Corrupt on a damaged or cut off archive.
Result<std::map<std::string, TarPlace>> indexTar(const std::filesystem::path& archive);

struct OciLayer
{
    TarPlace place{};
    std::string compression = "none"; ///< "gzip", "zstd"
    std::string diffId{};             ///< sha256 of the layer without compression: for who unpacks it to compare
};

/// An image in an archive as `docker save` or an OCI tool writes it, its digests verified.
struct OciImage
{
    std::string name{}; ///< the tag it was saved with, or empty
    std::vector<OciLayer> layers{}; ///< bottom first
    std::vector<std::string> environment{}; ///< NAME=VALUE
    std::string user{};
    std::string workingFolder{};
    std::string digest{}; ///< of its configuration
};

/// Reads a small file of the archive by its name.
using OciFiles = std::function<Result<std::string>(const std::string& name)>;

/// What the documents of an image say; the places of layers not yet known. Pure but for `files`.
struct OciPlan
{
    std::string name{};
    std::string config{}; ///< the configuration's text
    std::vector<std::string> layerNames{};
    std::vector<std::string> layerDigests{}; ///< sha256 of the layer's file, or empty
    std::vector<std::string> diffIds{};      ///< sha256 of each layer without compression
};
Result<OciPlan> planOci(const OciFiles& files);
/// Environment, user and folder out of a configuration; Corrupt or, for another system or machine, NotAllowed.
Result<OciImage> readOciConfig(const std::string& text);

/// Whether the file begins like a tar archive.
bool isTarArchive(const std::filesystem::path& file);

/// A name for an image that was saved with this tag: "registry:5000/team/app:1.2" gives "app". Empty when nothing fits.
std::string imageNameOf(const std::string& tag);

/// Finds everything and verifies each file against the digest that names it. Layers stay packed: nothing is unpacked on this side. Blocking. Corrupt, NotAllowed, InvalidArgument with a sentence.
Result<OciImage> readOciArchive(const std::filesystem::path& archive, const std::atomic<bool>* cancelled);

} // namespace coldframe::image
