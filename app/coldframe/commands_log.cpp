// SPDX-License-Identifier: Apache-2.0
// network log.
#include "base/clock.h"
#include "commands.h"
#include "output.h"

#include <charconv>
#include <chrono>
#include <map>

namespace coldframe::cli {

using nlohmann::json;

namespace {

using Names = std::map<std::string, std::string>;

constexpr int kPage = 5000;

std::int64_t numberOf(const json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string nameOf(const json& object, const Names& names)
{
    const std::string id = textOf(object, "sandbox");
    const auto name = names.find(id);
    return name == names.end() ? id : name->second;
}

/// One connection a line, the fields that scripts cut out first.
std::string connectionLine(const json& entry, const Names& names)
{
    const std::string protocol = textOf(entry, "protocol");
    const std::string method = textOf(entry, "method");
    std::string url = protocol + "://" + textOf(entry, "host") + ":" + std::to_string(numberOf(entry, "port"));
    if (protocol == "http" || protocol == "https") {
        url += textOf(entry, "path");
    }
    std::string line = textOf(entry, "time") + " sandbox=" + nameOf(entry, names) + " " + textOf(entry, "source") + " " +
                       (method.empty() ? "CONNECT" : method) + " " + url + " " + textOf(entry, "verdict");
    const auto number = [&](const char* label, const char* key, std::int64_t quiet) {
        if (const std::int64_t value = numberOf(entry, key); value != 0 && value != quiet) {
            line += std::string(" ") + label + "=" + std::to_string(value);
        }
    };
    const auto text = [&](const char* label, const char* key, bool isQuoted) {
        if (const std::string value = textOf(entry, key); !value.empty()) {
            line += std::string(" ") + label + "=" + (isQuoted ? "\"" + value + "\"" : value);
        }
    };
    number("status", "status", 0);
    text("key", "keyInjected", false);
    number("count", "count", 1);
    text("how", "how", false);
    number("in", "bytesIn", 0);
    number("out", "bytesOut", 0);
    number("ms", "durationMs", 0);
    if (entry.value("open", false)) {
        line += " open";
    }
    text("process", "process", true);
    text("rule", "rule", true);
    return line;
}

void printEntry(const json& entry, const LogOptions& options, const Names& names)
{
    if (options.output.json || options.isLines) {
        // One line each, so that a followed log can be read as it comes.
        printLine(entry.dump(-1, ' ', true, json::error_handler_t::replace));
    } else if (options.output.quiet) {
        printLine(textOf(entry, "host"));
    } else {
        printLine(connectionLine(entry, names));
    }
}

/// "30m", "2h", "3d" ago, a day, or a time as the log writes it; all in UTC.
Result<std::string> timeFrom(const std::string& text)
{
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string unit(end, text.data() + text.size());
    const std::map<std::string, std::chrono::seconds> units{{"s", std::chrono::seconds(1)}, {"m", std::chrono::minutes(1)},
                                                           {"h", std::chrono::hours(1)}, {"d", std::chrono::hours(24)}};
    if (error == std::errc() && number >= 0 && units.contains(unit)) {
        return formatUtc(utcNow() - units.at(unit) * number);
    }
    if (text.size() == 10) {
        return text + "T00:00:00Z";
    }
    if (!text.empty() && !text.ends_with('Z')) {
        return fail(ErrorCode::InvalidArgument, "Write a time as 30m, 2h or 3d (ago), 2026-01-29, or 2026-01-29T10:15:23Z.");
    }
    return text;
}

Result<json> paramsFrom(const LogOptions& options)
{
    json params{{"limit", options.limit}};
    COLDFRAME_TRY(const std::string since, timeFrom(options.since));
    COLDFRAME_TRY(const std::string until, timeFrom(options.until));
    for (const auto& [key, value] : {std::pair("sandbox", options.sandbox), std::pair("verdict", options.verdict), std::pair("host", options.host),
                                     std::pair("rule", options.rule), std::pair("method", options.method), std::pair("status", options.status),
                                     std::pair("process", options.process), std::pair("how", options.how), std::pair("text", options.text),
                                     std::pair("since", since), std::pair("until", until)}) {
        if (!value.empty()) {
            params[key] = value;
        }
    }
    return params;
}

Result<int> follow(EngineLink& engine, const LogOptions& options, json params, const std::string& id, const Names& names)
{
    const bool isFiltered = params.size() > std::size_t{1} + params.contains("sandbox");
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
        if (!id.empty() && textOf(entry, "sandbox") != id) {
            continue;
        }
        if (isFiltered) {
            // Whether it fits is the log's to say: the same filters, for this entry alone.
            params["afterId"] = numberOf(entry, "id") - 1;
            params["beforeId"] = numberOf(entry, "id") + 1;
            COLDFRAME_TRY(const json found, engine.call("network.log", params));
            if (found.value("entries", json::array()).empty()) {
                continue;
            }
        }
        printEntry(entry, options, names);
    }
}

/// All that fits, oldest first.
Result<int> printLines(EngineLink& engine, const LogOptions& options, json params)
{
    params["limit"] = kPage;
    params["oldestFirst"] = true;
    for (;;) {
        COLDFRAME_TRY(const json log, engine.call("network.log", params));
        const json entries = log.value("entries", json::array());
        for (const json& entry : entries) {
            printEntry(entry, options, {});
        }
        if (entries.size() < kPage) {
            return kOk;
        }
        params["afterId"] = numberOf(entries.back(), "id");
    }
}

void printPlaces(const json& places, const char* heading, bool isAllowed, const Names& names)
{
    Table table({"SANDBOX", "TYPE", "HOST", "PROXY", "RULE", "LAST SEEN", "COUNT", isAllowed ? "KEY" : "REASON"});
    bool isEmpty = true;
    for (const json& place : places) {
        if ((textOf(place, "verdict") == "allowed") == isAllowed) {
            isEmpty = false;
            table.add({nameOf(place, names), textOf(place, "protocol"), textOf(place, "host") + ":" + std::to_string(numberOf(place, "port")),
                       textOf(place, "how"), textOf(place, "rule"), textOf(place, "lastTime"), std::to_string(numberOf(place, "count")),
                       textOf(place, isAllowed ? "keyInjected" : "reason")});
        }
    }
    if (!isEmpty) {
        printLine(heading);
        table.print();
    }
}

Result<int> printSummary(EngineLink& engine, const LogOptions& options, json params, const Names& names)
{
    params["summary"] = true;
    COLDFRAME_TRY(const json answer, engine.call("network.log", params));
    const json places = answer.value("places", json::array());
    if (options.output.json) {
        printJson(answer);
    } else if (options.output.quiet || options.isLines) {
        for (const json& place : places) {
            printLine(options.isLines ? place.dump(-1, ' ', true, json::error_handler_t::replace) : textOf(place, "host"));
        }
    } else {
        printPlaces(places, "Blocked or failed:", false, names);
        printPlaces(places, "Allowed:", true, names);
    }
    return kOk;
}

} // namespace

Result<int> networkLog(EngineLink& engine, const LogOptions& options)
{
    COLDFRAME_TRY(json params, paramsFrom(options));
    // Subscribed before the log is read, so that nothing falls between.
    COLDFRAME_TRY(const json snapshot, engine.call(options.follow ? "events.subscribe" : "sandbox.list"));
    Names names;
    for (const json& sandbox : snapshot.value("sandboxes", json::array())) {
        names[textOf(sandbox, "id")] = textOf(sandbox, "name");
    }
    std::string id;
    if (!options.sandbox.empty()) {
        COLDFRAME_TRY(const json sandbox, engine.call("sandbox.inspect", {{"sandbox", options.sandbox}}));
        id = textOf(sandbox, "id");
    }
    if (options.isSummary) {
        return printSummary(engine, options, std::move(params), names);
    }
    if (options.isLines && !options.follow) {
        return printLines(engine, options, std::move(params));
    }
    COLDFRAME_TRY(const json log, engine.call("network.log", params));
    if (options.output.json && !options.follow) {
        printJson(log);
        return kOk;
    }
    for (const json& entry : log.value("entries", json::array())) {
        printEntry(entry, options, names);
    }
    return options.follow ? follow(engine, options, std::move(params), id, names) : Result<int>(kOk);
}

} // namespace coldframe::cli
