// SPDX-License-Identifier: Apache-2.0
#include "engine/image_builder.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "engine/machine_plan.h"
#include "engine/recipe_steps.h"
#include "image/package_changes.h"
#include "vm/qcow2.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxLog = 16u << 20;
constexpr std::size_t kTail = 4096;
constexpr std::size_t kTailLines = 12;
constexpr std::size_t kMaxRecipe = 1u << 20;
constexpr std::size_t kMaxPackages = 4u << 20;
constexpr const char* kRecipeName = "coldframe-image.json";

struct ReadRecipe
{
    image::Recipe recipe{};
    image::Gathered gathered{};
    fs::path folder{};
    std::string name{};
    std::string parentId{}; ///< of the image it stands on
    std::string key{};
};

/// A name made of a folder's, for a recipe that has none.
std::string nameFrom(const fs::path& file)
{
    const bool isUsual = file.filename() == kRecipeName;
    std::string name = isUsual ? file.parent_path().filename().string() : file.stem().string();
    std::replace_if(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-'; }, '-');
    return name.substr(0, 63);
}

Result<ReadRecipe> readRecipe(const ImageBuilder::Order& order)
{
    std::error_code error;
    fs::path file = order.recipe.lexically_normal();
    if (!file.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The path of a recipe must be absolute.");
    }
    if (fs::is_directory(file, error)) {
        file = (file / kRecipeName).lexically_normal();
    }
    auto text = readFile(file, kMaxRecipe);
    if (!text && text.error().code == ErrorCode::NotFound) {
        return fail(ErrorCode::NotFound, "There is no recipe “" + escapeForDisplay(file.string(), 300) + "”.");
    }
    if (!text) {
        return tl::unexpected(text.error());
    }
    ReadRecipe read;
    COLDFRAME_TRY(read.recipe, image::parseRecipe(*text));
    read.folder = file.parent_path();
    read.name = !order.name.empty() ? order.name : !read.recipe.name.empty() ? read.recipe.name : nameFrom(file);
    COLDFRAME_CHECK(image::checkImageName(read.name));
    COLDFRAME_TRY(read.gathered, image::gatherFiles(read.folder, read.recipe));
    return read;
}

} // namespace

BuildLog::BuildLog(const fs::path& file)
{
    (void)makeFolders(file.parent_path(), 0700);
    m_file.open(file, std::ios::binary | std::ios::trunc);
}

void BuildLog::add(std::string_view text)
{
    if (m_written < kMaxLog) {
        m_file << text.substr(0, kMaxLog - m_written) << std::flush;
        m_written += text.size();
    }
    m_tail.append(text.substr(text.size() - std::min(text.size(), kTail)));
    if (m_tail.size() > kTail) {
        m_tail.erase(0, m_tail.size() - kTail);
    }
}

void BuildLog::header(const std::string& title)
{
    add("=== " + title + "\n");
    m_tail.clear();
}

std::string BuildLog::lastLine() const
{
    const std::size_t end = m_tail.find_last_not_of("\r\n");
    if (end == std::string::npos) {
        return {};
    }
    const std::size_t begin = m_tail.find_last_of("\r\n", end);
    return escapeForDisplay(m_tail.substr(begin == std::string::npos ? 0 : begin + 1, end + 1 - (begin == std::string::npos ? 0 : begin + 1)), 120);
}

std::string BuildLog::tail() const
{
    std::string lines;
    std::size_t count = 0;
    std::size_t begin = m_tail.size();
    while (begin > 0 && count <= kTailLines) {
        --begin;
        count += m_tail[begin] == '\n' ? 1 : 0;
    }
    for (const char c : m_tail.substr(begin)) {
        lines += c == '\r' ? '\n' : c;
    }
    return lines;
}

fs::path ImageBuilder::logFile(const std::string& name) { return paths::dataFolder() / "image-logs" / (name + ".log"); }

asio::awaitable<Result<void>> ImageBuilder::runStep(BuildRoom& room, std::string title, GuestProgram program)
{
    ++room.step;
    const std::string counted = std::to_string(room.step) + "/" + std::to_string(room.stepCount) + " " + escapeForDisplay(title, 160);
    room.steps.say("build", counted, room.step - 1, room.stepCount);
    room.log.header(counted);
    const auto listen = program.output;
    program.output = [&room, listen, counted](std::string_view text) {
        room.log.add(text);
        if (listen) {
            listen(text);
        }
        room.steps.say("build", counted + ": " + room.log.lastLine(), room.step - 1, room.stepCount);
    };
    const Result<ExecExit> ended = co_await runInGuest(m_parts, room.sandbox, std::move(program), room.steps);
    if (!ended && ended.error().code == ErrorCode::Cancelled) {
        co_return fail(ErrorCode::Cancelled, "The build was stopped. What was in use before is unchanged.");
    }
    if (!ended) {
        co_return fail(ended.error().code, "The build ended in step " + counted + ": " + ended.error().message, ended.error().detail);
    }
    if (ended->exitCode != 0 || ended->signal != 0) {
        const std::string how = ended->signal != 0 ? "was ended by signal " + std::to_string(ended->signal)
                                                   : "ended with exit code " + std::to_string(ended->exitCode);
        co_return fail(ErrorCode::Io, "Step " + counted + " " + how + ". Its last lines follow; all of it: coldframe image log",
                       room.log.tail());
    }
    co_return Result<void>();
}

asio::awaitable<Result<std::map<std::string, std::string>>> ImageBuilder::packagesIn(BuildRoom& room, std::string root)
{
    const auto text = std::make_shared<std::string>();
    GuestProgram program;
    program.argv = {"/usr/sbin/chroot", std::move(root), "/bin/sh", "-c", kListPackages};
    program.output = [text](std::string_view piece) { text->append(piece.substr(0, kMaxPackages - std::min(text->size(), kMaxPackages))); };
    // Its output belongs to the manifest, not to the log.
    const Result<ExecExit> ended = co_await runInGuest(m_parts, room.sandbox, std::move(program), room.steps);
    if (!ended) {
        co_return tl::unexpected(ended.error());
    }
    co_return packagesFromList(*text);
}

asio::awaitable<Result<image::OwnImage>> ImageBuilder::settle(BuildRoom& room, image::ImageFacts facts)
{
    auto packages = co_await packagesIn(room, "/");
    if (!packages) {
        co_return tl::unexpected(packages.error());
    }
    facts.json["packages"] = *packages;
    facts.json["createdAt"] = formatUtc(utcNow());
    GuestProgram tidy;
    tidy.argv = {"/bin/sh", "-c", kTidyUp};
    if (auto done = co_await runStep(room, "tidy up", std::move(tidy)); !done) {
        co_return tl::unexpected(done.error());
    }
    room.steps.say("build", "Writing the image's disk", room.stepCount, room.stepCount);
    const Steps quietly;
    if (auto stopped = co_await room.sandbox->stop(quietly, false); !stopped) {
        co_return tl::unexpected(stopped.error());
    }
    const SandboxRecord& record = room.sandbox->record();
    if (!record.cleanStop) {
        co_return fail(ErrorCode::Io, "The microVM did not end cleanly, so its disk cannot become an image. Build it again.");
    }
    facts.parent = record.imageId;
    auto settle = [&parts = m_parts, record, facts, cancelled = room.steps.cancelled]() -> Result<image::OwnImage> {
        COLDFRAME_TRY(const GuestImage below, parts.images.pinnedImage(record.imageId));
        const std::vector<vm::ReadOnlyDisk> parents = imageChain(below);
        std::vector<vm::ReadOnlyDisk> chain = parents;
        if (!record.templateId.empty()) {
            COLDFRAME_TRY(const image::Template warm, parts.templates.pinned(record.templateId));
            chain.insert(chain.begin(), {warm.disk, vm::DiskFormat::Qcow2, {}});
        }
        COLDFRAME_TRY(const auto making, parts.ownImages.begin());
        SystemProcessRunner runner;
        COLDFRAME_CHECK(vm::settleOverlay(runner, parts.store.diskOf(record.id, record.diskId), chain, parents, making->disk(), cancelled));
        return parts.ownImages.publish(*making, facts);
    };
    co_return co_await onPool(m_parts.pool, std::move(settle));
}

asio::awaitable<Result<image::OwnImage>> ImageBuilder::makeInRoom(RoomOrder order, Work work, Steps steps)
{
    const vm::AccelerationDecision acceleration = co_await m_parts.acceleration();
    if (m_busy) {
        co_return fail(ErrorCode::Busy, "Another image is being made. Try again when it is finished.");
    }
    CreateRequest request;
    request.agent = "shell";
    request.name = "build-" + order.name.substr(0, 48) + "-" + randomHex(2);
    request.network.allow = order.allow;
    request.image = order.from;
    request.consentEmulation = order.consentEmulation;
    request.provisional = true;
    request.isBuilder = true;
    auto created = m_registry.create(request, acceleration);
    if (!created) {
        co_return tl::unexpected(created.error());
    }
    m_busy = true;
    BuildRoom room{*created, BuildLog(logFile(order.name)), steps, 0, order.stepCount + 1};
    const Result<void> started = co_await room.sandbox->start(steps);
    Result<image::OwnImage> made = tl::unexpected(started ? Error{} : started.error());
    if (started) {
        made = co_await work(room);
    }
    if (!made) {
        room.log.header("failed: " + made.error().message);
    }
    const Steps quietly;
    if (co_await room.sandbox->remove(quietly, true)) {
        m_registry.forget(room.sandbox->record().id);
    }
    m_busy = false;
    co_return made;
}

asio::awaitable<Result<json>> ImageBuilder::build(Order order, Steps steps)
{
    steps.say("build", "Reading the recipe");
    auto read = [order, &parts = m_parts, steps]() -> Result<ReadRecipe> {
        COLDFRAME_TRY(ReadRecipe found, readRecipe(order));
        if (found.recipe.from.empty()) {
            COLDFRAME_TRY(const GuestImage base, parts.images.ensureImage(steps));
            found.parentId = base.id;
        } else {
            COLDFRAME_TRY(found.parentId, parts.ownImages.idOf(found.recipe.from));
        }
        found.key = image::recipeKey(found.recipe, found.gathered, found.parentId);
        return found;
    };
    Result<ReadRecipe> recipe = co_await onPool(m_parts.pool, std::move(read));
    if (!recipe) {
        co_return tl::unexpected(recipe.error());
    }
    const auto name = [this](const std::string& called, const image::OwnImage& image, bool cached) -> Result<json> {
        image::Packages before;
        if (const auto old = m_parts.ownImages.idOf(called)) {
            const auto described = m_parts.ownImages.described(*old);
            before = described ? described->facts.value("packages", before) : before;
        }
        COLDFRAME_CHECK(m_parts.ownImages.setName(called, image.id));
        const image::Packages after = image.facts.value("packages", image::Packages());
        return json{{"name", called}, {"id", image.id}, {"cached", cached}, {"changes", image::packageChanges(before, after)}};
    };
    if (!order.force) {
        auto look = [&store = m_parts.ownImages, key = recipe->key] { return store.findByKey(key); };
        const Result<image::OwnImage> present = co_await onPool(m_parts.pool, std::move(look));
        if (present) {
            co_return name(recipe->name, *present, true);
        }
    }
    image::ImageFacts facts;
    facts.key = recipe->key;
    facts.json["origin"] = {{"kind", "recipe"}, {"recipe", json::parse(recipe->recipe.canonical)}};
    const std::vector<RecipeStep> todo = recipeSteps(recipe->recipe);
    RoomOrder room{recipe->name, recipe->recipe.from, recipe->recipe.allow, order.consentEmulation,
                   static_cast<int>(todo.size()) + (recipe->recipe.files.empty() ? 0 : 1)};
    Work work = [this, &recipe, &todo, &facts](BuildRoom& place) -> asio::awaitable<Result<image::OwnImage>> {
        if (!recipe->recipe.files.empty()) {
            if (auto copied = co_await runStep(place, "copy files", copyFiles(recipe->folder, recipe->gathered)); !copied) {
                co_return tl::unexpected(copied.error());
            }
        }
        for (const RecipeStep& step : todo) {
            if (auto done = co_await runStep(place, step.title, step.program); !done) {
                co_return tl::unexpected(done.error());
            }
        }
        co_return co_await settle(place, facts);
    };
    Result<image::OwnImage> made = co_await makeInRoom(std::move(room), std::move(work), steps);
    if (!made) {
        co_return tl::unexpected(made.error());
    }
    co_return name(recipe->name, *made, false);
}

} // namespace coldframe::engine
