// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"

#include <filesystem>

namespace coldframe::guest {

/// Whether that block device (a folder of /sys/class/block) is the machine's seed disk; see core/sync/seed_disk.h.
bool isSeedDevice(const std::filesystem::path& device);

/// The seed disk for reading past the page cache, or nothing. What a cache kept of it would be of an earlier piece, or of
/// another sandbox's template.
UniqueFd openSeedDevice(const std::filesystem::path& classFolder = "/sys/class/block", const std::filesystem::path& deviceFolder = "/dev");

} // namespace coldframe::guest
