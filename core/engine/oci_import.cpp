// SPDX-License-Identifier: Apache-2.0
// Images out of an OCI archive or one of `docker save`: unpacked in a room by guest/image/unpack-layers.py.
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "engine/blocking.h"
#include "engine/image_builder.h"
#include "engine/machine_plan.h"
#include "image/oci_archive.h"
#include "image/recorded_disk.h"
#include "vm/qcow2.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kTool = "/run/coldframe-unpack-layers.py";
constexpr const char* kUnpacked = "/coldframe-unpack/root";
constexpr const char* kRecords = "coldframe-unpack-1"; ///< what the digest of the records begins with
constexpr std::uint64_t kDiskBytes = 40ull << 30;      ///< as in unpack-layers.py
constexpr std::size_t kPiece = 256u << 10;
constexpr std::size_t kMaxTool = 1u << 20;
constexpr std::size_t kMaxAnswer = 64u << 10;
constexpr int kStepsBeside = 4; ///< beside those of the layers
/// The room's disk, the raw one and the finished one are there at the same time.
constexpr std::uint64_t kCopies = 3;

struct Archive
{
    image::OciImage image{};
    std::shared_ptr<UniqueFd> file{};
    std::string name{};
    std::string tool{};
    std::uint64_t most = 0; ///< bytes that its layers may have together
};

std::string nameOf(const ImageBuilder::ImportOrder& order, const std::string& tag)
{
    if (!order.name.empty()) {
        return order.name;
    }
    const std::string tagged = image::imageNameOf(tag);
    return tagged.empty() ? order.file.stem().string() : tagged;
}

Result<Archive> openArchive(const ImageBuilder::ImportOrder& order, const fs::path& store, const Steps& steps)
{
    Archive archive;
    COLDFRAME_TRY(archive.image, image::readOciArchive(order.file, steps.cancelled));
    archive.name = nameOf(order, archive.image.name);
    COLDFRAME_CHECK(image::checkImageName(archive.name));
    archive.file = std::make_shared<UniqueFd>(::open(order.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!*archive.file) {
        return failErrno("The file “" + order.file.string() + "” cannot be read.", errno);
    }
    COLDFRAME_TRY(archive.tool, readFile(paths::imageRecipeFolder() / "unpack-layers.py", kMaxTool));
    archive.most = std::min(kDiskBytes, image::spareBytes(store.parent_path()) / kCopies);
    std::uint64_t packed = 0;
    for (const image::OciLayer& layer : archive.image.layers) {
        packed += layer.place.size;
    }
    if (packed > archive.most) {
        return fail(ErrorCode::NoSpace, "There is not enough space left for the image. Free some and try again.");
    }
    return archive;
}

/// A stretch of the archive, a piece at a time.
std::function<Result<std::string>()> pieces(std::shared_ptr<UniqueFd> file, image::TarPlace place)
{
    const auto at = std::make_shared<image::TarPlace>(place);
    return [file, at]() -> Result<std::string> {
        std::string bytes(std::min<std::uint64_t>(kPiece, at->size), '\0');
        if (bytes.empty()) {
            return bytes;
        }
        const ssize_t got = ::pread(file->get(), bytes.data(), bytes.size(), static_cast<off_t>(at->offset));
        if (got <= 0) {
            return fail(ErrorCode::Io, "The archive cannot be read to its end.");
        }
        bytes.resize(static_cast<std::size_t>(got));
        at->offset += bytes.size();
        at->size -= bytes.size();
        return bytes;
    };
}

std::function<Result<std::string>()> whole(std::string text)
{
    const auto left = std::make_shared<std::string>(std::move(text));
    return [left]() -> Result<std::string> { return std::exchange(*left, std::string()); };
}

GuestProgram tool(std::vector<std::string> words)
{
    GuestProgram program;
    program.argv = {"/usr/bin/python3", kTool};
    program.argv.insert(program.argv.end(), words.begin(), words.end());
    return program;
}

/// What the guest said that the image has; nothing of it is believed beyond these words.
json guestFacts(const std::string& text)
{
    const std::size_t begin = text.find('{');
    const json said = begin == std::string::npos ? json() : json::parse(text.substr(begin), nullptr, false);
    json facts = {{"libc", "none"}};
    if (!said.is_object()) {
        return facts;
    }
    const json libc = said.value("libc", json());
    facts["libc"] = libc == "glibc" || libc == "musl" ? libc : json("none");
    for (const char* key : {"bash", "sudo", "docker", "git"}) {
        facts[key] = said.value(key, json()) == true;
    }
    return facts;
}

} // namespace

asio::awaitable<Result<json>> ImageBuilder::importLayers(ImportOrder order, Steps steps)
{
    steps.say("import", "Checking the archive");
    auto look = [this, order, steps]() -> Result<Archive> {
        COLDFRAME_TRY(Archive opened, openArchive(order, m_parts.ownImages.folder(), steps));
        COLDFRAME_CHECK(m_parts.images.ensureImage(steps));
        return opened;
    };
    const Result<Archive> archive = co_await onPool(m_parts.pool, std::move(look));
    if (!archive) {
        co_return tl::unexpected(archive.error());
    }
    const auto said = std::make_shared<std::string>();
    Work work = [this, &archive, said](BuildRoom& place) -> asio::awaitable<Result<image::OwnImage>> {
        const image::OciImage& image = archive->image;
        GuestProgram bring;
        bring.argv = {"/bin/sh", "-c", std::string("cat >") + kTool + " && exec /usr/bin/python3 " + kTool + " begin"};
        bring.input = whole(archive->tool);
        if (auto done = co_await runStep(place, "make an empty disk", std::move(bring)); !done) {
            co_return tl::unexpected(done.error());
        }
        for (const image::OciLayer& layer : image.layers) {
            GuestProgram unpack = tool({"layer", layer.compression, layer.diffId, std::to_string(archive->most)});
            unpack.input = pieces(archive->file, layer.place);
            if (auto done = co_await runStep(place, "unpack the layer " + layer.diffId.substr(0, 12), std::move(unpack)); !done) {
                co_return tl::unexpected(done.error());
            }
        }
        GuestProgram furnish = tool({"furnish"});
        std::string variables;
        for (const std::string& line : image.environment) {
            variables += line + "\n";
        }
        furnish.input = whole(variables);
        furnish.output = [said](std::string_view text) { said->append(text.substr(0, kMaxAnswer - std::min(kMaxAnswer, said->size()))); };
        if (auto done = co_await runStep(place, "make it fit for a sandbox", std::move(furnish)); !done) {
            co_return tl::unexpected(done.error());
        }
        const auto packages = co_await packagesIn(place, kUnpacked);
        if (!packages) {
            co_return tl::unexpected(packages.error());
        }
        const auto making = m_parts.ownImages.begin();
        if (!making) {
            co_return tl::unexpected(making.error());
        }
        const fs::path raw = (*making)->folder() / "disk.raw";
        const auto disk = image::RecordedDisk::create(raw, kRecords, kDiskBytes);
        if (!disk) {
            co_return tl::unexpected(disk.error());
        }
        GuestProgram send = tool({"send", kRecords});
        send.take = [target = *disk](std::string_view bytes) { return target->feed(bytes); };
        if (auto done = co_await runStep(place, "write the image's disk", std::move(send)); !done) {
            co_return tl::unexpected(done.error());
        }
        if (!(*disk)->isComplete()) {
            co_return fail(ErrorCode::Corrupt, "The image's disk did not arrive whole from the microVM. Import it again.");
        }
        image::ImageFacts facts;
        facts.parent = place.sandbox->record().imageId;
        facts.standsAlone = true;
        facts.json = {{"origin", {{"kind", "oci"}, {"from", escapeForDisplay(image.name, 200)}, {"config", image.digest}}},
                      {"createdAt", formatUtc(utcNow())},
                      {"packages", *packages},
                      {"guest", guestFacts(*said)}};
        auto publish = [this, making = *making, raw, facts, cancelled = place.steps.cancelled]() -> Result<image::OwnImage> {
            SystemProcessRunner runner;
            COLDFRAME_CHECK(vm::diskFromRaw(runner, raw, making->disk(), cancelled));
            ::unlink(raw.c_str());
            return m_parts.ownImages.publish(*making, facts);
        };
        co_return co_await onPool(m_parts.pool, std::move(publish));
    };
    RoomOrder room{archive->name, "", {}, order.consentEmulation, static_cast<int>(archive->image.layers.size()) + kStepsBeside - 1};
    const Result<image::OwnImage> made = co_await makeInRoom(std::move(room), std::move(work), steps);
    if (!made) {
        co_return tl::unexpected(made.error());
    }
    if (auto named = m_parts.ownImages.setName(archive->name, made->id); !named) {
        co_return tl::unexpected(named.error());
    }
    co_return json{{"name", archive->name}, {"id", made->id}, {"guest", made->facts.value("guest", json::object())}};
}

} // namespace coldframe::engine
