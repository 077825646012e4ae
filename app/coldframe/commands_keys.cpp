// SPDX-License-Identifier: Apache-2.0
// keys set, ls, rm, import, and the hand-over of the caller's keys to a run. A key is never part of a command line.
#include "base/file.h"
#include "base/paths.h"
#include "commands.h"
#include "output.h"
#include "raw_terminal.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace coldframe::cli {

using nlohmann::json;

namespace {

/// For a key of several parts the first variable, when all but the last (a session token) are set.
std::string variableOf(const json& service)
{
    const json parts = service.value("keyParts", json::array());
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const char* value = std::getenv(parts[i].get<std::string>().c_str());
        if (!value || value[0] == '\0') {
            return {};
        }
    }
    for (const json& name : service.value("environment", json::array())) {
        const char* value = name.is_string() ? std::getenv(name.get<std::string>().c_str()) : nullptr;
        if (value && value[0] != '\0') {
            return name;
        }
    }
    return {};
}

SecretBuffer secretFrom(const json& service, const std::string& variable)
{
    std::string joined;
    for (const json& name : service.value("keyParts", json::array())) {
        if (const char* value = std::getenv(name.get<std::string>().c_str()); value && value[0] != '\0') {
            joined += (joined.empty() ? "" : ":") + std::string(value);
        }
    }
    SecretBuffer secret(joined.empty() ? std::string_view(std::getenv(variable.c_str())) : std::string_view(joined));
    wipe(joined);
    return secret;
}

json whose(const KeyOptions& options, const std::string& service)
{
    json params{{"service", service}};
    if (!options.account.empty()) {
        params["account"] = options.account;
    }
    if (!options.sandbox.empty()) {
        params["sandbox"] = options.sandbox;
    }
    return params;
}

/// "30s", "15m", "2h", "1d", or seconds.
Result<int> secondsOf(const std::string& text)
{
    std::size_t used = 0;
    long value = 0;
    try {
        value = std::stol(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    const std::string unit = text.substr(used);
    const long factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : 0;
    if (used == 0 || factor == 0 || value < 1 || value > 2592000 / factor) {
        return fail(ErrorCode::InvalidArgument, "“" + text + "” is no time; write for example 15m.");
    }
    return static_cast<int>(value * factor);
}

bool isStored(const json& keys, const std::string& service)
{
    return std::ranges::any_of(keys.value("keys", json::array()),
                               [&](const json& key) { return textOf(key, "service") == service; });
}

std::filesystem::path declinedPath() { return paths::configFolder() / "declined-keys.json"; }

json declined()
{
    const Result<std::string> text = readFile(declinedPath(), 65536);
    json value = text ? json::parse(*text, nullptr, false) : json();
    return value.is_object() && value.value("services", json()).is_array() ? value["services"] : json::array();
}

/// Asked once per service; a no is remembered, since the question would come at every run.
void offerToStore(EngineLink& engine, const json& keys, const json& service, const std::string& variable)
{
    const std::string name = textOf(service, "name");
    json refused = declined();
    if (!canAsk() || !keys.value("available", false) || keys.value("locked", false) || isStored(keys, name) ||
        std::ranges::find(refused, json(name)) != refused.end()) {
        return;
    }
    if (confirm("Keep the " + textOf(service, "title") + " key of " + variable + " in the keychain for later runs?")) {
        if (const Result<void> stored = engine.sendKey("keys.set", {{"service", name}}, secretFrom(service, variable)); !stored) {
            printError(stored.error());
        }
        return;
    }
    refused.push_back(name);
    if (makeFolders(paths::configFolder(), 0700)) {
        (void)writeFileAtomic(declinedPath(), json{{"version", 1}, {"services", refused}}.dump() + "\n");
    }
}

} // namespace

Result<void> handOverKeys(EngineLink& engine, const std::string& sandbox, const std::vector<std::string>& services)
{
    if (services.empty()) {
        return {};
    }
    COLDFRAME_TRY(const json keys, engine.call("keys.list"));
    for (const json& service : keys.value("services", json::array())) {
        const std::string name = textOf(service, "name");
        const std::string variable = variableOf(service);
        if (variable.empty() || std::ranges::find(services, name) == services.end()) {
            continue;
        }
        COLDFRAME_CHECK(
            engine.sendKey("sandbox.keys", {{"sandbox", sandbox}, {"service", name}}, secretFrom(service, variable)));
        offerToStore(engine, keys, service, variable);
    }
    return {};
}

Result<int> keysSet(EngineLink& engine, const KeyOptions& options)
{
    const std::string& service = options.service;
    if (!options.commandLine.empty() || !options.reference.empty()) {
        if (!options.reference.empty() && !options.reference.starts_with("op://")) {
            return fail(ErrorCode::InvalidArgument, "A reference for op begins with op://.");
        }
        json params = whose(options, service);
        params["arguments"] = options.reference.empty() ? CLI::detail::split_up(options.commandLine)
                                                        : std::vector<std::string>{"op", "read", "--no-newline", options.reference};
        if (!options.lifetime.empty()) {
            COLDFRAME_TRY(const int seconds, secondsOf(options.lifetime));
            params["lifetimeSeconds"] = seconds;
        }
        COLDFRAME_CHECK(engine.call("keys.command", params));
        printNote("The key of " + service + " is asked of the program when it is needed; it is stored nowhere.");
        return kOk;
    }
    if (!options.lifetime.empty()) {
        return fail(ErrorCode::InvalidArgument, "--refresh is for keys of a program: give --command or --op.");
    }
    struct Wiped
    {
        char bytes[SecretBuffer::kMaxSize + 2] = {};
        Wiped() = default;
        Wiped(const Wiped&) = delete;
        Wiped& operator=(const Wiped&) = delete;
        ~Wiped() { ::explicit_bzero(bytes, sizeof(bytes)); }
    };
    // The service is checked before anybody types a key for it.
    COLDFRAME_TRY(const json keys, engine.call("keys.list"));
    const json services = keys.value("services", json::array());
    if (options.service != "upstream-proxy"
        && std::ranges::none_of(services, [&](const json& known) { return textOf(known, "name") == service; })) {
        std::string names;
        for (const json& known : services) {
            names += (names.empty() ? "" : ", ") + textOf(known, "name");
        }
        return fail(ErrorCode::NotFound, "There is no service “" + service + "”. Services: " + names + ".");
    }
    const auto buffer = std::make_unique<Wiped>();
    const std::string prompt = "Key for " + service + " (not shown): ";
    const long length = readHidden(prompt.c_str(), buffer->bytes, sizeof(buffer->bytes));
    if (length < 0) {
        return fail(ErrorCode::Cancelled, "Interrupted; nothing was stored.");
    }
    const std::string_view text(buffer->bytes, static_cast<std::size_t>(length));
    if (text.empty() || text.size() > SecretBuffer::kMaxSize || text.find_first_of("\r\n") != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument,
                    "A key is one line of at most 64 KiB; nothing was stored. Type it at the prompt or pipe it in.");
    }
    COLDFRAME_CHECK(engine.sendKey("keys.set", whose(options, service), SecretBuffer(text)));
    printNote("The key of " + service + " is in the keychain.");
    return kOk;
}

Result<int> keysList(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json keys, engine.call("keys.list"));
    if (options.json) {
        printJson(keys);
        return kOk;
    }
    Table table({"SERVICE", "ACCOUNT", "SANDBOX", "SOURCE", "STORED"});
    for (const json& key : keys.value("keys", json::array())) {
        if (options.quiet) {
            printLine(textOf(key, "service"));
        }
        table.add({textOf(key, "service"), textOf(key, "account"), textOf(key, "sandbox"), textOf(key, "source"), textOf(key, "storedAt")});
    }
    if (!options.quiet) {
        table.print();
        if (!keys.value("available", false)) {
            printNote("No keychain answers, so no keys are stored; run and create take them from the environment.");
        } else if (keys.value("locked", false)) {
            printNote("The keychain is locked.");
        }
    }
    return kOk;
}

Result<int> keysRemove(EngineLink& engine, const KeyOptions& options)
{
    for (const std::string& service : options.services) {
        COLDFRAME_CHECK(engine.call("keys.remove", whose(options, service)));
        printLine(service);
    }
    return kOk;
}

Result<int> keysUse(EngineLink& engine, const KeyOptions& options)
{
    COLDFRAME_CHECK(engine.call("keys.use", {{"sandbox", options.sandbox}, {"service", options.service}, {"account", options.account}}));
    return kOk;
}

Result<int> keysCustom(EngineLink& engine, const KeyOptions& options)
{
    if (options.remove) {
        COLDFRAME_CHECK(engine.call("keys.undefine", {{"service", options.service}}));
        printLine(options.service);
        return kOk;
    }
    json service{{"name", options.service}, {"hosts", options.hosts}, {"environment", options.variables}, {"pathPrefixes", options.paths}};
    const auto add = [&service](const char* field, const std::string& value) {
        if (!value.empty()) {
            service[field] = value;
        }
    };
    add("header", options.header);
    add("format", options.format);
    add("placeholder", options.placeholder);
    COLDFRAME_CHECK(engine.call("keys.define", {{"service", service}}));
    printNote("Now store its key: coldframe keys set " + options.service);
    return kOk;
}

Result<int> keysHosts(EngineLink& engine, const KeyOptions& options)
{
    COLDFRAME_CHECK(engine.call("keys.hosts", {{"service", options.service}, {"hosts", options.hosts}}));
    return kOk;
}

Result<int> keysImport(EngineLink& engine, const std::vector<std::string>& services)
{
    COLDFRAME_TRY(const json keys, engine.call("keys.list"));
    int stored = 0;
    for (const json& service : keys.value("services", json::array())) {
        const std::string name = textOf(service, "name");
        const std::string variable = variableOf(service);
        if (variable.empty() || (!services.empty() && std::ranges::find(services, name) == services.end())) {
            continue;
        }
        COLDFRAME_CHECK(engine.sendKey("keys.set", {{"service", name}}, secretFrom(service, variable)));
        printLine(name + " from " + variable);
        ++stored;
    }
    if (stored == 0) {
        return fail(ErrorCode::NotFound, "The environment holds no key of a known service; “coldframe keys ls --json” "
                                         "names the variables.");
    }
    return kOk;
}

} // namespace coldframe::cli
