// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vm/hypervisor.h"

#include <memory>
#include <string>

namespace coldframe::vm {

/// Hypervisor on libvirt's QEMU driver in the user's own session (qemu:///session).
///
/// It connects at the first call or when made, and re-connects by itself when the session daemon died (which starts a
/// new daemon; running microVMs live on and are found again). Threads of its own: libvirt's event loop and one
/// that re-connects. `owner` tells the microVMs of one engine (its data folder) from those of another.
class LibvirtHypervisor : public Hypervisor
{
public:
    explicit LibvirtHypervisor(std::string owner);
    ~LibvirtHypervisor() override;

    void setEventHandler(EventHandler handler) override;
    Result<void> start(const MachineDescription& machine) override;
    Result<void> save(const std::string& sandboxId, const std::filesystem::path& file) override;
    Result<void> restore(const MachineDescription& machine, const std::filesystem::path& file) override;
    Result<void> setMemory(const std::string& sandboxId, std::uint32_t memoryMiB) override;
    Result<void> resume(const std::string& sandboxId) override;
    Result<void> destroy(const std::string& sandboxId) override;
    Result<std::vector<Domain>> domains() override;
    Result<std::optional<Domain>> find(const std::string& sandboxId) override;
    void endConsole(const std::string& sandboxId) override;
    Result<HypervisorInfo> info() override;

private:
    class Impl;
    std::shared_ptr<Impl> m_impl;
};

/// The parts of virConnectGetCapabilities()' XML we need. Pure.
HypervisorInfo parseCapabilities(const std::string& xml);

} // namespace coldframe::vm
