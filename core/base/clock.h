// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace coldframe {

using UtcTime = std::chrono::system_clock::time_point;

/// The wall clock; for records only. Deadlines use std::chrono::steady_clock.
UtcTime utcNow();

/// RFC 3339 in UTC with milliseconds: 2026-01-29T10:15:23.123Z.
std::string formatUtc(UtcTime time);

} // namespace coldframe
