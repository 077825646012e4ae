// SPDX-License-Identifier: Apache-2.0
#include "engine/image_calls.h"

#include "api/path_encoding.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "engine/blocking.h"
#include "engine/image_references.h"
#include "engine/image_transfer.h"
#include "image/oci_archive.h"

#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace coldframe::engine {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxShownLog = 512u << 10;

/// What a file takes on the storage, which for a sparse one is less than its size.
std::uint64_t bytesTaken(const fs::path& file)
{
    struct stat info{};
    return ::stat(file.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

json summaryOf(const image::OwnImage& image, const std::string& name)
{
    const json origin = image.facts.value("origin", json::object());
    return {{"name", name},
            {"id", image.id},
            {"bytes", bytesTaken(image.disk)},
            {"parent", image.parent},
            {"standsAlone", image.standsAlone},
            {"createdAt", image.facts.value("createdAt", "")},
            {"origin", origin.is_object() ? origin.value("kind", "") : ""}};
}

} // namespace

asio::awaitable<Result<json>> ImageCalls::call(std::string method, json params, Steps steps)
{
    if (method == "image.build") {
        auto recipe = api::decodePath(params.at("recipe").get<std::string>());
        if (!recipe) {
            co_return tl::unexpected(recipe.error());
        }
        ImageBuilder::Order order{fs::path(*recipe), params.value("name", ""), params.value("force", false),
                                  params.value("consentEmulation", false)};
        co_return co_await m_builder.build(std::move(order), steps);
    }
    if (method == "image.list") {
        co_return co_await list();
    }
    if (method == "image.inspect") {
        co_return co_await inspect(params.at("image").get<std::string>());
    }
    if (method == "image.remove") {
        co_return co_await remove(params.at("image").get<std::string>());
    }
    if (method == "image.prune") {
        co_return co_await prune();
    }
    if (method == "image.log") {
        co_return co_await log(params.at("image").get<std::string>());
    }
    if (method == "image.export" || method == "image.import") {
        co_return co_await transfer(std::move(method), std::move(params), steps);
    }
    co_return tl::unexpected(api::unknownMethod(method));
}

asio::awaitable<Result<json>> ImageCalls::transfer(std::string method, json params, Steps steps)
{
    const auto file = api::decodePath(params.at("path").get<std::string>());
    if (!file) {
        co_return tl::unexpected(file.error());
    }
    if (method == "image.export") {
        const auto id = m_parts.ownImages.idOf(params.at("image").get<std::string>());
        if (!id) {
            co_return tl::unexpected(id.error());
        }
        auto write = [&parts = m_parts, wanted = *id, path = fs::path(*file), steps] { return exportImage(parts, wanted, path, steps); };
        const Result<void> written = co_await onPool(m_parts.pool, std::move(write));
        if (!written) {
            co_return tl::unexpected(written.error());
        }
        co_return json{{"bytes", bytesTaken(*file)}};
    }
    const std::string name = params.value("name", "");
    auto inquire = [path = fs::path(*file)] { return image::isTarArchive(path); };
    if (co_await onPool(m_parts.pool, std::move(inquire))) {
        ImageBuilder::ImportOrder order{fs::path(*file), name, params.value("consentEmulation", false)};
        co_return co_await m_builder.importLayers(std::move(order), steps);
    }
    auto read = [&parts = m_parts, path = fs::path(*file), name, steps] { return importImage(parts, path, name, steps); };
    const Result<image::NamedImage> made = co_await onPool(m_parts.pool, std::move(read));
    if (!made) {
        co_return tl::unexpected(made.error());
    }
    co_return json{{"name", made->name}, {"id", made->id}};
}

std::vector<std::string> ImageCalls::usersOf(const std::string& id) const
{
    std::vector<std::string> users;
    for (const auto& sandbox : m_registry.all()) {
        const SandboxRecord& record = sandbox->record();
        if (record.ownImage == id || record.imageId == id || record.previousDisk.imageId == id) {
            users.push_back("the sandbox " + record.name);
        }
    }
    for (const image::NamedImage& other : m_parts.ownImages.list()) {
        const auto described = m_parts.ownImages.described(other.id);
        if (described && described->parent == id) {
            users.push_back("the image " + m_parts.ownImages.nameOf(other.id));
        }
    }
    // Whatever else is kept beside the sandboxes and stands on images.
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(paths::dataFolder(), error)) {
        const std::string name = entry.path().filename().string();
        std::error_code ignored;
        if (!entry.is_directory(ignored) || name == "images" || name == "own-images" || name == "sandboxes") {
            continue;
        }
        const auto named = referencedImages(entry.path());
        if (!named || named->contains(id)) {
            users.push_back("something in " + entry.path().string());
        }
    }
    return users;
}

asio::awaitable<Result<json>> ImageCalls::list()
{
    json all = json::array();
    std::string current;
    auto look = [&images = m_parts.images] { return images.currentImage(); };
    if (const Result<GuestImage> base = co_await onPool(m_parts.pool, std::move(look))) {
        current = base->id;
        all.push_back({{"name", "default"}, {"id", base->id}, {"bytes", bytesTaken(base->baseDisk)}, {"origin", "base"}});
    }
    for (const image::NamedImage& named : m_parts.ownImages.list()) {
        const auto image = m_parts.ownImages.described(named.id);
        if (!image) {
            all.push_back({{"name", named.name}, {"id", named.id}, {"problem", image.error().message}});
            continue;
        }
        json entry = summaryOf(*image, named.name);
        entry["usedBy"] = usersOf(named.id);
        entry["onOlderBase"] = !current.empty() && !image::isOwnImageId(image->parent) && image->parent != current;
        all.push_back(std::move(entry));
    }
    co_return json{{"images", all}};
}

asio::awaitable<Result<json>> ImageCalls::inspect(std::string image)
{
    const auto id = m_parts.ownImages.idOf(image);
    if (!id) {
        co_return tl::unexpected(id.error());
    }
    auto verify = [&store = m_parts.ownImages, wanted = *id] { return store.pinned(wanted); };
    const Result<image::OwnImage> found = co_await onPool(m_parts.pool, std::move(verify));
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    json all = summaryOf(*found, m_parts.ownImages.nameOf(*id));
    all["facts"] = found->facts;
    all["usedBy"] = usersOf(*id);
    co_return all;
}

Result<std::uint64_t> ImageCalls::removeFiles(const std::string& id)
{
    for (const std::string& gone : m_parts.templates.removeOf(id)) {
        logInfo("image", "removed the template " + gone);
    }
    return m_parts.ownImages.remove(id);
}

asio::awaitable<Result<json>> ImageCalls::remove(std::string image)
{
    const auto id = m_parts.ownImages.idOf(image);
    if (!id) {
        co_return tl::unexpected(id.error());
    }
    const std::vector<std::string> users = usersOf(*id);
    if (!users.empty()) {
        co_return fail(ErrorCode::Busy, "The image " + m_parts.ownImages.nameOf(*id) + " is used by " + joined(users) +
                                            ". Remove what uses it first.");
    }
    for (const image::NamedImage& named : m_parts.ownImages.list()) {
        if (named.id == *id && !named.name.empty()) {
            if (auto removed = m_parts.ownImages.removeName(named.name); !removed) {
                co_return tl::unexpected(removed.error());
            }
        }
    }
    auto discard = [this, wanted = *id] { return removeFiles(wanted); };
    const Result<std::uint64_t> freed = co_await onPool(m_parts.pool, std::move(discard));
    if (!freed) {
        co_return tl::unexpected(freed.error());
    }
    co_return json{{"bytes", *freed}};
}

asio::awaitable<Result<json>> ImageCalls::prune()
{
    std::uint64_t bytes = 0;
    json removed = json::array();
    // An image that only an unnamed one stood on goes in the next round.
    for (bool isChanged = true; isChanged;) {
        isChanged = false;
        for (const image::NamedImage& named : m_parts.ownImages.list()) {
            if (!named.name.empty() || !usersOf(named.id).empty()) {
                continue;
            }
            auto discard = [this, wanted = named.id] { return removeFiles(wanted); };
            const Result<std::uint64_t> freed = co_await onPool(m_parts.pool, std::move(discard));
            if (!freed) {
                co_return tl::unexpected(freed.error());
            }
            bytes += *freed;
            removed.push_back(named.id);
            isChanged = true;
        }
    }
    co_return json{{"images", removed}, {"bytes", bytes}};
}

asio::awaitable<Result<json>> ImageCalls::log(std::string name)
{
    if (auto fits = image::checkImageName(name); !fits) {
        co_return tl::unexpected(fits.error());
    }
    const fs::path file = ImageBuilder::logFile(name);
    auto read = [file] { return readFile(file); };
    Result<std::string> text = co_await onPool(m_parts.pool, std::move(read));
    if (!text) {
        co_return fail(ErrorCode::NotFound, "There is no log of a build of " + name + ".");
    }
    const std::string shown = text->substr(text->size() - std::min(text->size(), kMaxShownLog));
    co_return json{{"path", api::encodePath(file.native())}, {"text", shown}};
}

} // namespace coldframe::engine
