// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent_plan.h"

#include <vector>

namespace coldframe::engine {

/// Files that tell whoever works inside, once, how the network of a sandbox is and what a refusal means: one for everybody, and one
/// where this agent (canonical name) looks for instructions that are not the user's, nor the agent's own to write.
std::vector<SeedFile> networkNote(const std::string& agent);

} // namespace coldframe::engine
