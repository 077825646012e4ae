// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/sandbox.h"

#include <map>
#include <set>
#include <memory>
#include <string>
#include <vector>

namespace coldframe::engine {

/// What a new sandbox should be; workspaces not yet checked.
struct CreateRequest
{
    std::string agent;
    std::vector<Workspace> workspaces;
    std::string name; ///< empty: made from agent and folder
    policy::PolicyFlags network;
    std::vector<std::string> agentArguments;
    int cpus = 0;
    int memoryMiB = 2048;
    int diskGiB = 40;
    LimitsChange more{}; ///< the rest of the limits; its sizes are those above
    std::string fromTemplate; ///< name or id of a snapshot to stand on; empty: the image
    bool consentEmulation = false;
    bool provisional = false; ///< forgotten when its first start fails
    std::string image;        ///< name or id of an own image; empty: the current base image
    bool isBuilder = false;   ///< an image is to be built in it
};

/// All sandboxes of this engine. Engine's io thread.
class Registry
{
public:
    explicit Registry(EngineParts& parts) : m_parts(parts) {}

    /// Reads the records, repairs what an interrupted engine left, takes running microVMs over and ends those that
    /// belong to no record.
    asio::awaitable<void> load();
    /// Until load() is done, or so long: before that a running microVM may look like a stopped sandbox.
    asio::awaitable<void> waitLoaded(std::chrono::milliseconds within);

    /// By name, id, or unique prefix (≥ 4) of an id.
    Result<std::shared_ptr<Sandbox>> find(const std::string& nameOrId) const;
    std::vector<std::shared_ptr<Sandbox>> all() const;
    /// Checks everything, then writes the record; nothing is changed on an error.
    Result<std::shared_ptr<Sandbox>> create(const CreateRequest& request, const vm::AccelerationDecision& acceleration);
    /// A fork, complete: its record is named and kept, its disk and memory stand on the snapshot. Not started.
    asio::awaitable<Result<std::shared_ptr<Sandbox>>> addFork(std::shared_ptr<Sandbox> parent, Snapshot snapshot, std::string name,
                                                              std::vector<Workspace> workspaces);
    /// Whether the agent can run on the own image; Unavailable says what it lacks.
    Result<void> checkImageFits(const std::string& agent, const std::string& name, const std::string& id) const;
    Result<void> checkFreeName(const std::string& name) const;
    /// Removes snapshots that nothing stands on and nobody named. The bytes.
    std::uintmax_t pruneSnapshots() const;
    /// Those; none when a record cannot be read.
    std::vector<Snapshot> unusedSnapshots() const;
    void forget(const std::string& id) { m_sandboxes.erase(id); }
    /// Nothing half-made stays: a sandbox whose first start failed is forgotten.
    asio::awaitable<void> dropProvisional(std::shared_ptr<Sandbox> sandbox);
    bool anyActive() const;
    bool isMakingTemplate() const;
    void onDomainEvent(const vm::DomainEvent& event);
    const std::vector<std::string>& problems() const { return m_problems; }

private:
    std::set<std::string> pinnedSnapshots() const;
    asio::awaitable<void> takeOver(std::shared_ptr<Sandbox> sandbox, bool isStalled);

    EngineParts& m_parts;
    std::map<std::string, std::shared_ptr<Sandbox>> m_sandboxes;
    std::vector<std::string> m_problems;
    bool m_loaded = false;
};

} // namespace coldframe::engine
