// SPDX-License-Identifier: Apache-2.0
// image: the base image and the user's own.
#include "api/path_encoding.h"
#include "base/log.h"
#include "commands.h"
#include "output.h"

#include <array>
#include <cstdio>
#include <filesystem>

namespace coldframe::cli {

using nlohmann::json;

namespace {

/// The engine has another working folder.
std::string absolute(const std::string& path)
{
    std::error_code ignored;
    return api::encodePath(std::filesystem::absolute(path, ignored).lexically_normal().native());
}

std::string sizeText(std::uint64_t bytes)
{
    std::array<char, 32> text{};
    const double mib = static_cast<double>(bytes) / (1 << 20);
    std::snprintf(text.data(), text.size(), mib >= 1024 ? "%.1f GiB" : "%.1f MiB", mib >= 1024 ? mib / 1024 : mib);
    return text.data();
}

std::string joined(const json& words)
{
    std::string text;
    for (const json& word : words.is_array() ? words : json::array()) {
        text += (text.empty() ? "" : ", ") + (word.is_string() ? word.get<std::string>() : std::string());
    }
    return text;
}

/// What a failed step of a build wrote is shown a line each; the error comes back without it.
Result<json> shownInLines(const Result<json>& answer)
{
    if (answer || answer.error().code != ErrorCode::Io || answer.error().detail.find('\n') == std::string::npos) {
        return answer;
    }
    Error error = answer.error();
    for (std::size_t begin = 0; begin < error.detail.size();) {
        const std::size_t end = std::min(error.detail.find('\n', begin), error.detail.size());
        printNote("  " + error.detail.substr(begin, end - begin));
        begin = end + 1;
    }
    error.detail.clear();
    return tl::unexpected(std::move(error));
}

/// What a newer image has other than the older one.
void printChanges(const json& answer)
{
    const json changes = answer.value("changes", json());
    if (!changes.is_object()) {
        return;
    }
    bool isAny = false;
    for (const auto& [key, mark] : {std::pair{"removed", "- "}, {"added", "+ "}, {"changed", "  "}}) {
        const json list = changes.value(key, json::object()); // items() of a temporary would outlive it
        for (const auto& [name, version] : list.items()) {
            const bool isPair = version.is_array() && version.size() == 2 && version[0].is_string() && version[1].is_string();
            const std::string text = isPair ? version[0].get<std::string>() + " -> " + version[1].get<std::string>()
                                            : version.is_string() ? version.get<std::string>() : std::string();
            printLine(mark + name + " " + text);
            isAny = true;
        }
    }
    if (!isAny) {
        printLine("No package changed.");
    }
}

} // namespace

Result<int> imageStatus(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json status, engine.call("image.status"));
    const bool ready = status.value("ready", false);
    if (options.json) {
        printJson(status);
    } else if (ready) {
        printLine("The guest image is ready.");
    } else if (status.value("building", false)) {
        printLine("The guest image is being built.");
    } else {
        const std::string problem = textOf(status, "problem");
        printLine(problem.empty() ? "The guest image is not built; run “coldframe image build”." : problem);
    }
    return ready ? kOk : kUnavailable;
}

Result<int> imageBuild(EngineLink& engine, const ImageOptions& options)
{
    if (options.recipe.empty()) {
        COLDFRAME_TRY(const json built, engine.callWithProgress("image.build", {{"force", options.force}}));
        printLine("The guest image is ready.");
        if (options.force) {
            printChanges(built);
        }
        return kOk;
    }
    const Result<json> answer = engine.callWithProgress("image.build", {{"recipe", absolute(options.recipe)},
                                                                        {"name", options.name},
                                                                        {"force", options.force},
                                                                        {"consentEmulation", options.acceptEmulation}});
    const Result<json> made = shownInLines(answer);
    if (!made) {
        return tl::unexpected(made.error());
    }
    const std::string name = textOf(*made, "name");
    if (!made->value("cached", false)) {
        printChanges(*made);
    }
    printLine(made->value("cached", false) ? "The image " + name + " is ready; nothing changed since it was built."
                                           : "The image " + name + " is ready. Use it: coldframe create --image " + name + " AGENT FOLDER");
    return kOk;
}

Result<int> imageList(EngineLink& engine, const ImageOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("image.list"));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"NAME", "ID", "SIZE", "FROM", "CREATED", "USED BY"});
    for (const json& image : answer.value("images", json::array())) {
        const std::string name = textOf(image, "name");
        if (options.output.quiet) {
            printLine(name.empty() ? textOf(image, "id") : name);
            continue;
        }
        const std::string problem = textOf(image, "problem");
        const std::string origin = textOf(image, "origin") + (image.value("onOlderBase", false) ? " (older base)" : "");
        table.add({name.empty() ? "-" : name, textOf(image, "id").substr(0, 16), sizeText(image.value("bytes", std::uint64_t{0})),
                   problem.empty() ? origin : problem, textOf(image, "createdAt").substr(0, 16), joined(image.value("usedBy", json()))});
    }
    if (!options.output.quiet) {
        table.print();
    }
    return kOk;
}

Result<int> imageInspect(EngineLink& engine, const ImageOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("image.inspect", {{"image", options.image}}));
    printJson(answer);
    return kOk;
}

Result<int> imageRemove(EngineLink& engine, const std::vector<std::string>& images)
{
    for (const std::string& image : images) {
        COLDFRAME_CHECK(engine.call("image.remove", {{"image", image}}));
        printLine(image);
    }
    return kOk;
}

Result<int> imagePrune(EngineLink& engine)
{
    COLDFRAME_TRY(const json answer, engine.call("image.prune"));
    const std::size_t count = answer.value("images", json::array()).size();
    printLine(count == 0 ? "There is no image without a name and without a user."
                         : std::to_string(count) + (count == 1 ? " image" : " images") + " removed, " +
                               sizeText(answer.value("bytes", std::uint64_t{0})) + " freed.");
    return kOk;
}

Result<int> imageExport(EngineLink& engine, const ImageOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.callWithProgress("image.export", {{"image", options.image}, {"path", absolute(options.file)}}));
    printLine("The image " + options.image + " is in " + options.file + ", " + sizeText(answer.value("bytes", std::uint64_t{0})) + ".");
    return kOk;
}

Result<int> imageImport(EngineLink& engine, const ImageOptions& options)
{
    const Result<json> answer = engine.callWithProgress("image.import", {{"path", absolute(options.file)},
                                                                         {"name", options.name},
                                                                         {"consentEmulation", options.acceptEmulation}});
    COLDFRAME_TRY(const json made, shownInLines(answer));
    const std::string name = textOf(made, "name");
    printLine("The image " + name + " is ready. Use it: coldframe create --image " + name + " AGENT FOLDER");
    const json guest = made.value("guest", json());
    if (guest.is_object()) {
        const auto without = [&guest](const char* key) { return guest.value(key, json(true)) == false; };
        if (textOf(guest, "libc") != "glibc") {
            printNote("It has no GNU C library: use the agent “shell”; other agents do not run on it.");
        }
        if (without("sudo")) {
            printNote("It has no sudo: commands as root go by “coldframe exec --user root”.");
        }
        if (without("git")) {
            printNote("It has no git.");
        }
        if (without("docker")) {
            printNote("It has no Docker.");
        }
    }
    return kOk;
}

Result<int> imageLog(EngineLink& engine, const ImageOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("image.log", {{"image", options.image}}));
    const std::string text = textOf(answer, "text");
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        printLine(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return kOk;
}

} // namespace coldframe::cli
