// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agents/login.h"
#include "base/result.h"

#include <filesystem>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::agents {

/// Where a service makes keys or shows them: no key is put on there.
struct DeniedPath
{
    std::vector<std::string> methods; ///< empty: every method
    std::string path;
};

/// Which key goes where, from resources/agents/services.json or defined by the user. The proxy writes `header` with `format`
/// ("{key}", "Bearer {key}", "Basic {base64:user:{key}}") on verified TLS to exactly these hosts.
struct Service
{
    std::string name;
    std::string title;
    std::string keyOf;                     ///< not empty: has no key of its own, uses this service's
    std::string otherwise;                 ///< its variables are not announced where this service has a key too
    std::vector<std::string> environment;  ///< variables that carry the sentinel in the guest
    std::map<std::string, std::string> environmentText; ///< variables with a fixed text beside them
    std::vector<std::string> keyParts;     ///< variables whose values, joined by colons, are the key; empty: environment has it
    std::vector<std::string> hosts;
    std::vector<std::string> hostSuffixes; ///< for services that sign: every name below
    std::vector<std::string> exceptLabels; ///< labels of names below a suffix that are left out
    std::vector<std::string> hostsBelow;   ///< not empty: the user names the hosts, and they end in one of these
    std::uint16_t port = 443;
    std::string header;
    std::string format;
    std::string signer;                    ///< "aws-v4" or empty
    std::vector<std::string> strip;        ///< the client's credentials, removed first
    std::vector<std::string> stripQuery;   ///< query parameters that clients put a key into
    std::map<std::string, std::string> addTokens; ///< list headers that must have a member
    std::string sentinelPrefix;            ///< the shape clients check
    std::string sentinelForm;              ///< "" | "aws-access-key-id" | "jwt" | "hex40"
    std::vector<std::string> pathPrefixes; ///< empty = every path; a segment "*" is any one
    std::vector<DeniedPath> deny;
    std::optional<LoginDefinition> login;  ///< the key may be the access token of a log-in
    bool isCustom = false;                 ///< defined by the user
    std::string placeholder;               ///< not empty: what every sandbox holds instead of the key
};

/// A file written into the guest before the agent starts, still with ${…} in it.
struct FileTemplate
{
    std::string path;
    unsigned mode = 0600;
    std::string owner = "agent";
    std::string content;      ///< of a text file
    std::string json;         ///< of a JSON file, instead of content
    std::string needsService; ///< left out when that service has no sentinel here
    std::string needsLogin;   ///< left out when there is no log-in of that service
    std::string unlessLogin;  ///< left out when there is one
};

/// One agent, from resources/agents/<name>.json.
struct AgentDefinition
{
    std::string name;
    std::string title;
    std::string description;
    std::vector<std::string> aliases;
    bool supported = true;   ///< false: defined, but not installable from the npm registry
    std::string npmPackage;  ///< empty: nothing to install
    bool dockerAtStart = false; ///< it works with containers all the time: Docker's daemon need not wait for its first use
    std::string installHint; ///< for what is not supported: how the vendor installs it
    std::vector<std::string> command;  ///< argv with full autonomy
    std::vector<std::string> headless; ///< the same for one prompt, with ${PROMPT}
    std::map<std::string, std::string> environment;
    std::vector<FileTemplate> files;
    std::vector<std::string> services;
    std::vector<std::string> allow; ///< patterns it cannot work without
};

struct SeedFile
{
    std::string path;
    unsigned mode = 0600;
    std::string owner;
    std::string content;
};

/// What a sandbox gives its agent. Only services whose sentinel is here are announced to the agent.
struct Context
{
    std::string home;      ///< ${HOME}
    std::string workspace; ///< ${WORKSPACE}: the first one
    std::map<std::string, std::string> sentinels; ///< by service; ${SENTINEL:name}, ${SENTINEL_TAIL:name} (last 20)
    /// By service, of those used with a log-in: ${LOGIN:name:fact}; ${REFRESH:name} and ${ID_TOKEN:name} are stand-ins of the other
    /// tokens. In JSON "${SCOPES:name}" is the list of scopes, and a fact that nobody knows is null.
    std::map<std::string, LoginInside> logins{};
};

/// Every agent and service. One thread.
class Catalog
{
public:
    /// Reads paths::resourcesFolder()/"agents": services.json, common.json and one file per agent. An error names file and field.
    static Result<Catalog> load(const std::filesystem::path& folder);

    const std::vector<AgentDefinition>& agents() const { return m_agents; }
    const std::vector<Service>& services() const { return m_services; }

    /// NotFound lists the known agents and suggests the nearest name. The pointer lives as long as the catalog.
    Result<const AgentDefinition*> findAgent(std::string_view nameOrAlias) const;
    Result<const Service*> findService(std::string_view name) const;

    /// Common variables, the agent's own, then each announced service's variables with its sentinel.
    std::map<std::string, std::string> environment(const AgentDefinition& agent, const Context& context) const;
    /// Values put into content are escaped as in a JSON or TOML string; those in "json" are put in before it is written out.
    std::vector<SeedFile> files(const AgentDefinition& agent, const Context& context) const;

    /// Variables for a program inside where these services have a key, with their sentinels.
    std::map<std::string, std::string> announced(const std::set<std::string>& keyed, const std::map<std::string, std::string>& sentinels) const;
    /// A fresh sentinel for every service that is not a keyOf.
    std::map<std::string, std::string> newSentinels() const;
    /// The proxy's "services" array (core/ARCHITECTURE.md), JSON, for the services with a sentinel and those that use their key.
    std::string proxyServicesJson(const std::map<std::string, std::string>& sentinels,
                                  const std::map<std::string, LoginInside>& logins = {}) const;
    /// The service that is used with a log-in instead of this one's key, or this one: "anthropic" and "anthropic-oauth" both are
    /// the latter. NotFound lists those that have a log-in.
    Result<const Service*> findLogin(std::string_view name) const;

    /// Adds a service of the user's, or replaces one. AlreadyExists: it is one of Coldframe's own.
    Result<void> define(Service service);
    Result<void> undefine(const std::string& name);
    /// For a service with hostsBelow: the hosts that are the user's.
    Result<void> nameHosts(const std::string& name, const std::vector<std::string>& hosts);

private:
    std::vector<AgentDefinition> m_agents;
    std::vector<Service> m_services;
    std::map<std::string, std::string> m_commonEnvironment;
};

/// {"name","title"?,"hosts","port"?,"header"?,"format"?,"environment"?,"pathPrefixes"?,"placeholder"?}; InvalidArgument says what is
/// wrong with it.
Result<Service> customServiceFromJson(const std::string& text);
std::string customServiceToJson(const Service& service);

/// The arguments after "--": none, or first beginning with '-': appended to the agent's command; a bare word first:
/// they are the command instead.
std::vector<std::string> launchCommand(const AgentDefinition& agent, const std::vector<std::string>& arguments);

/// Stand-ins for a log-in's other tokens; they have the random part of the service's sentinel, so that whoever looks for that finds them.
std::string refreshSentinel(const Service& service, const std::string& sentinel);
/// An unsigned JWT with the claims that clients look at; empty where they want none.
std::string idTokenSentinel(const Service& service, const std::string& sentinel, const LoginInside& login);

/// sentinelPrefix + "proxy-managed-" + 32 random hex digits, or what the service's form asks for.
std::string makeSentinel(const Service& service);

} // namespace coldframe::agents
