// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_parts.h"
#include "engine/guest_link.h"

#include <asio/steady_timer.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace coldframe::engine {

/// The workspaces of one sandbox, each kept in step by a core/sync session on a thread of its own; here the sessions
/// are started on the guest's streams and their states are collected. Engine's io thread.
class SandboxSync
{
public:
    SandboxSync(EngineParts& parts, std::string sandboxId);
    ~SandboxSync();

    /// Opens a stream per workspace and starts its session. `generation` and `diskId` bind the ancestors. The sandbox's seed disk
    /// need not be there.
    asio::awaitable<Result<void>> start(GuestLink& bulk, const SandboxRecord& record, std::filesystem::path seedDisk);
    /// Until every session is in step, paused or in conflict; false when cancelled.
    asio::awaitable<Result<void>> waitComplete(const Steps& steps);
    /// Both sides in step, or an error that says what is not.
    asio::awaitable<Result<void>> flush(std::chrono::milliseconds within);
    void stop();
    bool isRunning() const;

    nlohmann::json statusJson() const;  ///< array of Sync
    nlohmann::json summaryJson() const; ///< {"state","text"} of the worst
    Result<void> resume(const std::string& path, const std::string& accept);
    Result<nlohmann::json> trash(const std::string& path) const;
    Result<void> restore(const std::string& path, const std::string& id);

private:
    struct Root;
    Root* find(const std::string& path) const;

    EngineParts& m_parts;
    std::string m_sandboxId;
    std::vector<std::shared_ptr<Root>> m_roots;
    std::shared_ptr<asio::steady_timer> m_changed; ///< cancelled with each change of a status, which may come after this is gone
};

} // namespace coldframe::engine
