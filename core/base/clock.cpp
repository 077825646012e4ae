// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <cstdio>
#include <ctime>

namespace coldframe {

UtcTime utcNow() { return std::chrono::system_clock::now(); }

std::string formatUtc(UtcTime time)
{
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    char whole[64];
    std::snprintf(whole, sizeof whole, "%.*s.%03dZ", static_cast<int>(length), text,
                  static_cast<int>(milliseconds % 1000));
    return whole;
}

} // namespace coldframe
