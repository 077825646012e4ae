// SPDX-License-Identifier: Apache-2.0
// coldframed: the engine. Started on demand by the window or the command line; leaves when it has nothing to do.
#include "diagnosis.h"
#include "engine/key_ring.h"
#include "engine/logins.h"
#include "key_bridge.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "engine/blocking.h"
#include "engine/catalog_adapter.h"
#include "engine/clock_watch.h"
#include "engine/connection_record.h"
#include "engine/engine.h"
#include "engine/idle_watch.h"
#include "engine/image_references.h"
#include "engine/questions.h"
#include "engine/usage_watch.h"
#include "engine/warm_start.h"
#include "policy/presets.h"
#include "vm/libvirt_hypervisor.h"

#include <QCoreApplication>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <unistd.h>

using namespace coldframe;
using nlohmann::json;

namespace {

constexpr int kExitUnavailable = 4; // as the command line's

int complain(const Error& error)
{
    std::fprintf(stderr, "coldframed: %s\n", error.message.c_str());
    if (!error.detail.empty()) {
        std::fprintf(stderr, "  %s\n", error.detail.c_str());
    }
    return kExitUnavailable;
}

/// Decides how guests run, and keeps to it until the setting changes or a trial ends; KVM is believed only after a boot that came
/// up. The engine's thread; libvirt, which may be long in answering, is asked on the pool.
class AccelerationChooser
{
public:
    AccelerationChooser(asio::thread_pool& pool, vm::Hypervisor& hypervisor, const engine::Settings& settings)
        : m_pool(pool), m_hypervisor(hypervisor), m_settings(settings)
    {
    }

    asio::awaitable<vm::AccelerationDecision> operator()()
    {
        const auto choice = vm::parseAccelerationChoice(m_settings.acceleration).value_or(vm::AccelerationChoice::Auto);
        const auto now = std::chrono::steady_clock::now();
        if (m_decision && m_choice == choice && now < m_goodUntil) {
            co_return *m_decision;
        }
        const int trials = m_trials;
        auto look = [&hypervisor = m_hypervisor, choice] { return decide(hypervisor, choice); };
        const Found found = co_await engine::onPool(m_pool, std::move(look));
        if (trials == m_trials) {
            m_choice = choice;
            m_decision = found.decision;
            // A libvirt that did not answer may do so later: what was said without it does not last.
            m_goodUntil = found.isFinal ? std::chrono::steady_clock::time_point::max() : std::chrono::steady_clock::now() + kUnsureLasts;
        }
        co_return found.decision;
    }

    void endTrial(bool worked, const std::string& problem)
    {
        if (auto saved = vm::saveKvmTrial(trialFile(), worked, problem); !saved) {
            logWarning("engine", saved.error().message);
        }
        ++m_trials;
        m_decision.reset();
    }

private:
    struct Found
    {
        vm::AccelerationDecision decision;
        bool isFinal = false;
    };
    static constexpr std::chrono::seconds kUnsureLasts{30};

    static std::filesystem::path trialFile() { return paths::dataFolder() / "kvm-trial.json"; }

    static Found decide(vm::Hypervisor& hypervisor, vm::AccelerationChoice choice)
    {
        const auto info = hypervisor.info();
        const auto facts = vm::probeAcceleration(info && info->offersKvm, trialFile());
        const auto decision = vm::decideAcceleration(choice, facts);
        return {decision ? *decision : vm::AccelerationDecision{vm::Acceleration::Emulate, decision.error().message, false}, info.has_value()};
    }

    asio::thread_pool& m_pool;
    vm::Hypervisor& m_hypervisor;
    const engine::Settings& m_settings;
    vm::AccelerationChoice m_choice = vm::AccelerationChoice::Auto;
    std::optional<vm::AccelerationDecision> m_decision;
    std::chrono::steady_clock::time_point m_goodUntil;
    int m_trials = 0;
};

json imageAnswer(image::ImageStore& store, bool build, bool force, const engine::Steps& steps, Error& problem)
{
    if (!build) {
        const auto current = store.current();
        return {{"ready", current.has_value()},
                {"manifest", current ? json{{"id", current->id}} : json(nullptr)},
                {"building", false},
                {"problem", current ? "" : current.error().message}};
    }
    image::BuildControl control;
    control.progress = [&steps](std::int64_t done, std::int64_t total, const std::string& text) {
        steps.say("image", text, done, total);
    };
    control.cancelled = steps.cancelled;
    const auto built = force ? store.build(true, control) : store.ensure(control);
    if (!built) {
        problem = built.error();
        return nullptr;
    }
    return {{"id", built->id}};
}

/// Started outside a log-in session (su, cron) the variable is missing though the folder may be there; libvirt wants it.
void nameRuntimeFolder()
{
    const std::filesystem::path folder = paths::runtimeFolder().parent_path();
    if (!std::getenv("XDG_RUNTIME_DIR") && ::access(folder.c_str(), W_OK) == 0) {
        ::setenv("XDG_RUNTIME_DIR", folder.c_str(), 1);
    }
}

/// Each new guest program makes a new image folder, and with it new templates; those that no sandbox stands on any more go
/// (HAZARDS 2). Templates first, for they stand on images.
void removeUnusedImages(image::ImageStore& store, image::TemplateStore& templates, image::OwnImageStore& ownImages,
                        const engine::RecordStore& records, const engine::SnapshotStore& snapshots)
{
    ownImages.clearLeftovers();
    if (image::ImageStore::Places::standard().isShared) {
        return;
    }
    std::vector<std::string> problems;
    std::set<std::string> pinned;
    for (const engine::SandboxRecord& record : records.loadAll(problems)) {
        pinned.insert(record.templateId);
        pinned.insert(record.previousDisk.templateId);
    }
    for (const engine::Snapshot& snapshot : snapshots.list()) {
        pinned.insert(snapshot.templateId);
    }
    std::vector<std::string> gone;
    if (const auto current = store.current(); current && problems.empty()) {
        std::set<std::string> bases{current->id};
        for (const image::NamedImage& own : ownImages.list()) {
            bases.insert(own.id);
        }
        gone = templates.prune(pinned, bases);
    }
    const auto used = engine::referencedImages(paths::dataFolder());
    const auto removed = used ? store.prune(*used) : Result<std::vector<std::string>>(tl::unexpected(used.error()));
    if (removed) {
        gone.insert(gone.end(), removed->begin(), removed->end());
    } else {
        logInfo("engine", "old images are kept: " + removed.error().message + " " + removed.error().detail);
    }
    for (const std::string& name : gone) {
        logInfo("engine", "removed the image " + name + ", which nothing uses");
    }
}

int run(int argc, char** argv)
{
    forbidCoreDumps();
    nameRuntimeFolder();
    std::signal(SIGPIPE, SIG_IGN);
    QCoreApplication application(argc, argv);
    if (::getuid() == 0) {
        return complain({ErrorCode::NotAllowed,
                         "Coldframe runs as an ordinary user, not as root: libvirt's session for root is the whole machine's.",
                         "Run it as the user who owns the project: sudo -u USER coldframe …"});
    }
    for (const auto& folder : {paths::configFolder(), paths::dataFolder(), paths::cacheFolder(), paths::runtimeFolder()}) {
        if (auto made = makeFolders(folder, 0700); !made) {
            return complain(made.error());
        }
    }
    auto settings = engine::loadSettings(paths::configFolder() / "settings.json");
    auto globalRules = settings ? engine::loadGlobalRules(paths::configFolder() / "policy.json")
                                : Result<std::vector<policy::Rule>>(tl::unexpected(settings.error()));
    if (!globalRules) {
        return complain(globalRules.error());
    }
    auto catalog = agents::Catalog::load(paths::resourcesFolder() / "agents");
    auto presets = policy::loadPresets(paths::resourcesFolder() / "policy");
    if (!catalog || !presets) {
        return complain(catalog ? presets.error() : catalog.error());
    }
    auto switches = engine::loadPresetSwitches(paths::configFolder() / "policy.json");
    if (!switches) {
        return complain(switches.error());
    }
    policy::Presets allPresets{std::move(*presets), std::move(*switches)};
    auto record = engine::openConnectionRecord(paths::dataFolder() / "audit.sqlite", *settings);
    if (!record) {
        return complain(record.error());
    }

    asio::io_context io(1);
    asio::thread_pool pool(6);
    vm::LibvirtHypervisor hypervisor(paths::dataFolder().string());
    SystemProcessRunner runner;
    image::ImageStore imageStore(image::ImageStore::Places::standard(), runner);
    image::OwnImageStore ownImages(paths::dataFolder() / "own-images");
    engine::ImageAdapter images(imageStore, ownImages);
    const image::ImageStore::Places places = image::ImageStore::Places::standard();
    image::TemplateStore templates(places.images);
    engine::WarmStart warmStart(io, pool, hypervisor, templates, places.images);
    warmStart.setEnabled(settings->warmStart);
    engine::CatalogAdapter agents(std::move(*catalog), paths::configFolder() / "services.json");
    if (auto loaded = agents.loadServices(); !loaded) {
        return complain(loaded.error());
    }
    const std::unique_ptr<secrets::KeyStore> keyStore = secrets::makeKeychainStore(paths::dataFolder());
    KeyBridge keys(io, application, *keyStore);
    engine::EngineParts* partsPointer = nullptr;
    engine::Engine* enginePointer = nullptr;
    engine::Logins logins({io,
                           keys,
                           [&keys](std::string entry, SecretBuffer tokens) { return keys.store(std::move(entry), std::move(tokens)); },
                           [&keys](std::string entry) { return keys.remove(std::move(entry)); },
                           [&agents](const std::string& service) { return agents.login(service); },
                           [&partsPointer](engine::TokenRequest request) { return engine::exchangeTokens(*partsPointer, std::move(request)); },
                           [] { return std::chrono::duration_cast<std::chrono::seconds>(utcNow().time_since_epoch()).count(); },
                           [&partsPointer](const std::string& notice) { partsPointer->emitEvent({{"type", "alert"}, {"text", notice}}); },
                           [&enginePointer] { enginePointer->refreshKeys(); },
                           paths::configFolder() / "logins.json"});
    engine::KeyRing keyRing(io, pool, logins, runner, paths::configFolder() / "key-commands.json");
    if (auto loaded = logins.load(); !loaded) {
        return complain(loaded.error());
    }
    if (auto loaded = keyRing.load(); !loaded) {
        return complain(loaded.error());
    }
    engine::RecordStore store(paths::dataFolder() / "sandboxes");
    engine::SnapshotStore snapshots(paths::dataFolder() / "snapshots");
    AccelerationChooser acceleration(pool, hypervisor, *settings);
    api::Server* serverPointer = nullptr;
    engine::Registry* registryPointer = nullptr;
    const auto broadcast = [&serverPointer](const json& event) {
        if (serverPointer) {
            serverPointer->broadcast(event);
        }
    };
    engine::Questions questions(io, broadcast, [&registryPointer] {
        for (const auto& sandbox : registryPointer ? registryPointer->all() : std::vector<std::shared_ptr<engine::Sandbox>>()) {
            sandbox->canAskChanged();
        }
    });
    engine::EngineParts parts{io,
                              pool,
                              hypervisor,
                              images,
                              templates,
                              snapshots,
                              ownImages,
                              warmStart,
                              agents,
                              keyRing,
                              logins,
                              **record,
                              store,
                              *settings,
                              *globalRules,
                              allPresets,
                              [&acceleration] { return acceleration(); },
                              [&acceleration](bool worked, const std::string& problem) { acceleration.endTrial(worked, problem); },
                              broadcast,
                              questions};
    partsPointer = &parts;
    engine::Registry registry(parts);
    registryPointer = &registry;
    const auto quit = [&io] { io.stop(); };
    engine::Engine handlers({parts, registry, paths::configFolder(),
                             **record,
                             [&keys] { return keys.status(); },
                             [&logins](std::string entry, SecretBuffer key) { return logins.storeKey(std::move(entry), std::move(key)); },
                             [&logins](std::string entry) { return logins.remove(std::move(entry)); },
                             keyRing,
                             [&imageStore](bool build, bool force, const engine::Steps& steps) -> Result<json> {
                                 Error problem;
                                 json answer = imageAnswer(imageStore, build, force, steps, problem);
                                 if (answer.is_null()) {
                                     return tl::unexpected(problem);
                                 }
                                 return answer;
                             },
                             [&](const vm::AccelerationDecision& decision) { return diagnose(hypervisor, imageStore, decision); },
                             quit});
    enginePointer = &handlers;
    api::Server server(io, handlers);
    handlers.attach(server);
    keyRing.onExpiry([&handlers] { handlers.refreshKeys(); });
    if (auto started = server.start(); !started) {
        return complain(started.error());
    }
    // The only engine of this user, and not serving yet: nobody is choosing an image meanwhile.
    removeUnusedImages(imageStore, templates, ownImages, store, snapshots);
    serverPointer = &server;
    hypervisor.setEventHandler([&io, &registry](const vm::DomainEvent& event) {
        asio::post(io, [&registry, event] { registry.onDomainEvent(event); });
    });
    asio::signal_set ending(io, SIGTERM, SIGINT, SIGHUP);
    ending.async_wait([quit](std::error_code error, int) {
        if (!error) {
            quit();
        }
    });
    asio::co_spawn(io, registry.load(), asio::detached);
    asio::co_spawn(io, engine::keepGuestClocks(io, registry), asio::detached);
    asio::co_spawn(io, engine::watchUsage(io, registry, *settings), asio::detached);
    asio::co_spawn(io, engine::leaveWhenIdle(io, server, registry, *settings, quit), asio::detached);

    std::thread engineThread([&] {
        while (!io.stopped()) {
            topCatchAll("engine", [&] { io.run(); });
        }
        QMetaObject::invokeMethod(&application, &QCoreApplication::quit, Qt::QueuedConnection);
    });
    logInfo("engine", "ready");
    QCoreApplication::exec();
    engineThread.join();
    server.stop();
    hypervisor.setEventHandler({});
    // Sessions end in order; microVMs and proxies live on and are taken over by the next engine, so nothing that would
    // tell them to leave may run: the process ends here.
    for (const auto& sandbox : registry.all()) {
        sandbox->sync().stop();
    }
    pool.join();
    std::fflush(nullptr);
    ::_exit(0);
}

} // namespace

int main(int argc, char** argv)
{
    int status = 1;
    topCatchAll("engine", [&] { status = run(argc, argv); });
    return status;
}
