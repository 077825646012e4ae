// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "commands.h"

namespace CLI {
class App;
}

namespace coldframe::cli {

/// The options of run, create and set that limit a sandbox. For `set` those too that switch something off again.
void addLimitOptions(CLI::App& command, LimitOptions& limits, bool isSet);
void addPruneOptions(CLI::App& command, PruneOptions& options);

} // namespace coldframe::cli
