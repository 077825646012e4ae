// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace coldframe::engine {

/// Where a sandbox is in its life.
enum class SandboxState { Absent, Preparing, Starting, Running, Stopping, Stopped, Resetting, Removing, Failed, Pausing, Paused };

/// What may happen to it: asked by the user, or told by libvirt and the guest.
enum class SandboxEvent {
    Create,      ///< the record exists; nothing is prepared
    StartAsked,
    Prepared,    ///< image, layer and disk are there
    Ready,       ///< set-up is done in the guest
    StopAsked,
    PauseAsked,
    Frozen,      ///< its memory is saved and the microVM gone
    RunsOn,      ///< it could not be saved, and lives
    VmGone,      ///< the domain ended, for whatever reason
    ResetAsked,
    DiskRemoved, ///< a reset threw the disk away; goes on to start
    RemoveAsked,
    Forgotten,
    StepFailed,
    Adopted,     ///< a running domain was found after an engine restart
};

/// The one transition function; nullopt = not possible in that state (the caller answers Busy).
std::optional<SandboxState> nextState(SandboxState state, SandboxEvent event);

/// Stopped, Failed or Paused: there is no microVM, and nothing is under way.
bool isAtRest(SandboxState state);

std::string_view stateName(SandboxState state);                         ///< as in the API: "running"
std::optional<SandboxState> stateFromName(std::string_view name);

} // namespace coldframe::engine
