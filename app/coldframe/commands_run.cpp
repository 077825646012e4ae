// SPDX-License-Identifier: Apache-2.0
// run, create, exec.
#include "api/path_encoding.h"
#include "base/log.h"
#include "base/utf8.h"
#include "commands.h"
#include "interrupts.h"
#include "output.h"
#include "raw_terminal.h"
#include "run_grammar.h"
#include "terminal_attach.h"

#include <filesystem>
#include <unistd.h>

namespace coldframe::cli {

using nlohmann::json;

namespace {

/// JSON cannot carry other bytes, and replacing them would run something else than was asked for.
Result<void> requireUtf8(const std::vector<std::string>& words)
{
    for (const std::string& word : words) {
        for (std::string_view rest = word; !rest.empty();) {
            const std::size_t length = utf8SequenceLength(rest);
            if (length == 0) {
                return fail(ErrorCode::InvalidArgument,
                            "The argument “" + escapeForDisplay(word) + "” is not UTF-8 and cannot be passed on.");
            }
            rest.remove_prefix(length);
        }
    }
    return {};
}

json workspacesJson(const std::vector<Workspace>& workspaces)
{
    json out = json::array();
    for (const Workspace& workspace : workspaces) {
        out.push_back({{"path", api::encodePath(workspace.path)}, {"readOnly", workspace.readOnly}});
    }
    return out;
}

std::vector<std::string> servicesOf(const json& agents, const std::string& agent)
{
    for (const json& entry : agents) {
        if (textOf(entry, "name") == agent && entry.contains("services") && entry["services"].is_array()) {
            return entry["services"].get<std::vector<std::string>>();
        }
    }
    return {};
}

/// Emulation isolates less than KVM: one consent, kept in the settings.
Result<bool> consentToEmulation(EngineLink& engine, const RunOptions& options)
{
    COLDFRAME_TRY(const json hello, engine.hello());
    if (textOf(hello, "acceleration") != "emulate" || options.acceptEmulation) {
        return options.acceptEmulation;
    }
    COLDFRAME_TRY(const json settings, engine.call("settings.get"));
    if (settings.is_object() && settings.value("consentToEmulation", false)) {
        return false;
    }
    if (!confirm("Without KVM a sandbox is emulated: slower, and with weaker isolation (" +
                 textOf(hello, "accelerationReason") + "). Use emulation on this machine?")) {
        return false; // the engine refuses, and says what to do
    }
    COLDFRAME_CHECK(engine.call("settings.set", {{"settings", {{"consentToEmulation", true}}}}));
    return true;
}

struct Prepared
{
    json sandbox;
    std::vector<std::string> services;
    bool existed = false;
};

bool hasLimits(const LimitOptions& limits)
{
    const Result<json> params = limitParams(limits);
    return !params || !params->empty();
}

void noteIgnored(const RunOptions& options)
{
    if (!options.image.empty() || hasLimits(options.limits) || !options.network.allow.empty() ||
        !options.network.deny.empty() || !options.network.policy.empty()) {
        printNote("coldframe: the sandbox exists already; --image, limits and network options were not applied. Use "
                  "“coldframe set” and “coldframe policy” to change them.");
    }
}

Result<json> findSandbox(const json& sandboxes, const std::string& id)
{
    for (const json& sandbox : sandboxes) {
        if (textOf(sandbox, "id") == id) {
            return sandbox;
        }
    }
    return fail(ErrorCode::NotFound, "The sandbox was removed meanwhile.");
}

Result<json> create(EngineLink& engine, const RunOptions& options, const std::string& agent,
                    const std::vector<Workspace>& workspaces, const std::vector<std::string>& agentArguments)
{
    json params = {{"agent", agent}, {"workspaces", workspacesJson(workspaces)}, {"start", false}, {"provisional", !options.noStart}};
    params["network"] = {
        {"allow", options.network.allow}, {"deny", options.network.deny}, {"policy", options.network.policy}};
    if (!options.name.empty()) {
        params["name"] = options.name;
    }
    if (!options.image.empty()) {
        params["image"] = options.image;
    }
    COLDFRAME_TRY(const json limits, limitParams(options.limits));
    params.update(limits);
    if (!options.fromTemplate.empty()) {
        params["template"] = options.fromTemplate;
    }
    if (!agentArguments.empty()) {
        params["agentArguments"] = agentArguments;
    }
    COLDFRAME_TRY(params["consentEmulation"], consentToEmulation(engine, options));
    return engine.callWithProgress("sandbox.create", params);
}

/// Finds or creates the sandbox that the words mean.
Result<Prepared> prepare(EngineLink& engine, const RunOptions& options, bool mayReattach,
                         const std::vector<std::string>& createArguments)
{
    COLDFRAME_CHECK(requireUtf8(options.arguments));
    COLDFRAME_CHECK(engine.hello());
    COLDFRAME_TRY(json list, engine.call("sandbox.list"));
    COLDFRAME_TRY(json known, engine.call("agents.list"));
    const json sandboxes = list.value("sandboxes", json::array());
    const json agents = known.value("agents", json::array());
    RunTarget target;
    if (mayReattach) {
        COLDFRAME_TRY(target, resolveRunTarget(options.words.front(), sandboxes, agents));
    } else {
        COLDFRAME_TRY(target.agent, resolveAgent(options.words.front(), agents));
    }
    Prepared prepared;
    if (!target.sandboxId.empty()) {
        if (options.words.size() > 1) {
            return fail(ErrorCode::InvalidArgument, "“" + options.words.front() +
                                                        "” is a sandbox and has its folders already; arguments for "
                                                        "its agent follow “--”.");
        }
        COLDFRAME_TRY(prepared.sandbox, findSandbox(sandboxes, target.sandboxId));
        prepared.existed = true;
        prepared.services = servicesOf(agents, textOf(prepared.sandbox, "agent"));
        noteIgnored(options);
        return prepared;
    }
    prepared.services = servicesOf(agents, target.agent);
    COLDFRAME_TRY(const std::string folder, currentFolder());
    std::vector<Workspace> workspaces;
    for (std::size_t i = 1; i < options.words.size(); ++i) {
        workspaces.push_back(parseWorkspace(options.words[i], folder));
    }
    if (workspaces.empty()) {
        workspaces.push_back(Workspace{folder, false});
    }
    const std::string existing =
        mayReattach ? findExisting(sandboxes, target.agent, api::encodePath(workspaces.front().path), options.name)
                    : std::string();
    if (!existing.empty()) {
        COLDFRAME_TRY(prepared.sandbox, findSandbox(sandboxes, existing));
        prepared.existed = true;
        noteIgnored(options);
        return prepared;
    }
    COLDFRAME_TRY(prepared.sandbox, create(engine, options, target.agent, workspaces, createArguments));
    return prepared;
}

} // namespace

Result<std::string> currentFolder()
{
    // The shell's own idea of where it is keeps the names the user sees; it may be stale or lie, so it is checked.
    std::error_code error;
    const std::filesystem::path physical = std::filesystem::current_path(error);
    if (error) {
        return fail(ErrorCode::NotFound, "The current folder does not exist any more; change to another.");
    }
    const char* logical = std::getenv("PWD");
    if (logical && logical[0] == '/' && std::filesystem::equivalent(logical, physical, error) && !error) {
        return std::string(logical);
    }
    return physical.native();
}

Result<int> createCommand(EngineLink& engine, const RunOptions& options)
{
    COLDFRAME_TRY(const Prepared prepared, prepare(engine, options, false, options.arguments));
    if (!options.noStart) {
        const std::string id = textOf(prepared.sandbox, "id");
        COLDFRAME_CHECK(handOverKeys(engine, id, prepared.services));
        COLDFRAME_CHECK(engine.callWithProgress("sandbox.start", {{"sandbox", id}}));
    }
    printLine(textOf(prepared.sandbox, options.quiet ? "id" : "name"));
    return kOk;
}

Result<int> runCommand(EngineLink& engine, const RunOptions& options)
{
    COLDFRAME_TRY(const DetachKeys detachKeys, DetachKeys::parse(options.detachKeys));
    COLDFRAME_TRY(const Prepared prepared, prepare(engine, options, true, {}));
    const std::string id = textOf(prepared.sandbox, "id");
    // Before the start, so that the proxy has them when the agent's first request comes.
    COLDFRAME_CHECK(handOverKeys(engine, id, prepared.services));
    COLDFRAME_CHECK(engine.callWithProgress("sandbox.start", {{"sandbox", id}}));
    if (options.detached) {
        printLine(textOf(prepared.sandbox, options.quiet ? "id" : "name"));
        return kOk;
    }
    AttachOptions attach;
    attach.tty = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
    attach.interactive = true;
    attach.detachKeys = detachKeys;
    attach.attachAgain = attach.tty ? "coldframe attach " + textOf(prepared.sandbox, "name") : std::string();
    const TerminalSize size = terminalSize();
    COLDFRAME_TRY(const json offered, engine.callWithProgress("sandbox.launch", {{"sandbox", id},
                                                                                 {"arguments", options.arguments},
                                                                                 {"new", options.isNew},
                                                                                 {"tty", attach.tty},
                                                                                 {"rows", size.rows},
                                                                                 {"columns", size.columns}}));
    if (offered.value("attached", false)) {
        printNote("Attached to the session of " + textOf(prepared.sandbox, "name") + " that runs. Another one: coldframe run --new " +
                  textOf(prepared.sandbox, "name"));
    }
    COLDFRAME_TRY(const UniqueFd socket, engine.take(offered));
    const Result<int> code = attachStreams(socket.get(), std::move(attach));
    if (!code) {
        printError(code.error());
        return attachExitCode(code.error());
    }
    return *code;
}

Result<int> execCommand(EngineLink& engine, const ExecOptions& options)
{
    if (options.argv.empty()) {
        return fail(ErrorCode::InvalidArgument,
                    "exec needs a program to run: coldframe exec " + options.sandbox + " ls -la");
    }
    if (options.tty && options.interactive && !::isatty(STDIN_FILENO)) {
        return fail(ErrorCode::InvalidArgument,
                    "-t needs a terminal, and standard input is none; leave -t out to pipe data in.");
    }
    COLDFRAME_CHECK(requireUtf8(options.argv));
    COLDFRAME_TRY(const DetachKeys detachKeys, DetachKeys::parse(options.detachKeys));
    const TerminalSize size = terminalSize();
    json params = {{"sandbox", options.sandbox}, {"argv", options.argv},  {"tty", options.tty},
                   {"rows", size.rows},          {"columns", size.columns}};
    if (!options.environment.empty()) {
        COLDFRAME_CHECK(requireUtf8(options.environment));
        json environment = json::object();
        for (const std::string& variable : options.environment) {
            const std::size_t equals = variable.find('=');
            const std::string name = variable.substr(0, equals);
            const char* own = std::getenv(name.c_str());
            if (equals != std::string::npos) {
                environment[name] = variable.substr(equals + 1);
            } else if (own) {
                environment[name] = own;
            }
        }
        params["environment"] = environment;
    }
    if (!options.folder.empty()) {
        params["cwd"] = api::encodePath(options.folder);
    }
    if (!options.user.empty()) {
        params["user"] = options.user;
    }
    AttachOptions attach;
    attach.tty = options.tty;
    attach.interactive = options.interactive;
    attach.detachKeys = detachKeys;
    if (!options.record.file.empty()) {
        if (!options.tty) {
            return fail(ErrorCode::InvalidArgument, "Only what a terminal shows is recorded; give the program one with -t.");
        }
        COLDFRAME_TRY(attach.recording, SessionRecording::open(options.record)); // before anything is started
        attach.title = options.argv.front();
    }
    COLDFRAME_TRY(const json offered, engine.callWithProgress("sandbox.exec", params));
    if (attach.tty) {
        attach.attachAgain = "coldframe attach " + options.sandbox + " " + textOf(offered, "session");
    }
    COLDFRAME_TRY(const UniqueFd socket, engine.take(offered));
    const Result<int> code = attachStreams(socket.get(), std::move(attach));
    if (!code) {
        printError(code.error());
        return attachExitCode(code.error());
    }
    return *code;
}

} // namespace coldframe::cli
