// SPDX-License-Identifier: Apache-2.0
// keys set, ls, rm, import, and the hand-over of the caller's keys to a run. A key is never part of a command line.
#include "base/file.h"
#include "base/paths.h"
#include "commands.h"
#include "output.h"
#include "raw_terminal.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <sys/wait.h>
#include <unistd.h>

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

/// All of standard input as far as it fits; 0 when it is a terminal.
long readPiped(char* bytes, std::size_t size)
{
    std::size_t length = 0;
    while (::isatty(STDIN_FILENO) == 0 && length < size) {
        const ssize_t count = ::read(STDIN_FILENO, bytes + length, size - length);
        if (count <= 0) {
            break;
        }
        length += static_cast<std::size_t>(count);
    }
    return static_cast<long>(length);
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
    const bool isCertificate = service.starts_with("client-certificate:");
    if (service != "upstream-proxy" && !isCertificate
        && std::ranges::none_of(services, [&](const json& known) { return textOf(known, "name") == service; })) {
        std::string names;
        for (const json& known : services) {
            names += (names.empty() ? "" : ", ") + textOf(known, "name");
        }
        return fail(ErrorCode::NotFound, "There is no service “" + service + "”. Services: " + names + ".");
    }
    const auto buffer = std::make_unique<Wiped>();
    const std::string prompt = "Key for " + service + " (not shown): ";
    // The key of a certificate is a file of many lines: it is piped in.
    const long length = isCertificate ? readPiped(buffer->bytes, sizeof(buffer->bytes)) : readHidden(prompt.c_str(), buffer->bytes, sizeof(buffer->bytes));
    if (length < 0) {
        return fail(ErrorCode::Cancelled, "Interrupted; nothing was stored.");
    }
    const std::string_view text(buffer->bytes, static_cast<std::size_t>(length));
    if (isCertificate && (text.size() > SecretBuffer::kMaxSize || text.find("PRIVATE KEY-----") == std::string_view::npos)) {
        return fail(ErrorCode::InvalidArgument, "A certificate's key is piped in, in PEM form: coldframe keys set " + service + " < KEYFILE");
    }
    if (text.empty() || text.size() > SecretBuffer::kMaxSize || (!isCertificate && text.find_first_of("\r\n") != std::string_view::npos)) {
        return fail(ErrorCode::InvalidArgument,
                    "A key is one line of at most 64 KiB; nothing was stored. Type it at the prompt or pipe it in.");
    }
    COLDFRAME_CHECK(engine.sendKey("keys.set", whose(options, service), SecretBuffer(text)));
    printNote("The key of " + service + " is in the keychain.");
    return kOk;
}

namespace {

/// What is in the file of that log-in; "-" is standard input.
Result<SecretBuffer> credentials(const std::string& path)
{
    std::FILE* const file = path == "-" ? stdin : std::fopen(path.c_str(), "re");
    if (!file) {
        return fail(ErrorCode::NotFound, "There is no log-in to take over at " + path + ". Log in with the agent on this computer first, name its credentials "
                                         "file with --from-file, or log in in the browser with --browser.");
    }
    const auto buffer = std::make_unique<std::array<char, SecretBuffer::kMaxSize + 1>>();
    const std::size_t size = std::fread(buffer->data(), 1, buffer->size(), file);
    if (file != stdin) {
        std::fclose(file);
    }
    Result<SecretBuffer> secret = size == 0 || size > SecretBuffer::kMaxSize
                                      ? fail(ErrorCode::InvalidArgument, "No credentials file: it is empty or larger than 64 KiB.")
                                      : Result<SecretBuffer>(SecretBuffer(std::string_view(buffer->data(), size)));
    ::explicit_bzero(buffer->data(), buffer->size());
    return secret;
}

/// Where there is a desktop; what it says is of no interest.
void openBrowser(const std::string& url)
{
    if (!std::getenv("DISPLAY") && !std::getenv("WAYLAND_DISPLAY")) {
        return;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        if (::fork() == 0) {
            ::setsid();
            const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
            for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
                ::dup2(null, fd);
            }
            ::execlp("xdg-open", "xdg-open", url.c_str(), nullptr);
        }
        ::_exit(0);
    }
    if (child > 0) {
        ::waitpid(child, nullptr, 0);
    }
}

std::string dateOf(std::int64_t seconds)
{
    char text[32] = "";
    const std::time_t when = static_cast<std::time_t>(seconds);
    std::tm parts{};
    if (seconds > 0 && ::localtime_r(&when, &parts)) {
        (void)std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
    }
    return text;
}

/// "log-in, token until 2026-11-22 08:15 (max)"
std::string describeLogin(const json& login)
{
    const std::string plan = login.value("facts", json::object()).value("subscription", "");
    const std::string until = dateOf(login.value("expiresAt", std::int64_t{0}));
    const std::string state = textOf(login, "state") == "over" ? "over: log in again" : until.empty() ? "log-in" : "log-in, token until " + until;
    return plan.empty() ? state : state + " (" + plan + ")";
}

} // namespace

Result<int> keysLogin(EngineLink& engine, const KeyOptions& options)
{
    COLDFRAME_TRY(const json keys, engine.call("keys.list"));
    json login;
    std::string service;
    std::string known;
    for (const json& candidate : keys.value("services", json::array())) {
        const json how = candidate.value("login", json());
        const std::string name = textOf(candidate, "name");
        if (!how.is_object()) {
            continue;
        }
        const std::string other = textOf(how, "insteadOf");
        known += (known.empty() ? "" : ", ") + (other.empty() ? name : other);
        if (name == options.service || other == options.service) {
            login = how;
            service = name;
        }
    }
    if (service.empty()) {
        return fail(ErrorCode::NotFound, "There is no log-in for “" + options.service + "”, only for: " + known
                                             + ". Other services have keys: coldframe keys set SERVICE");
    }
    if (options.isInBrowser) {
        COLDFRAME_TRY(const json begun, engine.call("keys.login.begin", whose(options, service)));
        const std::string url = textOf(begun, "url");
        printNote("Log in in the browser of this computer. If none opens, open this address there:");
        printLine(url);
        openBrowser(url);
        COLDFRAME_CHECK(engine.callWithProgress("keys.login.finish", {{"id", textOf(begun, "id")}}));
        printNote("The log-in for " + service + " is in the keychain. Sandboxes have it from their next start on; inside are only stand-ins.");
        return kOk;
    }
    std::string path = options.file;
    if (path.empty()) {
        const std::filesystem::path usual = textOf(login, "file");
        const char* folder = std::getenv(textOf(login, "folderVariable").c_str());
        const char* home = std::getenv("HOME");
        path = folder && folder[0] != '\0' ? std::filesystem::path(folder) / usual.filename() : std::filesystem::path(home ? home : "/") / usual;
        std::error_code ignored;
        if (std::filesystem::exists(path, ignored) && canAsk()
            && !confirm("Copy the log-in in " + path + " into the keychain, for sandboxes to use?", false)) {
            return fail(ErrorCode::Cancelled, "Nothing was stored.");
        }
    }
    COLDFRAME_TRY(const SecretBuffer secret, credentials(path));
    COLDFRAME_CHECK(engine.sendKey("keys.login", whose(options, service), secret));
    printNote("The log-in for " + service + " is in the keychain. Sandboxes have it from their next start on; inside are only stand-ins.");
    printNote("The agent on this computer has the same one: where the server lets a refresh token be used once only, one of the two is logged out "
              "by and by. Then log in there again; this one is Coldframe's.");
    return kOk;
}

Result<int> keysList(EngineLink& engine, ListOptions options)
{
    COLDFRAME_TRY(const json keys, engine.call("keys.list"));
    if (options.json) {
        printJson(keys);
        return kOk;
    }
    Table table({"SERVICE", "ACCOUNT", "SANDBOX", "SOURCE", "STORED", "LOG-IN"});
    for (const json& key : keys.value("keys", json::array())) {
        if (options.quiet) {
            printLine(textOf(key, "service"));
        }
        table.add({textOf(key, "service"), textOf(key, "account"), textOf(key, "sandbox"), textOf(key, "source"), textOf(key, "storedAt"),
                   key.contains("login") ? describeLogin(key["login"]) : std::string()});
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
