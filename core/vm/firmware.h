// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>

namespace coldframe::vm {

/// For MachineDescription::firmware: qboot, which goes straight to the kernel and keeps its tables below 1 MiB, or an empty path where
/// it is not installed. Which firmware a microVM gets by itself differs: Debian 12 makes QEMU's bios-microvm.bin a
/// link to qboot, Debian 13 and QEMU itself take SeaBIOS (see domainXml() for what that does to memory).
std::filesystem::path microvmFirmware();

/// The first of `candidates` that is a file this user can read; empty: none.
std::filesystem::path firstReadable(std::span<const std::filesystem::path> candidates);

} // namespace coldframe::vm
