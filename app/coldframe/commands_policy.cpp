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

Result<int> policyList(EngineLink& engine, const RuleOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("policy.list", scoped(options.sandbox)));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"ID", "ACTION", "PATTERN", "HTTP", "SCOPE", "ORIGIN", "ENDS", "NOTE"});
    for (const json& rule : answer.value("rules", json::array())) {
        if (options.output.quiet) {
            printLine(textOf(rule, "id"));
        }
        std::string http = textOf(rule, "method");
        if (const std::string path = textOf(rule, "path"); !path.empty()) {
            http += (http.empty() ? "" : " ") + path;
        }
        table.add({textOf(rule, "id"), textOf(rule, "action"), textOf(rule, "pattern"), http, textOf(rule, "scope"),
                   textOf(rule, "origin"), textOf(rule, "expiry"), textOf(rule, "note")});
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
        if (!options.expires.empty()) {
            COLDFRAME_TRY(params["expiresInSeconds"], spanSeconds(options.expires));
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

namespace {

/// HOST, HOST:PORT, [IPV6]:PORT or an URL, of which the path counts too.
json checkParams(std::string target, const RuleOptions& options)
{
    json params = scoped(options.sandbox);
    const std::size_t scheme = target.find("://");
    if (scheme != std::string::npos) {
        params["port"] = target.starts_with("http://") ? 80 : 443;
        target.erase(0, scheme + 3);
        const std::size_t path = target.find_first_of("/?#");
        if (path != std::string::npos) {
            params["path"] = target[path] == '/' ? target.substr(path) : "/" + target.substr(path);
            target.erase(path);
        }
    }
    const std::size_t colon = target.rfind(':');
    const bool isPlainV6 = !target.starts_with('[') && target.find(':') != colon;
    const std::string port = colon == std::string::npos || isPlainV6 ? "" : target.substr(colon + 1);
    if (!port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos) {
        params["port"] = std::stoi(port);
        target.erase(colon);
    }
    params["host"] = target;
    if (options.port > 0) {
        params["port"] = options.port;
    }
    for (const auto& [key, value] : {std::pair("method", options.method), std::pair("path", options.path)}) {
        if (!value.empty()) {
            params[key] = value;
        }
    }
    return params;
}

} // namespace

Result<int> policyCheck(EngineLink& engine, const RuleOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("policy.check", checkParams(options.patterns.front(), options)));
    if (options.output.json) {
        printJson(answer);
    } else {
        printLine(textOf(answer, "verdict") + ": " + textOf(answer, "rule"));
        printLine(textOf(answer, "reason"));
        if (answer.value("needsRequest", false)) {
            printLine("Rules about methods or paths speak about it too: say which with --method and --path.");
        }
        if (answer.value("bypassed", false)) {
            printLine("TLS to it is not inspected, and no key is put on.");
        }
        Table table({"SPEAKS ABOUT IT", "ACTION", "PATTERN", "HTTP", "SCOPE", "ORIGIN", "NOTE"});
        for (const json& rule : answer.value("matching", json::array())) {
            table.add({textOf(rule, "id"), textOf(rule, "action"), textOf(rule, "pattern"), textOf(rule, "method") + textOf(rule, "path"),
                       textOf(rule, "scope"), textOf(rule, "origin"), textOf(rule, "note")});
        }
        if (!answer.value("matching", json::array()).empty()) {
            table.print();
        }
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
