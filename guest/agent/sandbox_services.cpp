// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/sandbox_services.h"

#include "guest/agent/init.h"

namespace coldframe::guest {

struct SandboxServices::Parts
{
    asio::io_context& io;
    channel::Connection* net;
    std::string executable;
};

namespace {

asio::awaitable<Result<void>> begin()
{
    mountAgentLayer();
    co_return Result<void>();
}

} // namespace

SandboxServices::SandboxServices(asio::io_context& io, channel::Connection* net, std::string executable)
    : m_parts(new Parts{io, net, std::move(executable)})
{
}

SandboxServices::~SandboxServices() = default;

AgentHooks SandboxServices::hooks()
{
    AgentHooks hooks;
    hooks.afterSetup = [](const SetupRequest&, const Account&) { return begin(); };
    return hooks;
}

} // namespace coldframe::guest
