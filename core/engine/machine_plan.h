// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine_parts.h"
#include "vm/hypervisor.h"
#include "vm/machine_description.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace coldframe::engine {

/// What a sandbox and the template that it may start from have in common.
struct MachineShape
{
    GuestImage image{};
    std::filesystem::path agentSlot{}; ///< the agent's layer, or the empty disk in its place
    int memoryMiB = 2048;
    int cpus = 0; ///< 0 = what suits the machine
    int diskGiB = 40;
    vm::Acceleration acceleration = vm::Acceleration::Emulate;

    std::uint64_t diskBytes() const { return static_cast<std::uint64_t>(diskGiB) << 30; }
};

/// The machine of that shape, still without names, sockets and disk of its own. Its chain is that of a cold boot.
vm::MachineDescription machineOf(const MachineShape& shape);

/// What every disk made on the image stands on, top first.
std::vector<vm::ReadOnlyDisk> imageChain(const GuestImage& image);

/// What a memory saved of this machine needs to come back (vm::templateKey() for this host and user). Blocking.
Result<std::string> machineKey(const vm::MachineDescription& machine, std::uint64_t diskBytes, const vm::HypervisorInfo& host);

/// Gives the machine its sockets and its seed disk, all in one folder that lives as long as the microVM.
void setSockets(vm::MachineDescription& machine, const std::filesystem::path& folder);

/// Where the seed disk of a microVM is; made by sync::makeSeedDisk() before its start.
std::filesystem::path seedDiskIn(const std::filesystem::path& folder);

} // namespace coldframe::engine
