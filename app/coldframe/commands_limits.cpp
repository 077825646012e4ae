// SPDX-License-Identifier: Apache-2.0
// set, prune.
#include "commands.h"
#include "output.h"
#include "run_grammar.h"

namespace coldframe::cli {

using nlohmann::json;

namespace {

std::string megabytes(std::uint64_t bytes)
{
    return bytes < 1'000'000 ? "under 1 MB" : std::to_string(bytes / 1'000'000) + " MB";
}

void printLimits(const json& sandbox)
{
    Table table({"LIMIT", "VALUE", "HELD BY"});
    for (const json& limit : sandbox.value("limits", json::array())) {
        table.add({textOf(limit, "name"), textOf(limit, "value"), textOf(limit, "heldBy")});
    }
    const json idle = sandbox.value("idle", json::object());
    std::string when = textOf(idle, "when");
    const double minutes = idle.value("minutes", 0.0);
    when = sandbox.value("service", false) ? "nothing: it is a service" : when.empty() ? "as the settings say" : when;
    table.add({"when idle", when, minutes > 0 ? "after " + json(minutes).dump() + " minutes" : ""});
    const json docker = sandbox.value("dockerAtStart", json());
    table.add({"docker", docker.is_boolean() ? (docker.get<bool>() ? "from its start on" : "from its first use on") : "as its agent needs it", ""});
    table.print();
}

} // namespace

Result<json> limitParams(const LimitOptions& options)
{
    json params = json::object();
    const auto number = [&params](const char* key, int value) {
        if (value >= 0) {
            params[key] = value;
        }
    };
    number("cpus", options.cpus);
    number("processes", options.processes);
    number("openFiles", options.openFiles);
    number("diskGiB", options.disk);
    if (!options.memory.empty()) {
        COLDFRAME_TRY(params["memoryMiB"], parseMemory(options.memory));
    }
    if (options.isService || options.isNoService) {
        params["service"] = options.isService;
    }
    if (options.isDocker || options.isNoDocker) {
        params["dockerAtStart"] = options.isDocker;
    }
    if (!options.whenIdle.empty()) {
        params["whenIdle"] = options.whenIdle;
    }
    if (options.idleMinutes >= 0) {
        params["idleMinutes"] = options.idleMinutes;
    }
    return params;
}

Result<int> setCommand(EngineLink& engine, const LimitOptions& options)
{
    COLDFRAME_TRY(json params, limitParams(options));
    const bool isQuestion = params.empty();
    params["sandbox"] = options.sandbox;
    COLDFRAME_TRY(const json answer, engine.call(isQuestion ? "sandbox.inspect" : "sandbox.set", params));
    if (options.json) {
        printJson(isQuestion ? json{{"limits", answer.value("limits", json::array())}, {"usage", answer.value("usage", json())}}
                             : json{{"limits", answer.value("limits", json::array())}, {"notes", answer.value("notes", json::array())}});
        return kOk;
    }
    for (const json& note : answer.value("notes", json::array())) {
        printNote(note.is_string() ? note.get<std::string>() : note.dump());
    }
    if (isQuestion) {
        printLimits(answer);
    } else {
        printLine(textOf(answer, "name"));
    }
    return kOk;
}

Result<int> prune(EngineLink& engine, const PruneOptions& options)
{
    json params{{"dryRun", true}};
    if (options.stoppedDays > 0) {
        params["stoppedDays"] = options.stoppedDays;
    }
    COLDFRAME_TRY(const json found, engine.call("engine.prune", params));
    const json items = found.value("items", json::array());
    const std::string total = megabytes(found.value("bytes", std::uint64_t{0}));
    if (options.json && options.dryRun) {
        printJson(found);
        return kOk;
    }
    if (!options.json) {
        if (items.empty()) {
            printLine("There is nothing to give up.");
            return kOk;
        }
        Table table({"WHAT", "NAME", "SIZE", "WHY"});
        for (const json& item : items) {
            table.add({textOf(item, "kind"), textOf(item, "name"), megabytes(item.value("bytes", std::uint64_t{0})), textOf(item, "why")});
        }
        table.print();
    }
    if (options.dryRun) {
        printLine("This would give up " + total + ".");
        return kOk;
    }
    if (!options.force && !items.empty() && !confirm("Give up all of this, " + total + "? It cannot be brought back.")) {
        if (!canAsk()) {
            return fail(ErrorCode::NotAllowed, "Nothing was given up. Use --force to do it without being asked, --dry-run only to look.");
        }
        return kOk;
    }
    // Exactly what was shown: what came to it meanwhile stays.
    params["dryRun"] = false;
    json ids = json::array();
    for (const json& item : items) {
        ids.push_back(textOf(item, "id"));
    }
    params["only"] = ids;
    COLDFRAME_TRY(const json done, engine.callWithProgress("engine.prune", params));
    if (options.json) {
        printJson(done);
    } else {
        printLine("Gave up " + megabytes(done.value("bytes", std::uint64_t{0})) + ".");
    }
    return kOk;
}

} // namespace coldframe::cli
