// SPDX-License-Identifier: Apache-2.0
#include "sync/session.h"

#include "base/file.h"
#include "base/log.h"
#include "sync/session_worker.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>

namespace coldframe::sync {

std::string_view syncStateName(SyncState state)
{
    switch (state) {
    case SyncState::Offline: return "offline";
    case SyncState::Scanning: return "scanning";
    case SyncState::Syncing: return "syncing";
    case SyncState::InStep: return "in-step";
    case SyncState::Held: return "held";
    case SyncState::Conflicts: return "conflicts";
    case SyncState::Paused: return "paused";
    }
    return "offline";
}

void Session::Shared::notify()
{
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
}

void Session::Shared::publish(SyncStatus next)
{
    {
        const std::lock_guard guard(mutex);
        if (next == status) {
            return;
        }
        status = next;
    }
    changed.notify_all();
    if (options.onStatus) {
        options.onStatus(next);
    }
}

Session::Session(SessionOptions options, UniqueFd lock, std::unique_ptr<Trash> trash)
    : m_shared(std::make_unique<Shared>())
{
    m_shared->options = std::move(options);
    m_shared->lock = std::move(lock);
    m_shared->trash = std::move(trash);
    m_shared->wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    m_shared->status.text = "Offline";
}

Session::~Session() { stop(); }

Result<std::unique_ptr<Session>> Session::open(SessionOptions options)
{
    COLDFRAME_CHECK(makeFolders(options.stateFolder));
    const auto lockPath = options.stateFolder / "lock";
    UniqueFd lock(::open(lockPath.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
        return failErrno("Cannot open the sync state of " + options.root.string() + ".", errno);
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::Busy, "The workspace " + options.root.string() + " is already being kept in step.");
    }
    COLDFRAME_TRY(auto trash, Trash::open(options.trashFolder, options.limits.maxTrashBytes));
    return std::unique_ptr<Session>(new Session(std::move(options), std::move(lock), std::move(trash)));
}

void Session::start(UniqueFd fd, GuestIdentity guest)
{
    stop();
    Shared& shared = *m_shared;
    const std::lock_guard guard(shared.mutex);
    shared.stopping = false;
    shared.running = true;
    shared.fd = fd.get();
    shared.thread = std::thread([&shared, stream = std::move(fd), identity = std::move(guest)]() mutable {
        std::string reason = "Offline";
        topCatchAll("sync", [&] {
            Worker worker(shared, stream.get(), std::move(identity));
            const auto ended = worker.run();
            if (!ended && ended.error().code != ErrorCode::Closed && ended.error().code != ErrorCode::Cancelled) {
                logWarning("sync", ended.error().message + " " + ended.error().detail);
                reason = ended.error().message;
            }
        });
        SyncStatus last;
        {
            const std::lock_guard inner(shared.mutex);
            shared.running = false;
            shared.fd = -1;
            last = shared.status;
        }
        last.state = SyncState::Offline;
        last.text = reason;
        shared.publish(std::move(last));
        shared.changed.notify_all();
    });
}

void Session::stop()
{
    Shared& shared = *m_shared;
    std::thread thread;
    {
        const std::lock_guard guard(shared.mutex);
        shared.stopping = true;
        if (shared.fd >= 0) {
            ::shutdown(shared.fd, SHUT_RDWR);
        }
        thread = std::move(shared.thread);
    }
    shared.notify();
    if (thread.joinable()) {
        thread.join();
    }
}

Result<void> Session::flush(std::chrono::milliseconds deadline)
{
    Shared& shared = *m_shared;
    const auto until = std::chrono::steady_clock::now() + deadline;
    std::unique_lock guard(shared.mutex);
    const std::uint64_t wanted = ++shared.flushWanted;
    shared.notify();
    for (;;) {
        if (shared.flushDone >= wanted) {
            return {};
        }
        if (!shared.running) {
            return fail(ErrorCode::Unavailable, "The workspace is offline; start the sandbox first.");
        }
        if (shared.status.pause != PauseKind::None) {
            return fail(ErrorCode::Busy, shared.status.pauseReason);
        }
        if (shared.changed.wait_until(guard, until) == std::cv_status::timeout && shared.flushDone < wanted) {
            return fail(ErrorCode::Timeout, "The workspace was not in step in time.", shared.status.text);
        }
    }
}

Result<void> Session::resume(Accept accept)
{
    Shared& shared = *m_shared;
    {
        const std::lock_guard guard(shared.mutex);
        const PauseKind kind = shared.status.pause;
        const bool fits = accept == Accept::Deletions
                              ? kind == PauseKind::RootEmptied || kind == PauseKind::MassDeletion
                              : kind == PauseKind::RootReplaced || kind == PauseKind::RootGone;
        if (!fits) {
            return fail(ErrorCode::InvalidArgument, "The sync is not paused for that.");
        }
        shared.accept = accept;
        shared.status.pause = PauseKind::None; // a flush that follows waits for the outcome
        shared.status.pauseReason.clear();
        shared.status.state = SyncState::Scanning;
    }
    shared.notify();
    return {};
}

Result<void> Session::resolve(const std::string& path, Resolution resolution)
{
    if (!isValidPath(path)) {
        return fail(ErrorCode::InvalidArgument, "This is no path in the workspace.", path);
    }
    {
        const std::lock_guard guard(m_shared->mutex);
        m_shared->resolves.push_back({path, resolution});
    }
    m_shared->notify();
    return {};
}

SyncStatus Session::status() const
{
    const std::lock_guard guard(m_shared->mutex);
    return m_shared->status;
}

Result<std::vector<TrashEntry>> Session::trash() const { return m_shared->trash->entries(); }

Result<void> Session::restore(const std::string& trashId)
{
    COLDFRAME_TRY(const UniqueFd root, openFolder(m_shared->options.root));
    return m_shared->trash->restore(root.get(), trashId);
}

} // namespace coldframe::sync
