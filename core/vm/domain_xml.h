// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "vm/machine_description.h"

#include <optional>
#include <string>
#include <string_view>

namespace coldframe::vm {

/// The namespace of our <metadata> element.
constexpr const char* kMetadataNamespace = "https://coldframe.org/xmlns/vm/1";

/// The domain XML of libvirt (https://libvirt.org/formatdomain.html) for this machine. Pure. InvalidArgument, naming
/// the field, when a value cannot be written: relative paths, control characters or bytes that are not UTF-8
/// in a path, socket paths beyond 107 bytes, odd ids, a missing TSC rate under emulation.
Result<std::string> domainXml(const MachineDescription& machine);

/// The kernel command line that domainXml() uses.
std::string kernelCommandLine(const MachineDescription& machine);

/// `text` for use in XML text or in a quoted attribute. InvalidArgument where XML 1.0 cannot hold it.
Result<std::string> escapeXml(std::string_view text);

/// What our metadata element says of a domain.
struct DomainMetadata
{
    std::string sandboxId{};
    std::string generation{};
    std::string owner{};
    bool operator==(const DomainMetadata&) const = default;
};

/// Reads the element as virDomainGetMetadata() returns it; nothing when it is not ours or incomplete.
std::optional<DomainMetadata> parseMetadata(std::string_view element);

} // namespace coldframe::vm
