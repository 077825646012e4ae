// SPDX-License-Identifier: Apache-2.0
#include "fake_engine.h"

#include "base/clock.h"
#include "base/random.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <fstream>
#include <unistd.h>

namespace coldframe::fakes {

using nlohmann::json;

FakeEngine::FakeEngine(asio::io_context& io, FakeOptions options) : m_io(io), m_options(std::move(options))
{
    m_imageReady = !m_options.imageMissing;
    m_settings = {{"version", 1}, {"acceleration", "auto"}, {"consentToEmulation", false}, {"hostMappings", json::array()}, {"upstreamProxy", {{"kind", "none"}}}};
    m_globalRules.push_back({{"id", "aa01"}, {"action", "allow"}, {"pattern", "*.npmjs.org"}, {"method", ""}, {"path", ""},
                             {"scope", "global"}, {"origin", "preset:package-managers"}, {"note", ""}, {"expiry", nullptr}});
}

void FakeEngine::attachTo(api::Server& server)
{
    m_server = &server;
    if (m_options.populate) {
        populate();
    }
    if (m_options.tickMilliseconds > 0) {
        asio::co_spawn(m_io, tick(), asio::detached);
    }
}

void FakeEngine::record(const json& line)
{
    if (!m_options.record.empty()) {
        std::ofstream(m_options.record, std::ios::app) << line.dump() << "\n";
    }
}

asio::awaitable<Result<json>> FakeEngine::call(std::string method, json params, api::CallContext& context)
{
    record({{"method", method}, {"params", params}});
    if (method == "sandbox.create") {
        co_return co_await create(std::move(params), context);
    }
    if (method == "sandbox.start" || method == "sandbox.stop" || method == "sandbox.reset" ||
        method == "sandbox.remove" || method == "sandbox.pause" || method == "sandbox.fork" || method == "sandbox.rollback" ||
        method == "template.save") {
        co_return co_await changeSandbox(std::move(method), std::move(params), context);
    }
    if (method == "image.build") {
        const Steps steps = {{"packages", "Installing packages"}, {"disk", "Writing the disk"}};
        Result<json> built = co_await stages(steps, context);
        if (built) {
            m_imageReady = true;
            built = json{{"kind", "base"}, {"sha256", std::string(64, 'a')}};
        }
        co_return built;
    }
    co_return simpleCall(method, params, context);
}

asio::awaitable<Result<json>> FakeEngine::stages(Steps steps, api::CallContext& context)
{
    const auto total = static_cast<std::int64_t>(steps.size());
    for (std::int64_t done = 0; done < total; ++done) {
        const auto& [stage, text] = steps[static_cast<std::size_t>(done)];
        context.progress(stage, text, done, total);
        auto timer = std::make_shared<asio::steady_timer>(m_io, std::chrono::milliseconds(m_options.stageMilliseconds));
        context.onCancel([timer] { timer->cancel(); });
        std::error_code ignored;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if (context.isCancelled()) {
            co_return fail(ErrorCode::Cancelled, "Interrupted; nothing was left half-made.");
        }
    }
    co_return json::object();
}

asio::awaitable<Result<json>> FakeEngine::create(json params, api::CallContext& context)
{
    const std::string agent = params.at("agent");
    if (m_options.emulate && !params.value("consentEmulation", false) && !m_settings.value("consentToEmulation", false)) {
        co_return fail(ErrorCode::NotAllowed,
                       "This machine has no KVM: a sandbox would be emulated, with weaker isolation; agree to that first.",
                       "consent needed");
    }
    if (!m_imageReady) {
        co_return fail(ErrorCode::Unavailable, "The guest image is not built; run “coldframe image build”.");
    }
    for (const json& workspace : params.value("workspaces", json::array())) {
        if (workspace.at("path") == "/") {
            co_return fail(ErrorCode::InvalidArgument, "/ is the whole machine; choose a project folder.");
        }
    }
    const std::string path = params["workspaces"].empty() ? "" : params["workspaces"][0].value("path", "");
    std::string name = params.value("name", "");
    const bool chosen = !name.empty();
    if (!chosen) {
        name = agent + "-" + path.substr(path.rfind('/') + 1);
    }
    const auto taken = [this](const std::string& candidate) {
        return std::any_of(m_sandboxes.begin(), m_sandboxes.end(),
                           [&](const auto& entry) { return entry.second.value["name"] == candidate; });
    };
    if (chosen && taken(name)) {
        co_return fail(ErrorCode::AlreadyExists, "A sandbox named " + name + " exists already; choose another name.");
    }
    for (int number = 2; taken(name); ++number) {
        name = agent + "-" + path.substr(path.rfind('/') + 1) + "-" + std::to_string(number);
    }
    const Steps steps = {{"prepare", "Preparing the disk"}};
    COLDFRAME_CO_TRY(const json prepared, co_await stages(steps, context));
    const std::string id = randomHex(8);
    Sandbox sandbox;
    sandbox.value = {{"id", id}, {"name", name}, {"agent", agent}, {"state", "stopped"}, {"problem", ""},
                     {"workspaces", params.value("workspaces", json::array())}, {"reducedIsolation", m_options.emulate},
                     {"createdAt", formatUtc(utcNow())}, {"cpus", params.value("cpus", 2)},
                     {"memoryMiB", params.value("memoryMiB", 2048)}, {"launchCommand", "coldframe run " + name},
                     {"sync", {{"state", "offline"}, {"text", "offline"}}}, {"blockedCount", 0}};
    const json network = params.value("network", json::object());
    const std::string policy = network.value("policy", "");
    sandbox.mode = policy == "allow" ? "open" : policy == "deny" ? "locked" : "balanced";
    for (const char* action : {"allow", "deny"}) {
        for (const json& pattern : network.value(action, json::array())) {
            sandbox.rules.push_back({{"id", randomHex(4)}, {"action", action}, {"pattern", pattern}, {"method", ""},
                                     {"path", ""}, {"scope", "sandbox"}, {"origin", "flag"}, {"note", ""}, {"expiry", nullptr}});
        }
    }
    for (const json& workspace : sandbox.value["workspaces"]) {
        sandbox.syncs.push_back({{"path", workspace["path"]}, {"state", "in-step"}, {"entriesToGo", 0}, {"bytesToGo", 0},
                                 {"problems", json::array()}, {"conflicts", json::array()}, {"held", json::array()},
                                 {"pauseReason", ""}, {"text", "in step"}});
    }
    m_sandboxes[id] = std::move(sandbox);
    setState(id, "stopped");
    if (params.value("start", false)) {
        co_return co_await start(id, context);
    }
    co_return m_sandboxes[id].value;
}

asio::awaitable<Result<json>> FakeEngine::start(std::string id, api::CallContext& context)
{
    if (!m_imageReady) {
        co_return fail(ErrorCode::Unavailable, "The guest image is not built; run “coldframe image build”.");
    }
    if (m_sandboxes[id].value["state"] != "running") {
        setState(id, "starting");
        const Steps steps = {{"boot", "Starting the microVM"}, {"workspace", "Copying the workspace"}};
        Result<json> started = co_await stages(steps, context);
        setState(id, started ? "running" : "stopped");
        if (!started) {
            co_return started;
        }
    }
    co_return m_sandboxes[id].value;
}

asio::awaitable<Result<json>> FakeEngine::changeSandbox(std::string method, json params, api::CallContext& context)
{
    COLDFRAME_CO_TRY(const std::string id, find(params));
    if (method == "sandbox.start") {
        co_return co_await start(id, context);
    }
    if (method == "sandbox.stop") {
        setState(id, "stopping");
        const Steps steps = {{"stop", "Shutting down"}};
        COLDFRAME_CO_TRY(const json done, co_await stages(steps, context));
        setState(id, "stopped");
        co_return m_sandboxes[id].value;
    }
    if (method == "sandbox.pause") {
        setState(id, "pausing");
        const Steps steps = {{"pause", "Saving its memory"}};
        COLDFRAME_CO_TRY(const json done, co_await stages(steps, context));
        setState(id, "paused");
        co_return m_sandboxes[id].value;
    }
    if (method == "template.save") {
        co_return json{{"id", randomHex(16)}, {"name", params.at("name")}, {"credentials", json::array({"/home/agent/.netrc"})}};
    }
    if (method == "sandbox.fork") {
        co_return json{{"sandboxes", json::array({{{"name", "webshop-fork-1"}}})}};
    }
    if (method == "sandbox.rollback") {
        m_sandboxes[id].value["notice"] = "What ran at that moment does not come back.";
        co_return m_sandboxes[id].value;
    }
    if (method == "sandbox.reset") {
        if (m_sandboxes[id].value["sync"]["state"] == "syncing" && !params.value("force", false)) {
            co_return fail(ErrorCode::Busy, "Resetting would lose 1 change that is not on this computer yet: src/new.c.",
                           "src/new.c");
        }
        setState(id, "resetting");
        const Steps steps = {{"reset", "Making a fresh disk"}};
        COLDFRAME_CO_TRY(const json done, co_await stages(steps, context));
        setState(id, "stopped");
        co_return co_await start(id, context);
    }
    if (m_sandboxes[id].value["state"] == "running" && !params.value("force", false)) {
        co_return fail(ErrorCode::Busy, "The sandbox is running; stop it first, or remove it by force.");
    }
    m_sandboxes.erase(id);
    m_server->broadcast({{"type", "sandbox.removed"}, {"id", id}});
    co_return json::object();
}

json FakeEngine::list() const
{
    json out = json::array();
    for (const auto& [id, sandbox] : m_sandboxes) {
        out.push_back(sandbox.value);
    }
    return out;
}

json FakeEngine::agents() const
{
    const auto agent = [](const char* name, const char* title, json aliases, bool supported, json services) {
        return json{{"name", name}, {"title", title}, {"aliases", std::move(aliases)}, {"supported", supported},
                    {"installed", supported}, {"description", title}, {"services", std::move(services)}};
    };
    return json::array({agent("claude", "Claude Code", {"claude-code"}, true, {"anthropic"}),
                        agent("shell", "Shell", {"bash"}, true, json::array()),
                        agent("codex", "Codex", json::array(), true, {"openai"}),
                        agent("gemini", "Gemini CLI", json::array(), false, {"google"})});
}

Result<std::string> FakeEngine::find(const json& params) const
{
    const std::string wanted = params.at("sandbox");
    std::string found;
    for (const auto& [id, sandbox] : m_sandboxes) {
        if (sandbox.value["name"] == wanted || id == wanted) {
            return id;
        }
        if (wanted.size() >= 4 && id.starts_with(wanted)) {
            if (!found.empty()) {
                return fail(ErrorCode::InvalidArgument, "Several sandboxes begin with " + wanted + "; write more of the id.");
            }
            found = id;
        }
    }
    if (found.empty()) {
        return fail(ErrorCode::NotFound, "There is no sandbox " + wanted + "; “coldframe ls” lists them.");
    }
    return found;
}

Result<json> FakeEngine::simpleCall(const std::string& method, const json& params, api::CallContext& context)
{
    if (method == "engine.hello") {
        return json{{"version", 1}, {"engineVersion", "0.1.0-fake"}, {"pid", ::getpid()},
                    {"acceleration", m_options.emulate ? "emulate" : "kvm"},
                    {"accelerationReason", m_options.emulate ? "There is no /dev/kvm." : ""}};
    }
    if (method == "engine.diagnose") {
        return json{{"checks",
                     {{{"name", "libvirt"}, {"ok", true}, {"severity", "ok"}, {"text", "libvirt 9.0 answers."}, {"remedy", ""}},
                      {{"name", "image"}, {"ok", m_imageReady}, {"severity", m_imageReady ? "ok" : "error"},
                       {"text", m_imageReady ? "The guest image is ready." : "The guest image is not built."},
                       {"remedy", m_imageReady ? "" : "Run “coldframe image build”."}},
                      {{"name", "keychain"}, {"ok", false}, {"severity", "warning"}, {"text", "No keychain answers."},
                       {"remedy", "Start a keyring to store keys; keys of the environment work without."}}}}};
    }
    if (method == "engine.shutdown") {
        m_io.stop();
        return json::object();
    }
    if (method == "image.status") {
        return json{{"ready", m_imageReady}, {"manifest", m_imageReady ? json{{"kind", "base"}} : json(nullptr)},
                    {"building", false}, {"problem", m_imageReady ? "" : "The guest image is not built."}};
    }
    if (method == "template.list") {
        return json{{"templates", json::array({{{"name", "tools"}, {"agent", "claude"}}, {{"name", "other"}, {"agent", "codex"}}})}};
    }
    if (method == "agents.list") {
        return json{{"agents", agents()}};
    }
    if (method == "sandbox.list") {
        return json{{"sandboxes", list()}};
    }
    if (method == "events.subscribe") {
        context.subscribe();
        return json{{"sandboxes", list()}};
    }
    if (method == "settings.get" || method == "settings.set") {
        if (params.contains("settings")) {
            m_settings.update(params["settings"]);
        }
        return m_settings;
    }
    if (method == "network.log") {
        return networkLog(params);
    }
    if (method.starts_with("policy.")) {
        return policyCall(method, params);
    }
    if (method.starts_with("keys.") || method == "sandbox.keys") {
        return keysCall(method, params);
    }
    if (method.starts_with("sync.")) {
        return syncCall(method, params);
    }
    if (method.starts_with("session.")) {
        return sessionCall(method, params);
    }
    return sandboxCall(method, params);
}

namespace {
constexpr const char* kKeptSession = "kept5e1f00aa";
} // namespace

Result<json> FakeEngine::sessionCall(const std::string& method, const json& params)
{
    std::string id;
    if (params.contains("sandbox")) {
        COLDFRAME_TRY(id, find(params));
    }
    const bool isThere = m_options.keptSession && (id.empty() || id == kFirstSandbox);
    const json kept = {{"id", kKeptSession}, {"sandbox", kFirstSandbox}, {"sandboxName", "claude-webshop"}, {"label", "claude"},
                       {"agent", "claude"}, {"startedAt", formatUtc(utcNow())}, {"tty", true}, {"rows", 24}, {"columns", 80},
                       {"viewers", 0}, {"state", "running"}, {"exitCode", 0}, {"signal", 0}};
    if (method == "session.list") {
        return json{{"sessions", isThere ? json::array({kept}) : json::array()}, {"problems", json::array()}};
    }
    if (method == "session.end") {
        return json::object();
    }
    if (method == "session.attach" && isThere && params.value("session", kKeptSession) == kKeptSession) {
        COLDFRAME_TRY(json offered, offerProgram(params, {"bash", "-c", "echo \"kept session\"; exec bash"}));
        offered["session"] = kept;
        return offered;
    }
    return method == "session.attach" ? Result<json>(fail(ErrorCode::NotFound, "There is no such session."))
                                      : tl::unexpected(api::unknownMethod(method));
}

Result<json> FakeEngine::sandboxCall(const std::string& method, const json& params)
{
    if (method == "sandbox.set") {
        COLDFRAME_TRY(const std::string changed, find(params));
        json& value = m_sandboxes[changed].value;
        json notes = json::array();
        for (const char* key : {"cpus", "memoryMiB", "diskGiB", "processes", "service"}) {
            if (params.contains(key)) {
                value[key] = params[key];
            }
        }
        value["idle"] = {{"when", params.value("whenIdle", "")}, {"minutes", params.value("idleMinutes", 0.0)}};
        if (params.value("memoryMiB", 0) > 8192) {
            notes.push_back("Its microVM was started with 2048 MiB; more comes later.");
        }
        setState(changed, value["state"]);
        json answer = value;
        answer["notes"] = notes;
        return answer;
    }
    if (method != "sandbox.inspect" && method != "sandbox.exec" && method != "sandbox.launch") {
        return tl::unexpected(api::unknownMethod(method));
    }
    COLDFRAME_TRY(const std::string id, find(params));
    Sandbox& sandbox = m_sandboxes[id];
    if (method == "sandbox.inspect") {
        json value = sandbox.value;
        value["disk"] = {{"path", "/nowhere/disk.qcow2"}, {"bytes", 1 << 20}};
        value["policy"] = {{"mode", sandbox.mode}, {"rules", sandbox.rules}};
        value["vm"] = {{"domain", "coldframe-" + id}};
        value["syncs"] = sandbox.syncs;
        value["limits"] = json::array({{{"name", "memory"}, {"value", "2048 MiB"}, {"heldBy", "the size of its microVM"}},
                                       {{"name", "processes"}, {"value", "4096"}, {"heldBy", "a control group inside"}}});
        return value;
    }
    setState(id, "running");
    if (method == "sandbox.exec") {
        return offerProgram(params, params.at("argv"));
    }
    std::vector<std::string> arguments{"bash"};
    if (sandbox.value["agent"] != "shell") {
        arguments = {"bash", "-c", "echo \"fake agent: $*\"; exec bash", "agent"};
    }
    for (const json& argument : params.value("arguments", json::array())) {
        arguments.push_back(argument);
    }
    return offerProgram(params, arguments);
}

Result<json> FakeEngine::offerProgram(const json& params, std::vector<std::string> arguments)
{
    json request = params;
    request["argv"] = std::move(arguments);
    return json{{"token", m_server->offerAttachment(
                              [request](api::AttachmentSocket socket) { return runProgram(std::move(socket), request); })},
                {"session", randomHex(8)}, {"attached", false}};
}

void FakeEngine::setState(const std::string& id, const std::string& state)
{
    json& value = m_sandboxes[id].value;
    value["state"] = state;
    if (value["sync"]["state"] != "paused") {
        const std::string sync = state == "running" ? "in-step" : "offline";
        value["sync"] = {{"state", sync}, {"text", sync == "in-step" ? "in step" : "offline"}};
    }
    m_server->broadcast({{"type", "sandbox.changed"}, {"sandbox", value}});
}

} // namespace coldframe::fakes
