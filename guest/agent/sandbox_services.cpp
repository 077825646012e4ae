// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/sandbox_services.h"

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/docker.h"
#include "guest/agent/init.h"
#include "guest/agent/links.h"
#include "guest/agent/modules.h"
#include "guest/agent/name_service.h"
#include "guest/agent/prepare.h"
#include "guest/agent/redirect.h"
#include "guest/agent/refusals.h"
#include "guest/agent/root_disk.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace coldframe::guest {

namespace {

constexpr unsigned short kRedirectPort = 15001;
constexpr unsigned short kDnsPort = 15053;

} // namespace

struct SandboxServices::Parts
{
    Parts(asio::io_context& context, Reaper& children, channel::Connection* port,
          const std::string& executable, UserLimits* limits)
        : io(context), reaper(children), net(port), docker(context, children, executable, limits)
    {
    }

    asio::io_context& io;
    Reaper& reaper;
    channel::Connection* net;
    std::optional<NameMap> names;
    std::optional<Redirect> redirect;
    std::optional<Refusals> refusals;
    Docker docker;
    bool isPrepared = false; ///< this guest was, or is to be, a template

    Result<void> startNetwork()
    {
        loadModules("/usr/lib/coldframe/modules-network.list");
        COLDFRAME_TRY(names, NameMap::open("/var/lib/coldframe/names"));
        COLDFRAME_CHECK(makeLink());
        // Lets ping get as far as being refused and recorded, instead of failing for want of a capability.
        (void)writeAll(UniqueFd(::open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC)).get(),
                       "0 2147483647");
        COLDFRAME_CHECK(startNameService(io, *names, kDnsPort));
        redirect.emplace(io, net, *names);
        COLDFRAME_CHECK(redirect->startTransparent(kRedirectPort));
        COLDFRAME_CHECK(redirect->startProxy({asio::ip::address_v4(kHostAddress), kProxyPort}));
        COLDFRAME_CHECK(applyFirewall(firewallRules(kRedirectPort, kDnsPort)));
        refusals.emplace(io, net, *names);
        if (const auto started = refusals->start(); !started) {
            logWarning("network", started.error().message + " " + started.error().detail);
        }
        return {};
    }

    asio::awaitable<void> end()
    {
        co_await docker.stop();
        if (names) {
            names->closeFile(); // a file open for writing keeps its disk from being made read-only
        }
    }

    /// The network inside and Docker's socket: nothing of it differs between sandboxes.
    Result<void> beginCommon()
    {
        if (names) {
            return {};
        }
        if (const auto grown = growFileSystem("/dev/vda", "/"); !grown) {
            logWarning("disk", grown.error().message + " " + grown.error().detail);
        }
        COLDFRAME_CHECK(startNetwork());
        // An image of the user's own may come without it.
        if (::access(kDockerDaemon, X_OK) != 0) {
            return {};
        }
        if (const auto listening = docker.listen(); !listening) {
            logWarning("docker", listening.error().message + " " + listening.error().detail);
        }
        return {};
    }

    asio::awaitable<Result<void>> begin(bool dockerAtStart)
    {
        mountAgentLayer();
        if (std::exchange(isPrepared, false)) {
            endPreparation();
        }
        COLDFRAME_CO_CHECK(beginCommon());
        if (dockerAtStart) {
            docker.startInBackground();
        }
        co_return Result<void>();
    }
};

SandboxServices::SandboxServices(asio::io_context& io, Reaper& reaper, channel::Connection* net,
                                 std::string executable, UserLimits* limits)
    : m_parts(std::make_unique<Parts>(io, reaper, net, executable, limits))
{
    if (net) {
        // Answers the host's hand-shake; a session that ends is followed by the host's next.
        asio::co_spawn(
            io,
            [](channel::Connection* port) -> asio::awaitable<void> { (void)co_await port->establish(); }(net),
            asio::detached);
    }
}

SandboxServices::~SandboxServices() = default;

AgentHooks SandboxServices::hooks()
{
    Parts* parts = m_parts.get();
    AgentHooks hooks;
    hooks.prepare = [parts](const PrepareRequest& request) -> Result<void> {
        COLDFRAME_CHECK(parts->beginCommon());
        parts->isPrepared = true;
        return prepareTemplate(request);
    };
    hooks.afterSetup = [parts](const SetupRequest& request, const Account&) {
        return parts->begin(request.dockerAtStart);
    };
    hooks.isDockerRunning = [parts] { return parts->docker.isRunning(); };
    hooks.connections = [parts] { return parts->redirect ? parts->redirect->openCount() : std::size_t{0}; };
    hooks.beforeShutdown = [parts] { return parts->end(); };
    return hooks;
}

} // namespace coldframe::guest
