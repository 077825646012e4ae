// SPDX-License-Identifier: Apache-2.0
// sync, engine, settings.
#include "api/path_encoding.h"
#include "commands.h"
#include "output.h"
#include "run_grammar.h"

#include <filesystem>

namespace coldframe::cli {

using nlohmann::json;

namespace {

std::string shown(const std::string& encoded)
{
    const Result<std::string> path = api::decodePath(encoded);
    return path ? *path : encoded;
}

/// The workspace meant, encoded: the one named, or the sandbox's first.
Result<std::string> workspaceOf(EngineLink& engine, const SyncOptions& options)
{
    if (!options.path.empty()) {
        std::error_code ignored;
        return api::encodePath(
            parseWorkspace(options.path, std::filesystem::current_path(ignored).native()).path);
    }
    COLDFRAME_TRY(const json sandbox, engine.call("sandbox.inspect", {{"sandbox", options.sandbox}}));
    const json workspaces = sandbox.value("workspaces", json::array());
    if (workspaces.empty()) {
        return fail(ErrorCode::NotFound, "The sandbox " + options.sandbox + " has no workspace.");
    }
    return textOf(workspaces[0], "path");
}

} // namespace

Result<int> syncStatus(EngineLink& engine, const SyncOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("sync.status", {{"sandbox", options.sandbox}}));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    for (const json& sync : answer.value("syncs", json::array())) {
        const std::string text = textOf(sync, "text");
        printLine(shown(textOf(sync, "path")) + ": " + (text.empty() ? textOf(sync, "state") : text));
        for (const json& problem : sync.value("problems", json::array())) {
            printLine("  " + shown(textOf(problem, "path")) + ": " + textOf(problem, "text"));
        }
    }
    return kOk;
}

Result<int> syncResume(EngineLink& engine, const SyncOptions& options)
{
    COLDFRAME_TRY(const std::string path, workspaceOf(engine, options));
    COLDFRAME_CHECK(
        engine.call("sync.resume", {{"sandbox", options.sandbox}, {"path", path}, {"accept", options.accept}}));
    return kOk;
}

Result<int> syncTrash(EngineLink& engine, const SyncOptions& options)
{
    COLDFRAME_TRY(const std::string path, workspaceOf(engine, options));
    COLDFRAME_TRY(const json answer, engine.call("sync.trash", {{"sandbox", options.sandbox}, {"path", path}}));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"ID", "WHEN", "SIZE", "PATH", "REASON"});
    for (const json& entry : answer.value("entries", json::array())) {
        table.add({textOf(entry, "id"), textOf(entry, "when"), std::to_string(entry.value("size", std::int64_t{0})),
                   shown(textOf(entry, "path")), textOf(entry, "reason")});
    }
    table.print();
    return kOk;
}

Result<int> syncRestore(EngineLink& engine, const SyncOptions& options)
{
    COLDFRAME_TRY(const std::string path, workspaceOf(engine, options));
    COLDFRAME_CHECK(
        engine.call("sync.restore", {{"sandbox", options.sandbox}, {"path", path}, {"id", options.id}}));
    return kOk;
}

Result<int> engineStop(EngineLink& engine, bool force)
{
    if (engine.connectRunning()) {
        COLDFRAME_CHECK(engine.call("engine.shutdown", {{"force", force}}));
    }
    return kOk;
}

Result<int> settingsGet(EngineLink& engine, const std::string& key)
{
    COLDFRAME_TRY(const json settings, engine.call("settings.get"));
    if (key.empty()) {
        printJson(settings);
        return kOk;
    }
    if (!settings.is_object() || !settings.contains(key)) {
        return fail(ErrorCode::NotFound, "There is no setting “" + key + "”; “coldframe settings get” shows all.");
    }
    const json& value = settings[key];
    if (value.is_string()) {
        printLine(value.get<std::string>());
    } else {
        printJson(value);
    }
    return kOk;
}

Result<int> settingsSet(EngineLink& engine, const std::vector<std::string>& words)
{
    // KEY VALUE, or any number of KEY=VALUE. What is no JSON is a text.
    std::vector<std::pair<std::string, std::string>> pairs;
    if (words.size() == 2 && words[0].find('=') == std::string::npos) {
        pairs.emplace_back(words[0], words[1]);
    } else {
        for (const std::string& word : words) {
            const std::size_t equals = word.find('=');
            if (equals == std::string::npos || equals == 0) {
                return fail(ErrorCode::InvalidArgument, "Write settings as KEY=VALUE; “" + word + "” is none.");
            }
            pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
        }
    }
    json changed = json::object();
    for (const auto& [key, text] : pairs) {
        json value = json::parse(text, nullptr, false);
        changed[key] = value.is_discarded() ? json(text) : std::move(value);
    }
    COLDFRAME_CHECK(engine.call("settings.set", {{"settings", changed}}));
    return kOk;
}

} // namespace coldframe::cli
