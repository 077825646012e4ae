// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>
#include <vector>

namespace coldframe {

/// From here on this process and its children read files and folders only below `readable`, and write, make, run and remove none
/// (Landlock; Documentation/userspace-api/landlock.rst). What is open already stays open. False where the kernel has no Landlock.
/// Needs no_new_privs; call before threads exist.
Result<bool> restrictFilesTo(const std::vector<std::string>& readable);

} // namespace coldframe
