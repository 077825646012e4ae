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
    explicit CatalogAdapter(agents::Catalog catalog) : m_catalog(std::move(catalog)) {}

    Result<std::string> canonicalName(const std::string& nameOrAlias) const override;
    Result<AgentPlan> plan(const SandboxRecord& record) const override;
    Result<std::vector<std::string>> launchCommand(const SandboxRecord& record,
                                                   const std::vector<std::string>& arguments) const override;
    std::string servicesJson(const std::map<std::string, std::string>& sentinels) const override;
    std::map<std::string, std::string> newSentinels() const override { return m_catalog.newSentinels(); }
    std::vector<std::string> environmentOf(const std::string& service) const override;
    bool knowsService(const std::string& service) const override { return m_catalog.findService(service).has_value(); }
    std::string agentsJson() const override;
    std::string servicesListJson() const override;

private:
    agents::Catalog m_catalog;
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
