// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "guest/agent/requests.h"

namespace coldframe::guest {

/// What a template's guest does before it is saved, so that every sandbox restored from it has it done: gives the home folder to
/// the ids of the host's user, reads into memory the files and folders that set-up and the first shell will use, and nothing else: what
/// the boot left there goes, since every sandbox would have it. Comes last. It knows nothing of any sandbox and keeps no randomness (core/ARCHITECTURE.md, "Templates").
Result<void> prepareTemplate(const PrepareRequest& request);

/// In a guest that was restored from it: memory goes back to the host in pieces of the usual size again.
void endPreparation();

} // namespace coldframe::guest
