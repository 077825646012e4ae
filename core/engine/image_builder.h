// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/guest_program.h"
#include "engine/registry.h"
#include "image/recipe.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

namespace coldframe::engine {

/// What is written down of a build: a file, and its last lines for the error.
class BuildLog
{
public:
    explicit BuildLog(const std::filesystem::path& file);
    void add(std::string_view text);
    /// The last lines since the last header, for people.
    std::string tail() const;
    std::string lastLine() const;
    /// A line of its own; the tail begins anew.
    void header(const std::string& title);

private:
    std::ofstream m_file;
    std::size_t m_written = 0;
    std::string m_tail;
};

/// A microVM in which an image is made, as a sandbox without workspaces that everybody can see, and what happens in it.
struct BuildRoom
{
    std::shared_ptr<Sandbox> sandbox{};
    BuildLog log;
    Steps steps{};
    int step = 0;
    int stepCount = 0;
};

/// Makes own images. Whatever a recipe or an archive does, it does inside a microVM. One at a time (Busy otherwise).
/// On the engine's io thread.
class ImageBuilder
{
public:
    ImageBuilder(EngineParts& parts, Registry& registry) : m_parts(parts), m_registry(registry) {}

    struct Order
    {
        std::filesystem::path recipe{}; ///< the recipe's file, or the folder with coldframe-image.json
        std::string name{};             ///< empty: as the recipe says, else as its folder is called
        bool force = false;             ///< also where nothing changed
        bool consentEmulation = false;
    };
    /// The image's name and id, and whether it was there already.
    asio::awaitable<Result<nlohmann::json>> build(Order order, Steps steps);

    struct RoomOrder
    {
        std::string name{}; ///< of the image
        std::string from{}; ///< an own image; empty: the base
        std::vector<std::string> allow{};
        bool consentEmulation = false;
        int stepCount = 1;
    };
    /// Starts a room, has an image made in it by `work`, and removes the room again.
    using Work = std::function<asio::awaitable<Result<image::OwnImage>>(BuildRoom&)>;
    asio::awaitable<Result<image::OwnImage>> makeInRoom(RoomOrder order, Work work, Steps steps);

    struct ImportOrder
    {
        std::filesystem::path file{};
        std::string name{}; ///< empty: as the archive's tag says, else as the file is called
        bool consentEmulation = false;
    };
    /// Makes an image of an OCI archive or one of `docker save`. The layers are unpacked in a room; this side reads the
    /// archive's documents, and takes the finished disk as content. The image's name, id and "guest": what it has for a sandbox.
    asio::awaitable<Result<nlohmann::json>> importLayers(ImportOrder order, Steps steps);

    /// Runs one step of a build; a failure names it and shows its last lines.
    asio::awaitable<Result<void>> runStep(BuildRoom& room, std::string title, GuestProgram program);

    /// Where the last build of that name wrote what it did.
    static std::filesystem::path logFile(const std::string& name);

private:
    /// Makes the room's own disk an image; the room ends with it.
    asio::awaitable<Result<image::OwnImage>> settle(BuildRoom& room, image::ImageFacts facts);
    /// Of the system beneath that folder inside.
    asio::awaitable<Result<std::map<std::string, std::string>>> packagesIn(BuildRoom& room, std::string root);

    EngineParts& m_parts;
    Registry& m_registry;
    bool m_busy = false;
};

} // namespace coldframe::engine
