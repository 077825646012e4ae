// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/agent_main.h"

#include "base/log.h"
#include "guest/agent/agent.h"
#include "guest/agent/encoding.h"
#include "guest/agent/init.h"
#include "guest/agent/sandbox_services.h"
#include "guest/agent/shutdown.h"
#include "sync/endpoint.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

constexpr const char* kExecutable = "/run/coldframe/coldframe-guest";

std::unique_ptr<channel::Connection> portConnection(asio::io_context& io, const char* name,
                                                    channel::Role role)
{
    const auto fd = openPort(name);
    if (!fd) {
        logError("init", fd.error().message + " " + fd.error().detail);
        return nullptr;
    }
    channel::Options options;
    options.side = channel::Side::Guest;
    options.role = role;
    return channel::makeConnection(io, *fd, options);
}

void serveSystem()
{
    asio::io_context io(1);
    const auto control = portConnection(io, "org.coldframe.control", channel::Role::Server);
    const auto bulk = portConnection(io, "org.coldframe.bulk", channel::Role::Server);
    const auto net = portConnection(io, "org.coldframe.net", channel::Role::Client);
    Reaper reaper(io);
    UserLimits limits;
    if (const auto made = limits.make(); !made) {
        logWarning("limits", made.error().message + " " + made.error().detail);
    }
    SandboxServices services(io, reaper, net.get(), kExecutable, &limits);
    Agent agent(io, reaper, AgentOptions{"/", kExecutable, &limits}, services.hooks());
    if (control) {
        asio::co_spawn(io, agent.serveControl(*control), asio::detached);
    }
    if (bulk) {
        asio::co_spawn(io, agent.serveBulk(*bulk), asio::detached);
    }
    logInfo("init", "waiting for the host");
    // An exception in one stream's handler must not end PID 1, which would panic the kernel.
    while (!topCatchAll("agent", [&] { io.run(); })) {
    }
}

} // namespace

int runInit()
{
    mountSystem();
    ::signal(SIGPIPE, SIG_IGN);
    const struct rlimit files
    {
        1u << 20, 1u << 20
    };
    ::setrlimit(RLIMIT_NOFILE, &files);
    const int console = ::open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (console >= 0) {
        ::dup2(console, STDOUT_FILENO);
        ::dup2(console, STDERR_FILENO);
    }
    topCatchAll("init", serveSystem);
    powerOff();
    return 1;
}

int runSyncEndpoint(int argc, char** argv)
{
    std::string root;
    sync::EndpointOptions options;
    for (int i = 0; i + 1 < argc; i += 2) {
        const auto path = checkedAbsolutePath(argv[i + 1]);
        if (!path) {
            return 2;
        }
        if (std::strcmp(argv[i], "--root") == 0) {
            root = *path;
        } else if (std::strcmp(argv[i], "--staging") == 0) {
            options.stagingFolder = *path;
        } else {
            return 2;
        }
    }
    struct stat output {};
    if (::fstat(STDOUT_FILENO, &output) == 0 && S_ISBLK(output.st_mode)) {
        options.seedDevice = STDOUT_FILENO; // Agent::startEndpoint()
    }
    return root.empty() ? 2 : sync::runEndpoint(STDIN_FILENO, root, options);
}

} // namespace coldframe::guest
