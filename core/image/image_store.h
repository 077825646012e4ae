// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process.h"
#include "image/manifest.h"
#include "image/verification.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace coldframe::image {

/// A verified guest image: immutable files in a folder named by their digest (HAZARDS 2).
struct Image
{
    std::string id{}; ///< the folder's name, "base-<sha256>"; what a sandbox pins
    std::filesystem::path kernel{};
    std::filesystem::path initrd{};
    std::filesystem::path baseDisk{};
    Manifest manifest{};
};

/// A verified agent disk, to be attached read-only.
struct AgentLayer
{
    std::string id{}; ///< "agent-<name>-<version>-<sha256>"
    std::filesystem::path disk{};
    std::string version{};
};

/// What an agent's disk is made from.
struct AgentSource
{
    std::string name{};                  ///< "claude"
    std::vector<std::string> packages{}; ///< npm packages, "@scope/name" or "name@version"
    std::uint64_t slotBytes = 0;         ///< the size its disk must show; 0: any
};

/// What a build tells and how it is stopped. `progress` is called on the calling thread.
struct BuildControl
{
    std::function<void(std::int64_t done, std::int64_t total, const std::string& text)> progress{};
    const std::atomic<bool>* cancelled = nullptr;
};

/// Finds, verifies and builds guest images and agent layers. Blocking; any thread; several processes may build at
/// once (the build scripts hold a lock, the second finds the work done).
class ImageStore
{
public:
    struct Places
    {
        std::filesystem::path images{}; ///< dataFolder()/images by its real name: it is written into disks
        std::filesystem::path recipe{}; ///< imageRecipeFolder(): build, build-agent
        std::filesystem::path guest{};  ///< the static coldframe-guest
        bool isShared = false;          ///< reached through a link: others use the folder too, nothing in it is pruned
        static Places standard();
    };

    ImageStore(Places places, ProcessRunner& runner);

    /// The image in use, every part verified. NotFound when there is none, Corrupt or NotFound naming the part.
    Result<Image> current();
    /// An image that a sandbox's disk stands on.
    Result<Image> pinned(const std::string& id);
    /// current() when it is whole and carries this coldframe-guest, else builds it.
    Result<Image> ensure(const BuildControl& control);
    /// Runs the build, which is quick when nothing changed; `force` makes a new root disk. Errors: NoSpace, Cancelled,
    /// Unavailable (a tool or permission is missing; the message says what to do).
    Result<Image> build(bool force, const BuildControl& control);

    /// The agent's disk; built when it is not there, damaged, or made from other packages.
    Result<AgentLayer> ensureAgentLayer(const AgentSource& agent, const BuildControl& control);
    /// An agent disk that a sandbox uses.
    Result<AgentLayer> pinnedAgentLayer(const std::string& id);
    /// The agent's layer as it stands, not built. NotFound when there is none.
    Result<AgentLayer> currentAgentLayer(const AgentSource& agent);

    /// Removes folders that are neither current nor in `used`. Returns the names removed. Nothing is removed where the
    /// folder of images is a link: others share it, and what they use is not known here.
    Result<std::vector<std::string>> prune(const std::set<std::string>& used);

private:
    Result<Manifest> verifiedManifest(const std::string& id, const std::string& kind);
    Result<void> runScript(std::vector<std::string> arguments, const BuildControl& control);

    Places m_places;
    ProcessRunner& m_runner;
    Verification m_verification;
};

} // namespace coldframe::image
