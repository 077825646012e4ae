// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include "api/attachment_io.h"
#include "api/path_encoding.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "engine/prune.h"
#include "engine/warm_start.h"
#include "image/package_changes.h"

#include <algorithm>
#include <asio/post.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr const char* kVersion = "0.1.0";

Result<std::vector<Workspace>> workspacesFrom(const json& list)
{
    std::vector<Workspace> workspaces;
    for (const json& item : list) {
        COLDFRAME_TRY(std::string path, api::decodePath(item.at("path").get<std::string>()));
        workspaces.push_back({std::filesystem::path(path), item.value("readOnly", false), {}});
    }
    return workspaces;
}

} // namespace

bool Engine::isDetached(std::string_view method) const
{
    // Half-made things help nobody: these go on when their client drops.
    return method == "sandbox.stop" || method == "sandbox.remove" || method == "sandbox.reset" || method == "image.build";
}

Result<std::shared_ptr<Sandbox>> Engine::sandboxOf(const Json& params) const
{
    return m_o.registry.find(params.at("sandbox").get<std::string>());
}

Steps Engine::stepsOf(api::CallContext& context) const
{
    // Progress comes from pool threads too: it crosses to the io thread by message.
    Steps steps;
    steps.progress = [&io = m_o.parts.io, weak = context.weak_from_this()](const std::string& stage, const std::string& text,
                                                                            std::int64_t done, std::int64_t total) {
        asio::post(io, [weak, stage, text, done, total] {
            if (const auto alive = weak.lock()) {
                alive->progress(stage, text, done, total);
            }
        });
    };
    steps.cancelled = &context.cancelFlag();
    return steps;
}

asio::awaitable<Result<json>> Engine::call(std::string method, json params, api::CallContext& context)
{
    const std::string family = method.substr(0, method.find('.'));
    const bool isOfOwnImages = family == "image" && (params.contains("recipe") || (method != "image.build" && method != "image.status"));
    if (family == "sandbox" || family == "session" || family == "sync" || isOfOwnImages || method == "events.subscribe") {
        const bool onlyLooks = method == "sandbox.list" || method == "sandbox.inspect" || method == "events.subscribe";
        co_await m_o.registry.waitLoaded(onlyLooks ? 3s : 30s);
    }
    if (method == "events.subscribe") {
        context.subscribe();
        json list = json::array();
        for (const auto& sandbox : m_o.registry.all()) {
            list.push_back(sandbox->describe());
        }
        co_return json{{"sandboxes", list}};
    }
    if (method == "sandbox.create") {
        co_return co_await createSandbox(std::move(params), context);
    }
    if (method == "sandbox.exec" || method == "sandbox.launch" || method == "sandbox.keys") {
        co_return co_await execCall(std::move(method), std::move(params), context);
    }
    if (method == "sandbox.fork") {
        co_return co_await forkCall(std::move(params), context);
    }
    if (family == "template" || method == "sandbox.rollback") {
        co_return co_await templateCall(std::move(method), std::move(params), context);
    }
    if (family == "session") {
        co_return co_await sessionCall(std::move(method), std::move(params));
    }
    if (family == "sandbox") {
        co_return co_await sandboxCall(std::move(method), std::move(params), context);
    }
    if (isOfOwnImages) {
        co_return co_await m_images.call(std::move(method), std::move(params), stepsOf(context));
    }
    if (family == "image") {
        const bool build = method == "image.build";
        const bool force = params.value("force", false);
        const Steps steps = stepsOf(context);
        auto handleImage = [this, build, force, steps] {
            const auto packages = [this] {
                const auto current = m_o.parts.images.currentImage();
                const auto manifest = current ? image::readManifest(current->baseDisk.parent_path()) : Result<image::Manifest>(tl::unexpected(current.error()));
                return manifest ? image::packagesOf(*manifest) : image::Packages();
            };
            const image::Packages before = build ? packages() : image::Packages();
            Result<json> answered = m_o.image(build, force, steps);
            if (answered && build) {
                (*answered)["changes"] = image::packageChanges(before, packages());
            }
            return answered;
        };
        Result<json> answer = co_await onPool(m_o.parts.pool, std::move(handleImage));
        if (answer && build) {
            const vm::AccelerationDecision decision = co_await m_o.parts.acceleration();
            const Result<void> warm = co_await m_o.parts.warmStart.ensureUsual(m_o.parts.images, decision.acceleration, steps);
            if (!warm && warm.error().code == ErrorCode::Cancelled) {
                co_return tl::unexpected(warm.error());
            }
            // Without a template sandboxes start as well, only slower.
            (*answer)["template"] = warm.has_value();
        }
        co_return answer;
    }
    if (family == "policy") {
        if (method == "policy.tighten") {
            co_return co_await tightenCall(std::move(params), context);
        }
        const bool makesRules = method == "policy.add" || method == "policy.import";
        const bool learns = makesRules || method == "policy.suggest" || method == "policy.suggestion";
        if (learns) {
            co_await m_o.registry.waitLoaded(30s); // rules that are not read yet would pass for removed ones
        }
        if (learns && !makesRules) {
            co_return co_await suggestCall(std::move(method), std::move(params));
        }
        Result<json> answer = co_await policyCall(std::move(method), std::move(params));
        if (makesRules && answer) {
            saveLearned(); // since when a rule is there
        }
        co_return answer;
    }
    if (method == "network.attend" || method == "network.questions" || method == "network.answer") {
        co_return co_await questionCall(std::move(method), std::move(params));
    }
    if (family == "keys") {
        co_return co_await keysCall(std::move(method), std::move(params));
    }
    if (family == "sync") {
        co_return co_await syncCall(std::move(method), std::move(params), context);
    }
    if (family == "settings") {
        co_return co_await settingsCall(std::move(method), std::move(params));
    }
    if (method == "agents.list") {
        co_return json::parse(m_o.parts.agents.agentsJson());
    }
    if (method == "network.log") {
        json query = params;
        if (params.contains("sandbox") && !params["sandbox"].get<std::string>().empty()) {
            auto sandbox = sandboxOf(params);
            if (!sandbox) {
                co_return tl::unexpected(sandbox.error());
            }
            query["sandbox"] = (*sandbox)->record().id;
        }
        // A search through a long log takes its time, on a connection to the database of its own.
        auto look = [this, query] { return m_o.record.query(query); };
        co_return co_await onPool(m_o.parts.pool, std::move(look));
    }
    co_return co_await engineCall(std::move(method), std::move(params), stepsOf(context));
}

asio::awaitable<Result<json>> Engine::engineCall(std::string method, json params, Steps steps)
{
    if (method == "engine.ping") {
        co_return json::object();
    }
    if (method == "engine.hello") {
        if (params.value("version", 1) != api::kProtocolVersion) {
            co_return fail(ErrorCode::InvalidArgument,
                           "This program and the running engine are of different versions. Stop the engine with: coldframe "
                           "engine stop - it starts again by itself.");
        }
        const vm::AccelerationDecision decision = co_await m_o.parts.acceleration();
        co_return json{{"version", api::kProtocolVersion},
                       {"engineVersion", kVersion},
                       {"pid", ::getpid()},
                       {"acceleration", vm::accelerationName(decision.acceleration)},
                       {"accelerationReason", decision.reason}};
    }
    if (method == "engine.shutdown") {
        if (m_o.registry.anyActive() && !params.value("force", false)) {
            co_return fail(ErrorCode::Busy, "A sandbox is running. Stop it first, or force: running sandboxes go on without "
                                            "the engine and are taken over when it starts again.");
        }
        asio::post(m_o.parts.io, m_o.quit);
        co_return json::object();
    }
    if (method == "engine.prune") {
        co_return co_await pruneCall(std::move(params), steps);
    }
    if (method == "engine.diagnose") {
        const vm::AccelerationDecision decision = co_await m_o.parts.acceleration();
        auto runDiagnosis = [this, decision] { return m_o.diagnose(decision); };
        Result<json> found = co_await onPool(m_o.parts.pool, std::move(runDiagnosis));
        const Result<json> keychain = co_await m_o.keysStatus();
        if (found && keychain) {
            const bool good = keychain->value("available", false) && !keychain->value("locked", false);
            (*found)["checks"].push_back({{"name", "keychain"},
                                          {"ok", good},
                                          {"severity", good ? "ok" : "warning"},
                                          {"text", good ? "Keys are kept in the keychain (" + keychain->value("backend", "") + ")."
                                                        : keychain->value("message", "")},
                                          {"remedy", good ? "" : "Keys of the environment work without: ANTHROPIC_API_KEY=… coldframe run claude"}});
        }
        co_return found;
    }
    co_return tl::unexpected(api::unknownMethod(method));
}

asio::awaitable<Result<json>> Engine::pruneCall(json params, Steps steps)
{
    PruneWish wish;
    wish.stoppedDays = std::clamp(params.value("stoppedDays", 0), 0, 10000);
    wish.all = !params.contains("only");
    wish.only = params.value("only", std::set<std::string>());
    const std::vector<PruneItem> items = co_await findPrunable(m_o.parts, m_o.registry, wish);
    std::uint64_t bytes = 0;
    std::int64_t disks = 0;
    for (const PruneItem& item : items) {
        bytes += item.bytes;
        disks += item.kind == "disk" ? 1 : 0;
    }
    if (!params.value("dryRun", false)) {
        bytes = co_await pruneNow(m_o.parts, m_o.registry, wish, steps);
    }
    co_return json{{"items", pruneItemsJson(items)}, {"disks", disks}, {"bytes", bytes}};
}

asio::awaitable<Result<json>> Engine::createSandbox(json params, api::CallContext& context)
{
    CreateRequest request;
    request.agent = params.at("agent");
    auto workspaces = workspacesFrom(params.value("workspaces", json::array()));
    if (!workspaces) {
        co_return tl::unexpected(workspaces.error());
    }
    request.workspaces = std::move(*workspaces);
    request.name = params.value("name", "");
    const json network = params.value("network", json::object());
    request.network.allow = network.value("allow", std::vector<std::string>());
    request.network.deny = network.value("deny", std::vector<std::string>());
    request.network.policy = network.value("policy", "");
    request.agentArguments = params.value("agentArguments", std::vector<std::string>());
    request.cpus = params.value("cpus", 0);
    request.fromTemplate = params.value("template", "");
    request.memoryMiB = params.value("memoryMiB", request.memoryMiB);
    request.diskGiB = params.value("diskGiB", request.diskGiB);
    auto limits = limitsChangeFrom(params);
    if (!limits) {
        co_return tl::unexpected(limits.error());
    }
    request.more = std::move(*limits);
    request.consentEmulation = params.value("consentEmulation", false);
    request.image = params.value("image", "");
    const bool start = params.value("start", true);
    request.provisional = params.value("provisional", start);
    if (params.contains("name") && request.name.empty()) {
        co_return fail(ErrorCode::InvalidArgument, "A sandbox's name cannot be empty.");
    }
    const vm::AccelerationDecision acceleration = co_await m_o.parts.acceleration();
    auto sandbox = m_o.registry.create(request, acceleration);
    if (!sandbox) {
        co_return tl::unexpected(sandbox.error());
    }
    if (start) {
        Result<void> started = co_await (*sandbox)->start(stepsOf(context));
        if (!started) {
            co_await m_o.registry.dropProvisional(*sandbox);
            co_return tl::unexpected(started.error());
        }
    }
    co_return (*sandbox)->describe();
}

asio::awaitable<Result<json>> Engine::sandboxCall(std::string method, json params, api::CallContext& context)
{
    if (method == "sandbox.list") {
        json list = json::array();
        for (const auto& sandbox : m_o.registry.all()) {
            list.push_back(sandbox->describe());
        }
        co_return json{{"sandboxes", list}, {"problems", m_o.registry.problems()}};
    }
    auto found = sandboxOf(params);
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    const std::shared_ptr<Sandbox> sandbox = *found;
    const bool force = params.value("force", false);
    const Steps steps = stepsOf(context);
    Result<void> done;
    if (method == "sandbox.inspect") {
        co_return sandbox->inspect();
    }
    if (method == "sandbox.start") {
        done = co_await sandbox->start(steps);
        if (!done) {
            co_await m_o.registry.dropProvisional(sandbox);
        }
    } else if (method == "sandbox.stop") {
        done = co_await sandbox->stop(steps, force);
    } else if (method == "sandbox.pause") {
        done = co_await sandbox->pause(steps);
    } else if (method == "sandbox.resume") {
        done = co_await sandbox->resume(steps);
    } else if (method == "sandbox.set") {
        co_return co_await setCall(sandbox, std::move(params));
    } else if (method == "sandbox.reset") {
        const bool undo = params.value("undo", false);
        if (undo) {
            done = co_await sandbox->undoReset(steps, force);
        } else {
            done = co_await sandbox->reset(steps, force);
        }
    } else if (method == "sandbox.remove") {
        done = co_await sandbox->remove(steps, force);
        if (done) {
            co_await forgetKeysOf(sandbox->record().id);
            m_o.registry.forget(sandbox->record().id);
            m_o.registry.pruneSnapshots();
            co_return json::object();
        }
    } else {
        co_return tl::unexpected(api::unknownMethod(method));
    }
    if (!done) {
        co_return tl::unexpected(done.error());
    }
    co_return sandbox->describe();
}

asio::awaitable<Result<json>> Engine::setCall(std::shared_ptr<Sandbox> sandbox, json params)
{
    auto change = limitsChangeFrom(params);
    if (!change) {
        co_return tl::unexpected(change.error());
    }
    Result<std::vector<std::string>> notes = co_await sandbox->change(std::move(*change));
    if (!notes) {
        co_return tl::unexpected(notes.error());
    }
    json answer = sandbox->inspect();
    answer["notes"] = *notes;
    co_return answer;
}

asio::awaitable<Result<json>> Engine::syncCall(std::string method, json params, api::CallContext& context)
{
    auto found = sandboxOf(params);
    if (!found) {
        co_return tl::unexpected(found.error());
    }
    const std::shared_ptr<Sandbox> sandbox = *found;
    auto path = api::decodePath(params.value("path", ""));
    if (!path) {
        co_return tl::unexpected(path.error());
    }
    Result<void> done;
    if (method == "sync.status") {
        co_return json{{"syncs", sandbox->sync().statusJson()}};
    }
    if (method == "sync.trash") {
        co_return sandbox->sync().trash(*path);
    }
    if (method == "sync.restore") {
        done = sandbox->sync().restore(*path, params.at("id").get<std::string>());
    } else if (method == "sync.resume") {
        done = sandbox->sync().resume(*path, params.at("accept").get<std::string>());
    } else if (method == "sync.flush") {
        stepsOf(context).say("flush", "Bringing both sides in step");
        done = co_await sandbox->sync().flush(120s);
    } else {
        co_return tl::unexpected(api::unknownMethod(method));
    }
    if (!done) {
        co_return tl::unexpected(done.error());
    }
    co_return json::object();
}

} // namespace coldframe::engine
