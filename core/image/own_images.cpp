// SPDX-License-Identifier: Apache-2.0
#include "image/own_images.h"

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "image/digest.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::image {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kDisk = "disk.qcow2";
constexpr std::string_view kPrefix = "own-";
constexpr std::size_t kDigits = 64;
constexpr std::size_t kMaxName = 63;
constexpr std::size_t kShownId = 16;

bool isLayerName(const std::string& name)
{
    constexpr std::string_view kBase = "base-";
    return isOwnImageId(name) || (name.size() == kBase.size() + kDigits && name.starts_with(kBase) &&
                                  name.find_first_not_of("0123456789abcdef", kBase.size()) == std::string::npos);
}

std::string sha256OfText(const std::string& text)
{
    Sha256 digest;
    digest.add(text);
    return digest.hex();
}

std::map<std::string, std::string> readNames(const fs::path& file)
{
    std::map<std::string, std::string> names;
    const auto text = readFile(file, 4u << 20);
    const json document = text ? json::parse(*text, nullptr, false) : json();
    if (document.is_object() && document.contains("images") && document["images"].is_object()) {
        for (const auto& [name, id] : document["images"].items()) {
            if (checkImageName(name) && id.is_string() && isOwnImageId(id.get<std::string>())) {
                names.emplace(name, id.get<std::string>());
            }
        }
    } else if (text) {
        logWarning("image", "the names of the own images are damaged: " + file.string());
    }
    return names;
}

} // namespace

bool isOwnImageId(const std::string& id)
{
    return id.size() == kPrefix.size() + kDigits && id.starts_with(kPrefix) &&
           id.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string::npos;
}

Result<void> checkImageName(const std::string& name)
{
    const auto isNameCharacter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    const bool fits = !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), isNameCharacter) &&
                      name[0] != '.' && name[0] != '-' && name[0] != '_' && !isOwnImageId(name) && name != "default";
    if (!fits) {
        return fail(ErrorCode::InvalidArgument,
                    "An image cannot be called \"" + escapeForDisplay(name, 80) +
                        "\". A name has 1 to 63 letters, digits, dots, dashes or underscores, starts with a letter or "
                        "digit, and is not \"default\".");
    }
    return {};
}

OwnImageStore::OwnImageStore(fs::path folder)
    : m_folder(std::move(folder)), m_verification(m_folder / ".verified.json"), m_names(readNames(m_folder / "names.json"))
{
}

Result<std::string> OwnImageStore::idOf(const std::string& nameOrId) const
{
    if (isOwnImageId(nameOrId) && fs::exists(m_folder / nameOrId / "manifest.json")) {
        return nameOrId;
    }
    const std::lock_guard lock(m_mutex);
    const auto found = m_names.find(nameOrId);
    if (found == m_names.end()) {
        return fail(ErrorCode::NotFound,
                    "There is no image named " + escapeForDisplay(nameOrId, 80) + ". See all of them with: coldframe image ls");
    }
    return found->second;
}

std::string OwnImageStore::nameOf(const std::string& id) const
{
    const std::lock_guard lock(m_mutex);
    for (const auto& [name, named] : m_names) {
        if (named == id) {
            return name;
        }
    }
    return id.substr(0, kShownId);
}

Result<OwnImage> OwnImageStore::described(const std::string& id) const
{
    const std::string damage = "The image " + nameOf(id) + " is damaged. Build or import it again.";
    if (!isOwnImageId(id)) {
        return fail(ErrorCode::Corrupt, "The name of an image is damaged.", escapeForDisplay(id, 100));
    }
    const fs::path folder = m_folder / id;
    auto manifest = readManifest(folder);
    if (!manifest) {
        return fail(manifest.error().code,
                    manifest.error().code == ErrorCode::NotFound ? "The image " + nameOf(id) + " is not there any more." : damage,
                    manifest.error().message + " " + manifest.error().detail);
    }
    const json document = json::parse(manifest->json, nullptr, false);
    const json parent = document.value("parent", json());
    const json alone = document.value("standsAlone", json());
    const auto part = manifest->parts.find(kDisk);
    if (manifest->kind != "own" || !parent.is_string() || !isLayerName(parent.get<std::string>()) || !alone.is_boolean() ||
        part == manifest->parts.end()) {
        return fail(ErrorCode::Corrupt, damage, (folder / "manifest.json").string());
    }
    return OwnImage{id, parent, alone.get<bool>(), folder / kDisk, part->second.size, document.value("facts", json::object())};
}

Result<OwnImage> OwnImageStore::pinned(const std::string& id)
{
    COLDFRAME_TRY(OwnImage image, described(id));
    COLDFRAME_TRY(const Manifest manifest, readManifest(m_folder / id));
    if (auto whole = m_verification.check(image.disk, manifest.parts.at(kDisk)); !whole) {
        return fail(whole.error().code, "The image " + nameOf(id) + " is damaged. Build or import it again.",
                    image.disk.string() + ": " + whole.error().detail);
    }
    return image;
}

std::vector<NamedImage> OwnImageStore::list() const
{
    std::vector<NamedImage> found;
    std::set<std::string> named;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [name, id] : m_names) {
            found.push_back({name, id});
            named.insert(id);
        }
    }
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(m_folder, error)) {
        const std::string id = entry.path().filename().string();
        if (isOwnImageId(id) && !named.contains(id)) {
            found.push_back({"", id});
        }
    }
    return found;
}

Result<OwnImage> OwnImageStore::findByKey(const std::string& key)
{
    for (const NamedImage& candidate : list()) {
        const auto manifest = readManifest(m_folder / candidate.id);
        if (!manifest || json::parse(manifest->json, nullptr, false).value("key", "") != key) {
            continue;
        }
        auto whole = pinned(candidate.id);
        if (whole) {
            return whole;
        }
        logWarning("image", whole.error().message + " " + whole.error().detail);
    }
    return fail(ErrorCode::NotFound, "No image was made from that yet.");
}

OwnImageStore::Making::~Making()
{
    if (!m_folder.empty()) {
        std::error_code ignored;
        fs::remove_all(m_folder, ignored);
    }
}

Result<std::shared_ptr<OwnImageStore::Making>> OwnImageStore::begin()
{
    COLDFRAME_CHECK(makeFolders(m_folder, 0700));
    const fs::path folder = m_folder / (".making-" + randomHex(8));
    COLDFRAME_CHECK(makeFolders(folder, 0700));
    return std::make_shared<Making>(folder);
}

Result<OwnImage> OwnImageStore::publish(Making& making, const ImageFacts& facts)
{
    // On the storage before it is promised: a power cut must not leave an image of zeros.
    const UniqueFd disk(::open(making.disk().c_str(), O_RDONLY | O_CLOEXEC));
    if (!disk || ::fsync(disk.get()) != 0 || ::fchmod(disk.get(), 0444) != 0) {
        return failErrno("The image's disk “" + making.disk().string() + "” cannot be kept.", errno);
    }
    struct stat status{};
    ::fstat(disk.get(), &status);
    COLDFRAME_TRY(const std::string digest, sha256OfFile(making.disk()));
    const std::string id = std::string(kPrefix) + sha256OfText(digest + "\n" + facts.parent + "\n" + (facts.standsAlone ? "alone" : "thin"));
    const json manifest{{"schema", 1},
                        {"kind", "own"},
                        {"name", id},
                        {"parts", {{kDisk, {{"sha256", digest}, {"size", status.st_size}}}}},
                        {"parent", facts.parent},
                        {"standsAlone", facts.standsAlone},
                        {"key", facts.key},
                        {"facts", facts.json}};
    COLDFRAME_CHECK(writeFileAtomic(making.folder() / "manifest.json",
                                    manifest.dump(1, ' ', false, json::error_handler_t::replace), 0444));
    const fs::path target = m_folder / id;
    if (fs::exists(target)) {
        auto whole = pinned(id);
        if (whole) {
            return whole;
        }
        // The same name is the same content: a repair in place changes nothing for the disks on it.
        for (const char* part : {kDisk, "manifest.json"}) {
            if (::rename((making.folder() / part).c_str(), (target / part).c_str()) != 0) {
                return failErrno("The image cannot be put in place.", errno);
            }
        }
        return pinned(id);
    }
    if (::rename(making.folder().c_str(), target.c_str()) != 0) {
        return failErrno("The image cannot be put in place.", errno);
    }
    making.m_folder.clear();
    return pinned(id);
}

Result<void> OwnImageStore::saveNames(const std::map<std::string, std::string>& names)
{
    COLDFRAME_CHECK(writeFileAtomic(m_folder / "names.json", json{{"schema", 1}, {"images", names}}.dump(1), 0600));
    m_names = names;
    return {};
}

Result<void> OwnImageStore::setName(const std::string& name, const std::string& id)
{
    COLDFRAME_CHECK(checkImageName(name));
    const std::lock_guard lock(m_mutex);
    auto names = m_names;
    names[name] = id;
    return saveNames(names);
}

Result<void> OwnImageStore::removeName(const std::string& name)
{
    const std::lock_guard lock(m_mutex);
    auto names = m_names;
    names.erase(name);
    return saveNames(names);
}

Result<std::uint64_t> OwnImageStore::remove(const std::string& id)
{
    if (!isOwnImageId(id)) {
        return fail(ErrorCode::InvalidArgument, "That is not the id of an image.");
    }
    std::error_code ignored;
    const auto bytes = fs::file_size(m_folder / id / kDisk, ignored);
    const fs::path leaving = m_folder / (".making-" + randomHex(8)); // from now on only rubbish, whatever happens
    if (::rename((m_folder / id).c_str(), leaving.c_str()) != 0) {
        return failErrno("The image cannot be removed.", errno);
    }
    std::error_code error;
    fs::remove_all(leaving, error);
    return ignored ? 0 : static_cast<std::uint64_t>(bytes);
}

void OwnImageStore::clearLeftovers()
{
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(m_folder, error)) {
        if (entry.path().filename().string().starts_with(".making-")) {
            std::error_code ignored;
            fs::remove_all(entry.path(), ignored);
        }
    }
    const std::lock_guard lock(m_mutex);
    auto names = m_names;
    std::erase_if(names, [this](const auto& entry) { return !fs::exists(m_folder / entry.second); });
    if (names.size() != m_names.size()) {
        (void)saveNames(names);
    }
}

} // namespace coldframe::image
