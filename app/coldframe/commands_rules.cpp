// SPDX-License-Identifier: Apache-2.0
// policy presets, suggest, inspect, export, import, note; network proxy: what shows or changes a policy as a whole.
#include "commands.h"
#include "output.h"

#include "base/file.h"
#include "base/log.h"

#include <array>
#include <unistd.h>

namespace coldframe::cli {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxDocument = 8u << 20;

json scoped(const std::string& sandbox, json params = json::object())
{
    if (!sandbox.empty()) {
        params["sandbox"] = sandbox;
    }
    return params;
}

/// A file's content; "-" is standard input.
Result<std::string> contentOf(const std::string& file)
{
    if (file != "-") {
        return readFile(file, kMaxDocument);
    }
    std::string content;
    std::array<char, 16384> piece{};
    for (;;) {
        const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
        if (got <= 0) {
            return content;
        }
        content.append(piece.data(), static_cast<std::size_t>(got));
        if (content.size() > kMaxDocument) {
            return fail(ErrorCode::InvalidArgument, "What came on standard input is too long for a policy.");
        }
    }
}

Result<void> switchPresets(EngineLink& engine, const std::string& sandbox, const std::vector<std::string>& names, const json& on)
{
    for (const std::string& name : names) {
        COLDFRAME_CHECK(engine.call("policy.preset", scoped(sandbox, {{"name", name}, {"on", on}})));
    }
    return {};
}

/// As the flags of “docker sandbox network proxy” are meant: the newest word about a host counts, so an opposite rule for the very
/// same pattern goes, and the same rule again changes nothing.
Result<void> setRule(EngineLink& engine, const std::string& sandbox, const std::string& action, const std::string& pattern)
{
    COLDFRAME_TRY(const json checked, engine.call("policy.normalise", {{"pattern", pattern}}));
    const std::string normal = textOf(checked, "pattern");
    COLDFRAME_TRY(const json listed, engine.call("policy.list", scoped(sandbox)));
    bool isThere = false;
    for (const json& rule : listed.value("rules", json::array())) {
        const bool isOwn = textOf(rule, "scope") == "sandbox" && textOf(rule, "pattern") == normal && textOf(rule, "method").empty() &&
                           textOf(rule, "path").empty() && !textOf(rule, "origin").starts_with("agent:");
        if (isOwn && textOf(rule, "action") != action) {
            COLDFRAME_CHECK(engine.call("policy.remove", scoped(sandbox, {{"id", textOf(rule, "id")}})));
        }
        isThere = isThere || (isOwn && textOf(rule, "action") == action && rule.value("expiry", json()).is_null());
    }
    if (!isThere) {
        COLDFRAME_CHECK(engine.call("policy.add", scoped(sandbox, {{"action", action}, {"pattern", normal}})));
    }
    return {};
}

} // namespace

Result<std::int64_t> spanSeconds(const std::string& span)
{
    const std::string digits = span.substr(0, span.find_first_not_of("0123456789"));
    const std::string unit = span.substr(digits.size());
    const std::int64_t each = unit == "s" ? 1 : unit == "m" || unit.empty() ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : 0;
    if (digits.empty() || digits.size() > 6 || each == 0 || std::stoll(digits) == 0) {
        return fail(ErrorCode::InvalidArgument, "\"" + escapeForDisplay(span, 40) + "\" is no time; write 30m, 2h or 7d.");
    }
    return std::stoll(digits) * each;
}

Result<int> policyPresets(EngineLink& engine, const PresetOptions& options)
{
    COLDFRAME_CHECK(switchPresets(engine, options.sandbox, options.enable, true));
    COLDFRAME_CHECK(switchPresets(engine, options.sandbox, options.disable, false));
    COLDFRAME_CHECK(switchPresets(engine, options.sandbox, options.restore, nullptr)); // back to what it is by itself
    COLDFRAME_TRY(const json answer, engine.call("policy.presets", scoped(options.sandbox)));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    Table table({"NAME", "ON", "SWITCHED", "HOSTS", "TITLE"});
    for (const json& preset : answer.value("presets", json::array())) {
        const bool isOn = preset.value("on", false);
        if (options.output.quiet) {
            if (isOn) {
                printLine(textOf(preset, "name"));
            }
            continue;
        }
        const std::string by = textOf(preset, "switched");
        table.add({textOf(preset, "name"), isOn ? "on" : "off", by == "sandbox" ? "here" : by == "all" ? "for all" : "",
                   std::to_string(preset.value("patterns", json::array()).size()), textOf(preset, "title")});
    }
    if (!options.output.quiet) {
        printLine("mode: " + textOf(answer, "mode"));
        table.print();
    }
    return kOk;
}

Result<int> policyInspect(EngineLink& engine, const RuleOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("policy.inspect", scoped(options.sandbox)));
    printJson(answer);
    return kOk;
}

Result<int> policyExport(EngineLink& engine, const RuleOptions& options, const std::string& file)
{
    COLDFRAME_TRY(const json answer, engine.call("policy.export", scoped(options.sandbox)));
    if (file.empty() || file == "-") {
        printJson(answer);
        return kOk;
    }
    COLDFRAME_CHECK(writeFileAtomic(file, answer.dump(2, ' ', false, json::error_handler_t::replace) + "\n"));
    return kOk;
}

Result<int> policyImport(EngineLink& engine, const RuleOptions& options, const std::string& file, bool replace)
{
    COLDFRAME_TRY(const std::string content, contentOf(file));
    const json document = json::parse(content, nullptr, false);
    if (!document.is_object()) {
        return fail(ErrorCode::InvalidArgument, file + " is no JSON file with a policy. Nothing was changed.");
    }
    COLDFRAME_TRY(const json answer, engine.call("policy.import", scoped(options.sandbox, {{"document", document}, {"replace", replace}})));
    printLine("rules added: " + std::to_string(answer.value("added", 0)) + ", removed: " + std::to_string(answer.value("removed", 0)));
    return kOk;
}

Result<int> policyNote(EngineLink& engine, const RuleOptions& options)
{
    json params = scoped(options.sandbox, {{"id", options.id}});
    if (!options.note.empty()) {
        params["note"] = options.note;
    }
    if (options.expires == "never") {
        params["expiresInSeconds"] = nullptr;
    } else if (!options.expires.empty()) {
        COLDFRAME_TRY(params["expiresInSeconds"], spanSeconds(options.expires));
    }
    COLDFRAME_CHECK(engine.call("policy.update", params));
    return kOk;
}

Result<int> policyTighten(EngineLink& engine, const TightenOptions& options)
{
    COLDFRAME_TRY(const json answer, engine.call("policy.tighten", scoped(options.sandbox)));
    const json& document = answer.at("document");
    if (!options.file.empty()) {
        COLDFRAME_CHECK(writeFileAtomic(options.file, document.dump(2, ' ', false, json::error_handler_t::replace) + "\n"));
    }
    if (options.output.json) {
        printJson(document);
    } else {
        Table table({"PATTERN", "USED", "HOSTS", "LAST"});
        for (const json& place : answer.value("places", json::array())) {
            table.add({textOf(place, "pattern"), std::to_string(place.value("count", std::int64_t(0))),
                       std::to_string(place.value("hosts", std::int64_t(1))), textOf(place, "lastSeen")});
        }
        table.print();
    }
    if (options.accept) {
        COLDFRAME_CHECK(engine.call("policy.import", scoped(options.sandbox, {{"document", document}, {"replace", true}})));
        printNote("The sandbox may reach these from now on, and nothing else.");
    } else if (options.file.empty() && !options.output.json) {
        printNote("Nothing was changed. Take it over with --accept, or write it with --file, edit it, and: coldframe policy import -s " +
                  options.sandbox + " --replace FILE");
    }
    return kOk;
}

namespace {

/// What is suggested, and why.
std::pair<std::string, std::string> wordsOf(const json& suggestion)
{
    std::string patterns;
    for (const json& pattern : suggestion.value("patterns", json::array())) {
        patterns += (patterns.empty() ? "" : " ") + pattern.get<std::string>();
    }
    const std::string kind = textOf(suggestion, "kind");
    const std::string count = std::to_string(suggestion.value("count", std::int64_t(0)));
    if (kind == "deny") {
        return {"deny " + patterns, "denied " + count + " times"};
    }
    if (kind == "remove") {
        return {"remove the rule that allows " + patterns, "nothing used it for 30 days"};
    }
    if (kind == "allow") {
        return {"allow " + patterns, "allowed for a while " + count + " times"};
    }
    std::string hosts;
    for (const json& host : suggestion.value("hosts", json::array())) {
        hosts += (hosts.empty() ? "" : ", ") + host.get<std::string>();
    }
    return {"allow " + patterns, "its hosts were allowed: " + hosts};
}

} // namespace

Result<int> policySuggest(EngineLink& engine, const SuggestOptions& options)
{
    for (const auto& [ids, accept] : {std::pair(options.accept, true), std::pair(options.dismiss, false)}) {
        for (const std::string& id : ids) {
            COLDFRAME_CHECK(engine.call("policy.suggestion", {{"id", id}, {"accept", accept}}));
        }
    }
    COLDFRAME_TRY(const json answer, engine.call("policy.suggest", scoped(options.sandbox)));
    if (options.output.json) {
        printJson(answer);
        return kOk;
    }
    COLDFRAME_TRY(const json sandboxes, engine.call("sandbox.list"));
    Table table({"ID", "FOR", "CHANGE", "WHY"});
    for (const json& suggestion : answer.value("suggestions", json::array())) {
        if (options.output.quiet) {
            printLine(textOf(suggestion, "id"));
        }
        std::string place = textOf(suggestion, "sandbox");
        for (const json& sandbox : sandboxes.value("sandboxes", json::array())) {
            place = textOf(sandbox, "id") == place ? textOf(sandbox, "name") : place;
        }
        const auto [change, why] = wordsOf(suggestion);
        table.add({textOf(suggestion, "id"), place.empty() ? "all" : place, change, why});
    }
    if (!options.output.quiet) {
        if (answer.value("suggestions", json::array()).empty()) {
            printNote("There is nothing to suggest.");
        } else {
            table.print();
            printNote("Nothing was changed. Make one with --accept ID, or put it away with --dismiss ID.");
        }
    }
    return kOk;
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
            COLDFRAME_CHECK(setRule(engine, options.sandbox, action, pattern));
        }
    }
    for (const std::string& pattern : options.bypass) {
        COLDFRAME_CHECK(engine.call("policy.bypass", scoped(options.sandbox, {{"pattern", pattern}, {"on", true}})));
    }
    RuleOptions list;
    list.sandbox = options.sandbox;
    return policyList(engine, list);
}

} // namespace coldframe::cli
