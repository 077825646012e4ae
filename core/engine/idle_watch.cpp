// SPDX-License-Identifier: Apache-2.0
#include "engine/idle_watch.h"

#include "base/log.h"
#include "engine/deadline.h"

namespace coldframe::engine {

using namespace std::chrono_literals;

asio::awaitable<void> leaveWhenIdle(asio::io_context& io, api::Server& server, Registry& registry, Settings& settings,
                                    std::function<void()> quit)
{
    auto lastBusy = std::chrono::steady_clock::now();
    while (!io.stopped()) {
        co_await pause(5s);
        const bool busy = registry.anyActive() || registry.isMakingTemplate() || server.clientCount() > 0 || server.runningCalls() > 0 || server.attachmentCount() > 0;
        if (busy || settings.idleMinutes <= 0) {
            lastBusy = std::chrono::steady_clock::now();
        } else if (std::chrono::steady_clock::now() - lastBusy > std::chrono::minutes(settings.idleMinutes)) {
            logInfo("engine", "nothing to do; leaving until called again");
            quit();
            co_return;
        }
    }
}

} // namespace coldframe::engine
