// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/ancestor.h"
#include "sync/guards.h"
#include "sync/remote.h"
#include "sync/replica.h"
#include "sync/session_shared.h"

#include <chrono>
#include <future>

namespace coldframe::sync {

/// One connection's work, on the session's thread: the cycle scan → reconcile → guard → apply → remember.
class Session::Worker
{
public:
    Worker(Shared& shared, int fd, GuestIdentity guest);
    Result<void> run();

private:
    using Clock = std::chrono::steady_clock;

    Result<void> openRoot();
    void loadState();
    Result<void> wait();
    Result<void> debounce();
    void takeRequests();
    Result<void> cycle();
    Result<bool> scanBoth();
    bool isRootInPlace() const;
    bool checkRoot();
    bool checkDeletions(const Plan& plan);
    Result<void> applyToGuest(const std::vector<Operation>& operations);
    Result<void> applyToHost(const std::vector<Operation>& operations);
    Result<void> applyHostBatch(const std::vector<Operation>& operations, std::size_t first, std::size_t count);
    bool readHostContent(const Operation& operation, const std::function<Result<void>(std::string_view)>& send,
                         Result<void>& sent);
    void noteResult(const Operation& operation, const OperationResult& result, bool onHost);
    void remember(const std::string& path, const Entry& entry);
    void collectProblems(const std::string& path, const Node& node, std::string_view side);
    Result<void> persist(bool force);
    void pause(PauseKind kind, std::string reason);
    void report(SyncState state);
    void settle();
    bool isStopping() const;
    std::filesystem::path ancestorFile() const { return m_shared.options.stateFolder / "ancestor"; }

    Shared& m_shared;
    GuestIdentity m_guest;
    Remote m_remote;
    std::unique_ptr<Replica> m_host;
    Ancestor m_ancestor;
    ReconcileMode m_mode = ReconcileMode::Merge;
    bool m_firstCycle = true;
    bool m_complete = false;
    bool m_dirtyAncestor = false;
    bool m_deletionsAccepted = false;
    bool m_again = false;          ///< something changed under our hands: another cycle soon
    bool m_fullNext = false;
    unsigned m_retries = 0;
    PauseKind m_pause = PauseKind::None;
    std::string m_pauseReason;
    std::uint64_t m_flushTaken = 0;
    std::uint64_t m_entriesToGo = 0;
    std::uint64_t m_bytesToGo = 0;
    std::vector<Note> m_conflicts;
    std::vector<Note> m_held;
    std::vector<Note> m_problems;
    std::set<std::string> m_failedRepositories;
    std::set<std::string> m_failedPaths;
    std::deque<std::pair<Clock::time_point, std::size_t>> m_recentLosses;
    Clock::time_point m_lastCycle{};
    Clock::time_point m_lastFull{};
    std::future<Result<void>> m_saving; ///< its destructor waits
    Clock::time_point m_lastReport{};
};

} // namespace coldframe::sync
