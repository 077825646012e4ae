// SPDX-License-Identifier: Apache-2.0
#include "vm/libvirt_hypervisor.h"

#include "base/log.h"
#include "vm/console_recorder.h"
#include "vm/domain_xml.h"
#include "vm/host_resources.h"
#include "vm/libvirt_connection.h"
#include "vm/libvirt_domains.h"
#include "vm/libvirt_event_loop.h"
#include "vm/limited_call.h"
#include "vm/qcow2.h"
#include "vm/save_image.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <map>
#include <mutex>
#include <thread>

namespace coldframe::vm {
namespace {

using namespace std::chrono_literals;

constexpr auto kStartLimit = 60s;
constexpr auto kCallLimit = 20s;
/// At its very first use libvirt asks every QEMU of the machine what it can do, which takes long on a busy machine.
constexpr auto kFirstCallLimit = 120s;
constexpr auto kSaveLimit = 120s;
constexpr auto kFailureLasts = 2s;
constexpr const char* kTimeoutMessage
    = "libvirt's session daemon does not answer. End it (pkill -u $USER libvirtd; running sandboxes live on) and try again.";

} // namespace

class LibvirtHypervisor::Impl : public std::enable_shared_from_this<Impl>
{
public:
    explicit Impl(std::string owner) : m_owner(std::move(owner)) { ensureLibvirtEventLoop(); }

    void begin()
    {
        m_worker = std::thread([this] { topCatchAll("libvirt", [this] { work(); }); });
    }

    void end()
    {
        setEventHandler({});
        {
            const std::lock_guard lock(m_mutex);
            m_stop = true;
        }
        m_wake.notify_all();
        m_worker.join();
        std::shared_ptr<LibvirtConnection> connection;
        std::map<std::string, std::unique_ptr<ConsoleRecorder>> consoles;
        const std::lock_guard lock(m_mutex);
        connection.swap(m_connection);
        consoles.swap(m_consoles);
    }

    void setEventHandler(EventHandler handler)
    {
        {
            const std::lock_guard lock(m_handlerMutex);
            m_handler = std::move(handler);
        }
        const std::lock_guard lock(m_mutex);
        m_refresh = true;
        m_wake.notify_all();
    }

    Result<void> start(const MachineDescription& machine, const std::optional<std::filesystem::path>& memory);
    Result<void> save(const std::string& sandboxId, const std::filesystem::path& file);
    /// `how` answers below 0 for a failure, as libvirt's calls do.
    Result<void> change(const std::string& sandboxId, std::string_view failure, std::function<int(virDomainPtr)> how);
    Result<void> destroy(const std::string& sandboxId);
    void endConsole(const std::string& sandboxId);

    /// Runs `call` with a live connection; once more with a new one when the connection turned out to be dead.
    template <typename T>
    Result<T> withConnection(std::function<Result<T>(const LibvirtConnection&)> call,
                             std::chrono::milliseconds limit = kCallLimit)
    {
        auto self = shared_from_this();
        limit = std::max<std::chrono::milliseconds>(limit, m_hasAnswered ? kCallLimit : kFirstCallLimit);
        return limitedCall(limit, kTimeoutMessage, [self, call]() -> Result<T> {
            for (int attempt = 0;; ++attempt) {
                COLDFRAME_TRY(auto connection, self->connection());
                auto result = call(*connection);
                if (result) {
                    self->m_hasAnswered = true;
                }
                if (result || attempt == 1 || virConnectIsAlive(connection->get()) == 1) {
                    return result;
                }
                self->lost(connection.get());
            }
        });
    }

    const std::string& owner() const { return m_owner; }

private:
    struct Known
    {
        std::string generation;
        bool isStarting = false; ///< until libvirt's own event: ends before that belong to start()'s result
    };

    Result<std::shared_ptr<LibvirtConnection>> connection();
    using Launch = std::function<Result<DomainHandle>(const LibvirtConnection&)>;
    Result<void> create(const MachineDescription& machine, const Launch& launch, const std::atomic<bool>& abandoned);
    Result<DomainHandle> boot(const LibvirtConnection& usable, const MachineDescription& machine, const std::string& xml);
    void lost(const LibvirtConnection* connection);
    void onLifecycle(const std::string& name, int event, int detail);
    void reconcile(const std::vector<Domain>& present);
    void emit(const DomainEvent& event);
    void work();

    const std::string m_owner;

    std::mutex m_handlerMutex; ///< held while the handler runs
    EventHandler m_handler;

    std::mutex m_openMutex; ///< one opens at a time; taken before m_mutex; guards the failure
    std::optional<Error> m_openFailure;
    std::chrono::steady_clock::time_point m_openFailedAt;
    std::mutex m_mutex;
    std::condition_variable m_wake;
    std::shared_ptr<LibvirtConnection> m_connection;
    std::map<std::string, Known> m_known;
    std::map<std::string, std::unique_ptr<ConsoleRecorder>> m_consoles;
    bool m_wasLost = false;
    bool m_refresh = false;
    bool m_stop = false;
    std::atomic<bool> m_hasAnswered = false;
    std::thread m_worker;
};

void LibvirtHypervisor::Impl::emit(const DomainEvent& event)
{
    const std::lock_guard lock(m_handlerMutex);
    if (m_handler) {
        topCatchAll("hypervisor event", [&] { m_handler(event); });
    }
}

Result<std::shared_ptr<LibvirtConnection>> LibvirtHypervisor::Impl::connection()
{
    const std::lock_guard openLock(m_openMutex);
    {
        const std::lock_guard lock(m_mutex);
        if (m_connection) {
            return m_connection;
        }
    }
    // Callbacks hold us weakly: a connection must not keep its holder alive. `identity` tells a late
    // "closed" of an old connection from that of the present one.
    const std::weak_ptr<Impl> weak = weak_from_this();
    const auto identity = std::make_shared<std::atomic<const LibvirtConnection*>>(nullptr);
    ConnectionCallbacks callbacks;
    callbacks.closed = [weak, identity] {
        if (auto self = weak.lock()) {
            self->lost(identity->load());
        }
    };
    callbacks.lifecycle = [weak](const std::string& name, int event, int detail) {
        if (auto self = weak.lock()) {
            self->onLifecycle(name, event, detail);
        }
    };
    // Where there is no daemon libvirt tries for ten seconds and more: who queued behind that try shares its answer.
    if (m_openFailure && std::chrono::steady_clock::now() < m_openFailedAt + kFailureLasts) {
        return tl::unexpected(*m_openFailure);
    }
    auto attempt = LibvirtConnection::open(std::move(callbacks));
    if (!attempt) {
        m_openFailure = attempt.error();
        m_openFailedAt = std::chrono::steady_clock::now();
        return tl::unexpected(attempt.error());
    }
    m_openFailure.reset();
    const std::shared_ptr<LibvirtConnection> opened = std::move(*attempt);
    identity->store(opened.get());
    COLDFRAME_TRY(auto present, listDomains(*opened, m_owner));
    bool restored = false;
    {
        const std::lock_guard lock(m_mutex);
        m_connection = opened;
        restored = std::exchange(m_wasLost, false);
    }
    reconcile(present);
    if (restored) {
        logInfo("libvirt", "connected again");
        emit({DomainEvent::Kind::ConnectionRestored, {}, {}, {}, "libvirt is back."});
    }
    return opened;
}

/// Makes what we know agree with what there is, telling the handler of the differences.
void LibvirtHypervisor::Impl::reconcile(const std::vector<Domain>& present)
{
    std::vector<DomainEvent> events;
    {
        const std::lock_guard lock(m_mutex);
        std::map<std::string, std::string> found;
        for (const auto& domain : present) {
            found.emplace(domain.sandboxId, domain.generation);
            const auto [entry, isNew] = m_known.try_emplace(domain.sandboxId, Known{domain.generation, false});
            if (isNew) {
                events.push_back({DomainEvent::Kind::Started, domain.sandboxId, domain.generation, StopReason::Unknown,
                                  "The microVM is running."});
            }
        }
        for (auto entry = m_known.begin(); entry != m_known.end();) {
            if (found.contains(entry->first) || entry->second.isStarting) {
                ++entry;
                continue;
            }
            events.push_back({DomainEvent::Kind::Stopped, entry->first, entry->second.generation, StopReason::Unknown,
                              "The microVM ended while libvirt could not be reached."});
            entry = m_known.erase(entry);
        }
    }
    for (const auto& event : events) {
        emit(event);
    }
}

void LibvirtHypervisor::Impl::lost(const LibvirtConnection* connection)
{
    {
        const std::lock_guard lock(m_mutex);
        if (!m_connection || m_connection.get() != connection) {
            return;
        }
        // On another thread: a connection must not be closed inside its own callback.
        m_wasLost = true;
        std::thread([dead = std::move(m_connection)]() mutable { dead.reset(); }).detach();
        m_connection = nullptr;
    }
    logWarning("libvirt", "the session daemon went away");
    emit({DomainEvent::Kind::ConnectionLost, {}, {}, {}, "libvirt's daemon went away; running sandboxes live on."});
    m_wake.notify_all();
}

void LibvirtHypervisor::Impl::onLifecycle(const std::string& name, int event, int detail)
{
    if (name.rfind(kNamePrefix, 0) != 0) {
        return;
    }
    const std::string id = name.substr(std::string_view(kNamePrefix).size());
    DomainEvent report;
    report.sandboxId = id;
    std::unique_ptr<ConsoleRecorder> console;
    {
        const std::lock_guard lock(m_mutex);
        const auto entry = m_known.find(id);
        if (event == VIR_DOMAIN_EVENT_STARTED) {
            if (entry == m_known.end()) {
                // Another process started it; the worker reads whose it is.
                m_refresh = true;
                m_wake.notify_all();
                return;
            }
            if (!entry->second.isStarting) {
                return;
            }
            entry->second.isStarting = false;
            report.kind = DomainEvent::Kind::Started;
            report.generation = entry->second.generation;
            report.text = "The microVM is running.";
        } else if (event == VIR_DOMAIN_EVENT_STOPPED) {
            if (entry == m_known.end() || entry->second.isStarting) {
                return;
            }
            report.kind = DomainEvent::Kind::Stopped;
            report.generation = entry->second.generation;
            std::tie(report.reason, report.text) = explainStop(detail);
            m_known.erase(entry);
            if (const auto recorder = m_consoles.extract(id)) {
                console = std::move(recorder.mapped());
            }
        } else if (entry != m_known.end() && event == VIR_DOMAIN_EVENT_SUSPENDED && detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR) {
            report.kind = DomainEvent::Kind::Stalled;
            report.generation = entry->second.generation;
            report.text = "The microVM stands still: a write to its disk failed.";
        } else if (entry != m_known.end() && event == VIR_DOMAIN_EVENT_RESUMED) {
            report.kind = DomainEvent::Kind::GoesOn;
            report.generation = entry->second.generation;
        } else {
            return;
        }
    }
    console.reset();
    emit(report);
}

/// Keeps a connection open (so that events arrive) once anybody wants events, with pauses that grow to 5 s.
void LibvirtHypervisor::Impl::work()
{
    auto pause = 200ms;
    std::unique_lock lock(m_mutex);
    while (!m_stop) {
        m_wake.wait(lock, [this] { return m_stop || m_refresh || (m_wasLost && !m_connection); });
        if (m_stop) {
            return;
        }
        m_refresh = false;
        lock.unlock();
        auto connected = connection();
        bool isUsable = connected.has_value();
        if (connected) {
            auto present = listDomains(**connected, m_owner);
            isUsable = present.has_value();
            if (present) {
                reconcile(*present);
            }
            connected->reset();
        }
        lock.lock();
        if (isUsable) {
            pause = 200ms;
        } else {
            m_refresh = true;
            m_wake.wait_for(lock, pause, [this] { return m_stop; });
            pause = std::min<std::chrono::milliseconds>(pause * 2, 5s);
        }
    }
}

Result<void> LibvirtHypervisor::Impl::start(const MachineDescription& machine, const std::optional<std::filesystem::path>& memory)
{
    if (machine.owner != m_owner) {
        return fail(ErrorCode::InvalidArgument, "The machine belongs to another engine.");
    }
    COLDFRAME_TRY(auto xml, domainXml(machine));
    COLDFRAME_CHECK(verifyDisks(machine));
    COLDFRAME_TRY(const auto available, hostMemory());
    COLDFRAME_CHECK(checkMemory(available, machine.memoryMiB));

    const auto self = shared_from_this();
    Launch launch;
    if (memory) {
        COLDFRAME_TRY(const SaveImage saved, readSaveImage(*memory));
        COLDFRAME_TRY(const std::string header, saveHeader(xml));
        launch = [machine, header, saved, file = *memory](const LibvirtConnection& usable) {
            return restoreDomain(usable, machine, header, file, saved.streamOffset);
        };
    } else {
        launch = [self, machine, xml](const LibvirtConnection& usable) { return self->boot(usable, machine, xml); };
    }
    const auto abandoned = std::make_shared<std::atomic<bool>>(false);
    auto result = limitedCall(kStartLimit, kTimeoutMessage, [self, machine, launch, abandoned]() -> Result<void> {
        return self->create(machine, launch, *abandoned);
    });
    if (!result && result.error().code == ErrorCode::Timeout) {
        *abandoned = true;
    }
    return result;
}

/// Boots the machine with its console read.
Result<DomainHandle> LibvirtHypervisor::Impl::boot(const LibvirtConnection& usable, const MachineDescription& machine,
                                                   const std::string& xml)
{
    // Paused first, so that the console is read from the guest's first instruction on.
    DomainHandle domain(virDomainCreateXML(usable.get(), xml.c_str(), VIR_DOMAIN_START_PAUSED));
    if (!domain) {
        return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), kStartFailed));
    }
    auto console = ConsoleRecorder::start(machine.consoleSocket, machine.consoleLog, kConsoleLogBytes);
    if (!console) {
        virDomainDestroy(domain.get());
        return tl::unexpected(console.error());
    }
    {
        const std::lock_guard lock(m_mutex);
        m_consoles[machine.sandboxId] = std::move(*console);
    }
    if (virDomainResume(domain.get()) < 0) {
        auto failure = translateLibvirtFailure(lastLibvirtFailure(), kStartFailed);
        virDomainDestroy(domain.get());
        return tl::unexpected(std::move(failure));
    }
    return domain;
}

Result<void> LibvirtHypervisor::Impl::create(const MachineDescription& machine, const Launch& launch,
                                             const std::atomic<bool>& abandoned)
{
    COLDFRAME_TRY(auto usable, connection());
    if (virConnectIsAlive(usable->get()) != 1) {
        lost(usable.get());
        COLDFRAME_TRY(usable, connection());
    }
    {
        const std::lock_guard lock(m_mutex);
        if (!m_known.try_emplace(machine.sandboxId, Known{machine.generation, true}).second) {
            return fail(ErrorCode::AlreadyExists, "The sandbox's microVM runs already.");
        }
    }
    auto domain = launch(*usable);
    if (domain && abandoned) {
        virDomainDestroy(domain->get());
        domain = fail(ErrorCode::Timeout, kTimeoutMessage);
    }
    if (!domain) {
        {
            const std::lock_guard lock(m_mutex);
            m_known.erase(machine.sandboxId);
            m_consoles.erase(machine.sandboxId);
        }
        if (virConnectIsAlive(usable->get()) != 1) {
            (void)destroy(machine.sandboxId); // the daemon may have got as far as QEMU before it was gone
        }
        return tl::unexpected(domain.error());
    }
    bool isUnannounced = false;
    {
        // libvirt's own event may be late, or lost with the connection.
        const std::lock_guard lock(m_mutex);
        const auto entry = m_known.find(machine.sandboxId);
        isUnannounced = entry != m_known.end() && std::exchange(entry->second.isStarting, false);
    }
    if (isUnannounced) {
        emit({DomainEvent::Kind::Started, machine.sandboxId, machine.generation, StopReason::Unknown,
              "The microVM is running."});
    }
    return {};
}

Result<void> LibvirtHypervisor::Impl::save(const std::string& sandboxId, const std::filesystem::path& file)
{
    const std::string name = domainName(sandboxId);
    const std::string owner = m_owner;
    return withConnection<void>(
        [name, owner, file](const LibvirtConnection& usable) -> Result<void> {
            constexpr std::string_view kWhat = "The sandbox's memory could not be saved";
            COLDFRAME_TRY(const DomainHandle domain, findOwn(usable, name, owner, kWhat));
            if (virDomainSaveFlags(domain.get(), file.c_str(), nullptr, VIR_DOMAIN_SAVE_RUNNING) < 0) {
                return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), kWhat));
            }
            COLDFRAME_CHECK(readSaveImage(file));
            return {};
        },
        kSaveLimit);
}

Result<void> LibvirtHypervisor::Impl::change(const std::string& sandboxId, std::string_view failure, std::function<int(virDomainPtr)> how)
{
    const std::string name = domainName(sandboxId);
    return withConnection<void>([name, owner = m_owner, failure, how = std::move(how)](const LibvirtConnection& usable) -> Result<void> {
        COLDFRAME_TRY(const DomainHandle domain, findOwn(usable, name, owner, failure));
        return how(domain.get()) < 0 ? Result<void>(tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), failure))) : Result<void>();
    });
}

Result<void> LibvirtHypervisor::Impl::destroy(const std::string& sandboxId)
{
    const std::string name = domainName(sandboxId);
    const std::string owner = m_owner;
    auto done = withConnection<void>([name, owner](const LibvirtConnection& usable) -> Result<void> {
        const auto failed = [](const LibvirtFailure& failure) -> Result<void> {
            if (failure.code == VIR_ERR_NO_DOMAIN || failure.code == VIR_ERR_OPERATION_INVALID) {
                return {}; // it ended by itself meanwhile
            }
            return tl::unexpected(translateLibvirtFailure(failure, "The sandbox could not be switched off"));
        };
        const DomainHandle domain(virDomainLookupByName(usable.get(), name.c_str()));
        if (!domain) {
            return failed(lastLibvirtFailure());
        }
        const auto metadata = readMetadata(domain.get());
        if (metadata && metadata->owner != owner) {
            return fail(ErrorCode::NotAllowed, "The microVM “" + name + "” belongs to another Coldframe engine.");
        }
        // libvirt would ask QEMU to end first, which then flushes a disk that is about to be thrown away or is doubtful anyway.
        killEmulator(name);
        if (virDomainDestroy(domain.get()) < 0) {
            return failed(lastLibvirtFailure());
        }
        return {};
    });
    if (done) {
        // libvirt's own event may come after a new start of the same sandbox has begun; this one is in time.
        onLifecycle(name, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
    }
    return done;
}

void LibvirtHypervisor::Impl::endConsole(const std::string& sandboxId)
{
    std::unique_ptr<ConsoleRecorder> console;
    const std::lock_guard lock(m_mutex);
    if (const auto recorder = m_consoles.extract(sandboxId)) {
        console = std::move(recorder.mapped());
    }
}

LibvirtHypervisor::LibvirtHypervisor(std::string owner) : m_impl(std::make_shared<Impl>(std::move(owner)))
{
    m_impl->begin();
}

LibvirtHypervisor::~LibvirtHypervisor()
{
    m_impl->end();
}

void LibvirtHypervisor::setEventHandler(EventHandler handler)
{
    m_impl->setEventHandler(std::move(handler));
}

Result<void> LibvirtHypervisor::start(const MachineDescription& machine)
{
    return m_impl->start(machine, std::nullopt);
}

Result<void> LibvirtHypervisor::save(const std::string& sandboxId, const std::filesystem::path& file)
{
    return m_impl->save(sandboxId, file);
}

Result<void> LibvirtHypervisor::restore(const MachineDescription& machine, const std::filesystem::path& file)
{
    return m_impl->start(machine, file);
}

Result<void> LibvirtHypervisor::setMemory(const std::string& sandboxId, std::uint32_t memoryMiB)
{
    return m_impl->change(sandboxId, "The sandbox's memory could not be changed", [memoryMiB](virDomainPtr domain) {
        return virDomainSetMemoryFlags(domain, std::uint64_t{memoryMiB} << 10, VIR_DOMAIN_AFFECT_LIVE);
    });
}

Result<void> LibvirtHypervisor::resume(const std::string& sandboxId)
{
    return m_impl->change(sandboxId, "The sandbox could not go on", [](virDomainPtr domain) {
        int state = 0;
        const bool runs = virDomainGetState(domain, &state, nullptr, 0) == 0 && state == VIR_DOMAIN_RUNNING;
        return runs ? 0 : virDomainResume(domain);
    });
}

Result<void> LibvirtHypervisor::destroy(const std::string& sandboxId)
{
    return m_impl->destroy(sandboxId);
}

Result<std::vector<Domain>> LibvirtHypervisor::domains()
{
    const std::string owner = m_impl->owner();
    return m_impl->withConnection<std::vector<Domain>>(
        [owner](const LibvirtConnection& usable) { return listDomains(usable, owner); });
}

Result<std::optional<Domain>> LibvirtHypervisor::find(const std::string& sandboxId)
{
    COLDFRAME_TRY(auto all, domains());
    for (auto& domain : all) {
        if (domain.sandboxId == sandboxId) {
            return std::optional<Domain>(std::move(domain));
        }
    }
    return std::optional<Domain>();
}

void LibvirtHypervisor::endConsole(const std::string& sandboxId)
{
    m_impl->endConsole(sandboxId);
}

Result<HypervisorInfo> LibvirtHypervisor::info()
{
    return m_impl->withConnection<HypervisorInfo>([](const LibvirtConnection& usable) -> Result<HypervisorInfo> {
        const std::unique_ptr<char, decltype(&std::free)> xml(virConnectGetCapabilities(usable.get()), &std::free);
        if (!xml) {
            return tl::unexpected(translateLibvirtFailure(lastLibvirtFailure(), "libvirt's abilities could not be read"));
        }
        HypervisorInfo info = parseCapabilities(xml.get());
        unsigned long version = 0;
        if (virConnectGetLibVersion(usable.get(), &version) == 0) {
            info.libvirtVersion = versionText(version);
        }
        if (virConnectGetVersion(usable.get(), &version) == 0 && version != 0) {
            info.hypervisorVersion = versionText(version);
        }
        return info;
    });
}

} // namespace coldframe::vm
