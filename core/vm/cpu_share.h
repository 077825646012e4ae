// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <sys/types.h>
#include <vector>

namespace coldframe::vm {

/// The CPUs that a process with a share of `count` runs on, of those it may: beginning with another one for each process, so that
/// several do not crowd on the first. All of them when `count` is 0 or as many. Pure.
std::vector<int> chosenCpus(const std::vector<int>& allowed, unsigned count, pid_t process);

/// Ties all threads of a process of this user to `count` of the CPUs that this process may use (sched_setaffinity(2)); 0 unties
/// them. What a limit can be held by where there is no control group.
Result<void> tieToCpus(pid_t process, unsigned count);

} // namespace coldframe::vm
