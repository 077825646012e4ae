// SPDX-License-Identifier: Apache-2.0
#include "image/oci_archive.h"

#include "base/log.h"
#include "base/unique_fd.h"
#include "image/digest.h"
#include "image/own_images.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::image {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMaxEntries = 100'000;
constexpr std::size_t kMaxDocument = 4u << 20;
constexpr std::size_t kMaxLayers = 256;
constexpr int kMaxIndexDepth = 3;
constexpr std::size_t kMaxVariables = 1000;
constexpr std::size_t kMaxPax = 64u << 10;

tl::unexpected<Error> corrupt(std::string detail)
{
    return fail(ErrorCode::Corrupt, "The archive is damaged, or not an image as “docker save” or an OCI tool writes it. Nothing was imported.",
                std::move(detail));
}

/// Octal digits, or GNU's binary form for large sizes.
std::optional<std::uint64_t> tarNumber(std::string_view field)
{
    std::uint64_t value = 0;
    if ((static_cast<unsigned char>(field[0]) & 0x80) != 0) {
        for (std::size_t i = field.size() - 8; i < field.size(); ++i) {
            value = value << 8 | static_cast<unsigned char>(field[i]);
        }
        return value >> 62 == 0 ? std::optional(value) : std::nullopt;
    }
    for (const char c : field.substr(0, field.find_first_of(std::string_view("\0 ", 2), field.find_first_not_of(' ')))) {
        if (c == ' ') {
            continue;
        }
        if (c < '0' || c > '7' || value >> 60 != 0) {
            return std::nullopt;
        }
        value = value * 8 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

std::string_view textOf(std::string_view field) { return field.substr(0, field.find('\0')); }

Result<json> document(const OciFiles& files, const std::string& name)
{
    COLDFRAME_TRY(const std::string text, files(name));
    json parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded()) {
        return corrupt(name + " is not JSON");
    }
    return parsed;
}

/// "sha256:<hex>" to the hex; empty for anything else.
std::string digestOf(const json& value)
{
    const std::string text = value.is_string() ? value.get<std::string>() : std::string();
    const bool fits = text.size() == 71 && text.starts_with("sha256:") && text.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
    return fits ? text.substr(7) : std::string();
}

/// A document named by its digest.
Result<std::string> blob(const OciFiles& files, const json& descriptor)
{
    const std::string digest = descriptor.is_object() ? digestOf(descriptor.value("digest", json())) : std::string();
    if (digest.empty()) {
        return corrupt("a descriptor without a digest");
    }
    COLDFRAME_TRY(std::string text, files("blobs/sha256/" + digest));
    Sha256 found;
    found.add(text);
    if (found.hex() != digest) {
        return corrupt("the blob " + digest + " is another one");
    }
    return text;
}

Result<json> manifestOf(const OciFiles& files, const json& index, int depth)
{
    const json list = index.is_object() ? index.value("manifests", json()) : json();
    if (!list.is_array() || list.empty() || list.size() > kMaxLayers || depth > kMaxIndexDepth) {
        return corrupt("an index without manifests");
    }
    // One for this machine, else the only one there is.
    const json* chosen = nullptr;
    for (const json& entry : list) {
        const json platform = entry.is_object() ? entry.value("platform", json::object()) : json::object();
        const bool fits = platform.is_object() && platform.value("architecture", json("amd64")) == "amd64" && platform.value("os", json("linux")) == "linux";
        if (fits && chosen == nullptr) {
            chosen = &entry;
        }
    }
    if (chosen == nullptr) {
        return fail(ErrorCode::NotAllowed, "The archive has no image for this kind of machine (linux/amd64).");
    }
    COLDFRAME_TRY(const std::string text, blob(files, *chosen));
    json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) {
        return corrupt("a manifest that is not JSON");
    }
    return parsed.contains("manifests") ? manifestOf(files, parsed, depth + 1) : Result<json>(std::move(parsed));
}

Result<OciPlan> planDocker(const OciFiles& files, const json& list)
{
    if (!list.is_array() || list.empty() || !list[0].is_object()) {
        return corrupt("manifest.json");
    }
    if (list.size() > 1) {
        return fail(ErrorCode::InvalidArgument, "The archive holds several images. Save one by its own: docker save IMAGE -o FILE");
    }
    const json& manifest = list[0];
    const json layers = manifest.value("Layers", json());
    const json config = manifest.value("Config", json());
    if (!layers.is_array() || layers.empty() || layers.size() > kMaxLayers || !config.is_string()) {
        return corrupt("manifest.json");
    }
    OciPlan plan;
    const auto configName = config.get<std::string>();
    COLDFRAME_TRY(plan.config, files(configName));
    // "<digest>.json" or "blobs/sha256/<digest>": whoever names it by its digest is held to it.
    const std::string stem = configName.substr(configName.find_last_of('/') == std::string::npos ? 0 : configName.find_last_of('/') + 1);
    const std::string named = digestOf(json("sha256:" + stem.substr(0, stem.find('.'))));
    Sha256 found;
    found.add(plan.config);
    if (!named.empty() && found.hex() != named) {
        return corrupt("the configuration is another one than its name says");
    }
    for (const json& layer : layers) {
        if (!layer.is_string()) {
            return corrupt("a layer of manifest.json");
        }
        plan.layerNames.push_back(layer.get<std::string>());
        // Newer ones name the file by its digest; of older ones only the content's is known.
        constexpr std::string_view kBlobs = "blobs/sha256/";
        const std::string& name = plan.layerNames.back();
        plan.layerDigests.push_back(name.starts_with(kBlobs) ? digestOf(json("sha256:" + name.substr(kBlobs.size()))) : std::string());
    }
    const json tags = manifest.value("RepoTags", json());
    if (tags.is_array() && !tags.empty() && tags[0].is_string()) {
        plan.name = tags[0].get<std::string>();
    }
    return plan;
}

Result<OciPlan> planLayout(const OciFiles& files)
{
    COLDFRAME_TRY(const json index, document(files, "index.json"));
    COLDFRAME_TRY(const json manifest, manifestOf(files, index, 0));
    const json layers = manifest.value("layers", json());
    if (!layers.is_array() || layers.empty() || layers.size() > kMaxLayers) {
        return corrupt("a manifest without layers");
    }
    OciPlan plan;
    COLDFRAME_TRY(plan.config, blob(files, manifest.value("config", json())));
    for (const json& layer : layers) {
        const std::string digest = layer.is_object() ? digestOf(layer.value("digest", json())) : std::string();
        if (digest.empty()) {
            return corrupt("a layer without a digest");
        }
        plan.layerNames.push_back("blobs/sha256/" + digest);
        plan.layerDigests.push_back(digest);
    }
    return plan;
}

} // namespace

Result<std::optional<TarEntry>> parseTarHeader(std::string_view block)
{
    if (block.size() != kBlock) {
        return corrupt("a short block");
    }
    if (block.find_first_not_of('\0') == std::string_view::npos) {
        return std::optional<TarEntry>();
    }
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
        sum += i >= 148 && i < 156 ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(block[i]);
    }
    const auto expected = tarNumber(block.substr(148, 8));
    const auto size = tarNumber(block.substr(124, 12));
    if (!expected || *expected != sum || !size) {
        return corrupt("a damaged block in the archive");
    }
    TarEntry entry{std::string(textOf(block.substr(0, 100))), block[156] == '\0' ? '0' : block[156], *size};
    const std::string_view prefix = textOf(block.substr(345, 155));
    if (block.substr(257, 6) == std::string_view("ustar\0", 6) && !prefix.empty()) {
        entry.name = std::string(prefix) + "/" + entry.name;
    }
    return std::optional<TarEntry>(std::move(entry));
}

Result<PaxRecords> parsePaxRecords(std::string_view text)
{
    PaxRecords records;
    while (!text.empty() && text[0] != '\0') {
        // "<length of the whole record> <key>=<value>\n"
        std::size_t length = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + std::min<std::size_t>(text.size(), 8), length);
        const auto digits = static_cast<std::size_t>(parsed.ptr - text.data());
        if (parsed.ec != std::errc() || digits + 3 > length || length > text.size() || text[digits] != ' ' || text[length - 1] != '\n') {
            return corrupt("a damaged extended header");
        }
        const std::string_view record = text.substr(digits + 1, length - digits - 2);
        const std::size_t equals = record.find('=');
        if (equals == std::string_view::npos) {
            return corrupt("a damaged extended header");
        }
        const std::string_view value = record.substr(equals + 1);
        if (record.substr(0, equals) == "path") {
            records.name = std::string(value);
        } else if (record.substr(0, equals) == "size") {
            std::uint64_t size = 0;
            const auto number = std::from_chars(value.data(), value.data() + value.size(), size);
            if (number.ec != std::errc() || number.ptr != value.data() + value.size() || size >> 62 != 0) {
                return corrupt("a damaged extended header");
            }
            records.size = size;
        }
        text.remove_prefix(length);
    }
    return records;
}

bool isTarArchive(const fs::path& file)
{
    const UniqueFd from(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::string block(kBlock, '\0');
    if (!from || ::pread(from.get(), block.data(), kBlock, 0) != static_cast<ssize_t>(kBlock)) {
        return false;
    }
    const auto entry = parseTarHeader(block);
    return entry.has_value() && entry->has_value();
}

std::string imageNameOf(const std::string& tag)
{
    std::string name = tag.substr(tag.find_last_of('/') == std::string::npos ? 0 : tag.find_last_of('/') + 1);
    name = name.substr(0, name.find_first_of("@:"));
    return checkImageName(name) ? name : std::string();
}

Result<std::map<std::string, TarPlace>> indexTar(const fs::path& archive)
{
    const UniqueFd file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info{};
    if (!file || ::fstat(file.get(), &info) != 0) {
        return failErrno("The file “" + archive.string() + "” cannot be read.", errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(ErrorCode::InvalidArgument, "“" + archive.string() + "” is not a regular file.");
    }
    const auto total = static_cast<std::uint64_t>(info.st_size);
    std::map<std::string, TarPlace> found;
    std::string block(kBlock, '\0');
    PaxRecords next;
    for (std::uint64_t at = 0; at + kBlock <= total;) {
        if (::pread(file.get(), block.data(), kBlock, static_cast<off_t>(at)) != static_cast<ssize_t>(kBlock)) {
            return corrupt("it cannot be read to its end");
        }
        COLDFRAME_TRY(std::optional<TarEntry> entry, parseTarHeader(block));
        if (!entry) {
            return found;
        }
        at += kBlock;
        if (entry->type != 'x') {
            entry->size = next.size.value_or(entry->size);
            entry->name = next.name.empty() ? entry->name : next.name;
            next = {};
        }
        if (entry->size > total - at || found.size() >= kMaxEntries) {
            return corrupt("it is cut off");
        }
        if (entry->type == 'x') {
            std::string text(std::min<std::uint64_t>(entry->size, kMaxPax), '\0');
            if (entry->size > kMaxPax || ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(text.size())) {
                return corrupt("an extended header that is too large");
            }
            COLDFRAME_TRY(next, parsePaxRecords(text));
        } else if (entry->type == '0') {
            std::string name = entry->name;
            while (name.starts_with("./")) {
                name.erase(0, 2);
            }
            found[name] = {at, entry->size};
        }
        at += (entry->size + kBlock - 1) / kBlock * kBlock;
    }
    return corrupt("it is cut off");
}

Result<OciPlan> planOci(const OciFiles& files)
{
    auto list = document(files, "manifest.json");
    if (!list && list.error().code != ErrorCode::NotFound) {
        return tl::unexpected(list.error());
    }
    auto plan = list ? planDocker(files, *list) : planLayout(files);
    if (!plan) {
        return plan;
    }
    const json config = json::parse(plan->config, nullptr, false);
    const json root = config.is_object() ? config.value("rootfs", json::object()) : json();
    const json ids = root.is_object() ? root.value("diff_ids", json()) : json();
    if (!ids.is_array() || ids.size() != plan->layerNames.size()) {
        return corrupt("a configuration with other layers");
    }
    for (const json& id : ids) {
        plan->diffIds.push_back(digestOf(id));
        if (plan->diffIds.back().empty()) {
            return corrupt("a configuration with other layers");
        }
    }
    return plan;
}

Result<OciImage> readOciConfig(const std::string& text)
{
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return corrupt("its configuration");
    }
    if (document.value("architecture", json("amd64")) != "amd64" || document.value("os", json("linux")) != "linux") {
        return fail(ErrorCode::NotAllowed, "The image is not for this kind of machine (linux/amd64).");
    }
    OciImage image;
    const json config = document.value("config", json::object());
    const json environment = config.is_object() ? config.value("Env", json()) : json();
    for (const json& variable : environment.is_array() ? environment : json::array()) {
        const std::string line = variable.is_string() ? variable.get<std::string>() : std::string();
        const bool fits = line.find('=') != std::string::npos && line[0] != '=' && line.size() < 32768 && line.find_first_of(std::string_view("\n\0", 2)) == std::string::npos;
        if (fits && image.environment.size() < kMaxVariables) {
            image.environment.push_back(line);
        }
    }
    for (const auto& [key, into] : {std::pair{"User", &image.user}, {"WorkingDir", &image.workingFolder}}) {
        const json value = config.is_object() ? config.value(key, json()) : json();
        *into = value.is_string() ? value.get<std::string>().substr(0, 1024) : std::string();
    }
    Sha256 digest;
    digest.add(text);
    image.digest = digest.hex();
    return image;
}

Result<OciImage> readOciArchive(const fs::path& archive, const std::atomic<bool>* cancelled)
{
    COLDFRAME_TRY(const auto index, indexTar(archive));
    const UniqueFd file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return failErrno("The file “" + archive.string() + "” cannot be read.", errno);
    }
    const OciFiles files = [&](const std::string& name) -> Result<std::string> {
        const auto found = index.find(name);
        if (found == index.end()) {
            return fail(ErrorCode::NotFound, "The archive is not an image as “docker save” or an OCI tool writes it.", "it lacks " + name);
        }
        if (found->second.size > kMaxDocument) {
            return corrupt(name + " is too large");
        }
        std::string text(found->second.size, '\0');
        if (::pread(file.get(), text.data(), text.size(), static_cast<off_t>(found->second.offset)) != static_cast<ssize_t>(text.size())) {
            return corrupt(name + " cannot be read");
        }
        return text;
    };
    COLDFRAME_TRY(const OciPlan plan, planOci(files));
    COLDFRAME_TRY(OciImage image, readOciConfig(plan.config));
    image.name = plan.name;
    std::string bytes(1u << 20, '\0');
    for (std::size_t i = 0; i < plan.layerNames.size(); ++i) {
        const auto found = index.find(plan.layerNames[i]);
        if (found == index.end()) {
            return corrupt("it lacks the layer " + plan.layerNames[i]);
        }
        OciLayer layer{found->second, "none", plan.diffIds[i]};
        Sha256 digest;
        for (std::uint64_t done = 0; done < layer.place.size;) {
            if (cancelled != nullptr && cancelled->load()) {
                return fail(ErrorCode::Cancelled, "It was stopped. Nothing was left behind.");
            }
            const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), layer.place.size - done));
            const ssize_t got = ::pread(file.get(), bytes.data(), wanted, static_cast<off_t>(layer.place.offset + done));
            if (got <= 0) {
                return corrupt("a layer cannot be read");
            }
            if (done == 0 && std::string_view(bytes).starts_with("\x1f\x8b")) {
                layer.compression = "gzip";
            } else if (done == 0 && std::string_view(bytes).starts_with("\x28\xb5\x2f\xfd")) {
                layer.compression = "zstd";
            }
            digest.add({bytes.data(), static_cast<std::size_t>(got)});
            done += static_cast<std::uint64_t>(got);
        }
        const std::string hex = digest.hex();
        const std::string& expected = !plan.layerDigests[i].empty() ? plan.layerDigests[i] : plan.diffIds[i];
        // Where only the content's digest is known, whoever unpacks it compares.
        if (hex != expected && (layer.compression == "none" || !plan.layerDigests[i].empty())) {
            return corrupt("the layer " + plan.layerNames[i] + " is another one than its image names");
        }
        image.layers.push_back(layer);
    }
    return image;
}

} // namespace coldframe::image
