// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "vm/hypervisor.h"
#include "vm/machine_description.h"

#include <cstdint>
#include <string>

namespace coldframe::vm {

/// What of the host a saved memory depends on: versions and files of libvirt and QEMU and, with KVM, the CPU's features,
/// its microcode and the kernel. Blocking (reads /proc and file stamps).
std::string hostFingerprint(const HypervisorInfo& info, Acceleration acceleration);

/// The digest (sha256, 64 hex digits) of all that a saved microVM and its restore must have in common (HAZARDS 2): disk chain,
/// kernel, kernel line, device XML, CPUs, memory, accelerator, the disk's size and the host. What is a sandbox's own (names, ids,
/// socket paths, the overlay, what is in the read-only slots) does not count, nor the measured TSC rate: see fitsTsc().
Result<std::string> templateKey(const MachineDescription& machine, std::uint64_t diskBytes, const std::string& hostFingerprint);

/// Whether a guest calibrated with `savedKhz` keeps good time on a host that now measures `hostKhz` (0.1 % apart at most).
bool fitsTsc(std::uint32_t savedKhz, std::uint32_t hostKhz);

} // namespace coldframe::vm
