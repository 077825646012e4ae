// SPDX-License-Identifier: Apache-2.0
#include "vm/acceleration.h"

#include "base/file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/utsname.h>
#include <unistd.h>
#include <x86intrin.h>

namespace coldframe::vm {
namespace {

constexpr int kTrialSchema = 1;

/// /proc files have no size, so they are streamed.
std::string readProc(const char* path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string lineValue(std::string_view text, std::string_view key)
{
    const auto at = text.find(key);
    if (at == std::string_view::npos) {
        return {};
    }
    const auto colon = text.find(": ", at);
    const auto end = text.find('\n', at);
    return colon == std::string_view::npos || colon > end ? std::string()
                                                          : std::string(text.substr(colon + 2, end - colon - 2));
}

std::string kvmDeviceProblem()
{
    const int fd = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        ::close(fd);
        return {};
    }
    switch (errno) {
    case ENOENT: return "there is no /dev/kvm (the kernel module is not loaded, or virtualisation is off in the firmware)";
    case EACCES:
    case EPERM:
        return "you may not use /dev/kvm (sudo usermod -aG kvm $USER, then log in again)";
    default: return std::string("/dev/kvm cannot be opened: ") + std::strerror(errno);
    }
}

std::int64_t monotonicNanoseconds()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::uint32_t measureTscKhz()
{
    constexpr std::int64_t kWindow = 20'000'000;
    const auto startTime = monotonicNanoseconds();
    const auto startTicks = __rdtsc();
    std::int64_t elapsed = 0;
    while ((elapsed = monotonicNanoseconds() - startTime) < kWindow) {
    }
    const auto ticks = __rdtsc() - startTicks;
    return static_cast<std::uint32_t>(ticks * 1'000'000 / static_cast<std::uint64_t>(elapsed));
}

} // namespace

std::optional<AccelerationChoice> parseAccelerationChoice(std::string_view word)
{
    if (word == "auto") {
        return AccelerationChoice::Auto;
    }
    if (word == "kvm") {
        return AccelerationChoice::Kvm;
    }
    if (word == "emulate") {
        return AccelerationChoice::Emulate;
    }
    return std::nullopt;
}

const char* accelerationName(Acceleration acceleration)
{
    return acceleration == Acceleration::Kvm ? "kvm" : "emulate";
}

Result<AccelerationDecision> decideAcceleration(AccelerationChoice choice, const AccelerationFacts& facts)
{
    if (choice == AccelerationChoice::Emulate) {
        return AccelerationDecision{Acceleration::Emulate, "Emulation was chosen in the settings.", false};
    }
    std::string obstacle;
    if (!facts.cpuHasVirtualization) {
        obstacle = "the processor shows no virtualisation (vmx or svm); it may be switched off in the firmware, or this is a "
                   "virtual machine without nesting";
    } else if (!facts.deviceProblem.empty()) {
        obstacle = facts.deviceProblem;
    } else if (!facts.libvirtOffersKvm) {
        obstacle = "libvirt does not offer KVM on this host";
    } else if (facts.trial && !facts.trial->worked) {
        obstacle = "a first start with KVM did not come up in time (" + facts.trial->problem + ")";
    }
    if (obstacle.empty()) {
        const bool isTrial = !facts.trial;
        return AccelerationDecision{Acceleration::Kvm,
                                    isTrial ? "KVM looks usable and is being tried." : "KVM works on this host.", isTrial};
    }
    if (choice == AccelerationChoice::Kvm) {
        return fail(ErrorCode::Unavailable, "KVM was chosen in the settings, but " + obstacle
                                                + ". Remove the obstacle, or choose “auto” or “emulate”.");
    }
    return AccelerationDecision{Acceleration::Emulate, "Sandboxes are emulated: " + obstacle + ".", false};
}

bool cpuInfoShowsVirtualization(std::string_view cpuInfo)
{
    for (auto at = cpuInfo.find("flags"); at != std::string_view::npos; at = cpuInfo.find("flags", at + 1)) {
        const bool startsLine = at == 0 || cpuInfo[at - 1] == '\n';
        if (!startsLine) {
            continue;
        }
        std::istringstream words{std::string(cpuInfo.substr(at, cpuInfo.find('\n', at) - at))};
        for (std::string word; words >> word;) {
            if (word == "vmx" || word == "svm") {
                return true;
            }
        }
    }
    return false;
}

std::string hostFingerprint()
{
    utsname names{};
    ::uname(&names);
    return lineValue(readProc("/proc/cpuinfo"), "model name") + " / " + names.release;
}

AccelerationFacts probeAcceleration(bool libvirtOffersKvm, const std::filesystem::path& trialFile)
{
    AccelerationFacts facts;
    facts.cpuHasVirtualization = cpuInfoShowsVirtualization(readProc("/proc/cpuinfo"));
    facts.deviceProblem = kvmDeviceProblem();
    facts.libvirtOffersKvm = libvirtOffersKvm;
    if (auto content = readFile(trialFile, 64u << 10)) {
        const auto json = nlohmann::json::parse(*content, nullptr, false);
        if (json.is_object() && json.value("schema", 0) == kTrialSchema && json.value("host", "") == hostFingerprint()) {
            facts.trial = KvmTrial{json.value("worked", false), json.value("host", ""), json.value("problem", "")};
        }
    }
    return facts;
}

Result<void> saveKvmTrial(const std::filesystem::path& file, bool worked, const std::string& problem)
{
    const nlohmann::json json{{"schema", kTrialSchema}, {"host", hostFingerprint()}, {"worked", worked}, {"problem", problem}};
    return writeFileAtomic(file, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::uint32_t hostTscKhz()
{
    static const std::uint32_t rate = measureTscKhz();
    return rate;
}

} // namespace coldframe::vm
