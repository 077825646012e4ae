// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "guest/agent/exec_session.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace coldframe::guest {

/// All programs started through /exec, by their idempotent ids. At most kMaxSessions: ended ones whose exit
/// was delivered go first, then the oldest ended ones. On the io_context's thread.
class ExecTable
{
public:
    static constexpr std::size_t kMaxSessions = 256;

    /// What the agent adds to a request: account, environment, working folder; or why nothing may start now.
    using Prepare = std::function<Result<SpawnSpec>(const ExecRequest&)>;

    ExecTable(asio::io_context& io, Reaper& reaper, Prepare prepare)
        : m_io(io), m_reaper(reaper), m_prepare(std::move(prepare))
    {
    }

    /// Serves one /exec stream to its end. Errors before the start become a Failure frame.
    asio::awaitable<void> serve(channel::StreamPtr stream);

    std::size_t runningCount() const;

private:
    Result<std::shared_ptr<ExecSession>> findOrStart(const std::string& header);
    Result<void> makeRoom();

    struct Entry
    {
        std::shared_ptr<ExecSession> session;
        std::uint64_t number = 0;
    };

    asio::io_context& m_io;
    Reaper& m_reaper;
    Prepare m_prepare;
    std::map<std::string, Entry> m_entries;
    std::uint64_t m_started = 0;
};

} // namespace coldframe::guest
