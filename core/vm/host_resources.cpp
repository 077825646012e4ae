// SPDX-License-Identifier: Apache-2.0
#include "vm/host_resources.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace coldframe::vm {
namespace {

constexpr std::uint64_t kQemuOwnMiB = 128;

} // namespace

Result<HostMemory> parseMemInfo(std::string_view text)
{
    HostMemory memory;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string key;
        std::uint64_t kilobytes = 0;
        words >> key >> kilobytes;
        if (key == "MemTotal:") {
            memory.totalMiB = kilobytes >> 10;
        } else if (key == "MemAvailable:") {
            memory.availableMiB = kilobytes >> 10;
        }
    }
    if (memory.totalMiB == 0) {
        return fail(ErrorCode::Internal, "The host's memory size could not be read from /proc/meminfo.");
    }
    return memory;
}

Result<HostMemory> hostMemory()
{
    std::ifstream file("/proc/meminfo");
    std::ostringstream text;
    text << file.rdbuf();
    return parseMemInfo(text.str());
}

Result<void> checkMemory(const HostMemory& memory, std::uint32_t neededMiB)
{
    const std::uint64_t needed = std::uint64_t{neededMiB} * 3 / 4 + kQemuOwnMiB;
    if (needed <= memory.availableMiB) {
        return {};
    }
    return fail(ErrorCode::NoSpace, "There is not enough memory for a sandbox of " + std::to_string(neededMiB) + " MiB: "
                    + std::to_string(memory.availableMiB) + " MiB of " + std::to_string(memory.totalMiB)
                    + " MiB are free. Stop another sandbox or give this one less memory.");
}

Limits describeLimits()
{
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    Limits limits;
    limits.hasUserManager
        = runtime != nullptr && ::access((std::string(runtime) + "/systemd/private").c_str(), F_OK) == 0;
    limits.text = limits.hasUserManager
        ? "Processes, memory and CPUs of each microVM are limited by a systemd scope of its own, the disk by its image. After "
          "log-out all of them end, unless lingering is on: loginctl enable-linger"
        : "Memory and CPUs are limited only by the size of each microVM and the disk by its image: there is no systemd user "
          "manager that could limit the processes themselves.";
    return limits;
}

} // namespace coldframe::vm
