// SPDX-License-Identifier: Apache-2.0
// ls, agents, inspect, diagnose, version, completion, and the life cycle: start, stop, reset, rm.
#include "api/path_encoding.h"
#include "commands.h"
#include "completion_scripts.h"
#include "output.h"

namespace coldframe::cli {

using nlohmann::json;

namespace {

/// A path for people: the bytes themselves where they can be shown.
std::string shownPath(const json& workspace)
{
    const std::string encoded = textOf(workspace, "path");
    const Result<std::string> path = api::decodePath(encoded);
    const bool readOnly = workspace.is_object() && workspace.value("readOnly", false);
    return (path ? *path : encoded) + (readOnly ? ":ro" : "");
}

std::string shownState(const json& sandbox)
{
    std::string state = textOf(sandbox, "state");
    if (sandbox.value("reducedIsolation", false)) {
        state += " (reduced isolation)";
    }
    if (sandbox.value("service", false)) {
        state += ", service";
    }
    if (sandbox.value("pausedByItself", false) && textOf(sandbox, "state") == "paused") {
        state += ", idle";
    }
    return state;
}

} // namespace

Result<int> listCommand(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json answer, engine.call("sandbox.list"));
    if (options.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"SANDBOX", "AGENT", "STATUS", "WORKSPACE", "ID"});
    for (const json& sandbox : answer.value("sandboxes", json::array())) {
        if (options.quiet) {
            printLine(textOf(sandbox, "name"));
            continue;
        }
        const json workspaces = sandbox.value("workspaces", json::array());
        std::string folders = workspaces.empty() ? "" : shownPath(workspaces[0]);
        if (workspaces.size() > 1) {
            folders += " (+" + std::to_string(workspaces.size() - 1) + ")";
        }
        table.add({textOf(sandbox, "name"), textOf(sandbox, "agent"), shownState(sandbox), folders,
                   textOf(sandbox, "id").substr(0, 12)});
    }
    if (!options.quiet) {
        table.print();
    }
    for (const json& sandbox : answer.value("sandboxes", json::array())) {
        for (const json& warning : sandbox.value("warnings", json::array())) {
            printNote("coldframe: " + (warning.is_string() ? warning.get<std::string>() : warning.dump()));
        }
    }
    for (const json& problem : answer.value("problems", json::array())) {
        printNote("coldframe: " + (problem.is_string() ? problem.get<std::string>() : problem.dump()));
    }
    return kOk;
}

Result<int> agentsCommand(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json answer, engine.call("agents.list"));
    if (options.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"AGENT", "TITLE", "STATE"});
    for (const json& agent : answer.value("agents", json::array())) {
        if (options.quiet) {
            printLine(textOf(agent, "name"));
            continue;
        }
        const bool supported = agent.value("supported", false);
        table.add({textOf(agent, "name"), textOf(agent, "title"),
                   !supported                         ? "defined, not tried"
                   : agent.value("installed", false)  ? "ready"
                                                      : "installed at first use"});
    }
    if (!options.quiet) {
        table.print();
    }
    return kOk;
}

Result<int> inspectCommand(EngineLink& engine, const std::vector<std::string>& sandboxes)
{
    json all = json::array();
    for (const std::string& sandbox : sandboxes) {
        COLDFRAME_TRY(json value, engine.call("sandbox.inspect", {{"sandbox", sandbox}}));
        all.push_back(std::move(value));
    }
    printJson(all);
    return kOk;
}

Result<int> diagnoseCommand(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json answer, engine.call("engine.diagnose"));
    if (options.json) {
        printJson(answer);
    }
    bool healthy = true;
    for (const json& check : answer.value("checks", json::array())) {
        const std::string severity = textOf(check, "severity");
        healthy = healthy && severity != "error";
        if (options.json) {
            continue;
        }
        printLine((severity == "ok" ? "ok       " : severity == "warning" ? "warning  " : "error    ") +
                  textOf(check, "name") + ": " + textOf(check, "text"));
        if (const std::string remedy = textOf(check, "remedy"); !remedy.empty() && severity != "ok") {
            printLine("         " + remedy);
        }
    }
    return healthy ? kOk : kFailure;
}

Result<int> versionCommand(EngineLink& engine, ListOptions options)
{
    json all = {{"version", COLDFRAME_VERSION}, {"engine", nullptr}};
    // Asking for the version starts nothing.
    if (engine.connectRunning()) {
        if (const Result<json> hello = engine.hello()) {
            all["engine"] = *hello;
        }
    }
    if (options.json) {
        printJson(all);
        return kOk;
    }
    printLine(std::string("coldframe ") + COLDFRAME_VERSION);
    if (all["engine"].is_object()) {
        printLine("engine    " + textOf(all["engine"], "engineVersion") + ", " +
                  (textOf(all["engine"], "acceleration") == "kvm" ? "KVM" : "emulation"));
    } else {
        printLine("engine    not running");
    }
    return kOk;
}

Result<int> completionCommand(const std::string& shell)
{
    const char* script = shell == "bash"   ? kBashCompletion
                         : shell == "zsh"  ? kZshCompletion
                         : shell == "fish" ? kFishCompletion
                                           : nullptr;
    if (!script) {
        return fail(ErrorCode::InvalidArgument, "There is no completion for “" + shell + "”; use bash, zsh or fish.");
    }
    std::fputs(script, stdout);
    std::fflush(stdout);
    return kOk;
}

Result<int> lifeCommand(EngineLink& engine, const LifeOptions& options)
{
    // Each named thing is tried; the first failure decides the exit code.
    int code = kOk;
    for (const std::string& sandbox : options.sandboxes) {
        json params = {{"sandbox", sandbox}};
        if (options.force) {
            params["force"] = true;
        }
        if (options.undo) {
            params["undo"] = true;
        }
        const std::string method = "sandbox." + options.verb;
        Result<json> done = engine.callWithProgress(method, params);
        const bool canForce = options.verb == "reset" || options.verb == "remove";
        if (!done && done.error().code == ErrorCode::Busy && canForce && !options.force) {
            if (confirm(done.error().message + " Go on all the same?")) {
                params["force"] = true;
                done = engine.callWithProgress(method, params);
            } else if (!canAsk()) {
                done = fail(ErrorCode::Busy, done.error().message + " Use --force to go on all the same.",
                            done.error().detail);
            }
        }
        if (!done) {
            printError(done.error());
            code = code == kOk ? exitCodeOf(done.error().code) : code;
            if (done.error().code == ErrorCode::Cancelled) {
                break;
            }
        } else if (!options.quiet) {
            if (const std::string notice = textOf(*done, "notice"); !notice.empty()) {
                printNote(notice);
            }
            const std::string name = textOf(*done, "name");
            printLine(name.empty() ? sandbox : name);
        }
    }
    return code;
}

} // namespace coldframe::cli
