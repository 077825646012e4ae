// SPDX-License-Identifier: Apache-2.0
#include "diagnosis.h"

#include "base/paths.h"
#include "vm/host_resources.h"

#include <nlohmann/json.hpp>

using namespace coldframe;
using nlohmann::json;

namespace {

constexpr std::uintmax_t kWantedDiskBytes = std::uintmax_t(10) << 30;

json check(const char* name, const char* severity, std::string text, std::string remedy = {})
{
    return {{"name", name},
            {"ok", std::string_view(severity) == "ok"},
            {"severity", severity},
            {"text", std::move(text)},
            {"remedy", std::move(remedy)}};
}

} // namespace

Result<json> diagnose(vm::Hypervisor& hypervisor, image::ImageStore& images, const vm::AccelerationDecision& acceleration)
{
    json checks = json::array();
    if (const auto info = hypervisor.info(); info && info->emulator.empty()) {
        checks.push_back(check("libvirt", "error", "libvirt " + info->libvirtVersion + " answers, but finds no QEMU for x86-64.",
                               "Install QEMU: qemu-system-x86 (Debian, Ubuntu), qemu-system-x86-core (Fedora)."));
    } else if (info) {
        checks.push_back(check("libvirt", "ok", "libvirt " + info->libvirtVersion + " answers; QEMU " + info->hypervisorVersion + "."));
    } else {
        checks.push_back(check("libvirt", "error", info.error().message, info.error().detail));
    }
    const bool kvm = acceleration.acceleration == vm::Acceleration::Kvm;
    checks.push_back(check("acceleration", kvm ? "ok" : "warning", acceleration.reason,
                           kvm ? "" : "Sandboxes run emulated: slower, and with reduced isolation."));
    if (const auto image = images.current()) {
        checks.push_back(check("image", "ok", "The guest image " + image->id.substr(0, 17) + " is whole."));
    } else {
        checks.push_back(check("image", "warning", image.error().message, "Build it with: coldframe image build"));
    }
    if (const auto memory = vm::hostMemory()) {
        const bool enough = memory->availableMiB >= 2048;
        checks.push_back(check("memory", enough ? "ok" : "warning",
                               std::to_string(memory->availableMiB) + " MiB of " + std::to_string(memory->totalMiB) + " MiB are free.",
                               enough ? "" : "A sandbox takes up to 2048 MiB: close something, or give --memory."));
    }
    std::error_code error;
    std::filesystem::create_directories(paths::dataFolder(), error);
    const auto space = std::filesystem::space(paths::dataFolder(), error);
    if (!error) {
        const bool enough = space.available >= kWantedDiskBytes;
        checks.push_back(check("disk", enough ? "ok" : "warning",
                               std::to_string(space.available >> 30) + " GiB are free in " + paths::dataFolder().string() + ".",
                               enough ? "" : "Images and sandboxes want 10 GiB: make room."));
    }
    checks.push_back(check("limits", "ok", vm::describeLimits().text));
    return json{{"checks", checks}};
}
