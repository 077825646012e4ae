// SPDX-License-Identifier: Apache-2.0
#include "engine/registry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/blocking.h"
#include "engine/certificate_authority.h"
#include "engine/deadline.h"
#include "engine/warm_start.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

namespace coldframe::engine {

using namespace std::chrono_literals;

namespace {

std::string makeUuid()
{
    std::string hex = randomHex(16);
    hex[12] = '4'; // RFC 4122, 4.4: random
    hex[16] = '8';
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" + hex.substr(20);
}

/// The engine may have ended in the middle of something. What is on disk is whole; the rest is done again.
void repairState(const RecordStore& store, SandboxRecord& record)
{
    const bool wasFrozen = !record.pausedDisk.empty();
    if (record.state == SandboxState::Pausing) {
        record.problem = "Coldframe ended while it was being paused; what ran in it is lost.";
        record.state = SandboxState::Stopped;
    } else if (wasFrozen) {
        record.state = store.hasMemory(record) ? SandboxState::Paused : SandboxState::Stopped;
        record.problem = record.state == SandboxState::Paused ? record.problem : "It ended while it came back from a pause; what ran in it is lost.";
    } else if (!isAtRest(record.state) || record.state == SandboxState::Paused) {
        record.state = SandboxState::Stopped;
        record.problem.clear();
    }
}

} // namespace

asio::awaitable<void> Registry::load()
{
    for (SandboxRecord& record : m_parts.store.loadAll(m_problems)) {
        repairState(m_parts.store, record);
        const std::string id = record.id;
        m_sandboxes[id] = std::make_shared<Sandbox>(m_parts, std::move(record));
    }
    for (const std::string& problem : m_problems) {
        logWarning("engine", problem);
    }
    if (m_problems.empty()) {
        m_parts.snapshots.repair(pinnedSnapshots());
        pruneSnapshots();
    }
    auto listDomains = [&hypervisor = m_parts.hypervisor] { return hypervisor.domains(); };
    Result<std::vector<vm::Domain>> domains =
        co_await onPool(m_parts.pool, std::move(listDomains));
    if (!domains) {
        logWarning("engine", domains.error().message + " " + domains.error().detail);
        m_loaded = true;
        co_return;
    }
    std::set<std::string> alive;
    for (const vm::Domain& domain : *domains) {
        const auto found = m_sandboxes.find(domain.sandboxId);
        // Paused: the engine ended before it let the guest's first instruction run, and nobody read its console.
        if (found == m_sandboxes.end() || found->second->record().generation != domain.generation ||
            domain.state == vm::DomainState::Paused || found->second->record().isBuilder) {
            logWarning("engine", "ending a microVM that belongs to no running sandbox: " + domain.sandboxId);
            const std::string id = domain.sandboxId;
            auto endVm = [&hypervisor = m_parts.hypervisor, id] { return hypervisor.destroy(id); };
            (void)co_await onPool(m_parts.pool, std::move(endVm));
            continue;
        }
        alive.insert(domain.sandboxId);
        asio::co_spawn(m_parts.io, takeOver(found->second, domain.state == vm::DomainState::Stalled), asio::detached);
    }
    for (const std::shared_ptr<Sandbox>& sandbox : all()) {
        if (!alive.contains(sandbox->record().id)) {
            sandbox->clearSockets(); // of a microVM that ended with the engine, or while there was none
            co_await dropProvisional(sandbox);
        }
    }
    m_loaded = true;
    const Steps quietly;
    const vm::AccelerationDecision decision = co_await m_parts.acceleration();
    if (auto made = co_await m_parts.warmStart.ensureUsual(m_parts.images, decision.acceleration, quietly); !made) {
        logInfo("template", made.error().message + " " + made.error().detail);
    }
}

asio::awaitable<void> Registry::takeOver(std::shared_ptr<Sandbox> sandbox, bool isStalled)
{
    co_await sandbox->adopt(isStalled);
    if (sandbox->state() == SandboxState::Failed) {
        co_await dropProvisional(sandbox);
    }
}

asio::awaitable<void> Registry::dropProvisional(std::shared_ptr<Sandbox> sandbox)
{
    if (sandbox->record().provisional || sandbox->record().isBuilder) {
        const Steps quietly;
        if (co_await sandbox->remove(quietly, true)) {
            forget(sandbox->record().id);
        }
    }
}

asio::awaitable<void> Registry::waitLoaded(std::chrono::milliseconds within)
{
    const auto end = std::chrono::steady_clock::now() + within;
    while (!m_loaded && std::chrono::steady_clock::now() < end) {
        co_await pause(20ms);
    }
}

Result<std::shared_ptr<Sandbox>> Registry::find(const std::string& nameOrId) const
{
    std::shared_ptr<Sandbox> match;
    for (const auto& [id, sandbox] : m_sandboxes) {
        if (id == nameOrId || sandbox->record().name == nameOrId) {
            return sandbox;
        }
        if (nameOrId.size() >= 4 && id.starts_with(nameOrId)) {
            if (match) {
                return fail(ErrorCode::InvalidArgument,
                            "Several sandboxes have ids that begin with " + escapeForDisplay(nameOrId, 80) + ". Give more of it.");
            }
            match = sandbox;
        }
    }
    if (!match) {
        return fail(ErrorCode::NotFound,
                    "There is no sandbox named " + escapeForDisplay(nameOrId, 80) + ". See all of them with: coldframe ls");
    }
    return match;
}

std::vector<std::shared_ptr<Sandbox>> Registry::all() const
{
    std::vector<std::shared_ptr<Sandbox>> list;
    for (const auto& [id, sandbox] : m_sandboxes) {
        list.push_back(sandbox);
    }
    std::sort(list.begin(), list.end(),
              [](const auto& a, const auto& b) { return a->record().createdAt < b->record().createdAt; });
    return list;
}

Result<std::shared_ptr<Sandbox>> Registry::create(const CreateRequest& request, const vm::AccelerationDecision& acceleration)
{
    COLDFRAME_TRY(std::string agent, m_parts.agents.canonicalName(request.agent));
    const char* home = std::getenv("HOME");
    COLDFRAME_TRY(std::vector<Workspace> workspaces, checkWorkspaces(request.workspaces, home ? home : "/"));
    COLDFRAME_CHECK(limitsChangeFrom({{"cpus", request.cpus}, {"memoryMiB", request.memoryMiB}, {"diskGiB", request.diskGiB}}));
    COLDFRAME_TRY(policy::ModeAndRules network, policy::fromFlags(request.network));
    if (!request.image.empty() && !request.fromTemplate.empty()) {
        return fail(ErrorCode::InvalidArgument, "A template has its image already: give either --template or --image.");
    }
    std::string ownImage;
    if (!request.image.empty()) {
        COLDFRAME_TRY(ownImage, m_parts.ownImages.idOf(request.image));
        COLDFRAME_CHECK(checkImageFits(agent, request.image, ownImage));
    }
    if (acceleration.acceleration == vm::Acceleration::Emulate && !request.consentEmulation &&
        !m_parts.settings.consentToEmulation) {
        return fail(ErrorCode::NotAllowed,
                    "Hardware virtualisation is not available (" + acceleration.reason +
                        ") and emulation is slower and a weaker boundary. To use it all the same, answer yes when asked, or: "
                        "coldframe settings set consentToEmulation=true");
    }
    std::optional<Snapshot> origin;
    if (!request.fromTemplate.empty()) {
        COLDFRAME_TRY(origin, m_parts.snapshots.find(request.fromTemplate));
    }
    if (!request.name.empty()) {
        COLDFRAME_CHECK(checkFreeName(request.name));
    }
    std::vector<std::string> taken;
    for (const auto& [id, sandbox] : m_sandboxes) {
        taken.push_back(sandbox->record().name);
    }
    SandboxRecord record;
    record.id = randomHex(8);
    record.agent = agent;
    record.workspaces = std::move(workspaces);
    const std::filesystem::path first = record.workspaces.empty() ? std::filesystem::path("sandbox") : record.workspaces[0].path;
    record.name = request.name.empty() ? defaultSandboxName(agent, first, taken) : request.name;
    COLDFRAME_CHECK(checkSandboxName(record.name));
    record.uuid = makeUuid();
    record.agentArguments = request.agentArguments;
    record.cpus = request.cpus;
    record.memoryMiB = request.memoryMiB;
    record.diskGiB = request.diskGiB;
    record.processes = request.more.processes.value_or(0);
    record.openFiles = request.more.openFiles.value_or(0);
    record.isService = request.more.isService.value_or(false);
    record.whenIdle = request.more.whenIdle.value_or("");
    record.idleMinutes = request.more.idleMinutes.value_or(0);
    record.dockerAtStart = request.more.dockerAtStart.value_or(std::nullopt);
    if (origin) {
        record.imageId = origin->imageId;
        record.templateId = origin->templateId;
        record.agentLayer = origin->agent == agent ? origin->agentLayer : std::string();
        record.snapshotId = origin->id;
        record.originSnapshot = origin->id;
        record.diskGiB = std::max(record.diskGiB, origin->diskGiB);
    }
    record.mode = network.mode;
    record.rules = std::move(network.rules);
    record.provisional = request.provisional;
    record.isBuilder = request.isBuilder;
    record.ownImage = std::move(ownImage);
    record.createdAt = formatUtc(utcNow());
    record.sentinels = m_parts.agents.newSentinels();
    record.state = SandboxState::Stopped;
    const bool noFlags = request.network.allow.empty() && request.network.deny.empty() && request.network.policy.empty();
    if (noFlags) {
        COLDFRAME_TRY(record.mode, policy::modeFromName(m_parts.settings.defaultMode));
    }
    COLDFRAME_CHECK(m_parts.store.save(record));
    const auto sandbox = std::make_shared<Sandbox>(m_parts, std::move(record));
    m_sandboxes[sandbox->record().id] = sandbox;
    m_parts.emitEvent({{"type", "sandbox.changed"}, {"sandbox", sandbox->describe()}});
    return sandbox;
}

Result<void> Registry::checkImageFits(const std::string& agent, const std::string& name, const std::string& id) const
{
    COLDFRAME_TRY(const image::OwnImage image, m_parts.ownImages.described(id));
    const nlohmann::json guest = image.facts.value("guest", nlohmann::json::object());
    const nlohmann::json libc = guest.is_object() ? guest.value("libc", nlohmann::json("glibc")) : nlohmann::json("glibc");
    if (agent != "shell" && libc != "glibc") {
        return fail(ErrorCode::Unavailable, "The agent " + agent + " needs the GNU C library, and the image " + escapeForDisplay(name, 80) +
                                                " has none. Take an image of Debian, Ubuntu or Fedora, or the agent “shell”.");
    }
    return {};
}

Result<void> Registry::checkFreeName(const std::string& name) const
{
    COLDFRAME_CHECK(checkSandboxName(name));
    for (const auto& [id, sandbox] : m_sandboxes) {
        if (sandbox->record().name == name) {
            return fail(ErrorCode::AlreadyExists, "A sandbox named " + name + " exists already. Use it with: coldframe run " + name +
                                                      " - or give another --name.");
        }
    }
    return {};
}

asio::awaitable<Result<std::shared_ptr<Sandbox>>> Registry::addFork(std::shared_ptr<Sandbox> parent, Snapshot snapshot, std::string name,
                                                                   std::vector<Workspace> workspaces)
{
    if (auto isFree = checkFreeName(name); !isFree) {
        co_return tl::unexpected(isFree.error());
    }
    SandboxRecord record = parent->forkRecord(snapshot);
    record.id = randomHex(8);
    record.uuid = makeUuid();
    record.name = std::move(name);
    record.workspaces = std::move(workspaces);
    const std::string id = record.id;
    Result<void> done = m_parts.store.save(record);
    const auto fork = std::make_shared<Sandbox>(m_parts, std::move(record));
    fork->inheritRun(*parent);
    if (done) {
        // Programs that run on in its memory trust their parent's authority, and no other.
        done = copyCertificateAuthority(m_parts.store.folderOf(parent->record().id), m_parts.store.folderOf(id));
    }
    if (done) {
        done = co_await fork->standOn(snapshot, true);
    }
    if (!done) {
        (void)m_parts.store.remove(id);
        co_return tl::unexpected(done.error());
    }
    m_sandboxes[id] = fork;
    m_parts.emitEvent({{"type", "sandbox.changed"}, {"sandbox", fork->describe()}});
    co_return fork;
}

std::set<std::string> Registry::pinnedSnapshots() const
{
    std::set<std::string> pinned;
    for (const auto& [id, sandbox] : m_sandboxes) {
        const SandboxRecord& record = sandbox->record();
        pinned.insert({record.snapshotId, record.originSnapshot, record.previousDisk.snapshotId});
    }
    return pinned;
}

std::uintmax_t Registry::pruneSnapshots() const
{
    // A record that cannot be read may stand on any of them.
    return m_problems.empty() ? m_parts.snapshots.prune(pinnedSnapshots()) : 0;
}

std::vector<Snapshot> Registry::unusedSnapshots() const
{
    return m_problems.empty() ? m_parts.snapshots.unused(pinnedSnapshots()) : std::vector<Snapshot>();
}

bool Registry::anyActive() const
{
    return std::any_of(m_sandboxes.begin(), m_sandboxes.end(), [](const auto& entry) {
        return !isAtRest(entry.second->state());
    });
}

bool Registry::isMakingTemplate() const { return m_parts.warmStart.isMaking(); }

void Registry::onDomainEvent(const vm::DomainEvent& event)
{
    const auto found = m_sandboxes.find(event.sandboxId);
    if (event.kind == vm::DomainEvent::Kind::Started && m_loaded && found != m_sandboxes.end()) {
        // libvirt was not there when the running microVMs were looked for.
        const SandboxState state = found->second->state();
        if (isAtRest(state) && event.generation == found->second->record().generation) {
            asio::co_spawn(m_parts.io, takeOver(found->second, false), asio::detached);
        }
    }
    // An event of an earlier start that arrives late says nothing of the present one.
    if (found == m_sandboxes.end() || (!event.generation.empty() && event.generation != found->second->record().generation)) {
        return;
    }
    switch (event.kind) {
    case vm::DomainEvent::Kind::Stopped: found->second->onVmGone(event.reason, event.text); break;
    case vm::DomainEvent::Kind::Stalled: found->second->onVmStalled(); break;
    case vm::DomainEvent::Kind::GoesOn: found->second->onVmGoesOn(); break;
    default: break;
    }
}

} // namespace coldframe::engine
