// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/connection.h"
#include "guest/agent/agent.h"
#include "guest/agent/user_limits.h"

#include <memory>
#include <string>

namespace coldframe::guest {

/// What a real guest has beside the ports' services: agent layer, network, names, Docker. Started by /setup,
/// because all of it forks or needs the reseeded random generator. On the io_context's thread.
class SandboxServices
{
public:
    /// `net` may be null (no such port): then the sandbox is offline.
    SandboxServices(asio::io_context& io, Reaper& reaper, channel::Connection* net, std::string executable,
                    UserLimits* limits);
    ~SandboxServices();
    AgentHooks hooks();

private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

} // namespace coldframe::guest
