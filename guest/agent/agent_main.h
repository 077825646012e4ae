// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::guest {

/// PID 1 of the root disk: mounts, opens the ports, serves them until power-off.
int runInit();

/// The guest's half of a workspace on descriptor 0: arguments `--root PATH --staging PATH`, percent-encoded.
int runSyncEndpoint(int argc, char** argv);

} // namespace coldframe::guest
