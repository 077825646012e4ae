// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/log.h"
#include "channel/pump.h"
#include "guest/agent/agent.h"
#include "guest/agent/encoding.h"
#include "guest/agent/seed_device.h"

#include <algorithm>
#include <asio/ip/tcp.hpp>
#include <charconv>
#include <csignal>
#include <sys/socket.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

std::string headerOf(const channel::Stream& stream, const std::string& name)
{
    const auto& headers = stream.peerHeaders();
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

} // namespace

/// The endpoint runs as the agent in a process of its own: whatever the workspace holds, it can do no more
/// than the agent can.
Result<int> Agent::startEndpoint(const std::string& workspace)
{
    const std::string encoded = percentEncode(workspace);
    const std::filesystem::path staging =
        m_options.root / "var/lib/coldframe/staging" / std::to_string(std::hash<std::string>{}(workspace));
    COLDFRAME_CHECK(makeFolders(staging, 0700));
    if (::chown(staging.c_str(), m_agent->uid, m_agent->gid) != 0) {
        return failErrno("Cannot prepare the workspace's staging folder.", errno);
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failErrno("Cannot make a socket pair.", errno);
    }
    UniqueFd ours(ends[0]);
    const UniqueFd theirs(ends[1]);
    SpawnSpec spec;
    spec.argv = {m_options.executable,           "sync-endpoint", "--root", encoded, "--staging",
                 percentEncode(staging.string())};
    spec.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", m_agent->home}, {"LANG", "C.UTF-8"}};
    spec.account = *m_agent;
    spec.standardInput = theirs.get();
    const UniqueFd seedDevice = openSeedDevice(); // only root may open it
    spec.standardOutput = seedDevice.get();
    spec.standardError = STDERR_FILENO;
    // A host that came back has no use for the process of its earlier session.
    if (const auto earlier = m_endpoints.find(workspace); earlier != m_endpoints.end()) {
        ::kill(earlier->second, SIGKILL);
    }
    COLDFRAME_TRY(const pid_t pid, spawn(spec));
    m_endpoints[workspace] = pid;
    m_reaper.watch(pid, [this, workspace, pid](int) {
        const auto found = m_endpoints.find(workspace);
        if (found != m_endpoints.end() && found->second == pid) {
            m_endpoints.erase(found);
        }
    });
    return ours.release();
}

asio::awaitable<void> Agent::syncWorkspace(channel::StreamPtr stream)
{
    const auto path = checkedAbsolutePath(headerOf(*stream, "x-coldframe-workspace"));
    const bool known =
        path && std::any_of(m_setup->workspaces.begin(), m_setup->workspaces.end(),
                            [&](const SetupWorkspace& workspace) { return workspace.path == *path; });
    if (!known) {
        (void)stream->respond({{":status", "404"}}, true);
        co_return;
    }
    const auto fd = startEndpoint(*path);
    if (!fd) {
        logError("bulk", fd.error().message + " " + fd.error().detail);
        (void)stream->respond({{":status", "500"}}, true);
        co_return;
    }
    asio::posix::stream_descriptor descriptor(m_io, *fd);
    const auto responded = stream->respond({{":status", "200"}});
    if (responded) {
        co_await channel::pump(*stream, descriptor);
    }
}

asio::awaitable<void> Agent::connectPort(channel::StreamPtr stream)
{
    const std::string authority = headerOf(*stream, ":authority");
    constexpr std::string_view kLocal = "127.0.0.1:";
    unsigned short port = 0;
    const bool valid =
        authority.starts_with(kLocal) &&
        std::from_chars(authority.data() + kLocal.size(), authority.data() + authority.size(), port).ptr ==
            authority.data() + authority.size() &&
        port != 0;
    if (!valid) {
        (void)stream->respond({{":status", "400"}}, true);
        co_return;
    }
    asio::ip::tcp::socket socket(m_io);
    asio::error_code error;
    co_await socket.async_connect({asio::ip::address_v4::loopback(), port},
                                  asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        (void)stream->respond({{":status", "502"}, {"x-coldframe-reason", "nothing listens on that port"}},
                              true);
        co_return;
    }
    const auto responded = stream->respond({{":status", "200"}});
    if (responded) {
        asio::posix::stream_descriptor descriptor(m_io, socket.release());
        co_await channel::pump(*stream, descriptor);
    }
}

} // namespace coldframe::guest
