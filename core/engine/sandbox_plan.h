// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/machine_plan.h"
#include "engine/sandbox.h"
#include "image/template_store.h"

#include <optional>

/// What the files of Sandbox share, and no other.
namespace coldframe::engine {

/// While one lives the sandbox is busy; waiters are woken at its end.
struct Sandbox::Operation
{
    explicit Operation(Sandbox& sandbox) : m_sandbox(sandbox.shared_from_this()) { m_sandbox->m_busy = true; }
    ~Operation()
    {
        m_sandbox->m_busy = false;
        m_sandbox->m_settled->cancel();
    }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

private:
    std::shared_ptr<Sandbox> m_sandbox;
};

/// What one start of a sandbox is made of.
struct Sandbox::Plan
{
    MachineShape shape{};
    vm::MachineDescription machine{};
    std::optional<image::Template> warm{}; ///< to be restored from
    bool isResume = false;                 ///< its own memory, saved by a pause, comes back
    bool freshDisk = false;
    bool ofMemory = false; ///< the machine is that of a saved memory, whatever its limits are now
    bool isTrial = false; ///< the first boot with KVM on this host
};

} // namespace coldframe::engine
