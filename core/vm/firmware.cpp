// SPDX-License-Identifier: Apache-2.0
#include "vm/firmware.h"

#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::vm {

std::filesystem::path firstReadable(std::span<const std::filesystem::path> candidates)
{
    for (const auto& candidate : candidates) {
        struct stat status{};
        if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(candidate.c_str(), R_OK) == 0) {
            return candidate;
        }
    }
    return {};
}

std::filesystem::path microvmFirmware()
{
    static const std::filesystem::path candidates[] = {"/usr/share/qemu/qboot.rom"};
    return firstReadable(candidates);
}

} // namespace coldframe::vm
