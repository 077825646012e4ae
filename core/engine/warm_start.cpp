// SPDX-License-Identifier: Apache-2.0
#include "engine/warm_start.h"

#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "engine/blocking.h"
#include "engine/deadline.h"
#include "engine/guest_link.h"
#include "sync/seed_disk.h"
#include "vm/acceleration.h"
#include "vm/emulator.h"
#include "vm/qcow2.h"
#include "vm/template_key.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace coldframe::engine {

using namespace std::chrono_literals;

namespace {

constexpr auto kBootLimit = 180s;
/// Free page reporting works in rounds of two seconds (the kernel's mm/page_reporting.c), and not all in one; pages given back are not
/// saved.
constexpr auto kSettle = 8s;

std::filesystem::path socketFolder(const std::string& key) { return paths::runtimeFolder() / "s" / ("t" + key.substr(0, 11)); }

} // namespace

WarmStart::WarmStart(asio::io_context& io, asio::thread_pool& pool, vm::Hypervisor& hypervisor, image::TemplateStore& store,
                     std::filesystem::path images)
    : m_io(io), m_pool(pool), m_hypervisor(hypervisor), m_store(store), m_images(std::move(images))
{
}

Result<std::filesystem::path> WarmStart::emptySlot() const
{
    SystemProcessRunner runner;
    const auto path = m_images / "empty-slot.qcow2";
    COLDFRAME_CHECK(vm::ensureEmptyDisk(runner, path, vm::kAgentSlotBytes));
    return path;
}

asio::awaitable<Result<std::string>> WarmStart::keyOf(MachineShape shape)
{
    auto compute = [&hypervisor = m_hypervisor, shape]() -> Result<std::string> {
        COLDFRAME_TRY(const auto info, hypervisor.info());
        return machineKey(machineOf(shape), shape.diskBytes(), info);
    };
    co_return co_await onPool(m_pool, std::move(compute));
}

asio::awaitable<std::optional<image::Template>> WarmStart::find(MachineShape shape)
{
    if (!m_enabled) {
        co_return std::nullopt;
    }
    const Result<std::string> key = co_await keyOf(shape);
    if (!key) {
        co_return std::nullopt;
    }
    auto look = [&store = m_store, key = *key] { return store.find(key); };
    Result<image::Template> found = co_await onPool(m_pool, std::move(look));
    if (!found) {
        co_return std::nullopt;
    }
    if (shape.acceleration == vm::Acceleration::Emulate && !vm::fitsTsc(found->hostTscKhz, vm::hostTscKhz())) {
        logInfo("template", "the host's clock runs at another rate than when the template was made");
        co_return std::nullopt;
    }
    co_return std::move(*found);
}

void WarmStart::want(MachineShape shape)
{
    if (!m_enabled) {
        return;
    }
    m_wanted.push_back(std::move(shape));
    if (!m_making) {
        asio::co_spawn(m_io, makeWanted(), asio::detached);
    }
}

asio::awaitable<void> WarmStart::makeWanted()
{
    while (!m_making && !m_wanted.empty()) {
        MachineShape shape = std::move(m_wanted.front());
        m_wanted.pop_front();
        const Steps quietly;
        const Result<void> made = co_await ensure(std::move(shape), quietly);
        if (!made && made.error().code != ErrorCode::Busy) {
            logWarning("template", made.error().message + " " + made.error().detail);
        }
    }
}

asio::awaitable<Result<void>> WarmStart::ensureUsual(ImageProvider& images, vm::Acceleration acceleration, Steps steps)
{
    auto describe = [this, &images, acceleration]() -> Result<MachineShape> {
        MachineShape shape;
        COLDFRAME_TRY(shape.image, images.currentImage());
        COLDFRAME_TRY(shape.agentSlot, emptySlot());
        shape.acceleration = acceleration;
        return shape;
    };
    Result<MachineShape> shape = co_await onPool(m_pool, std::move(describe));
    if (!shape) {
        co_return shape.error().code == ErrorCode::NotFound ? Result<void>() : tl::unexpected(shape.error());
    }
    co_return co_await ensure(std::move(*shape), steps);
}

asio::awaitable<Result<void>> WarmStart::ensure(MachineShape shape, Steps steps)
{
    if (!m_enabled) {
        co_return fail(ErrorCode::NotAllowed, "Templates are switched off (warmStart).");
    }
    while (m_making) {
        if (steps.isCancelled()) {
            co_return fail(ErrorCode::Cancelled, "Waiting for the template was stopped.");
        }
        co_await pause(100ms);
    }
    m_making = true;
    Result<void> made;
    const std::optional<image::Template> present = co_await find(shape);
    if (!present) {
        const Result<std::string> key = co_await keyOf(shape);
        if (!key) {
            made = tl::unexpected(key.error());
        } else if (m_failed.contains(*key)) {
            made = fail(ErrorCode::Busy, "The template could not be made before; sandboxes start without it.");
        } else {
            made = co_await make(std::move(shape), *key, steps);
            if (!made && made.error().code != ErrorCode::Cancelled && made.error().code != ErrorCode::Busy) {
                m_failed.insert(*key);
            }
        }
    }
    m_making = false;
    if (!m_wanted.empty()) {
        asio::co_spawn(m_io, makeWanted(), asio::detached);
    }
    co_return made;
}

asio::awaitable<Result<void>> WarmStart::make(MachineShape shape, std::string key, Steps steps)
{
    *m_stopTrying = true;
    m_stopTrying = std::make_shared<bool>(false);
    auto begin = [&store = m_store, key] { return store.begin(key); };
    Result<std::shared_ptr<image::TemplateStore::Making>> made = co_await onPool(m_pool, std::move(begin));
    if (!made) {
        co_return tl::unexpected(made.error());
    }
    const std::shared_ptr<image::TemplateStore::Making> making = *made;
    logInfo("template", "making " + key.substr(0, 16));
    vm::MachineDescription machine = machineOf(shape);
    machine.sandboxId = "template-" + key.substr(0, 16);
    machine.title = "Coldframe: a template is being made";
    machine.generation = key.substr(0, 16);
    machine.overlay = making->disk();
    machine.consoleLog = making->disk().parent_path() / "console.log";
    setSockets(machine, socketFolder(key));
    auto prepare = [&hypervisor = m_hypervisor, &machine, size = shape.diskBytes(), folder = socketFolder(key),
                    slot = emptySlot()]() -> Result<void> {
        COLDFRAME_TRY(machine.readOnlyDisks[0].path, slot);
        COLDFRAME_CHECK(makeFolders(folder, 0700));
        COLDFRAME_CHECK(sync::makeSeedDisk(seedDiskIn(folder)));
        SystemProcessRunner runner;
        COLDFRAME_CHECK(vm::createOverlay(runner, machine.backingChain, machine.overlay, size));
        COLDFRAME_TRY(const auto info, hypervisor.info());
        COLDFRAME_TRY(machine.emulator, vm::confinedEmulator(paths::dataFolder() / "emulator",
                                                             paths::helperExecutable("coldframe-qemu"), info.emulator));
        return {};
    };
    Result<void> done = co_await onPool(m_pool, std::move(prepare));
    if (done) {
        done = co_await bootAndSave(machine, making->memory(), steps);
    }
    const std::string id = machine.sandboxId;
    auto tidyUp = [&hypervisor = m_hypervisor, id, folder = socketFolder(key)] {
        std::error_code ignored;
        (void)hypervisor.destroy(id);
        std::filesystem::remove_all(folder, ignored);
        return 0;
    };
    co_await onPool(m_pool, std::move(tidyUp));
    if (!done) {
        co_return done;
    }
    std::error_code ignored;
    std::filesystem::remove(machine.consoleLog, ignored);
    auto publish = [&store = m_store, making, key, base = shape.image.id, khz = machine.hostTscKhz] {
        return store.publish(*making, key, base, khz);
    };
    Result<image::Template> published = co_await onPool(m_pool, std::move(publish));
    if (!published) {
        co_return tl::unexpected(published.error());
    }
    logInfo("template", "ready: " + published->id.substr(0, 25));
    co_return Result<void>();
}

asio::awaitable<Result<void>> WarmStart::bootAndSave(vm::MachineDescription machine, std::filesystem::path memory, Steps steps)
{
    steps.say("template", "Booting a microVM to start sandboxes from");
    auto start = [&hypervisor = m_hypervisor, &machine] { return hypervisor.start(machine); };
    if (auto started = co_await onPool(m_pool, std::move(start)); !started) {
        co_return started;
    }
    {
        auto link = co_await GuestLink::connect(m_io, machine.controlSocket, kBootLimit, m_stopTrying);
        if (!link) {
            co_return tl::unexpected(link.error());
        }
        const std::string user = nlohmann::json{{"user", {{"uid", ::getuid()}, {"gid", ::getgid()}, {"home", "/home/agent"}}}}.dump();
        auto prepared = co_await (*link)->request("POST", "/prepare", user, 60s);
        if (!prepared) {
            co_return tl::unexpected(prepared.error());
        }
    }
    for (auto waited = 0ms; waited < kSettle; waited += 100ms) {
        if (*m_stopTrying || steps.isCancelled()) {
            co_return fail(ErrorCode::Cancelled, "Making the template was stopped.");
        }
        co_await pause(100ms);
    }
    steps.say("template", "Saving its memory");
    auto save = [&hypervisor = m_hypervisor, id = machine.sandboxId, memory] { return hypervisor.save(id, memory); };
    co_return co_await onPool(m_pool, std::move(save));
}

void WarmStart::distrust(const std::string& id) { m_store.distrust(id); }

void WarmStart::setEnabled(bool enabled)
{
    m_enabled = enabled;
    if (!enabled) {
        m_wanted.clear();
        *m_stopTrying = true;
    }
}

} // namespace coldframe::engine
