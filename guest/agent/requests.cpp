// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/requests.h"

#include "guest/agent/encoding.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::guest {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxArguments = 4096;
constexpr std::size_t kMaxVariables = 1024;
constexpr std::size_t kMaxText = 128 * 1024; // MAX_ARG_STRLEN of the kernel
constexpr std::size_t kMaxFiles = 4096;
constexpr std::size_t kMaxWorkspaces = 64;
constexpr std::size_t kMaxLabel = 512;

/// Thrown inside this file only; turned into an Error by `parsed`.
struct Bad
{
    std::string what;
};

std::string text(const Json& value, std::size_t maxBytes = kMaxText)
{
    if (!value.is_string()) {
        throw Bad{"text expected"};
    }
    const auto& string = value.get_ref<const std::string&>();
    if (string.size() > maxBytes || string.find('\0') != std::string::npos) {
        throw Bad{"text too long or with a NUL byte"};
    }
    return string;
}

std::string textOr(const Json& object, const char* key, std::string fallback, std::size_t maxBytes = kMaxText)
{
    const auto found = object.find(key);
    return found == object.end() ? std::move(fallback) : text(*found, maxBytes);
}

bool flagOr(const Json& object, const char* key, bool fallback)
{
    const auto found = object.find(key);
    if (found == object.end()) {
        return fallback;
    }
    if (!found->is_boolean()) {
        throw Bad{std::string(key) + " must be true or false"};
    }
    return found->get<bool>();
}

long long numberOr(const Json& object, const char* key, long long fallback, long long low, long long high)
{
    const auto found = object.find(key);
    if (found == object.end()) {
        return fallback;
    }
    if (!found->is_number_integer() ||
        (found->is_number_unsigned() && found->get<unsigned long long>() > 1ull << 62)) {
        throw Bad{std::string(key) + " must be a whole number"};
    }
    const auto number = found->get<long long>();
    if (number < low || number > high) {
        throw Bad{std::string(key) + " is out of range"};
    }
    return number;
}

std::map<std::string, std::string> variables(const Json& object)
{
    std::map<std::string, std::string> result;
    const auto found = object.find("environment");
    if (found == object.end()) {
        return result;
    }
    if (!found->is_object() || found->size() > kMaxVariables) {
        throw Bad{"environment must be an object of bounded size"};
    }
    for (const auto& [name, value] : found->items()) {
        if (name.empty() || name.size() > 1024 || name.find('=') != std::string::npos ||
            name.find('\0') != std::string::npos) {
            throw Bad{"a variable has an impossible name"};
        }
        result[name] = text(value);
    }
    return result;
}

std::string path(const Json& object, const char* key)
{
    auto checked = checkedAbsolutePath(text(object.at(key), 3 * 4096));
    if (!checked) {
        throw Bad{checked.error().message};
    }
    return *checked;
}

std::string base64(const Json& object, const char* key, std::size_t maxBytes)
{
    auto decoded = decodeBase64(textOr(object, key, "", maxBytes * 4 / 3 + 4));
    if (!decoded) {
        throw Bad{decoded.error().message};
    }
    return *decoded;
}

bool isWord(const std::string& word, std::size_t maxBytes)
{
    return !word.empty() && word.size() <= maxBytes && std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    });
}

bool ownedByAgent(const std::string& owner)
{
    if (owner != "agent" && owner != "root") {
        throw Bad{"owner and user are agent or root"};
    }
    return owner == "agent";
}

std::string sessionId(const Json& object)
{
    std::string id = text(object.at("id"), 128);
    if (!isWord(id, 128)) {
        throw Bad{"id must be a short word"};
    }
    return id;
}

AttachRequest attachRequest(const Json& object)
{
    AttachRequest request;
    request.id = sessionId(object);
    request.readOnly = flagOr(object, "readOnly", false);
    request.rows = static_cast<int>(numberOr(object, "rows", 0, 0, 1000));
    request.columns = static_cast<int>(numberOr(object, "columns", 0, 0, 1000));
    return request;
}

ExecRequest execRequest(const Json& object)
{
    ExecRequest request;
    request.id = sessionId(object);
    const Json& argv = object.at("argv");
    if (!argv.is_array() || argv.empty() || argv.size() > kMaxArguments) {
        throw Bad{"argv must be a list of at least one text"};
    }
    for (const Json& argument : argv) {
        request.argv.push_back(text(argument));
    }
    if (request.argv[0].empty()) {
        throw Bad{"no program was named"};
    }
    request.environment = variables(object);
    if (object.contains("cwd") && !text(object["cwd"]).empty()) {
        request.cwd = path(object, "cwd");
    }
    request.asRoot = !ownedByAgent(textOr(object, "user", "agent"));
    request.tty = flagOr(object, "tty", false);
    request.rows = static_cast<int>(numberOr(object, "rows", 24, 1, 1000));
    request.columns = static_cast<int>(numberOr(object, "columns", 80, 1, 1000));
    request.waitWorkspace = flagOr(object, "waitWorkspace", true);
    request.keepOpen = flagOr(object, "keepOpen", false);
    request.label = textOr(object, "label", "", kMaxLabel);
    request.isAgent = flagOr(object, "agent", false);
    return request;
}

PrepareRequest prepareRequest(const Json& object)
{
    PrepareRequest request;
    const Json user = object.value("user", Json::object());
    if (textOr(user, "name", "agent", 32) != "agent") {
        throw Bad{"the user is called agent"};
    }
    // uid 0 would make every agent root and every workspace file root's; -1 means "unchanged" to the kernel.
    request.uid = static_cast<uid_t>(numberOr(user, "uid", 1000, 1, 0xFFFFFFFEll));
    request.gid = static_cast<gid_t>(numberOr(user, "gid", 1000, 1, 0xFFFFFFFEll));
    request.home = user.contains("home") ? path(user, "home") : "/home/agent";
    return request;
}

RenewRequest renewRequest(const Json& object)
{
    RenewRequest request;
    request.generation = text(object.at("generation"), 128);
    if (!isWord(request.generation, 128)) {
        throw Bad{"generation must be a short word"};
    }
    request.hostName = textOr(object, "hostName", "", 63);
    if (!request.hostName.empty() && !isWord(request.hostName, 63)) {
        throw Bad{"hostName must be a short word"};
    }
    if (const auto time = object.find("time"); time != object.end()) {
        if (!time->is_number()) {
            throw Bad{"time must be a number"};
        }
        request.time = time->get<double>();
        if (!(request.time >= 0 && request.time < 1e11)) {
            throw Bad{"time is out of range"};
        }
    }
    request.entropy = base64(object, "entropy", 4096);
    return request;
}

LimitsRequest limitsRequest(const Json& object)
{
    LimitsRequest request;
    request.processes = numberOr(object, "processes", 0, 0, 1 << 22);
    request.openFiles = numberOr(object, "openFiles", 0, 0, 1 << 20);
    request.cpus = static_cast<int>(numberOr(object, "cpus", 0, 0, 4096));
    return request;
}

SetupRequest setupRequest(const Json& object)
{
    SetupRequest request;
    RenewRequest renewed = renewRequest(object);
    request.generation = std::move(renewed.generation);
    request.hostName = renewed.hostName.empty() ? "coldframe" : std::move(renewed.hostName);
    request.time = renewed.time;
    request.entropy = std::move(renewed.entropy);
    const PrepareRequest user = prepareRequest(object);
    request.userName = "agent";
    request.uid = user.uid;
    request.gid = user.gid;
    request.home = user.home;
    request.caPem = textOr(object, "caPem", "", 1u << 20);
    request.caSubjectHash = textOr(object, "caSubjectHash", "", 8);
    if (request.caSubjectHash.find_first_not_of("0123456789abcdef") != std::string::npos) {
        throw Bad{"caSubjectHash must be hexadecimal"};
    }
    request.environment = variables(object);
    const Json workspaces = object.value("workspaces", Json::array());
    if (!workspaces.is_array() || workspaces.size() > kMaxWorkspaces) {
        throw Bad{"workspaces must be a short list"};
    }
    for (const Json& entry : workspaces) {
        request.workspaces.push_back({path(entry, "path"), flagOr(entry, "readOnly", false)});
    }
    const Json files = object.value("files", Json::array());
    if (!files.is_array() || files.size() > kMaxFiles) {
        throw Bad{"files must be a list of bounded length"};
    }
    for (const Json& entry : files) {
        SetupFile file;
        file.path = path(entry, "path");
        file.mode = static_cast<mode_t>(numberOr(entry, "mode", 0644, 0, 0777));
        file.ownedByAgent = ownedByAgent(textOr(entry, "owner", "root"));
        file.content = base64(entry, "content", 4u << 20);
        request.files.push_back(std::move(file));
    }
    request.dockerAtStart = flagOr(object, "dockerAtStart", false);
    const Json limits = object.value("limits", Json::object());
    if (!limits.is_object()) {
        throw Bad{"limits must be an object"};
    }
    request.limits = limitsRequest(limits);
    return request;
}

template <typename T> Result<T> parsed(std::string_view json, const char* what, T (*parse)(const Json&))
{
    std::string detail;
    try {
        const Json object = Json::parse(json);
        if (object.is_object()) {
            return parse(object);
        }
        detail = "not an object";
    } catch (const Bad& bad) {
        detail = bad.what;
    } catch (const std::exception& error) {
        detail = error.what();
    }
    return fail(ErrorCode::InvalidArgument, std::string("The ") + what + " request is malformed.", detail);
}

} // namespace

Result<ExecRequest> parseExecRequest(std::string_view json)
{
    return parsed<ExecRequest>(json, "exec", execRequest);
}

Result<AttachRequest> parseAttachRequest(std::string_view json)
{
    return parsed<AttachRequest>(json, "attach", attachRequest);
}

Result<PrepareRequest> parsePrepareRequest(std::string_view json)
{
    return parsed<PrepareRequest>(json, "prepare", prepareRequest);
}

Result<RenewRequest> parseRenewRequest(std::string_view json)
{
    return parsed<RenewRequest>(json, "renew", renewRequest);
}

Result<LimitsRequest> parseLimitsRequest(std::string_view json)
{
    return parsed<LimitsRequest>(json, "limits", limitsRequest);
}

Result<SetupRequest> parseSetupRequest(std::string_view json)
{
    return parsed<SetupRequest>(json, "setup", setupRequest);
}

} // namespace coldframe::guest
