// SPDX-License-Identifier: Apache-2.0
// policy and network.
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

std::string numberOf(const json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : "";
}

/// One connection a line, the fields that scripts cut out first.
std::string connectionLine(const json& entry, const std::map<std::string, std::string>& names)
{
    const std::string id = textOf(entry, "sandbox");
    const auto name = names.find(id);
    const std::string protocol = textOf(entry, "protocol");
    const std::string method = textOf(entry, "method");
    const bool isHttp = protocol == "http" || protocol == "https";
    std::string url = protocol + "://" + textOf(entry, "host") + ":" + numberOf(entry, "port");
    if (isHttp) {
        url += textOf(entry, "path");
    }
    std::string line = textOf(entry, "time") + " sandbox=" + (name == names.end() ? id : name->second) + " " +
                       textOf(entry, "source") + " " + (method.empty() ? "CONNECT" : method) + " " + url + " " +
                       textOf(entry, "verdict");
    if (const std::string status = numberOf(entry, "status"); !status.empty() && status != "0") {
        line += " status=" + status;
    }
    if (const std::string key = textOf(entry, "keyInjected"); !key.empty()) {
        line += " key=" + key;
    }
    if (const std::string count = numberOf(entry, "count"); !count.empty() && count != "1" && count != "0") {
        line += " count=" + count;
    }
    if (const std::string rule = textOf(entry, "rule"); !rule.empty()) {
        line += " rule=\"" + rule + "\"";
    }
    return line;
}

void printEntry(const json& entry, const LogOptions& options, const std::map<std::string, std::string>& names)
{
    if (options.output.json) {
        // One line each, so that a followed log can be read as it comes.
        printLine(entry.dump(-1, ' ', true, json::error_handler_t::replace));
    } else if (options.output.quiet) {
        printLine(textOf(entry, "host"));
    } else {
        printLine(connectionLine(entry, names));
    }
}

Result<int> follow(EngineLink& engine, const LogOptions& options, const std::string& id,
                   const std::map<std::string, std::string>& names)
{
    for (;;) {
        const Result<json> event = engine.nextEvent();
        if (!event) {
            if (event.error().code == ErrorCode::Cancelled) {
                return kInterrupted;
            }
            return tl::unexpected(event.error());
        }
        if (textOf(*event, "type") != "connection" || !event->contains("connection")) {
            continue;
        }
        const json& entry = (*event)["connection"];
        if ((id.empty() || textOf(entry, "sandbox") == id) &&
            (options.verdict.empty() || textOf(entry, "verdict") == options.verdict)) {
            printEntry(entry, options, names);
        }
    }
}

} // namespace

Result<int> networkLog(EngineLink& engine, const LogOptions& options)
{
    // Subscribed before the log is read, so that nothing falls between.
    COLDFRAME_TRY(const json snapshot,
                  engine.call(options.follow ? "events.subscribe" : "sandbox.list"));
    std::map<std::string, std::string> names;
    for (const json& sandbox : snapshot.value("sandboxes", json::array())) {
        names[textOf(sandbox, "id")] = textOf(sandbox, "name");
    }
    std::string id;
    if (!options.sandbox.empty()) {
        COLDFRAME_TRY(const json sandbox, engine.call("sandbox.inspect", {{"sandbox", options.sandbox}}));
        id = textOf(sandbox, "id");
    }
    json params = scoped(options.sandbox, {{"limit", options.limit}});
    if (!options.verdict.empty()) {
        params["verdict"] = options.verdict;
    }
    COLDFRAME_TRY(const json log, engine.call("network.log", params));
    if (options.output.json && !options.follow) {
        printJson(log);
        return kOk;
    }
    for (const json& entry : log.value("entries", json::array())) {
        printEntry(entry, options, names);
    }
    return options.follow ? follow(engine, options, id, names) : Result<int>(kOk);
}

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
