// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agents/agents.h"
#include "engine/agent_plan.h"
#include "engine/engine_parts.h"
#include "image/image_store.h"

namespace coldframe::engine {

/// The agents module as the sandboxes see it.
class CatalogAdapter : public AgentCatalog
{
public:
    /// `file`: the user's services (services.json).
    CatalogAdapter(agents::Catalog catalog, std::filesystem::path file) : m_catalog(std::move(catalog)), m_file(std::move(file)) {}
    /// A damaged file is an error that names it.
    Result<void> loadServices();

    Result<std::string> canonicalName(const std::string& nameOrAlias) const override;
    Result<AgentPlan> plan(const SandboxRecord& record, const LoginsInside& logins) const override;
    Result<std::vector<std::string>> launchCommand(const SandboxRecord& record,
                                                   const std::vector<std::string>& arguments) const override;
    std::string servicesJson(const std::map<std::string, std::string>& sentinels, const LoginsInside& logins) const override;
    std::map<std::string, std::string> newSentinels() const override { return m_catalog.newSentinels(); }
    std::map<std::string, std::string> announced(const std::set<std::string>& keyed,
                                                 const std::map<std::string, std::string>& sentinels) const override;
    bool knowsService(const std::string& service) const override;
    const agents::LoginDefinition* login(const std::string& service) const override;
    Result<std::string> loginService(const std::string& name) const override;
    std::string otherwise(const std::string& service) const override;
    Result<void> defineService(const std::string& json) override;
    Result<void> undefineService(const std::string& name) override;
    Result<void> nameHosts(const std::string& service, const std::vector<std::string>& hosts) override;
    std::string agentsJson() const override;
    std::string servicesListJson() const override;

private:
    Result<void> saveServices(agents::Catalog changed);

    agents::Catalog m_catalog;
    std::filesystem::path m_file;
};

/// The image module as the sandboxes see it.
class ImageAdapter : public ImageProvider
{
public:
    ImageAdapter(image::ImageStore& store, image::OwnImageStore& ownImages) : m_store(store), m_ownImages(ownImages) {}

    Result<GuestImage> ensureImage(const Steps& steps) override;
    Result<GuestImage> currentImage() override;
    Result<GuestImage> pinnedImage(const std::string& id) override;
    Result<std::filesystem::path> ensureAgentLayer(const std::string& agent, const std::string& npmPackage,
                                                   const Steps& steps) override;

private:
    Result<GuestImage> ownImage(const std::string& id);

    image::ImageStore& m_store;
    image::OwnImageStore& m_ownImages;
};

} // namespace coldframe::engine
