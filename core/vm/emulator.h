// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <filesystem>

namespace coldframe::vm {

/// The <emulator> for MachineDescription: a link in `folder` (made if need be) to the wrapper coldframe-qemu.
/// libvirt remembers what an emulator can do by its path and the file's times, and would not notice a new QEMU behind
/// the wrapper; so the link's name changes with either of them. Old links are left: running domains name them.
/// Unavailable when the wrapper or QEMU is missing.
Result<std::filesystem::path> confinedEmulator(const std::filesystem::path& folder, const std::filesystem::path& wrapper,
                                               const std::filesystem::path& qemu = "/usr/bin/qemu-system-x86_64");

} // namespace coldframe::vm
