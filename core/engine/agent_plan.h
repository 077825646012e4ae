// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agents/login.h"
#include "base/result.h"
#include "policy/policy.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace coldframe::engine {

struct SandboxRecord;

/// What the guest may know of the log-ins it is used with, by service.
using LoginsInside = std::map<std::string, agents::LoginInside>;

/// A file put into the guest at set-up; never holds a secret.
struct SeedFile
{
    std::string path;
    unsigned mode = 0644;
    std::string owner = "agent";
    std::string content;
};

/// Everything that an agent's definition means for one sandbox, with all templates filled in.
struct AgentPlan
{
    std::string npmPackage;  ///< empty: needs no layer
    std::map<std::string, std::string> environment;
    std::vector<SeedFile> files;
    std::vector<policy::Rule> rules; ///< hosts the agent cannot work without; origin "agent:<name>"
    std::set<std::string> loginFiles; ///< services whose log-in one of the files stands for
    bool dockerAtStart = false; ///< it uses containers from its first moment on
    std::vector<std::string> launch; ///< argv with full autonomy, before the user's arguments
};

/// Where the pieces of a plan come from: the agents module, behind one small interface so that tests can give their own.
class AgentCatalog
{
public:
    virtual ~AgentCatalog() = default;
    virtual Result<std::string> canonicalName(const std::string& nameOrAlias) const = 0;
    /// `logins`: those of the services that it is used with; the files depend on them.
    virtual Result<AgentPlan> plan(const SandboxRecord& record, const LoginsInside& logins) const = 0;
    /// argv for these user arguments (after "--"): options are appended, a bare word replaces the default command.
    virtual Result<std::vector<std::string>> launchCommand(const SandboxRecord& record,
                                                           const std::vector<std::string>& arguments) const = 0;
    /// The services array for a proxy, with this sandbox's sentinels; JSON.
    virtual std::string servicesJson(const std::map<std::string, std::string>& sentinels, const LoginsInside& logins) const = 0;
    virtual std::map<std::string, std::string> newSentinels() const = 0;
    /// Environment variables that carry the sentinels of services with a key.
    virtual std::map<std::string, std::string> announced(const std::set<std::string>& keyed,
                                                         const std::map<std::string, std::string>& sentinels) const = 0;
    virtual bool knowsService(const std::string& service) const = 0;
    /// How a service is logged in to; null: it is not. Lives as long as the catalog.
    virtual const agents::LoginDefinition* login(const std::string& service) const = 0;
    /// "anthropic-oauth" for it and for "anthropic"; NotFound lists those there are.
    virtual Result<std::string> loginService(const std::string& name) const = 0;
    /// The service whose key is used instead of this one's where both are there; empty: none.
    virtual std::string otherwise(const std::string& service) const = 0;
    /// Services of the user's own, and the hosts of those whose hosts only the user knows; written down at once.
    virtual Result<void> defineService(const std::string& json) = 0;
    virtual Result<void> undefineService(const std::string& name) = 0;
    virtual Result<void> nameHosts(const std::string& service, const std::vector<std::string>& hosts) = 0;
    virtual std::string agentsJson() const = 0;   ///< result of agents.list
    virtual std::string servicesListJson() const = 0; ///< "services" of keys.list
};

} // namespace coldframe::engine
