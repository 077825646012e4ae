// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "app/qemu-wrapper/command_line.h"

#include <string>
#include <vector>

namespace coldframe::qemu {

/// Takes from this process, for good and for whatever it executes: new privileges, the network (a namespace of its own
/// where the kernel permits, and in any case all sockets but unix ones), and, unless it only probes, every file but
/// those needed and the system's read-only programs (Landlock). What this kernel cannot do is left out and returned as
/// sentences; an error means that something failed that should have worked.
Result<std::vector<std::string>> confine(const Needs& needs);

} // namespace coldframe::qemu
