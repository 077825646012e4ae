// SPDX-License-Identifier: Apache-2.0
#include "sync/session_worker.h"

#include "base/file.h"
#include "base/log.h"
#include "sync/git_config.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::sync {

using namespace std::chrono_literals;

namespace {

constexpr auto kQuiet = 25ms;          ///< changes are gathered until it is this quiet …
constexpr auto kLongestGathering = 200ms; ///< … but no longer than this
constexpr auto kLossWindow = 60s;      ///< deletions within it count together
constexpr auto kSaveAfter = 1000ms;
constexpr auto kFullEvery = 60s;       ///< writes through memory maps raise no events
constexpr auto kPollWithoutWatches = 1000ms;
constexpr auto kRootEvery = 2000ms;    ///< a folder above the root may be moved or unmounted without an event

} // namespace

Session::Worker::Worker(Shared& shared, int fd, GuestIdentity guest)
    : m_shared(shared), m_guest(std::move(guest)),
      m_remote(fd, {shared.options.limits.maxEntries, shared.options.limits.maxFileBytes}, shared.options.idleLimit)
{
}

bool Session::Worker::isStopping() const
{
    const std::lock_guard guard(m_shared.mutex);
    return m_shared.stopping;
}

Result<void> Session::Worker::openRoot()
{
    ReplicaOptions options;
    options.root = m_shared.options.root;
    options.stagingFolder = m_shared.options.stateFolder / "staging";
    options.trash = m_shared.trash.get();
    options.scan.maxEntries = m_shared.options.limits.maxEntries;
    options.scan.maxFileBytes = m_shared.options.limits.maxFileBytes;
    options.scan.needsContent = &HostContent::needsContent;
    options.scan.present = [content = HostContent{m_shared.options.isStoredKey}](
                               std::string_view path, bool inGit, std::string_view bytes, const Entry& plain) {
        return content.present(path, inGit, bytes, plain);
    };
    options.scan.cancelled = [this] { return isStopping(); };
    COLDFRAME_TRY(m_host, Replica::open(std::move(options)));
    return {};
}

void Session::Worker::loadState()
{
    auto loaded = loadAncestor(ancestorFile());
    m_mode = ReconcileMode::Merge;
    if (loaded && loaded->guestDiskId == m_guest.diskId) {
        if (loaded->seeding) {
            m_mode = ReconcileMode::Seed;
        } else if (loaded->generation == m_guest.generation) {
            m_mode = ReconcileMode::TwoWaySafe;
        }
        m_ancestor = std::move(*loaded);
    } else {
        const Ancestor old = loaded ? std::move(*loaded) : Ancestor{};
        m_ancestor = {};
        m_ancestor.tree.entry.kind = Kind::Directory;
        m_ancestor.rootDevice = old.rootDevice;
        m_ancestor.rootInode = old.rootInode;
        m_ancestor.rootHadEntries = old.rootHadEntries;
    }
    m_complete = m_mode == ReconcileMode::TwoWaySafe;
}

Result<void> Session::Worker::run()
{
    m_firstCycle = true;
    m_lastFull = Clock::now();
    report(SyncState::Scanning);
    loadState();
    m_remote.useSeedDisk(m_shared.options.seedDisk);
    COLDFRAME_CHECK(m_remote.handshake());
    for (;;) {
        if (isStopping()) {
            return {};
        }
        takeRequests();
        m_again = false;
        const auto done = cycle();
        if (!done) {
            const ErrorCode code = done.error().code;
            if (code == ErrorCode::Closed || code == ErrorCode::Protocol || code == ErrorCode::Timeout ||
                code == ErrorCode::Cancelled) {
                return done;
            }
            pause(code == ErrorCode::NotAllowed ? PauseKind::TooLarge : PauseKind::Error, done.error().message);
        }
        m_retries = m_again ? m_retries + 1 : 0;
        settle();
        COLDFRAME_CHECK(wait());
    }
}

/// After a cycle: says how things stand, answers flushes.
void Session::Worker::settle()
{
    m_entriesToGo = m_again ? std::max<std::uint64_t>(m_entriesToGo, 1) : 0;
    m_bytesToGo = 0;
    if (m_pause != PauseKind::None) {
        report(SyncState::Paused);
    } else if (m_again) {
        report(SyncState::Syncing);
    } else if (!m_conflicts.empty()) {
        report(SyncState::Conflicts);
    } else if (!m_held.empty()) {
        report(SyncState::Held);
    } else {
        report(SyncState::InStep);
    }
    if (m_pause == PauseKind::None && !m_again) {
        {
            const std::lock_guard guard(m_shared.mutex);
            m_shared.flushDone = std::max(m_shared.flushDone, m_flushTaken);
        }
        m_shared.changed.notify_all();
    }
}

void Session::Worker::takeRequests()
{
    std::uint64_t count = 0;
    (void)!::read(m_shared.wake.get(), &count, sizeof count);
    std::optional<Accept> accept;
    std::deque<ResolveRequest> resolves;
    {
        const std::lock_guard guard(m_shared.mutex);
        m_flushTaken = m_shared.flushWanted;
        accept = std::exchange(m_shared.accept, std::nullopt);
        resolves.swap(m_shared.resolves);
    }
    if (accept == Accept::Deletions) {
        m_deletionsAccepted = true;
        m_pause = PauseKind::None;
    } else if (accept == Accept::Root) {
        // Another folder is another history: everything is merged, nothing deleted.
        m_host.reset();
        m_ancestor.tree.children.clear();
        m_ancestor.rootDevice = m_ancestor.rootInode = 0;
        m_ancestor.rootHadEntries = false;
        m_mode = ReconcileMode::Merge;
        m_dirtyAncestor = true;
        m_pause = PauseKind::None;
    }
    for (const ResolveRequest& request : resolves) {
        // The losing side becomes the ancestor, so the other side's state is the only change.
        const Node& loser = request.resolution == Resolution::KeepHost || !m_host ? m_remote.tree()
                                                                                 : m_host->scanner().tree();
        const bool isConflict = std::any_of(m_conflicts.begin(), m_conflicts.end(), [&](const Note& note) {
            return isBeneath(note.path, request.path);
        });
        const Node* node = findNode(loser, request.path);
        if (!isConflict || node == nullptr || !setNode(m_ancestor.tree, request.path, node->entry)) {
            continue;
        }
        findNode(m_ancestor.tree, request.path)->children = node->children;
        m_mode = ReconcileMode::TwoWaySafe;
    }
}

Result<void> Session::Worker::wait()
{
    const auto began = Clock::now();
    for (;;) {
        if (isStopping()) {
            return fail(ErrorCode::Cancelled, "Stopped.");
        }
        const bool hostWatched = m_host && m_host->scanner().isWatching();
        auto until = m_lastFull + kFullEvery;
        if (m_again) {
            until = std::min(until, began + std::min(50ms * (1 << std::min(m_retries, 5u)), 2000ms));
        }
        if (m_pause != PauseKind::None || !hostWatched || !m_remote.isWatching()) {
            until = std::min(until, began + kPollWithoutWatches + (m_host ? 5 * m_host->scanner().lastFullScan() : 0ms));
        }
        if (m_dirtyAncestor) {
            until = std::min(until, m_lastCycle + kSaveAfter);
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
        pollfd entries[3] = {{m_shared.wake.get(), POLLIN, 0},
                             {m_remote.fd(), POLLIN, 0},
                             {m_host ? m_host->scanner().watchFd() : -1, POLLIN, 0}};
        const bool buffered = m_remote.hasInput();
        const int ready = ::poll(entries, 3, buffered ? 0 : static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, kRootEvery.count())));
        if (m_pause == PauseKind::None && !isRootInPlace()) {
            return {};
        }
        if (entries[0].revents != 0) {
            return {};
        }
        if (buffered || entries[1].revents != 0) {
            COLDFRAME_TRY(const bool changed, m_remote.takeChanged());
            if (changed) {
                return debounce();
            }
        }
        if (ready > 0 && entries[2].revents != 0 && m_host->scanner().hasChanges()) {
            return debounce();
        }
        const auto now = Clock::now();
        if (now < until) {
            continue;
        }
        if (m_dirtyAncestor && now >= m_lastCycle + kSaveAfter && !m_again) {
            COLDFRAME_CHECK(persist(false));
            continue;
        }
        if (now >= m_lastFull + kFullEvery) {
            m_lastFull = now; // also when the cycle cannot scan, so that this does not spin
            m_fullNext = true;
        }
        if (!hostWatched || !m_remote.isWatching()) {
            m_fullNext = true;
        }
        return {};
    }
}

Result<void> Session::Worker::debounce()
{
    const auto began = Clock::now();
    auto lastChange = began;
    while (Clock::now() - lastChange < kQuiet && Clock::now() - began < kLongestGathering) {
        pollfd entries[2] = {{m_shared.wake.get(), POLLIN, 0}, {m_host ? m_host->scanner().watchFd() : -1, POLLIN, 0}};
        ::poll(entries, 2, static_cast<int>(kQuiet.count()));
        if (entries[0].revents != 0) {
            break;
        }
        if (entries[1].revents != 0) {
            m_host->scanner().hasChanges();
            lastChange = Clock::now();
        }
    }
    return {};
}

void Session::Worker::pause(PauseKind kind, std::string reason)
{
    if (m_pause != kind) {
        logWarning("sync", "paused: " + reason);
    }
    m_pause = kind;
    m_pauseReason = std::move(reason);
}

bool Session::Worker::isRootInPlace() const
{
    struct stat now {};
    struct stat own {};
    return m_host && ::lstat(m_shared.options.root.c_str(), &now) == 0 && ::fstat(m_host->root(), &own) == 0 &&
           now.st_ino == own.st_ino && now.st_dev == own.st_dev;
}

/// The root must be the folder it was. False after a pause.
bool Session::Worker::checkRoot()
{
    struct stat info {};
    const std::string name = escapeForDisplay(m_shared.options.root.native(), 300);
    if (::lstat(m_shared.options.root.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        pause(PauseKind::RootGone, "The folder " + name + " is gone. Put it back, or remove the sandbox; nothing was "
                                   "changed in the sandbox.");
        return false;
    }
    if (m_ancestor.rootInode != 0 && m_ancestor.rootInode != info.st_ino) {
        pause(PauseKind::RootReplaced, "The folder " + name + " was replaced by another one. Accept it to merge both; "
                                       "nothing was changed in the sandbox.");
        return false;
    }
    if (m_host) {
        struct stat own {};
        if (::fstat(m_host->root(), &own) != 0 || own.st_ino != info.st_ino || own.st_dev != info.st_dev) {
            pause(PauseKind::RootReplaced, "The folder " + name + " was replaced by another one. Accept it to merge "
                                           "both; nothing was changed in the sandbox.");
            return false;
        }
    }
    if (m_pause == PauseKind::RootGone || m_pause == PauseKind::RootReplaced) {
        m_pause = PauseKind::None; // it is back
    }
    m_ancestor.rootDevice = info.st_dev;
    m_ancestor.rootInode = info.st_ino;
    return true;
}

Result<bool> Session::Worker::scanBoth()
{
    if (!checkRoot()) {
        return false;
    }
    if (!m_host) {
        COLDFRAME_CHECK(openRoot());
        m_fullNext = true;
    }
    const bool full = std::exchange(m_fullNext, false) || m_firstCycle;
    m_lastFull = full ? Clock::now() : m_lastFull;
    COLDFRAME_CHECK(m_remote.requestScan(full));
    const auto host = m_host->scanner().scan(full);
    COLDFRAME_CHECK(m_remote.finishScan());
    if (!host) {
        return tl::unexpected(host.error());
    }
    m_again = m_again || m_host->scanner().hasUnsettled() || m_remote.hasUnsettled();
    return checkRoot();
}

/// Whether the removals this plan brings are believable. False after a pause.
bool Session::Worker::checkDeletions(const Plan& plan)
{
    const Node& host = m_host->scanner().tree();
    if (std::exchange(m_deletionsAccepted, false)) {
        m_pause = PauseKind::None;
        m_recentLosses.clear();
        return true;
    }
    if (host.children.empty() && !plan.guestOperations.empty() &&
        (m_ancestor.rootHadEntries || !m_ancestor.tree.children.empty())) {
        pause(PauseKind::RootEmptied, "The folder on the host was emptied. Accept this to empty the sandbox's copy too.");
        return false;
    }
    const std::size_t now = countLostFiles(plan.hostOperations);
    const SyncLimits& limits = m_shared.options.limits;
    // A long deletion arrives in pieces, each of them small; what counts is all of it.
    while (!m_recentLosses.empty() && Clock::now() - m_recentLosses.front().first > kLossWindow) {
        m_recentLosses.pop_front();
    }
    std::size_t before = 0;
    for (const auto& [time, count] : m_recentLosses) {
        before += count;
    }
    const std::size_t remaining = now == 0 ? 0 : countFiles(host);
    const std::size_t lost = now == 0 ? 0 : before + now;
    const std::size_t all = before + remaining;
    const bool everything = lost >= 2 && now == remaining;
    if (everything || (lost > limits.massDeletionFiles && lost * 100 > all * limits.massDeletionPercent)) {
        pause(PauseKind::MassDeletion, "The sandbox deleted " + std::to_string(lost) + " of " + std::to_string(all) +
                                           " files. Accept this to delete them on the host too (they go to the trash).");
        return false;
    }
    m_pause = PauseKind::None;
    if (now > 0) {
        m_recentLosses.emplace_back(Clock::now(), now);
    }
    return true;
}

Result<void> Session::Worker::cycle()
{
    COLDFRAME_TRY(const bool ready, scanBoth());
    if (!ready) {
        return {};
    }
    m_lastCycle = Clock::now();
    const Node& host = m_host->scanner().tree();
    if (m_firstCycle) {
        m_firstCycle = false;
        if (m_ancestor.guestDiskId != m_guest.diskId && m_remote.tree().children.empty()) {
            // From here until the first copy is whole, an interruption cannot be mistaken for the guest's edits.
            m_ancestor.seeding = true;
            m_mode = ReconcileMode::Seed;
        }
        m_ancestor.guestDiskId = m_guest.diskId;
        if (m_mode == ReconcileMode::Seed && m_ancestor.rootHadEntries && host.children.empty()) {
            m_ancestor.rootHadEntries = false; // a new disk: nothing in it to protect from an empty folder
        }
        if (m_mode == ReconcileMode::Seed) {
            m_ancestor.generation = m_guest.generation;
            COLDFRAME_CHECK(saveAncestor(ancestorFile(), m_ancestor));
        }
    }
    Plan plan = reconcile(m_ancestor.tree, host, m_remote.tree(), m_mode);
    m_conflicts = plan.conflicts;
    m_held.clear();
    m_problems.clear();
    m_failedRepositories.clear();
    m_failedPaths.clear();
    collectProblems("", host, "On the host: ");
    collectProblems("", m_remote.tree(), "In the sandbox: ");
    m_problems.insert(m_problems.end(), plan.waiting.begin(), plan.waiting.end());
    if (m_shared.options.readOnly) {
        for (const Operation& operation : plan.hostOperations) {
            m_held.push_back({operation.path, "This workspace is read-only; the sandbox's change stays there."});
        }
        plan.hostOperations.clear();
    }
    std::vector<std::string> extra;
    const auto config = openBeneath(m_host->root(), ".git/config", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    std::string text(plan.hostOperations.empty() || !config ? 0 : 1 << 20, '\0');
    if (!text.empty()) {
        const ssize_t got = ::read(config->get(), text.data(), text.size());
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        extra = pathsNamedByGit(text, m_shared.options.root.native(),
                                [&](const std::string& path) { return findNode(host, path) != nullptr; });
    }
    GuardOutcome guarded = applyGuards(plan, host, extra);
    m_held.insert(m_held.end(), guarded.held.begin(), guarded.held.end());
    m_problems.insert(m_problems.end(), guarded.problems.begin(), guarded.problems.end());
    if (!checkDeletions(plan)) {
        return {};
    }
    for (const Record& record : plan.ancestorChanges) {
        remember(record.path, record.entry);
    }
    orderForGit(plan.hostOperations);
    orderForGit(plan.guestOperations);
    m_entriesToGo = plan.guestOperations.size() + plan.hostOperations.size();
    for (const auto* operations : {&plan.guestOperations, &plan.hostOperations}) {
        for (const Operation& operation : *operations) {
            m_bytesToGo += Replica::bringsContent(operation) ? operation.after.size : 0;
        }
    }
    const bool hadWork = m_entriesToGo > 0;
    COLDFRAME_CHECK(applyToGuest(plan.guestOperations));
    // Until the guest has everything, nothing comes back from it.
    if (!m_complete && !m_again) {
        m_complete = true;
        report(SyncState::Syncing);
    }
    if (m_complete) {
        COLDFRAME_CHECK(applyToHost(plan.hostOperations));
    }
    m_again = m_again || !plan.waiting.empty();
    const bool rootHasEntries = !host.children.empty();
    if (rootHasEntries != m_ancestor.rootHadEntries) {
        m_ancestor.rootHadEntries = rootHasEntries;
        m_dirtyAncestor = true;
    }
    if (m_complete && m_mode != ReconcileMode::TwoWaySafe) {
        // The merge is done: what both agree on is the ancestor; conflicts have none and so stay conflicts.
        for (const Note& conflict : m_conflicts) {
            removeNode(m_ancestor.tree, conflict.path);
        }
        m_mode = ReconcileMode::TwoWaySafe;
        m_ancestor.seeding = false;
        m_ancestor.generation = m_guest.generation;
        m_dirtyAncestor = true;
    }
    bool flushWaits = false;
    {
        const std::lock_guard guard(m_shared.mutex);
        flushWaits = m_flushTaken > m_shared.flushDone;
    }
    if (hadWork) {
        // A second look finds what arrived meanwhile and confirms the rest cheaply.
        m_lastCycle = Clock::now();
    }
    if (flushWaits && !m_again && m_pause == PauseKind::None) {
        COLDFRAME_CHECK(persist(true));
    }
    return {};
}

Result<void> Session::Worker::persist(bool force)
{
    if (!m_dirtyAncestor && !force) {
        return {};
    }
    if (!force && m_saving.valid() && m_saving.wait_for(0s) != std::future_status::ready) {
        m_lastCycle = Clock::now(); // the last one is still on its way to a busy disk
        return {};
    }
    // The ancestor may only claim what both disks hold for certain.
    COLDFRAME_CHECK(m_remote.flush());
    if (m_saving.valid()) {
        COLDFRAME_CHECK(m_saving.get());
    }
    if (m_dirtyAncestor && m_mode == ReconcileMode::TwoWaySafe && m_host) {
        UniqueFd root(::fcntl(m_host->root(), F_DUPFD_CLOEXEC, 0));
        // On a thread of its own: a busy host disk must not hold up what happens next in the workspace.
        m_saving = std::async(std::launch::async,
                              [file = ancestorFile(), data = encodeAncestor(m_ancestor), root = std::move(root)] {
                                  ::syncfs(root.get());
                                  return saveEncodedAncestor(file, data);
                              });
        if (force) {
            COLDFRAME_CHECK(m_saving.get());
        }
    }
    m_dirtyAncestor = false;
    return {};
}

void Session::Worker::remember(const std::string& path, const Entry& entry)
{
    if (entry.kind == Kind::None) {
        removeNode(m_ancestor.tree, path);
    } else {
        setNode(m_ancestor.tree, path, entry);
    }
    m_dirtyAncestor = true;
}

void Session::Worker::collectProblems(const std::string& path, const Node& node, std::string_view side)
{
    for (const auto& [name, child] : node.children) {
        const bool isWithheld = child.entry.kind == Kind::Untracked && child.entry.text.starts_with("Kept out");
        if (child.entry.kind == Kind::Problem || isWithheld) {
            if (m_problems.size() < kMaxNotes) {
                m_problems.push_back({joinPath(path, name), std::string(side) + escapeForDisplay(child.entry.text, 300)});
            }
        } else if (!child.children.empty()) {
            collectProblems(joinPath(path, name), child, side);
        }
    }
}

void Session::Worker::report(SyncState state)
{
    SyncStatus next;
    const auto cut = [](const std::vector<Note>& notes) {
        return std::vector<Note>(notes.begin(), notes.begin() + static_cast<std::ptrdiff_t>(std::min(notes.size(), kMaxNotes)));
    };
    next.state = state;
    next.entriesToGo = m_entriesToGo;
    next.bytesToGo = m_bytesToGo;
    next.bytesBySeedDisk = m_remote.bytesBySeedDisk();
    next.problems = cut(m_problems);
    next.conflicts = cut(m_conflicts);
    next.held = cut(m_held);
    next.conflictCount = m_conflicts.size();
    next.heldCount = m_held.size();
    next.pause = m_pause;
    next.pauseReason = m_pause == PauseKind::None ? std::string() : m_pauseReason;
    next.workspaceComplete = m_complete;
    switch (state) {
    case SyncState::Paused: next.text = m_pauseReason; break;
    case SyncState::Syncing: next.text = std::to_string(m_entriesToGo) + " to go"; break;
    case SyncState::Conflicts: next.text = std::to_string(m_conflicts.size()) + " conflicts"; break;
    case SyncState::Held: next.text = std::to_string(m_held.size()) + " held for review"; break;
    case SyncState::InStep: next.text = "In step"; break;
    case SyncState::Scanning: next.text = "Scanning"; break;
    case SyncState::Offline: next.text = "Offline"; break;
    }
    m_lastReport = Clock::now();
    {
        const std::lock_guard guard(m_shared.mutex);
        if (m_shared.accept) {
            return; // the pause has been answered; the next cycle says what became of it
        }
    }
    m_shared.publish(std::move(next));
}

} // namespace coldframe::sync
