// SPDX-License-Identifier: Apache-2.0
// keys set, ls, rm, import, and the hand-over of the caller's keys to a run. A key is never part of a command line.
#include "base/file.h"
#include "base/paths.h"
#include "commands.h"
#include "output.h"
#include "raw_terminal.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace coldframe::cli {

using nlohmann::json;

namespace {

std::string variableOf(const json& service)
{
    for (const json& name : service.value("environment", json::array())) {
        const char* value = name.is_string() ? std::getenv(name.get<std::string>().c_str()) : nullptr;
        if (value && value[0] != '\0') {
            return name;
        }
    }
    return {};
}

SecretBuffer secretFrom(const std::string& variable) { return SecretBuffer(std::string_view(std::getenv(variable.c_str()))); }

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
        if (const Result<void> stored = engine.sendKey("keys.set", {{"service", name}}, secretFrom(variable)); !stored) {
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
            engine.sendKey("sandbox.keys", {{"sandbox", sandbox}, {"service", name}}, secretFrom(variable)));
        offerToStore(engine, keys, service, variable);
    }
    return {};
}

Result<int> keysSet(EngineLink& engine, const std::string& service)
{
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
    if (std::ranges::none_of(services, [&](const json& known) { return textOf(known, "name") == service; })) {
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
    COLDFRAME_CHECK(engine.sendKey("keys.set", {{"service", service}}, SecretBuffer(text)));
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
    Table table({"SERVICE", "ACCOUNT", "STORED"});
    for (const json& key : keys.value("keys", json::array())) {
        if (options.quiet) {
            printLine(textOf(key, "service"));
        }
        table.add({textOf(key, "service"), textOf(key, "account"), textOf(key, "storedAt")});
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

Result<int> keysRemove(EngineLink& engine, const std::vector<std::string>& services)
{
    for (const std::string& service : services) {
        COLDFRAME_CHECK(engine.call("keys.remove", {{"service", service}}));
        printLine(service);
    }
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
        COLDFRAME_CHECK(engine.sendKey("keys.set", {{"service", name}}, secretFrom(variable)));
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
