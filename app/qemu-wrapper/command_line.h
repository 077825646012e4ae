// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>
#include <vector>

namespace coldframe::qemu {

/// What one QEMU may touch, read off the command line that libvirt made from our description before any guest ran.
struct Needs
{
    bool isProbe = false; ///< libvirt asks what QEMU can do ("-machine none"); there is no guest
    bool usesKvm = false;
    std::vector<std::string> readable{};
    std::vector<std::string> writable{}; ///< readable too
};

/// NotAllowed for an option that Coldframe's descriptions never lead to and that would open more (network
/// cards, character devices by path, host devices); InvalidArgument for one that cannot be read.
Result<Needs> needsOf(const std::vector<std::string>& arguments);

} // namespace coldframe::qemu
