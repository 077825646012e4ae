// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace coldframe::bench {

/// A stream to measure: `setup` is fed once before the clock starts, `payload` again and again after it.
struct Payload
{
    std::string name;
    std::string setup;
    std::string payload;
};

/// The cases of vtebench (github.com/alacritty/vtebench), generated for a size as its scripts do, and a coloured build log.
std::vector<Payload> payloads(int rows, int columns);

/// Lines of a coloured build log, no two alike, from the `first` one on.
std::string buildLog(std::size_t first, std::size_t lines);

} // namespace coldframe::bench
