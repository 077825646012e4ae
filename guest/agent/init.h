// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>

namespace coldframe::guest {

/// The first process, in the initrd: loads the modules of /modules.list, mounts the root disk on /newroot,
/// copies this executable to /newroot/run/coldframe, and goes on as `coldframe-guest init` there. Returns
/// only on failure.
int runInitrd();

/// Mounts what a Linux system expects below /, brings the loopback up, makes /run/coldframe. Must be PID 1.
void mountSystem();

/// The descriptor of the virtio port with this name (/sys/class/virtio-ports/*/name).
Result<int> openPort(const std::string& name);

/// Mounts the read-only agent layer at /opt/coldframe/agent when a spare disk carries the label
/// COLDFRAME_AGENT.
void mountAgentLayer();

} // namespace coldframe::guest
