// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace coldframe::vm {

/// libvirt's account of a failure (virError), as plain data.
struct LibvirtFailure
{
    int code = 0; ///< virErrorNumber
    int domain = 0; ///< virErrorDomain
    std::string message{};
};

/// Turns libvirt's words into a sentence with a remedy. `what` is what was tried, as the start of a
/// sentence: "The sandbox could not be started". Pure.
Error translateLibvirtFailure(const LibvirtFailure& failure, std::string_view what);

/// Whether the failure means that the connection is gone and a new one may help.
bool isConnectionFailure(const LibvirtFailure& failure);

/// What stands in the way of qemu:///session before libvirt is even asked: running as root, no runtime folder. Pure
/// but for a look at the folder.
Result<void> checkSessionEnvironment(uid_t user, const char* xdgRuntimeDir);

} // namespace coldframe::vm
