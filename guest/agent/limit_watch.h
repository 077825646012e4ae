// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "guest/agent/user_limits.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace coldframe::guest {

struct DiskFill
{
    std::uint64_t bytes = 0;
    std::uint64_t freeBytes = 0;
    std::uint64_t freeNodes = 1; ///< files that could still be made
};

enum class DiskState { Roomy, NearlyFull, Full };

/// With some distance between getting into a state and out of it, so that a disk at its edge is not reported again and again.
DiskState diskState(const DiskFill& fill, DiskState before);

/// Notices when the user's programs come up against a limit and says so in sentences, each kind at most once a minute.
class LimitRemarks
{
public:
    using Time = std::chrono::steady_clock::time_point;

    /// What is new since the last look.
    std::vector<std::string> look(const DiskFill& disk, const UserUsage& usage, Time now);
    /// Why a program may just have failed; empty: no limit has to do with it.
    std::string reason(Time now) const;
    DiskState disk() const { return m_disk; }

private:
    struct Kind
    {
        std::uint64_t count = 0;
        std::optional<Time> seen{}; ///< the count grew
        std::optional<Time> said{};
        std::string text{};
    };
    static bool grew(Kind& kind, std::uint64_t count, Time now);

    DiskState m_disk = DiskState::Roomy;
    std::uint64_t m_diskBytes = 0;
    Kind m_memory;
    Kind m_processes;
};

DiskFill diskFill(const char* path = "/");

/// Looks every few seconds, and when a program failed. On the io_context's thread.
class LimitWatch
{
public:
    LimitWatch(asio::io_context& io, UserLimits& limits, std::function<void(const std::string&)> say)
        : m_io(io), m_limits(limits), m_say(std::move(say))
    {
    }
    asio::awaitable<void> run();
    /// Looks now; LimitRemarks::reason().
    std::string reason();

private:
    void look();

    asio::io_context& m_io;
    UserLimits& m_limits;
    std::function<void(const std::string&)> m_say;
    LimitRemarks m_remarks;
};

} // namespace coldframe::guest
