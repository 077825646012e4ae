// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "guest/agent/accounts.h"

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coldframe::guest {

struct SpawnSpec
{
    std::vector<std::string> argv; ///< argv[0] is found through the environment's PATH
    std::map<std::string, std::string> environment;
    std::string cwd = "/";
    Account account;        ///< uid, gid and groups are taken when this process is root
    int standardInput = -1; ///< -1: /dev/null
    int standardOutput = -1;
    int standardError = -1;
    int controlGroup = -1;      ///< the group's cgroup.procs, opened for writing: what is started joins it; -1: the caller's
    long long openFiles = 0;    ///< at most, of each process; 0: the caller's limit
    bool controllingTerminal = false; ///< standardInput is a terminal and becomes the session's
};

/// Starts a program in a session (and process group) of its own. The error says why it could not be started:
/// NotFound, NotAllowed, or InvalidArgument for a missing working folder.
Result<pid_t> spawn(const SpawnSpec& spec);

/// Collects every ended child: PID 1 inherits orphans and must reap them (waitpid(2)). On the io_context's
/// thread.
class Reaper
{
public:
    explicit Reaper(asio::io_context& io);
    /// Calls `ended` once with the wait status. To be called in the same turn as spawn().
    void watch(pid_t pid, std::function<void(int status)> ended);
    void stop();

private:
    void wait();
    void reap();

    asio::signal_set m_signals;
    std::map<pid_t, std::function<void(int)>> m_watched;
};

} // namespace coldframe::guest
