// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "guest/agent/event.h"
#include "guest/agent/spawn.h"
#include "guest/agent/user_limits.h"

#include <asio/awaitable.hpp>
#include <asio/local/stream_protocol.hpp>
#include <chrono>
#include <memory>
#include <string>

namespace coldframe::guest {

inline constexpr const char* kDockerDaemon = "/usr/sbin/dockerd";

/// Docker on demand: listens on /var/run/docker.sock itself and starts dockerd at the first connection, so a
/// sandbox that does not use it pays nothing. runc is found as this program first, which adds the sandbox's
/// CA to containers.
class Docker
{
public:
    /// `limits` may be null: Docker and its containers are not limited then.
    Docker(asio::io_context& io, Reaper& reaper, std::string executable, UserLimits* limits);
    /// Opens the socket for the group docker.
    Result<void> listen();
    /// Starts dockerd now, in the background.
    void startInBackground();
    bool isRunning() const { return m_pid > 0 && m_ready; }
    /// Ends dockerd, which ends its containers; at most ten seconds.
    asio::awaitable<void> stop();

private:
    using Socket = asio::local::stream_protocol::socket;

    asio::awaitable<void> accept();
    asio::awaitable<void> serve(std::shared_ptr<Socket> client);
    asio::awaitable<bool> ensureRunning();
    /// Whether the daemon answers a request now, or until then.
    asio::awaitable<bool> answers(std::chrono::steady_clock::time_point deadline);
    Result<void> startDaemon();

    asio::io_context& m_io;
    Reaper& m_reaper;
    std::string m_executable;
    UserLimits* m_limits;
    asio::local::stream_protocol::acceptor m_acceptor;
    Event m_changed;
    pid_t m_pid = -1;
    bool m_ready = false;
    bool m_stopping = false;
    bool m_starting = false;
};

} // namespace coldframe::guest
