// SPDX-License-Identifier: Apache-2.0
#include "engine/image_transfer.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/machine_plan.h"
#include "image/image_archive.h"
#include "vm/qcow2.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

image::BuildControl controlOf(const Steps& steps, const std::string& stage)
{
    image::BuildControl control;
    control.progress = [steps, stage](std::int64_t done, std::int64_t total, const std::string& text) { steps.say(stage, text, done, total); };
    control.cancelled = steps.cancelled;
    return control;
}

} // namespace

Result<void> exportImage(EngineParts& parts, const std::string& id, const fs::path& file, const Steps& steps)
{
    if (!file.is_absolute() || file.filename().empty()) {
        return fail(ErrorCode::InvalidArgument, "The path to export to must be absolute and name a file.");
    }
    if (::access(file.c_str(), F_OK) == 0) {
        return fail(ErrorCode::AlreadyExists, "There is already a file “" + escapeForDisplay(file.string(), 300) + "”.");
    }
    steps.say("export", "Checking the image");
    COLDFRAME_TRY(const image::OwnImage own, parts.ownImages.pinned(id));
    COLDFRAME_TRY(const GuestImage image, parts.images.pinnedImage(id));
    COLDFRAME_TRY(const image::Manifest base, image::readManifest(image.kernel.parent_path()));
    COLDFRAME_TRY(const vm::Qcow2Header disk, vm::readQcow2Header(own.disk));
    image::ArchiveHeader header;
    header.name = parts.ownImages.nameOf(id);
    header.diskBytes = disk.virtualSize;
    header.kernelRelease = base.kernelRelease;
    header.createdAt = own.facts.value("createdAt", "");
    header.origin = own.facts.value("origin", json::object()).value("kind", "");
    header.packages = own.facts.value("packages", std::map<std::string, std::string>());
    COLDFRAME_TRY(const auto work, parts.ownImages.begin()); // removed at its end, or by the next engine
    SystemProcessRunner runner;
    steps.say("export", "Reading the image's disk");
    const fs::path raw = work->folder() / "disk.raw";
    COLDFRAME_CHECK(vm::rawFromChain(runner, imageChain(image), raw, steps.cancelled));
    return image::writeArchive(raw, header, file, controlOf(steps, "export"));
}

Result<image::NamedImage> importImage(EngineParts& parts, const fs::path& file, const std::string& name, const Steps& steps)
{
    if (!name.empty()) {
        COLDFRAME_CHECK(image::checkImageName(name));
    }
    COLDFRAME_TRY(const GuestImage base, parts.images.ensureImage(steps));
    COLDFRAME_TRY(const image::Manifest below, image::readManifest(base.kernel.parent_path()));
    COLDFRAME_TRY(const auto making, parts.ownImages.begin());
    const fs::path raw = making->folder() / "disk.raw";
    COLDFRAME_TRY(const image::ArchiveHeader header, image::readArchive(file, raw, controlOf(steps, "import")));
    if (header.kernelRelease != below.kernelRelease) {
        return fail(ErrorCode::Unavailable,
                    "The image was made for the kernel " + escapeForDisplay(header.kernelRelease, 60) + ", and the base image here has " +
                        below.kernelRelease + ". Update the older of the two machines (coldframe image update), or build the image from its recipe here.");
    }
    steps.say("import", "Writing the image's disk");
    SystemProcessRunner runner;
    COLDFRAME_CHECK(vm::diskFromRaw(runner, raw, making->disk(), steps.cancelled));
    ::unlink(raw.c_str());
    image::ImageFacts facts;
    facts.parent = base.id;
    facts.standsAlone = true;
    facts.json = {{"origin", {{"kind", "import"}, {"from", header.origin}}},
                  {"createdAt", header.createdAt},
                  {"importedAt", formatUtc(utcNow())},
                  {"packages", header.packages}};
    COLDFRAME_TRY(const image::OwnImage made, parts.ownImages.publish(*making, facts));
    const std::string wanted = name.empty() ? header.name : name;
    COLDFRAME_CHECK(parts.ownImages.setName(wanted, made.id));
    return image::NamedImage{wanted, made.id};
}

} // namespace coldframe::engine
