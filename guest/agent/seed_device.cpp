// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/seed_device.h"

#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace coldframe::guest {

namespace {

constexpr std::string_view kSerial = "seed"; // vm::kSeedSerial

} // namespace

bool isSeedDevice(const std::filesystem::path& device)
{
    const UniqueFd file(::open((device / "serial").c_str(), O_RDONLY | O_CLOEXEC));
    char text[32];
    const ssize_t got = file ? ::read(file.get(), text, sizeof text) : -1;
    std::string_view serial(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!serial.empty() && (serial.back() == '\n' || serial.back() == '\0')) {
        serial.remove_suffix(1);
    }
    return serial == kSerial;
}

UniqueFd openSeedDevice(const std::filesystem::path& classFolder, const std::filesystem::path& deviceFolder)
{
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(classFolder, error)) {
        if (isSeedDevice(entry.path())) {
            return UniqueFd(::open((deviceFolder / entry.path().filename()).c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
        }
    }
    return {};
}

} // namespace coldframe::guest
