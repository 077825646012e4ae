// SPDX-License-Identifier: Apache-2.0
// template.*, sandbox.rollback and sandbox.fork.
#include "engine/engine.h"

#include "api/path_encoding.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/blocking.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <map>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr int kMaxForks = 16;

std::uintmax_t sizeOf(const fs::path& file)
{
    std::error_code error;
    const auto size = fs::file_size(file, error);
    return error ? 0 : size;
}

json describe(const Snapshot& snapshot, const SnapshotStore& store)
{
    return {{"id", snapshot.id},
            {"name", snapshot.name},
            {"createdAt", snapshot.createdAt},
            {"sandbox", snapshot.sandboxName},
            {"agent", snapshot.agent},
            {"hasMemory", snapshot.hasMemory},
            {"bytes", sizeOf(store.diskOf(snapshot.id)) + sizeOf(store.memoryOf(snapshot.id))},
            {"credentials", snapshot.credentials}};
}

/// One fork's share of the workspaces, and what is to be copied for it.
struct ForkPlan
{
    std::string name;
    std::vector<Workspace> workspaces;
    std::vector<std::pair<fs::path, fs::path>> copies;
};

/// Folders that the user works in are copied beside the original; those given read-only, and all when `isShared`, are shared
/// read-only: two sandboxes never write to one folder.
ForkPlan planFork(const SandboxRecord& parent, std::string name, const std::string& suffix, bool isShared)
{
    ForkPlan plan;
    for (const Workspace& workspace : parent.workspaces) {
        if (isShared || workspace.readOnly) {
            plan.workspaces.push_back({workspace.path, true, workspace.guestPath});
            continue;
        }
        const fs::path copy = workspace.path.parent_path() / (workspace.path.filename().native() + "-" + suffix);
        plan.workspaces.push_back({copy, false, workspace.inside()});
        plan.copies.emplace_back(workspace.path, copy);
    }
    plan.name = std::move(name);
    return plan;
}

bool isFree(const Registry& registry, const ForkPlan& plan)
{
    std::error_code ignored;
    const bool folders = std::none_of(plan.copies.begin(), plan.copies.end(), [&](const auto& copy) {
        return fs::exists(fs::symlink_status(copy.second, ignored));
    });
    return folders && registry.checkFreeName(plan.name).has_value();
}

/// All of a folder, blocks shared where the file system can; complete or not at all.
Result<void> copyFolder(const fs::path& from, const fs::path& to, const std::atomic<bool>* cancelled)
{
    const fs::path partial = to.native() + ".new";
    ProcessSpec spec;
    spec.arguments = {"cp", "-a", "--reflink=auto", "--", from.native(), partial.native()};
    spec.timeout = 30min;
    spec.cancelled = cancelled;
    SystemProcessRunner runner;
    const Result<ProcessResult> copied = runner.run(spec);
    std::error_code error;
    if (copied && copied->exitCode == 0) {
        fs::rename(partial, to, error);
        if (!error) {
            return {};
        }
    }
    fs::remove_all(partial, error);
    if (!copied) {
        return tl::unexpected(copied.error());
    }
    return fail(ErrorCode::Io, "The workspace " + escapeForDisplay(from.native()) + " could not be copied to " + escapeForDisplay(to.native()) +
                                   "; use --share to share it read-only instead.",
                escapeForDisplay(copied->standardError.substr(0, 500)));
}

Result<void> copyAll(const std::vector<ForkPlan>& plans, const std::atomic<bool>* cancelled)
{
    std::vector<fs::path> made;
    for (const ForkPlan& plan : plans) {
        for (const auto& [from, to] : plan.copies) {
            if (auto copied = copyFolder(from, to, cancelled); !copied) {
                std::error_code ignored;
                for (const fs::path& folder : made) {
                    fs::remove_all(folder, ignored);
                }
                return copied;
            }
            made.push_back(to);
        }
    }
    return {};
}

/// Starts of several sandboxes at once.
struct Starts
{
    explicit Starts(asio::io_context& io) : ended(io, asio::steady_timer::time_point::max()) {}
    std::map<std::string, Result<void>> outcomes; ///< by sandbox id
    asio::steady_timer ended;                     ///< cancelled whenever one ends
};

asio::awaitable<void> startOne(std::shared_ptr<Sandbox> sandbox, Steps steps, std::shared_ptr<Starts> starts)
{
    Result<void> started = co_await sandbox->start(steps);
    starts->outcomes.insert_or_assign(sandbox->record().id, std::move(started));
    starts->ended.cancel();
}

asio::awaitable<void> waitFor(std::shared_ptr<Starts> starts, std::size_t count)
{
    while (starts->outcomes.size() < count) {
        std::error_code ignored;
        co_await starts->ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

/// The parent of a fork goes on, whatever became of its forks; what it says is seen in its state.
asio::awaitable<void> goOn(std::shared_ptr<Sandbox> parent)
{
    const Steps quietly;
    if (const Result<void> back = co_await parent->start(quietly); !back) {
        logWarning("sandbox " + parent->record().name, "it did not go on after the fork: " + back.error().message);
    }
}

} // namespace

Engine::Answer Engine::templateCall(std::string method, Json params, api::CallContext& context)
{
    SnapshotStore& store = m_o.parts.snapshots;
    if (method == "template.list") {
        json all = json::array();
        for (const Snapshot& snapshot : store.list()) {
            if (!snapshot.name.empty()) {
                all.push_back(describe(snapshot, store));
            }
        }
        co_return json{{"templates", all}};
    }
    const Steps steps = stepsOf(context);
    if (method == "template.save") {
        auto sandbox = sandboxOf(params);
        if (!sandbox) {
            co_return tl::unexpected(sandbox.error());
        }
        Sandbox::SnapshotWish wish;
        wish.name = params.at("name").get<std::string>();
        wish.memory = params.value("memory", false);
        if (auto usable = store.checkName(wish.name); !usable) {
            co_return tl::unexpected(usable.error());
        }
        Result<Snapshot> taken = co_await (*sandbox)->takeSnapshot(std::move(wish), steps);
        if ((*sandbox)->state() == SandboxState::Paused) {
            Result<void> back = co_await (*sandbox)->start(steps);
            if (!back) {
                co_return tl::unexpected(back.error());
            }
        }
        if (!taken) {
            co_return tl::unexpected(taken.error());
        }
        co_return describe(*taken, store);
    }
    if (method == "template.remove") {
        auto found = store.find(params.at("template").get<std::string>());
        if (!found) {
            co_return tl::unexpected(found.error());
        }
        if (auto forgotten = store.forgetName(found->id); !forgotten) {
            co_return tl::unexpected(forgotten.error());
        }
        const auto bytes = m_o.registry.pruneSnapshots();
        co_return json{{"bytes", bytes}};
    }
    if (method == "sandbox.rollback") {
        auto sandbox = sandboxOf(params);
        if (!sandbox) {
            co_return tl::unexpected(sandbox.error());
        }
        auto found = store.find(params.at("template").get<std::string>());
        if (!found) {
            co_return tl::unexpected(found.error());
        }
        const bool force = params.value("force", false);
        Result<void> done = co_await (*sandbox)->rollBack(std::move(*found), steps, force);
        if (!done) {
            co_return tl::unexpected(done.error());
        }
        co_return (*sandbox)->describe();
    }
    co_return tl::unexpected(api::unknownMethod(method));
}

Engine::Answer Engine::forkCall(Json params, api::CallContext& context)
{
    auto found = sandboxOf(params);
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    const std::shared_ptr<Sandbox> parent = *found;
    const int count = params.value("count", 1);
    const std::string wanted = params.value("name", "");
    const bool isShared = params.value("share", false);
    if (count < 1 || count > kMaxForks) {
        co_return fail(ErrorCode::InvalidArgument, "The number of forks must be between 1 and " + std::to_string(kMaxForks) + "; " +
                                                       std::to_string(count) + " was given.");
    }
    std::vector<ForkPlan> plans;
    for (int number = 1; static_cast<int>(plans.size()) < count; ++number) {
        const std::string suffix = wanted.empty() ? "fork-" + std::to_string(number) : count == 1 ? wanted : wanted + "-" + std::to_string(number);
        ForkPlan plan = planFork(parent->record(), wanted.empty() ? parent->record().name + "-" + suffix : suffix, suffix, isShared);
        if (auto usable = checkSandboxName(plan.name); !usable) {
            co_return tl::unexpected(usable.error());
        }
        if (isFree(m_o.registry, plan)) {
            plans.push_back(std::move(plan));
        } else if (!wanted.empty() || number > 1000) {
            co_return fail(ErrorCode::AlreadyExists, "There is a sandbox named " + plan.name + " already, or a folder where the copy of the workspace would be. Give another --name.");
        }
    }
    const Steps steps = stepsOf(context);
    Sandbox::SnapshotWish wish;
    wish.memory = true;
    wish.whileFrozen = [plans, cancelled = steps.cancelled] { return copyAll(plans, cancelled); };
    Result<Snapshot> taken = co_await parent->takeSnapshot(std::move(wish), steps);
    const auto starts = std::make_shared<Starts>(m_o.parts.io);
    const Steps quietly;
    std::vector<std::shared_ptr<Sandbox>> forks;
    Result<void> made = taken ? Result<void>() : tl::unexpected(taken.error());
    for (const ForkPlan& plan : plans) {
        if (made) {
            steps.say("fork", "Starting " + plan.name);
            Result<std::shared_ptr<Sandbox>> fork = co_await m_o.registry.addFork(parent, *taken, plan.name, plan.workspaces);
            made = fork ? Result<void>() : tl::unexpected(fork.error());
            if (fork) {
                forks.push_back(*fork);
                asio::co_spawn(m_o.parts.io, startOne(*fork, quietly, starts), asio::detached);
            }
        }
    }
    // The forks are what is waited for. The parent follows the first of them; who asks something of it meanwhile waits.
    co_await waitFor(starts, std::min<std::size_t>(1, forks.size()));
    if (parent->state() == SandboxState::Paused) {
        asio::co_spawn(m_o.parts.io, goOn(parent), asio::detached);
    }
    co_await waitFor(starts, forks.size());
    json all = json::array();
    for (const auto& fork : forks) {
        const Result<void>& outcome = starts->outcomes.at(fork->record().id);
        if (outcome) {
            all.push_back(fork->describe());
        } else {
            made = outcome;
            co_await m_o.registry.dropProvisional(fork);
        }
    }
    m_o.registry.pruneSnapshots();
    if (!made) {
        co_return tl::unexpected(made.error());
    }
    co_return json{{"sandboxes", all}};
}

} // namespace coldframe::engine
