// SPDX-License-Identifier: Apache-2.0
#include "agents/agents.h"

#include "base/file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace coldframe::agents {

namespace {

using Json = nlohmann::json;
using Strings = std::vector<std::string>;

constexpr std::size_t kMaxFile = 256u << 10;

/// One JSON object of a definition file; every error names file and field.
class Reader
{
public:
    Reader(std::string file, const Json& json) : m_file(std::move(file)), m_json(json) {}

    tl::unexpected<Error> bad(const std::string& field, const std::string& why) const
    {
        return fail(ErrorCode::Corrupt,
                    "The agent definition " + m_file + " is not usable: \"" + field + "\" " + why + "; reinstall Coldframe.");
    }

    Result<std::string> text(const char* field, bool required = false) const
    {
        const auto found = m_json.find(field);
        if (found == m_json.end() && !required) {
            return std::string();
        }
        if (found == m_json.end() || !found->is_string() || (required && found->get_ref<const std::string&>().empty())) {
            return bad(field, "must be a text");
        }
        return found->get<std::string>();
    }

    Result<Strings> texts(const char* field, bool required = false) const
    {
        const auto found = m_json.find(field);
        if (found == m_json.end() && !required) {
            return Strings();
        }
        if (found == m_json.end() || !found->is_array() || (required && found->empty())
            || !std::all_of(found->begin(), found->end(), [](const Json& entry) { return entry.is_string(); })) {
            return bad(field, "must be a list of texts");
        }
        return found->get<Strings>();
    }

    Result<bool> flag(const char* field, bool otherwise) const
    {
        const auto found = m_json.find(field);
        if (found == m_json.end()) {
            return otherwise;
        }
        return found->is_boolean() ? Result<bool>(found->get<bool>()) : Result<bool>(bad(field, "must be true or false"));
    }

    Result<std::map<std::string, std::string>> textMap(const char* field) const
    {
        std::map<std::string, std::string> result;
        const auto found = m_json.find(field);
        if (found == m_json.end()) {
            return result;
        }
        if (!found->is_object()) {
            return bad(field, "must be an object");
        }
        for (const auto& [name, value] : found->items()) {
            if (!value.is_string() || name.empty() || name.find('=') != std::string::npos) {
                return bad(field, "must hold variables with texts");
            }
            result[name] = value.get<std::string>();
        }
        return result;
    }

    /// The entries of a list of objects.
    Result<std::vector<Reader>> objects(const char* field) const
    {
        std::vector<Reader> result;
        const auto found = m_json.find(field);
        if (found == m_json.end()) {
            return result;
        }
        if (!found->is_array()) {
            return bad(field, "must be a list");
        }
        for (const Json& entry : *found) {
            if (!entry.is_object()) {
                return bad(field, "must hold objects");
            }
            result.emplace_back(m_file, entry);
        }
        return result;
    }

    const Json& json() const { return m_json; }
    const std::string& file() const { return m_file; }

private:
    std::string m_file;
    Json m_json;
};

Result<Reader> readDefinition(const std::filesystem::path& path)
{
    COLDFRAME_TRY(const std::string content, readFile(path, kMaxFile));
    Json json = Json::parse(content, nullptr, false);
    Reader reader(path.filename().string(), json);
    if (!json.is_object()) {
        return reader.bad("{", "is missing: it is not a JSON object");
    }
    if (json.value("version", Json()) != 1) {
        return reader.bad("version", "must be 1");
    }
    return reader;
}

bool isName(const std::string& text)
{
    return !text.empty() && text.size() <= 64
           && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

bool isHostName(const std::string& host)
{
    return !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
}

Result<std::vector<DeniedPath>> readDenied(const Reader& reader)
{
    std::vector<DeniedPath> denied;
    COLDFRAME_TRY(const std::vector<Reader> entries, reader.objects("deny"));
    for (const Reader& entry : entries) {
        DeniedPath path;
        COLDFRAME_TRY(path.methods, entry.texts("methods"));
        COLDFRAME_TRY(path.path, entry.text("path", true));
        if (path.path[0] != '/') {
            return reader.bad("deny.path", "must begin with /");
        }
        denied.push_back(std::move(path));
    }
    return denied;
}

bool isPointer(const std::string& text)
{
    try {
        (void)Json::json_pointer(text);
    } catch (const Json::exception&) {
        return false;
    }
    return true;
}

Result<LoginDefinition> readLogin(const Reader& reader)
{
    LoginDefinition login;
    COLDFRAME_TRY(login.tokenHost, reader.text("tokenHost", true));
    COLDFRAME_TRY(login.tokenPath, reader.text("tokenPath", true));
    COLDFRAME_TRY(const std::vector<Reader> places, reader.objects("tokenPlaces"));
    bool isAmongThem = false;
    for (const Reader& entry : places) {
        TokenPlace place;
        COLDFRAME_TRY(place.host, entry.text("host", true));
        COLDFRAME_TRY(place.path, entry.text("path", true));
        if (!isHostName(place.host) || place.path[0] != '/') {
            return reader.bad("tokenPlaces", "must name hosts and paths");
        }
        isAmongThem = isAmongThem || (place.host == login.tokenHost && login.tokenPath.starts_with(place.path));
        login.tokenPlaces.push_back(std::move(place));
    }
    if (!isAmongThem) {
        return reader.bad("tokenPlaces", "must have the token endpoint among them");
    }
    COLDFRAME_TRY(login.clientId, reader.text("clientId", true));
    COLDFRAME_TRY(login.scopes, reader.texts("scopes"));
    COLDFRAME_TRY(login.refreshPrefix, reader.text("refreshPrefix"));
    COLDFRAME_TRY(login.authorizeUrl, reader.text("authorizeUrl"));
    COLDFRAME_TRY(login.authorizeParameters, reader.textMap("authorizeParameters"));
    COLDFRAME_TRY(login.redirectPath, reader.text("redirectPath"));
    if (!login.authorizeUrl.empty() && (!login.authorizeUrl.starts_with("https://") || !login.redirectPath.starts_with("/"))) {
        return reader.bad("authorizeUrl", "must begin with https://, with a redirectPath beside it");
    }
    for (const Json& port : reader.json().value("redirectPorts", Json::array())) {
        if (!port.is_number_unsigned() || port.get<unsigned>() == 0 || port.get<unsigned>() > 65535) {
            return reader.bad("redirectPorts", "must hold port numbers");
        }
        login.redirectPorts.push_back(port.get<std::uint16_t>());
    }
    COLDFRAME_TRY(login.codeAsJson, reader.flag("codeAsJson", false));
    COLDFRAME_TRY(login.file, reader.text("file", true));
    COLDFRAME_TRY(login.folderVariable, reader.text("folderVariable"));
    COLDFRAME_TRY(login.accessAt, reader.text("accessAt", true));
    COLDFRAME_TRY(login.refreshAt, reader.text("refreshAt", true));
    COLDFRAME_TRY(login.expiresAt, reader.text("expiresAt"));
    COLDFRAME_TRY(login.scopesAt, reader.text("scopesAt"));
    COLDFRAME_TRY(login.idTokenAt, reader.text("idTokenAt"));
    COLDFRAME_TRY(const std::vector<Reader> facts, reader.objects("facts"));
    bool arePointers = true;
    for (const Reader& entry : facts) {
        LoginFact fact;
        COLDFRAME_TRY(fact.name, entry.text("name", true));
        COLDFRAME_TRY(fact.file, entry.text("file"));
        COLDFRAME_TRY(fact.claim, entry.text("claim"));
        arePointers = arePointers && isPointer(fact.file) && isPointer(fact.claim);
        login.facts.push_back(std::move(fact));
    }
    for (const std::string& pointer : {login.accessAt, login.refreshAt, login.expiresAt, login.scopesAt, login.idTokenAt}) {
        arePointers = arePointers && isPointer(pointer);
    }
    if (!arePointers) {
        return reader.bad("login", "must say with JSON pointers where things are");
    }
    if (const auto claims = reader.json().find("idTokenClaims"); claims != reader.json().end()) {
        if (!claims->is_object()) {
            return reader.bad("idTokenClaims", "must be an object");
        }
        login.idTokenClaims = claims->dump();
    }
    return login;
}

Result<Service> readService(const Reader& reader)
{
    Service service;
    COLDFRAME_TRY(service.name, reader.text("name", true));
    if (!isName(service.name)) {
        return reader.bad("name", "must be lower-case letters, digits and hyphens");
    }
    COLDFRAME_TRY(service.title, reader.text("title", true));
    COLDFRAME_TRY(service.keyOf, reader.text("keyOf"));
    COLDFRAME_TRY(service.otherwise, reader.text("otherwise"));
    COLDFRAME_TRY(service.environment, reader.texts("environment"));
    COLDFRAME_TRY(service.environmentText, reader.textMap("environmentText"));
    COLDFRAME_TRY(service.keyParts, reader.texts("keyParts"));
    COLDFRAME_TRY(service.hosts, reader.texts("hosts"));
    COLDFRAME_TRY(service.hostSuffixes, reader.texts("hostSuffixes"));
    COLDFRAME_TRY(service.exceptLabels, reader.texts("exceptLabels"));
    COLDFRAME_TRY(service.hostsBelow, reader.texts("hostsBelow"));
    if (!std::all_of(service.hosts.begin(), service.hosts.end(), isHostName)) {
        return reader.bad("hosts", "of " + service.name + " must be exact lower-case names, without stars or ports");
    }
    if (service.hosts.empty() && service.hostSuffixes.empty() && service.hostsBelow.empty()) {
        return reader.bad("hosts", "of " + service.name + " must name a host");
    }
    COLDFRAME_TRY(service.signer, reader.text("signer"));
    if (!service.hostSuffixes.empty() && service.signer.empty()) {
        return reader.bad("hostSuffixes", "of " + service.name + " are only for services that sign");
    }
    COLDFRAME_TRY(service.header, reader.text("header", true));
    COLDFRAME_TRY(service.format, reader.text("format", true));
    if (service.format.find("{key}") == std::string::npos) {
        return reader.bad("format", "of " + service.name + " must contain {key}");
    }
    COLDFRAME_TRY(service.strip, reader.texts("strip", true));
    COLDFRAME_TRY(service.stripQuery, reader.texts("stripQuery"));
    COLDFRAME_TRY(service.addTokens, reader.textMap("addTokens"));
    COLDFRAME_TRY(service.sentinelPrefix, reader.text("sentinelPrefix"));
    COLDFRAME_TRY(service.sentinelForm, reader.text("sentinelForm"));
    COLDFRAME_TRY(service.pathPrefixes, reader.texts("pathPrefixes"));
    COLDFRAME_TRY(service.deny, readDenied(reader));
    if (const auto login = reader.json().find("login"); login != reader.json().end()) {
        if (!login->is_object() || !service.keyOf.empty() || !service.signer.empty()) {
            return reader.bad("login", "of " + service.name + " must be an object, of a service with a key of its own that is sent");
        }
        COLDFRAME_TRY(service.login, readLogin(Reader(reader.file(), *login)));
    }
    return service;
}

Result<FileTemplate> readFileTemplate(const Reader& reader)
{
    FileTemplate file;
    COLDFRAME_TRY(file.path, reader.text("path", true));
    if (!file.path.starts_with("${HOME}/") && !file.path.starts_with("/")) {
        return reader.bad("files.path", "must be absolute or begin with ${HOME}/");
    }
    const auto mode = reader.json().find("mode");
    if (mode != reader.json().end()) {
        if (!mode->is_number_unsigned() || mode->get<unsigned>() > 0777) {
            return reader.bad("files.mode", "must be a number up to 511");
        }
        file.mode = mode->get<unsigned>();
    }
    COLDFRAME_TRY(const std::string owner, reader.text("owner"));
    file.owner = owner.empty() ? "agent" : owner;
    if (file.owner != "agent" && file.owner != "root") {
        return reader.bad("files.owner", "must be agent or root");
    }
    COLDFRAME_TRY(file.needsService, reader.text("needsService"));
    COLDFRAME_TRY(file.needsLogin, reader.text("needsLogin"));
    COLDFRAME_TRY(file.unlessLogin, reader.text("unlessLogin"));
    COLDFRAME_TRY(file.content, reader.text("content"));
    const auto json = reader.json().find("json");
    if (json != reader.json().end()) {
        if (!json->is_object() || !file.content.empty()) {
            return reader.bad("files.json", "must be an object, without content beside it");
        }
        file.json = json->dump();
    }
    return file;
}

Result<AgentDefinition> readAgent(const Reader& reader)
{
    AgentDefinition agent;
    COLDFRAME_TRY(agent.name, reader.text("name", true));
    if (!isName(agent.name) || agent.name + ".json" != reader.file()) {
        return reader.bad("name", "must be the file's name");
    }
    COLDFRAME_TRY(agent.title, reader.text("title", true));
    COLDFRAME_TRY(agent.description, reader.text("description", true));
    COLDFRAME_TRY(agent.aliases, reader.texts("aliases"));
    COLDFRAME_TRY(agent.supported, reader.flag("supported", true));
    COLDFRAME_TRY(agent.npmPackage, reader.text("npmPackage"));
    COLDFRAME_TRY(agent.dockerAtStart, reader.flag("dockerAtStart", false));
    COLDFRAME_TRY(agent.installHint, reader.text("installHint"));
    if (!agent.supported && agent.installHint.empty()) {
        return reader.bad("installHint", "must say how to install what is not supported");
    }
    COLDFRAME_TRY(agent.command, reader.texts("command", true));
    COLDFRAME_TRY(agent.headless, reader.texts("headless", true));
    COLDFRAME_TRY(agent.environment, reader.textMap("environment"));
    COLDFRAME_TRY(const std::vector<Reader> files, reader.objects("files"));
    for (const Reader& entry : files) {
        COLDFRAME_TRY(FileTemplate file, readFileTemplate(entry));
        agent.files.push_back(std::move(file));
    }
    COLDFRAME_TRY(agent.services, reader.texts("services"));
    COLDFRAME_TRY(agent.allow, reader.texts("allow"));
    return agent;
}

} // namespace

Result<Catalog> Catalog::load(const std::filesystem::path& folder)
{
    Catalog catalog;
    COLDFRAME_TRY(const Reader servicesFile, readDefinition(folder / "services.json"));
    COLDFRAME_TRY(const std::vector<Reader> serviceEntries, servicesFile.objects("services"));
    std::set<std::string> serviceNames;
    for (const Reader& entry : serviceEntries) {
        COLDFRAME_TRY(Service service, readService(entry));
        if (!service.keyOf.empty() && !serviceNames.contains(service.keyOf)) {
            return servicesFile.bad("keyOf", "of " + service.name + " must name a service above it");
        }
        if (!serviceNames.insert(service.name).second) {
            return servicesFile.bad("name", "appears twice: " + service.name);
        }
        catalog.m_services.push_back(std::move(service));
    }
    COLDFRAME_TRY(const Reader common, readDefinition(folder / "common.json"));
    COLDFRAME_TRY(catalog.m_commonEnvironment, common.textMap("environment"));

    std::vector<std::filesystem::path> paths;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (entry->path().extension() == ".json" && name != "services.json" && name != "common.json") {
            paths.push_back(entry->path());
        }
    }
    std::sort(paths.begin(), paths.end());
    std::set<std::string> names;
    for (const auto& path : paths) {
        COLDFRAME_TRY(const Reader reader, readDefinition(path));
        COLDFRAME_TRY(AgentDefinition agent, readAgent(reader));
        for (const std::string& service : agent.services) {
            if (!serviceNames.contains(service)) {
                return reader.bad("services", "names the unknown service " + service);
            }
        }
        Strings allNames = agent.aliases;
        allNames.push_back(agent.name);
        for (const std::string& name : allNames) {
            if (!names.insert(name).second) {
                return reader.bad("aliases", "names another agent: " + name);
            }
        }
        catalog.m_agents.push_back(std::move(agent));
    }
    return catalog;
}

} // namespace coldframe::agents
