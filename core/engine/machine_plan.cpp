// SPDX-License-Identifier: Apache-2.0
#include "engine/machine_plan.h"

#include "base/paths.h"
#include "sync/seed_disk.h"
#include "vm/acceleration.h"
#include "vm/firmware.h"
#include "vm/template_key.h"

#include <unistd.h>

namespace coldframe::engine {

namespace {

constexpr int kUsualCpus = 2;

} // namespace

std::vector<vm::ReadOnlyDisk> imageChain(const GuestImage& image)
{
    std::vector<vm::ReadOnlyDisk> chain;
    for (const auto& layer : image.layers) {
        chain.push_back({layer, vm::DiskFormat::Qcow2, {}});
    }
    chain.push_back({image.baseDisk, vm::DiskFormat::Qcow2, {}});
    return chain;
}

vm::MachineDescription machineOf(const MachineShape& shape)
{
    vm::MachineDescription machine;
    machine.owner = paths::dataFolder().string();
    machine.firmware = vm::microvmFirmware();
    machine.kernel = shape.image.kernel;
    machine.initrd = shape.image.initrd;
    machine.backingChain = imageChain(shape.image);
    machine.readOnlyDisks = {{shape.agentSlot, vm::DiskFormat::Qcow2, "agent"}, {{}, vm::DiskFormat::Raw, vm::kSeedSerial}};
    machine.memoryMiB = static_cast<std::uint32_t>(shape.memoryMiB);
    machine.vcpus = static_cast<std::uint32_t>(shape.cpus > 0 ? shape.cpus : kUsualCpus);
    machine.acceleration = shape.acceleration;
    machine.hostTscKhz = shape.acceleration == vm::Acceleration::Emulate ? vm::hostTscKhz() : 0;
    return machine;
}

Result<std::string> machineKey(const vm::MachineDescription& machine, std::uint64_t diskBytes, const vm::HypervisorInfo& host)
{
    return vm::templateKey(machine, diskBytes,
                           vm::hostFingerprint(host, machine.acceleration) + ";user " + std::to_string(::getuid()) + " " + std::to_string(::getgid()) +
                               ";seed " + std::to_string(sync::kSeedDiskBytes));
}

void setSockets(vm::MachineDescription& machine, const std::filesystem::path& folder)
{
    machine.controlSocket = folder / "control.sock";
    machine.bulkSocket = folder / "bulk.sock";
    machine.netSocket = folder / "net.sock";
    machine.consoleSocket = folder / "console.sock";
    machine.readOnlyDisks.back().path = seedDiskIn(folder);
}

std::filesystem::path seedDiskIn(const std::filesystem::path& folder) { return folder / "seed.raw"; }

} // namespace coldframe::engine
