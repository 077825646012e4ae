// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "vm/domain_xml.h"
#include "vm/hypervisor.h"
#include "vm/libvirt_connection.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coldframe::vm {

// What the hypervisor asks libvirt and the system about single domains. All calls block; any thread.

constexpr const char* kNamePrefix = "coldframe-"; ///< of every domain of ours
constexpr std::string_view kStartFailed = "The sandbox could not be started";

/// Ends the QEMU of a domain by SIGKILL. Nothing when its process cannot be told for certain.
void killEmulator(const std::string& name);

/// Our element of a domain's metadata; nothing when there is none.
std::optional<DomainMetadata> readMetadata(virDomainPtr domain);

/// The domain of that name. NotAllowed when it is another engine's; else `failure` and libvirt's reason.
Result<DomainHandle> findOwn(const LibvirtConnection& connection, const std::string& name, const std::string& owner, std::string_view failure);

/// All domains of this owner that exist now.
Result<std::vector<Domain>> listDomains(const LibvirtConnection& connection, const std::string& owner);

/// libvirt's number of a version ("9000000") as people write it ("9.0.0").
std::string versionText(unsigned long version);

/// The detail of a VIR_DOMAIN_EVENT_STOPPED in our words.
std::pair<StopReason, std::string> explainStop(int detail);

/// Starts the machine from a saved memory, which is passed through a pipe beside its sockets: `header` and then what
/// `memory` holds from `streamOffset` on.
Result<DomainHandle> restoreDomain(const LibvirtConnection& usable, const MachineDescription& machine, const std::string& header,
                                   const std::filesystem::path& memory, std::uint64_t streamOffset);

} // namespace coldframe::vm
