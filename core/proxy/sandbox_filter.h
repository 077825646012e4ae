// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace coldframe::proxy {

/// Gives up what a proxy never needs once it is set up (HAZARDS 6): no new privileges, no core dumps, and a system call filter
/// that leaves reading, writing, polling, memory and time, and accept4 on the adoption socket. Opening files and making or
/// connecting sockets fail with EPERM; starting programs, tracing and changing identity end the process. Irrevocable; for the
/// whole process. InvalidArgument-free; Unavailable where the kernel has no seccomp.
Result<void> enterFilter();

} // namespace coldframe::proxy
