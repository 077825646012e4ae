// SPDX-License-Identifier: Apache-2.0
#include "engine/usage_watch.h"

#include "engine/deadline.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

namespace coldframe::engine {

using namespace std::chrono_literals;

std::chrono::seconds lookEvery(bool isInUse, const std::string& whenIdle, double idleMinutes)
{
    const auto usual = isInUse ? 5s : 30s;
    if (whenIdle == "nothing") {
        return usual;
    }
    const std::chrono::seconds patience(static_cast<int>(std::clamp(idleMinutes * 60 / 4, 1.0, 3600.0)));
    return std::min(usual, patience);
}

asio::awaitable<void> watchUsage(asio::io_context& io, Registry& registry, Settings& settings)
{
    using Clock = std::chrono::steady_clock;
    std::map<std::string, Clock::time_point> looked;
    while (!io.stopped()) {
        const auto now = Clock::now();
        std::map<std::string, Clock::time_point> still;
        for (const auto& sandbox : registry.all()) {
            const SandboxRecord& record = sandbox->record();
            if (record.state != SandboxState::Running) {
                continue;
            }
            const std::string how = record.whenIdle.empty() ? settings.whenIdle : record.whenIdle;
            const double minutes = record.idleMinutes > 0 ? record.idleMinutes : settings.whenIdleMinutes;
            const auto last = looked.find(record.id);
            const bool isDue = last == looked.end() || now - last->second >= lookEvery(sandbox->isInUse(), record.isService ? "nothing" : how, minutes);
            still[record.id] = isDue ? now : last->second;
            if (isDue) {
                asio::co_spawn(io, sandbox->look(), asio::detached);
            }
        }
        looked = std::move(still);
        co_await pause(1s);
    }
}

} // namespace coldframe::engine
