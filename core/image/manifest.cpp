// SPDX-License-Identifier: Apache-2.0
#include "image/manifest.h"

#include "base/file.h"

#include <nlohmann/json.hpp>

namespace coldframe::image {

namespace {

constexpr int kSchema = 1;

bool isSha256(const std::string& text)
{
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool isPlainFileName(const std::string& name)
{
    return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

tl::unexpected<Error> damaged(const std::string& detail)
{
    return fail(ErrorCode::Corrupt, "The image's manifest is damaged. Build the image again.", detail);
}

} // namespace

Result<Manifest> parseManifest(const std::string& json)
{
    const nlohmann::json document = nlohmann::json::parse(json, nullptr, false);
    if (!document.is_object()) {
        return damaged("manifest.json is not a JSON object");
    }
    try {
        if (document.at("schema").get<int>() != kSchema) {
            return damaged("manifest.json has another schema");
        }
        Manifest manifest;
        manifest.kind = document.at("kind").get<std::string>();
        manifest.name = document.at("name").get<std::string>();
        for (const auto& [name, part] : document.at("parts").items()) {
            Manifest::Part read{part.at("sha256").get<std::string>(), part.at("size").get<std::uint64_t>()};
            if (!isPlainFileName(name) || !isSha256(read.sha256)) {
                return damaged("manifest.json has an odd part");
            }
            manifest.parts.emplace(name, std::move(read));
        }
        const nlohmann::json inputs = document.value("inputs", nlohmann::json::object());
        manifest.guestSha256 = inputs.value("guest", "");
        if (inputs.contains("packages")) {
            manifest.packagesKey = inputs["packages"].dump();
        }
        manifest.kernelRelease = document.value("kernelRelease", "");
        manifest.version = document.value("version", "");
        manifest.slotBytes = document.value("slotBytes", std::uint64_t{0});
        manifest.json = json;
        return manifest;
    } catch (const nlohmann::json::exception& error) {
        return damaged(error.what());
    }
}

Result<Manifest> readManifest(const std::filesystem::path& folder)
{
    auto text = readFile(folder / "manifest.json", 4u << 20);
    if (!text) {
        const ErrorCode code = text.error().code == ErrorCode::NotFound ? ErrorCode::NotFound : text.error().code;
        return fail(code, "The image part " + (folder / "manifest.json").string() + " is missing. Build the image again.",
                    text.error().detail);
    }
    COLDFRAME_TRY(Manifest manifest, parseManifest(*text));
    if (manifest.name != folder.filename().string()) {
        return damaged("the manifest in " + folder.string() + " is that of " + manifest.name);
    }
    return manifest;
}

} // namespace coldframe::image
