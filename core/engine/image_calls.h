// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/server.h"
#include "engine/image_builder.h"

#include <string>
#include <vector>

namespace coldframe::engine {

/// The API's image.* methods that deal with the user's own images. Engine's io thread.
class ImageCalls
{
public:
    ImageCalls(EngineParts& parts, Registry& registry) : m_parts(parts), m_registry(registry), m_builder(parts, registry) {}

    /// unknownMethod for one that it does not have.
    asio::awaitable<Result<nlohmann::json>> call(std::string method, nlohmann::json params, Steps steps);

private:
    using Answer = asio::awaitable<Result<nlohmann::json>>;

    Answer list();
    Answer inspect(std::string image);
    Answer remove(std::string image);
    Answer prune();
    Answer log(std::string name);
    Answer transfer(std::string method, nlohmann::json params, Steps steps);
    /// What uses an image, each as people call it: "the sandbox claude-shop", "the image tools".
    std::vector<std::string> usersOf(const std::string& id) const;
    /// Files of an image that nothing uses, and the templates made from it. On the pool.
    Result<std::uint64_t> removeFiles(const std::string& id);

    EngineParts& m_parts;
    Registry& m_registry;
    ImageBuilder m_builder;
};

} // namespace coldframe::engine
