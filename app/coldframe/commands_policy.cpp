// SPDX-License-Identifier: Apache-2.0
// policy, and what a sandbox may reach.
#include "commands.h"
#include "output.h"

namespace coldframe::cli {

using nlohmann::json;

namespace {

json scoped(const std::string& sandbox, json params = json::object())
{
    if (!sandbox.empty()) {
        params["sandbox"] = sandbox;
    }
    return params;
}

} // namespace

Result<int> networkProxy(EngineLink& engine, const ProxyOptions& options)
{
    if (!options.policy.empty()) {
        const std::string mode = options.policy == "allow"  ? "open"
                                 : options.policy == "deny" ? "locked"
                                                            : options.policy;
        COLDFRAME_CHECK(engine.call("policy.mode", scoped(options.sandbox, {{"mode", mode}})));
    }
    for (const auto& [action, patterns] : {std::pair("allow", options.allow), std::pair("deny", options.deny)}) {
        for (const std::string& pattern : patterns) {
            COLDFRAME_CHECK(
                engine.call("policy.add", scoped(options.sandbox, {{"action", action}, {"pattern", pattern}})));
        }
    }
    RuleOptions list;
    list.sandbox = options.sandbox;
    return policyList(engine, list);
}

Result<int> policyList(EngineLink& engine, const RuleOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("policy.list", scoped(options.sandbox)));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"ID", "ACTION", "PATTERN", "HTTP", "SCOPE", "ORIGIN", "NOTE"});
    for (const json& rule : answer.value("rules", json::array())) {
        if (options.output.quiet) {
            printLine(textOf(rule, "id"));
        }
        std::string http = textOf(rule, "method");
        if (const std::string path = textOf(rule, "path"); !path.empty()) {
            http += (http.empty() ? "" : " ") + path;
        }
        table.add({textOf(rule, "id"), textOf(rule, "action"), textOf(rule, "pattern"), http, textOf(rule, "scope"),
                   textOf(rule, "origin"), textOf(rule, "note")});
    }
    if (!options.output.quiet) {
        printLine("mode: " + textOf(answer, "mode"));
        table.print();
    }
    return kOk;
}

Result<int> policyAdd(EngineLink& engine, const std::string& action, const RuleOptions& options)
{
    for (const std::string& pattern : options.patterns) {
        json params = scoped(options.sandbox, {{"action", action}, {"pattern", pattern == "*" ? "all" : pattern}});
        for (const auto& [key, value] : {std::pair("method", options.method), std::pair("path", options.path),
                                         std::pair("note", options.note)}) {
            if (!value.empty()) {
                params[key] = value;
            }
        }
        if (options.session) {
            params["session"] = true;
        }
        COLDFRAME_TRY(const json rule, engine.call("policy.add", params));
        if (options.output.json) {
            printJson(rule);
        } else {
            printLine(textOf(rule, "id") + " " + action + " " + textOf(rule, "pattern"));
        }
    }
    return kOk;
}

Result<int> policyRemove(EngineLink& engine, const RuleOptions& options)
{
    if (options.id.empty() && options.patterns.empty()) {
        return fail(ErrorCode::InvalidArgument,
                    "Name the rule to remove: a pattern, or --id with an id of “coldframe policy ls”.");
    }
    if (!options.id.empty()) {
        COLDFRAME_CHECK(engine.call("policy.remove", scoped(options.sandbox, {{"id", options.id}})));
    }
    for (const std::string& pattern : options.patterns) {
        COLDFRAME_CHECK(engine.call("policy.remove", scoped(options.sandbox, {{"pattern", pattern}})));
    }
    return kOk;
}

Result<int> policyCheck(EngineLink& engine, const RuleOptions& options)
{
    json params = scoped(options.sandbox, {{"host", options.patterns.front()}});
    if (options.port > 0) {
        params["port"] = options.port;
    }
    COLDFRAME_TRY(const json answer, engine.call("policy.check", params));
    if (options.output.json) {
        printJson(answer);
    } else {
        printLine(textOf(answer, "verdict") + ": " + textOf(answer, "rule"));
        printLine(textOf(answer, "reason"));
    }
    // So that scripts can branch on it: what would not pass without a question does not count as allowed.
    return textOf(answer, "verdict") == "allow" ? kOk : kRefused;
}

Result<int> policyMode(EngineLink& engine, const std::string& sandbox, const std::string& mode)
{
    if (mode.empty()) {
        COLDFRAME_TRY(const json answer, engine.call("policy.list", scoped(sandbox)));
        printLine(textOf(answer, "mode"));
        return kOk;
    }
    COLDFRAME_CHECK(engine.call("policy.mode", scoped(sandbox, {{"mode", mode}})));
    return kOk;
}

} // namespace coldframe::cli
