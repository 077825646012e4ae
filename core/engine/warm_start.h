// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/machine_plan.h"
#include "image/template_store.h"

#include <deque>
#include <memory>
#include <optional>
#include <set>

namespace coldframe::engine {

/// Templates for the sandboxes of this engine: finds the one that fits, and makes those that lack, one at a time and in the
/// background, each from a microVM of its own that never had a user, a workspace, a CA or a proxy (HAZARDS 17, 18).
/// On the engine's io thread; outlives the io_context's work.
class WarmStart
{
public:
    WarmStart(asio::io_context& io, asio::thread_pool& pool, vm::Hypervisor& hypervisor, image::TemplateStore& store,
              std::filesystem::path images);

    /// The template that a fresh sandbox of this shape can be restored from; nothing when there is none, or it does not fit
    /// this host's clock any more. Never an error: the cold boot is always possible.
    asio::awaitable<std::optional<image::Template>> find(MachineShape shape);

    /// Has the template made some time soon, if it lacks.
    void want(MachineShape shape);

    /// The same for a sandbox without any wishes, on the image as it is now; nothing when there is no image.
    asio::awaitable<Result<void>> ensureUsual(ImageProvider& images, vm::Acceleration acceleration, Steps steps);

    /// Makes it now, or waits for the making under way. NotAllowed when templates are switched off.
    asio::awaitable<Result<void>> ensure(MachineShape shape, Steps steps);

    /// It did not come back though a cold boot did.
    void distrust(const std::string& id);

    bool isMaking() const { return m_making; }
    /// From now on none is found or made, and the making under way is given up.
    void setEnabled(bool enabled);

    /// The disk that stands in the agent's slot where there is no agent. Blocking.
    Result<std::filesystem::path> emptySlot() const;

private:
    asio::awaitable<void> makeWanted();
    asio::awaitable<Result<void>> make(MachineShape shape, std::string key, Steps steps);
    asio::awaitable<Result<void>> bootAndSave(vm::MachineDescription machine, std::filesystem::path memory, Steps steps);
    asio::awaitable<Result<std::string>> keyOf(MachineShape shape);

    asio::io_context& m_io;
    asio::thread_pool& m_pool;
    vm::Hypervisor& m_hypervisor;
    image::TemplateStore& m_store;
    const std::filesystem::path m_images;
    std::deque<MachineShape> m_wanted;
    std::set<std::string> m_failed; ///< keys whose making failed in this engine's life: not tried again and again
    std::shared_ptr<bool> m_stopTrying = std::make_shared<bool>(false);
    bool m_enabled = true;
    bool m_making = false;
};

} // namespace coldframe::engine
