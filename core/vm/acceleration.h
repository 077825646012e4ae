// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "vm/machine_description.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace coldframe::vm {

/// What the user wants (setting "acceleration").
enum class AccelerationChoice { Auto, Kvm, Emulate };

/// "auto", "kvm", "emulate".
std::optional<AccelerationChoice> parseAccelerationChoice(std::string_view word);
const char* accelerationName(Acceleration acceleration);

/// How a first boot with KVM went on this host. /dev/kvm may exist, open and create machines and still not run a
/// guest, so only a boot that came up in time is believed.
struct KvmTrial
{
    bool worked = false;
    std::string host{}; ///< hostFingerprint() it was made on; on another one it counts for nothing
    std::string problem{};
};

struct AccelerationFacts
{
    bool cpuHasVirtualization = false; ///< vmx or svm in /proc/cpuinfo
    std::string deviceProblem{};       ///< why /dev/kvm cannot be used; empty: it can
    bool libvirtOffersKvm = false;
    std::optional<KvmTrial> trial{}; ///< only one of this host
};

struct AccelerationDecision
{
    Acceleration acceleration = Acceleration::Emulate;
    std::string reason{};  ///< a sentence for the window and diagnose
    bool isTrial = false;  ///< first boot with KVM here: record how it went with saveKvmTrial(), and emulate if it failed
};

/// Within this time a guest under KVM must have answered, else the trial failed.
constexpr int kKvmTrialSeconds = 20;

/// Pure. Auto: KVM only where every fact speaks for it. Kvm: the same, but an obstacle is an error that says what to do.
Result<AccelerationDecision> decideAcceleration(AccelerationChoice choice, const AccelerationFacts& facts);

/// Looks at this host. `libvirtOffersKvm` from Hypervisor::info(), `trialFile` as written by saveKvmTrial().
AccelerationFacts probeAcceleration(bool libvirtOffersKvm, const std::filesystem::path& trialFile);

Result<void> saveKvmTrial(const std::filesystem::path& file, bool worked, const std::string& problem);

/// Whether /proc/cpuinfo's text has vmx or svm among a CPU's flags. Pure.
bool cpuInfoShowsVirtualization(std::string_view cpuInfo);

/// CPU model and kernel release: a trial holds for these only.
std::string hostFingerprint();

/// The rate of the host's time-stamp counter in kHz, measured once per process over 20 ms against
/// CLOCK_MONOTONIC_RAW (the "cpu MHz" of /proc/cpuinfo follows frequency scaling; the counter does not).
std::uint32_t hostTscKhz();

} // namespace coldframe::vm
