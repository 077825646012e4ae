// SPDX-License-Identifier: Apache-2.0
#include "engine/catalog_adapter.h"

#include "base/file.h"
#include "engine/sandbox_record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr const char* kGuestHome = "/home/agent";

agents::Context contextOf(const SandboxRecord& record)
{
    agents::Context context;
    context.home = kGuestHome;
    context.workspace = record.workspaces.empty() ? kGuestHome : record.workspaces[0].inside().native();
    context.sentinels = record.sentinels;
    return context;
}

/// The file of a log-in that is no more would make the agent believe in it: the disk still has it.
void addEmptiedFiles(const SandboxRecord& record, const LoginsInside& logins, const agents::AgentDefinition& agent, AgentPlan& plan)
{
    for (const agents::FileTemplate& file : agent.files) {
        if (file.needsLogin.empty() || logins.contains(file.needsLogin) || !record.loginFiles.contains(file.needsLogin)) {
            continue;
        }
        const std::string home = "${HOME}";
        const std::string path = file.path.starts_with(home) ? kGuestHome + file.path.substr(home.size()) : file.path;
        if (std::none_of(plan.files.begin(), plan.files.end(), [&path](const SeedFile& other) { return other.path == path; })) {
            plan.files.push_back({path, file.mode, file.owner, "{}\n"});
        }
    }
}

image::BuildControl controlOf(const Steps& steps, const std::string& stage)
{
    image::BuildControl control;
    control.progress = [steps, stage](std::int64_t done, std::int64_t total, const std::string& text) {
        steps.say(stage, text, done, total);
    };
    control.cancelled = steps.cancelled;
    return control;
}

} // namespace

Result<std::string> CatalogAdapter::canonicalName(const std::string& nameOrAlias) const
{
    COLDFRAME_TRY(const agents::AgentDefinition* agent, m_catalog.findAgent(nameOrAlias));
    if (!agent->supported) {
        return fail(ErrorCode::Unavailable, agent->title + " is known but cannot be installed by Coldframe yet. " + agent->installHint);
    }
    return agent->name;
}

Result<AgentPlan> CatalogAdapter::plan(const SandboxRecord& record, const LoginsInside& logins) const
{
    COLDFRAME_TRY(const agents::AgentDefinition* agent, m_catalog.findAgent(record.agent));
    AgentPlan plan;
    plan.npmPackage = agent->npmPackage;
    // Which services have a key is known only when a program starts; then their sentinels are added (Sandbox::exec).
    agents::Context bare = contextOf(record);
    bare.sentinels.clear();
    plan.environment = m_catalog.environment(*agent, bare);
    agents::Context context = contextOf(record);
    context.logins = logins;
    for (const agents::FileTemplate& file : agent->files) {
        if (!file.needsLogin.empty() && logins.contains(file.needsLogin)) {
            plan.loginFiles.insert(file.needsLogin);
        }
    }
    for (agents::SeedFile& file : m_catalog.files(*agent, context)) {
        plan.files.push_back({std::move(file.path), file.mode, std::move(file.owner), std::move(file.content)});
    }
    addEmptiedFiles(record, logins, *agent, plan);
    for (const std::string& pattern : agent->allow) {
        policy::Rule rule;
        rule.id = "agent-" + std::to_string(plan.rules.size());
        rule.action = policy::Action::Allow;
        rule.pattern = pattern;
        rule.origin = "agent:" + agent->name;
        plan.rules.push_back(std::move(rule));
    }
    plan.dockerAtStart = agent->dockerAtStart;
    plan.launch = agent->command;
    return plan;
}

Result<std::vector<std::string>> CatalogAdapter::launchCommand(const SandboxRecord& record,
                                                               const std::vector<std::string>& arguments) const
{
    COLDFRAME_TRY(const agents::AgentDefinition* agent, m_catalog.findAgent(record.agent));
    return agents::launchCommand(*agent, arguments);
}

std::string CatalogAdapter::servicesJson(const std::map<std::string, std::string>& sentinels, const LoginsInside& logins) const
{
    return m_catalog.proxyServicesJson(sentinels, logins);
}

Result<void> CatalogAdapter::loadServices()
{
    const auto text = readFile(m_file, 1u << 20);
    if (!text) {
        return text.error().code == ErrorCode::NotFound ? Result<void>() : tl::unexpected(text.error());
    }
    Result<void> good;
    try {
        const json document = json::parse(*text);
        for (const json& item : document.at("services")) {
            auto service = agents::customServiceFromJson(item.dump());
            good = good && service ? m_catalog.define(std::move(*service)) : good ? tl::unexpected(service.error()) : good;
        }
        for (const auto& [name, hosts] : document.at("hosts").items()) {
            good = good ? m_catalog.nameHosts(name, hosts.get<std::vector<std::string>>()) : good;
        }
    } catch (const json::exception& error) {
        good = fail(ErrorCode::Corrupt, error.what());
    }
    return good ? good
                : fail(ErrorCode::Corrupt, "The services in " + m_file.string() + " cannot be used; correct the file or move it away.",
                       good.error().message);
}

Result<void> CatalogAdapter::saveServices(agents::Catalog changed)
{
    json services = json::array();
    json hosts = json::object();
    for (const agents::Service& service : changed.services()) {
        if (service.isCustom) {
            services.push_back(json::parse(agents::customServiceToJson(service)));
        } else if (!service.hostsBelow.empty() && !service.hosts.empty()) {
            hosts[service.name] = service.hosts;
        }
    }
    COLDFRAME_CHECK(writeFileAtomic(m_file, json{{"version", 1}, {"services", services}, {"hosts", hosts}}.dump(2) + "\n"));
    m_catalog = std::move(changed);
    return {};
}

Result<void> CatalogAdapter::defineService(const std::string& text)
{
    COLDFRAME_TRY(agents::Service service, agents::customServiceFromJson(text));
    agents::Catalog changed = m_catalog;
    COLDFRAME_CHECK(changed.define(std::move(service)));
    return saveServices(std::move(changed));
}

Result<void> CatalogAdapter::undefineService(const std::string& name)
{
    agents::Catalog changed = m_catalog;
    COLDFRAME_CHECK(changed.undefine(name));
    return saveServices(std::move(changed));
}

Result<void> CatalogAdapter::nameHosts(const std::string& service, const std::vector<std::string>& hosts)
{
    agents::Catalog changed = m_catalog;
    COLDFRAME_CHECK(changed.nameHosts(service, hosts));
    return saveServices(std::move(changed));
}

bool CatalogAdapter::knowsService(const std::string& service) const
{
    const auto found = m_catalog.findService(service);
    return found && (*found)->keyOf.empty();
}

const agents::LoginDefinition* CatalogAdapter::login(const std::string& service) const
{
    const auto found = m_catalog.findService(service);
    return found && (*found)->login ? &*(*found)->login : nullptr;
}

Result<std::string> CatalogAdapter::loginService(const std::string& name) const
{
    COLDFRAME_TRY(const agents::Service* service, m_catalog.findLogin(name));
    return service->name;
}

std::string CatalogAdapter::otherwise(const std::string& service) const
{
    const auto found = m_catalog.findService(service);
    return found ? (*found)->otherwise : std::string();
}

std::map<std::string, std::string> CatalogAdapter::announced(const std::set<std::string>& keyed,
                                                             const std::map<std::string, std::string>& sentinels) const
{
    return m_catalog.announced(keyed, sentinels);
}

std::string CatalogAdapter::agentsJson() const
{
    json all = json::array();
    for (const agents::AgentDefinition& agent : m_catalog.agents()) {
        all.push_back({{"name", agent.name},
                       {"title", agent.title},
                       {"aliases", agent.aliases},
                       {"supported", agent.supported},
                       {"description", agent.description},
                       {"installHint", agent.installHint},
                       {"dockerAtStart", agent.dockerAtStart},
                       {"services", agent.services}});
    }
    return json{{"agents", all}}.dump();
}

std::string CatalogAdapter::servicesListJson() const
{
    json all = json::array();
    for (const agents::Service& service : m_catalog.services()) {
        if (service.keyOf.empty()) {
            json login;
            if (service.login) {
                login = {{"file", service.login->file}, {"folderVariable", service.login->folderVariable},
                         {"insteadOf", service.otherwise}, {"browser", !service.login->authorizeUrl.empty()}};
            }
            all.push_back({{"name", service.name},
                           {"login", std::move(login)},
                           {"title", service.title},
                           {"environment", service.environment},
                           {"keyParts", service.keyParts},
                           {"hostsBelow", service.hostsBelow},
                           {"custom", service.isCustom},
                           {"hosts", service.hosts.empty() ? service.hostSuffixes : service.hosts}});
        }
    }
    return all.dump();
}

Result<GuestImage> ImageAdapter::ensureImage(const Steps& steps)
{
    COLDFRAME_TRY(image::Image found, m_store.ensure(controlOf(steps, "image")));
    return GuestImage{found.id, found.kernel, found.initrd, found.baseDisk};
}

Result<GuestImage> ImageAdapter::currentImage()
{
    COLDFRAME_TRY(image::Image found, m_store.current());
    return GuestImage{found.id, found.kernel, found.initrd, found.baseDisk};
}

Result<GuestImage> ImageAdapter::pinnedImage(const std::string& id)
{
    if (image::isOwnImageId(id)) {
        return ownImage(id);
    }
    COLDFRAME_TRY(image::Image found, m_store.pinned(id));
    return GuestImage{found.id, found.kernel, found.initrd, found.baseDisk};
}

Result<GuestImage> ImageAdapter::ownImage(const std::string& id)
{
    GuestImage image;
    image.id = id;
    std::string below = id;
    while (image::isOwnImageId(below)) {
        COLDFRAME_TRY(const image::OwnImage own, m_ownImages.pinned(below));
        if (image.layers.size() >= image::kMaxOwnLayers) {
            return fail(ErrorCode::Corrupt, "The image " + m_ownImages.nameOf(id) + " stands on too many others.");
        }
        below = own.parent;
        if (own.standsAlone) {
            image.baseDisk = own.disk;
            break;
        }
        image.layers.push_back(own.disk);
    }
    if (image::isOwnImageId(below)) {
        return fail(ErrorCode::Corrupt, "The image " + m_ownImages.nameOf(id) + " is damaged.", "a disk of its own on " + below);
    }
    COLDFRAME_TRY(const image::Image base, m_store.pinned(below));
    if (image.baseDisk.empty()) {
        image.baseDisk = base.baseDisk;
    }
    // The guest program changes with each version of Coldframe: where the kernel is the same, the newest serves old disks too.
    const Result<image::Image> newest = m_store.current();
    const bool sameKernel = newest && newest->manifest.parts.at("vmlinuz").sha256 == base.manifest.parts.at("vmlinuz").sha256;
    image.kernel = sameKernel ? newest->kernel : base.kernel;
    image.initrd = sameKernel ? newest->initrd : base.initrd;
    return image;
}

Result<std::filesystem::path> ImageAdapter::ensureAgentLayer(const std::string& agent, const std::string& npmPackage,
                                                             const Steps& steps)
{
    COLDFRAME_TRY(image::AgentLayer layer, m_store.ensureAgentLayer({agent, {npmPackage}, vm::kAgentSlotBytes}, controlOf(steps, "agent")));
    return layer.disk;
}

} // namespace coldframe::engine
