// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace coldframe::vm {

/// How the guest's instructions run. Emulation is no security boundary (sandboxes carry a lasting mark).
enum class Acceleration { Kvm, Emulate };

enum class DiskFormat { Qcow2, Raw };

/// A disk that the guest only reads. But for the seed disk its file is immutable: never written, never replaced, pinned by its path.
struct ReadOnlyDisk
{
    std::filesystem::path path{};
    DiskFormat format = DiskFormat::Qcow2;
    std::string serial{}; ///< what the guest sees as the disk's serial; at most 20 of [A-Za-z0-9_-]
};

/// The size of every disk in the agent's slot: a restored guest goes on with the size that it saw at its boot, so they are all alike.
constexpr std::uint64_t kAgentSlotBytes = 16ull << 30;

/// The serial of the seed disk (core/sync/seed_disk.h), by which the guest knows it. The host writes it while the guest runs.
constexpr const char* kSeedSerial = "seed";

/// Everything there is to know about one microVM before it starts. Plain data; domainXml() turns it into
/// libvirt's words. All paths are absolute.
struct MachineDescription
{
    std::string sandboxId{};  ///< [a-z0-9-], 1 to 48 long; the domain's name is "coldframe-" + sandboxId
    std::string title{};      ///< the sandbox's name for people; shown by other libvirt tools
    std::string owner{};      ///< whose it is: the engine's data folder. An engine only sees domains of its own
    std::string generation{}; ///< of the disk's content at this start (hex); kept in the domain's metadata
    std::string uuid{};       ///< 8-4-4-4-12 hex; empty: libvirt makes one

    std::filesystem::path firmware{}; ///< runs before the kernel: microvmFirmware(). Empty: whichever QEMU takes by itself
    std::filesystem::path kernel{};
    std::filesystem::path initrd{};
    std::vector<std::string> kernelArguments{}; ///< added to those this module needs itself; no white space inside

    std::filesystem::path overlay{};                 ///< /dev/vda: the sandbox's own qcow2
    std::vector<ReadOnlyDisk> backingChain{};        ///< below the overlay, top first; the last has no backing
    std::vector<ReadOnlyDisk> readOnlyDisks{};       ///< /dev/vdb, /dev/vdc, …: agent layers; no backing of their own

    std::uint32_t memoryMiB = 2048;
    std::uint32_t vcpus = 2; ///< under emulation always one

    std::filesystem::path controlSocket{}; ///< org.coldframe.control; created by libvirt, at most 107 bytes long
    std::filesystem::path bulkSocket{};    ///< org.coldframe.bulk
    std::filesystem::path netSocket{};     ///< org.coldframe.net
    std::filesystem::path consoleSocket{}; ///< the serial line; read by this module only
    std::filesystem::path consoleLog{};    ///< the boot's serial output, at most kConsoleLogBytes

    Acceleration acceleration = Acceleration::Emulate;
    std::uint32_t hostTscKhz = 0;     ///< from hostTscKhz(); needed under emulation
    std::filesystem::path emulator{}; ///< qemu-system-x86_64, or the wrapper that confines it
};

/// The console log keeps the first part of a boot and then drops the rest, however much the guest prints.
constexpr std::size_t kConsoleLogBytes = 256u << 10;

/// "coldframe-" + id.
std::string domainName(const std::string& sandboxId);

} // namespace coldframe::vm
