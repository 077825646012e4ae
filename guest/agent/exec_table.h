// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "guest/agent/exec_session.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace coldframe::guest {

/// All programs started through /exec, by their idempotent ids. At most kMaxSessions, and kMaxEnded of them ended: those whose
/// exit was delivered go first, then the oldest. On the io_context's thread.
class ExecTable
{
public:
    static constexpr std::size_t kMaxSessions = 256;
    static constexpr std::size_t kMaxEnded = 32; ///< each with its last output

    /// What the agent adds to a request: account, environment, working folder; or why nothing may start now.
    using Prepare = std::function<Result<SpawnSpec>(const ExecRequest&)>;

    /// The control group that a program joins (SpawnSpec::controlGroup), opened; may give none.
    using Entrance = std::function<UniqueFd()>;

    ExecTable(asio::io_context& io, Reaper& reaper, Prepare prepare, Entrance entrance)
        : m_io(io), m_reaper(reaper), m_prepare(std::move(prepare)), m_entrance(std::move(entrance))
    {
    }

    /// Serves one /exec stream to its end. Errors before the start become a Failure frame.
    asio::awaitable<void> serve(channel::StreamPtr stream);

    /// Serves one /attach stream: a program that is there already. NotFound becomes a Failure frame.
    asio::awaitable<void> serveAttach(channel::StreamPtr stream);
    /// The sessions as JSON: those that go on without a viewer, and those of them that ended and whose status nobody fetched.
    std::string listJson() const;
    /// Programs that run.
    std::size_t runningCount() const;
    /// A line of the sandbox itself, on every terminal that shows lines (and not a program's full screen).
    void say(const std::string& text);
    /// What a program without a terminal is told on its standard error when it fails; may give nothing.
    void explainFailuresBy(ExecSession::Remark reason) { m_reason = std::move(reason); }
    /// Ends one; returns when it has. NotFound for an id that is not there.
    asio::awaitable<Result<void>> end(std::string id);

private:
    struct Found
    {
        std::shared_ptr<ExecSession> session;
        AttachRequest how;
    };
    asio::awaitable<void> serve(channel::StreamPtr stream, Result<Found> found);
    Result<Found> findOrStart(const std::string& header);
    Result<Found> find(const std::string& header) const;
    Result<void> makeRoom();

    struct Entry
    {
        std::shared_ptr<ExecSession> session;
        std::uint64_t number = 0;
        std::string label;
        bool isAgent = false;
        std::chrono::steady_clock::time_point started;
    };

    asio::io_context& m_io;
    Reaper& m_reaper;
    Prepare m_prepare;
    Entrance m_entrance;
    ExecSession::Remark m_reason;
    std::map<std::string, Entry> m_entries;
    std::uint64_t m_started = 0;
};

} // namespace coldframe::guest
