// SPDX-License-Identifier: Apache-2.0
#include "engine/sandbox_state.h"

#include <array>

namespace coldframe::engine {

namespace {

constexpr std::array<std::string_view, 11> kNames = {"absent",   "preparing", "starting", "running", "stopping",
                                                    "stopped",  "resetting", "removing", "failed",  "pausing", "paused"};

} // namespace

std::optional<SandboxState> nextState(SandboxState state, SandboxEvent event)
{
    using S = SandboxState;
    using E = SandboxEvent;
    const bool atRest = isAtRest(state);
    switch (event) {
    case E::Create: return state == S::Absent ? std::optional(S::Stopped) : std::nullopt;
    case E::StartAsked: return atRest ? std::optional(S::Preparing) : std::nullopt;
    case E::Prepared: return state == S::Preparing ? std::optional(S::Starting) : std::nullopt;
    case E::Ready: return state == S::Starting ? std::optional(S::Running) : std::nullopt;
    case E::Adopted: return atRest ? std::optional(S::Starting) : std::nullopt;
    case E::StopAsked:
        return state == S::Running || state == S::Paused ? std::optional(S::Stopping) : std::nullopt;
    case E::PauseAsked: return state == S::Running ? std::optional(S::Pausing) : std::nullopt;
    case E::Frozen: return state == S::Pausing ? std::optional(S::Paused) : std::nullopt;
    case E::RunsOn: return state == S::Pausing ? std::optional(S::Running) : std::nullopt;
    case E::VmGone:
        if (state == S::Running || state == S::Stopping) {
            return S::Stopped;
        }
        return state == S::Starting ? std::optional(S::Failed) : std::nullopt;
    case E::ResetAsked: return atRest || state == S::Running ? std::optional(S::Resetting) : std::nullopt;
    case E::DiskRemoved: return state == S::Resetting ? std::optional(S::Stopped) : std::nullopt;
    case E::RemoveAsked:
        return atRest || state == S::Running ? std::optional(S::Removing) : std::nullopt;
    case E::Forgotten: return state == S::Removing ? std::optional(S::Absent) : std::nullopt;
    case E::StepFailed:
        if (state == S::Absent || atRest) {
            return std::nullopt;
        }
        return S::Failed;
    }
    return std::nullopt;
}

bool isAtRest(SandboxState state)
{
    return state == SandboxState::Stopped || state == SandboxState::Failed || state == SandboxState::Paused;
}

std::string_view stateName(SandboxState state) { return kNames[static_cast<std::size_t>(state)]; }

std::optional<SandboxState> stateFromName(std::string_view name)
{
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) {
            return static_cast<SandboxState>(i);
        }
    }
    return std::nullopt;
}

} // namespace coldframe::engine
