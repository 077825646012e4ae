// SPDX-License-Identifier: Apache-2.0
#include "image/image_store.h"

#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"

#include <charconv>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <system_error>

namespace coldframe::image {

namespace {

constexpr int kNoSpaceExit = 28; ///< guest/image/coldframe_image/report.py
constexpr std::chrono::minutes kBuildLimit{45};

bool isFolderName(const std::string& id, const std::string& kind)
{
    if (!id.starts_with(kind + "-") || id.size() < kind.size() + 65 || id.size() > 255) {
        return false;
    }
    const std::string digest = id.substr(id.size() - 64);
    return id.find('/') == std::string::npos && digest.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// One line of the scripts: "PROGRESS 3 10 text".
void readLine(std::string_view line, const BuildControl& control, std::string& failure)
{
    if (line.starts_with("FAILED ")) {
        failure = std::string(line.substr(7));
        return;
    }
    if (!line.starts_with("PROGRESS ") || !control.progress) {
        return;
    }
    line.remove_prefix(9);
    std::int64_t numbers[2] = {0, 0};
    for (std::int64_t& number : numbers) {
        const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
        if (parsed.ec != std::errc()) {
            return;
        }
        line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
        if (line.starts_with(' ')) {
            line.remove_prefix(1);
        }
    }
    control.progress(numbers[0], numbers[1], std::string(line));
}

Result<nlohmann::json> readObject(const std::filesystem::path& path)
{
    COLDFRAME_TRY(const std::string text, readFile(path, 1u << 20));
    nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return fail(ErrorCode::Corrupt, path.string() + " is damaged. Build the image again.");
    }
    return document;
}

Result<std::string> agentFolderName(const std::filesystem::path& images, const std::string& agent)
{
    const auto document = readObject(images / "agents.json");
    if (document && document->contains("agents") && (*document)["agents"].is_object()) {
        const nlohmann::json name = (*document)["agents"].value(agent, nlohmann::json());
        if (name.is_string()) {
            return name.get<std::string>();
        }
    }
    return fail(ErrorCode::NotFound, "The agent " + agent + " is not installed yet.");
}

} // namespace

ImageStore::Places ImageStore::Places::standard()
{
    const auto named = paths::dataFolder() / "images";
    std::error_code error;
    const auto real = std::filesystem::weakly_canonical(named, error);
    const bool isLink = std::filesystem::is_symlink(std::filesystem::symlink_status(named, error));
    return {real.empty() ? named : real, paths::imageRecipeFolder(), paths::helperExecutable("coldframe-guest"), isLink};
}

ImageStore::ImageStore(Places places, ProcessRunner& runner)
    : m_places(std::move(places)), m_runner(runner), m_verification(m_places.images / ".verified.json")
{
}

Result<Manifest> ImageStore::verifiedManifest(const std::string& id, const std::string& kind)
{
    if (!isFolderName(id, kind)) {
        return fail(ErrorCode::Corrupt, "The image's name is damaged. Build the image again.", id);
    }
    const std::filesystem::path folder = m_places.images / id;
    COLDFRAME_TRY(Manifest manifest, readManifest(folder));
    if (manifest.kind != kind) {
        return fail(ErrorCode::Corrupt, "The image's manifest is damaged. Build the image again.", "it is of kind " + manifest.kind);
    }
    COLDFRAME_CHECK(m_verification.checkAll(folder, manifest));
    return manifest;
}

Result<Image> ImageStore::pinned(const std::string& id)
{
    COLDFRAME_TRY(Manifest manifest, verifiedManifest(id, "base"));
    const std::filesystem::path folder = m_places.images / id;
    for (const char* part : {"vmlinuz", "initrd.img", "base.qcow2"}) {
        if (!manifest.parts.contains(part)) {
            return fail(ErrorCode::Corrupt, "The image part " + (folder / part).string() + " is missing. Build the image again.");
        }
    }
    return Image{id, folder / "vmlinuz", folder / "initrd.img", folder / "base.qcow2", std::move(manifest)};
}

Result<Image> ImageStore::current()
{
    const auto document = readObject(m_places.images / "current.json");
    if (!document) {
        if (document.error().code == ErrorCode::NotFound) {
            return fail(ErrorCode::NotFound, "There is no guest image yet.");
        }
        return tl::unexpected(document.error());
    }
    const nlohmann::json name = document->value("base", nlohmann::json());
    if (document->value("schema", nlohmann::json()) != 1 || !name.is_string()) {
        return fail(ErrorCode::Corrupt, "current.json of the images is damaged. Build the image again.");
    }
    return pinned(name.get<std::string>());
}

Result<Image> ImageStore::ensure(const BuildControl& control)
{
    Result<Image> found = current();
    if (!found) {
        logInfo("image", found.error().message);
        Result<Image> built = build(false, control);
        if (!built && built.error().code != ErrorCode::Cancelled) {
            std::string message = found.error().message;
            if (const auto remedy = message.find(" Build the image again."); remedy != std::string::npos) {
                message.erase(remedy); // that was tried
            }
            return fail(built.error().code, message + " It could not be built: " + built.error().message, built.error().detail);
        }
        return built;
    }
    const Result<std::string> guest = m_verification.digest(m_places.guest);
    if (guest && *guest != found->manifest.guestSha256) {
        return build(false, control);
    }
    return found;
}

Result<Image> ImageStore::build(bool force, const BuildControl& control)
{
    std::vector<std::string> arguments{(m_places.recipe / "build").string(), "--guest", m_places.guest.string(), "--images",
                                       m_places.images.string()};
    if (force) {
        arguments.emplace_back("--refresh");
    }
    if (const auto whole = current(); !whole && whole.error().code == ErrorCode::Corrupt) {
        arguments.emplace_back("--check"); // the sizes alone do not show the damage
    }
    COLDFRAME_CHECK(runScript(std::move(arguments), control));
    return current();
}

Result<AgentLayer> ImageStore::pinnedAgentLayer(const std::string& id)
{
    COLDFRAME_TRY(Manifest manifest, verifiedManifest(id, "agent"));
    if (!manifest.parts.contains("agent.qcow2")) {
        return fail(ErrorCode::Corrupt, "The agent's disk " + id + " is damaged. Build it again.");
    }
    return AgentLayer{id, m_places.images / id / "agent.qcow2", manifest.version};
}

Result<AgentLayer> ImageStore::currentAgentLayer(const AgentSource& agent)
{
    COLDFRAME_TRY(const std::string id, agentFolderName(m_places.images, agent.name));
    if (!id.starts_with("agent-" + agent.name + "-")) {
        return fail(ErrorCode::Corrupt, "agents.json of the images is damaged.", id);
    }
    COLDFRAME_TRY(AgentLayer layer, pinnedAgentLayer(id));
    COLDFRAME_TRY(const Manifest manifest, readManifest(m_places.images / id));
    if (manifest.packagesKey != nlohmann::json(agent.packages).dump()) {
        return fail(ErrorCode::NotFound, "The agent " + agent.name + " is installed from other packages.");
    }
    if (agent.slotBytes != 0 && manifest.slotBytes != agent.slotBytes) {
        return fail(ErrorCode::NotFound, "The disk of the agent " + agent.name + " is one of an earlier version.");
    }
    return layer;
}

Result<AgentLayer> ImageStore::ensureAgentLayer(const AgentSource& agent, const BuildControl& control)
{
    if (agent.packages.empty()) {
        return fail(ErrorCode::InvalidArgument, "The agent " + agent.name + " has no npm package to install.");
    }
    const Result<AgentLayer> found = currentAgentLayer(agent);
    if (found) {
        return found;
    }
    logInfo("image", found.error().message);
    std::vector<std::string> arguments{(m_places.recipe / "build-agent").string(), "--images", m_places.images.string()};
    for (const std::string& package : agent.packages) {
        arguments.insert(arguments.end(), {"--npm", package});
    }
    if (found.error().code == ErrorCode::Corrupt) {
        arguments.emplace_back("--check");
    }
    arguments.insert(arguments.end(), {"--", agent.name});
    COLDFRAME_CHECK(runScript(std::move(arguments), control));
    return currentAgentLayer(agent);
}

Result<void> ImageStore::runScript(std::vector<std::string> arguments, const BuildControl& control)
{
    COLDFRAME_CHECK(makeFolders(m_places.images, 0755));
    std::string failure;
    ProcessSpec spec{.arguments = std::move(arguments)};
    spec.timeout = kBuildLimit;
    spec.cancelled = control.cancelled;
    spec.onLine = [&](std::string_view line) { readLine(line, control, failure); };
    const auto finished = m_runner.run(spec);
    if (!finished) {
        if (finished.error().code == ErrorCode::Cancelled) {
            return fail(ErrorCode::Cancelled, "The build was cancelled. What was in use before is unchanged.");
        }
        return tl::unexpected(finished.error());
    }
    if (finished->exitCode == 0) {
        return {};
    }
    if (failure.empty()) {
        failure = "The build of the image ended early. Run it again; the log shows why.";
    }
    return fail(finished->exitCode == kNoSpaceExit ? ErrorCode::NoSpace : ErrorCode::Unavailable, failure,
                finished->standardError.substr(finished->standardError.size() - std::min<std::size_t>(finished->standardError.size(), 4096)));
}

Result<std::vector<std::string>> ImageStore::prune(const std::set<std::string>& used)
{
    std::error_code missing;
    const auto kind = std::filesystem::symlink_status(m_places.images, missing);
    if (!std::filesystem::is_directory(kind) || m_places.isShared) {
        return std::vector<std::string>();
    }
    const UniqueFd lock(::open((m_places.images / ".build.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::Busy, "An image is being built. Try again when it is finished.");
    }
    std::set<std::string> kept = used;
    if (const auto document = readObject(m_places.images / "current.json"); document) {
        const nlohmann::json name = document->value("base", nlohmann::json());
        if (name.is_string()) {
            kept.insert(name.get<std::string>());
        }
    } else if (document.error().code != ErrorCode::NotFound) {
        return tl::unexpected(document.error());
    }
    if (const auto document = readObject(m_places.images / "agents.json"); document) {
        const nlohmann::json agents = document->value("agents", nlohmann::json::object());
        for (const auto& entry : agents.items()) {
            if (entry.value().is_string()) {
                kept.insert(entry.value().get<std::string>());
            }
        }
    } else if (document.error().code != ErrorCode::NotFound) {
        return tl::unexpected(document.error());
    }
    std::vector<std::string> removed;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(m_places.images, error)) {
        const std::string name = entry.path().filename().string();
        if ((isFolderName(name, "base") || isFolderName(name, "agent")) && !kept.contains(name)) {
            std::error_code removing;
            std::filesystem::remove_all(entry.path(), removing);
            if (!removing) {
                removed.push_back(name);
            }
        }
    }
    return removed;
}

} // namespace coldframe::image
