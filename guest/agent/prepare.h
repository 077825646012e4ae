// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "guest/agent/requests.h"

namespace coldframe::guest {

/// What a template's guest does before it is saved, so that every sandbox restored from it has it done: gives the home folder to
/// the ids of the host's user, loads the kernel modules of the network, and reads into memory the files and folders
/// that set-up and the first shell will use. It knows nothing of any sandbox and keeps no randomness (core/ARCHITECTURE.md, "Templates").
Result<void> prepareTemplate(const PrepareRequest& request);

} // namespace coldframe::guest
