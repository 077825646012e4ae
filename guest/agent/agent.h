// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/connection.h"
#include "guest/agent/exec_table.h"
#include "guest/agent/java_trust.h"
#include "guest/agent/limit_watch.h"
#include "guest/agent/spawn.h"

#include <asio/awaitable.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace coldframe::guest {

/// What the rest of the guest adds; each may be empty.
struct AgentHooks
{
    /// What can be done before anything is known of the sandbox (see prepareTemplate()).
    std::function<Result<void>(const PrepareRequest&)> prepare;
    /// After /setup did its files and users, before it is answered: the network, Docker.
    std::function<asio::awaitable<Result<void>>(const SetupRequest&, const Account&)> afterSetup;
    std::function<bool()> isDockerRunning;
    std::function<std::size_t()> connections; ///< that leave the sandbox, being made or open
    /// Before the processes are ended: Docker's containers get their time.
    std::function<asio::awaitable<void>()> beforeShutdown;
};

struct AgentOptions
{
    std::filesystem::path root = "/"; ///< tests: a folder with an etc/passwd
    std::string executable;           ///< this program, for the workspace endpoint
    UserLimits* limits = nullptr;     ///< of the user's programs; none when null
};

/// The services of the ports "control" and "bulk" (core/ARCHITECTURE.md, "Ports of a microVM"). On the
/// io_context's one thread; lives until the io_context has stopped.
class Agent
{
public:
    Agent(asio::io_context& io, Reaper& reaper, AgentOptions options, AgentHooks hooks);

    /// Serve a port for ever, one host session after the other.
    asio::awaitable<void> serveControl(channel::Connection& connection);
    asio::awaitable<void> serveBulk(channel::Connection& connection);

private:
    enum class State { WaitingSetup, SettingUp, Ready, ShuttingDown };
    using Handler = asio::awaitable<void> (Agent::*)(channel::StreamPtr);

    asio::awaitable<void> serve(channel::Connection& connection, Handler handler);
    asio::awaitable<void> control(channel::StreamPtr stream);
    asio::awaitable<void> bulk(channel::StreamPtr stream);
    asio::awaitable<void> prepare(channel::StreamPtr stream);
    asio::awaitable<void> setup(channel::StreamPtr stream);
    asio::awaitable<void> renew(channel::StreamPtr stream);
    asio::awaitable<void> shutdown(channel::StreamPtr stream);
    asio::awaitable<void> endSession(channel::StreamPtr stream);
    asio::awaitable<void> trust(channel::StreamPtr stream);
    asio::awaitable<void> setLimits(channel::StreamPtr stream);
    asio::awaitable<void> syncWorkspace(channel::StreamPtr stream);
    asio::awaitable<void> connectPort(channel::StreamPtr stream);
    Result<SpawnSpec> prepareExec(const ExecRequest& request);
    Result<int> startEndpoint(const std::string& workspace);
    std::string statusJson() const;
    std::string usageJson() const;

    asio::io_context& m_io;
    AgentOptions m_options;
    AgentHooks m_hooks;
    Reaper& m_reaper;
    ExecTable m_execs;
    std::unique_ptr<LimitWatch> m_watch; ///< from /setup on
    JavaTrust m_java;
    State m_state = State::WaitingSetup;
    std::optional<SetupRequest> m_setup;
    std::optional<Account> m_agent;
    std::map<std::string, pid_t> m_endpoints; ///< by workspace
};

} // namespace coldframe::guest
