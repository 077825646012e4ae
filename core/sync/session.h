// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "sync/entry.h"
#include "sync/seed_disk.h"
#include "sync/trash.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::sync {

enum class SyncState { Offline, Scanning, Syncing, InStep, Held, Conflicts, Paused };

/// The word for the API: "in-step", "scanning", …
std::string_view syncStateName(SyncState state);

/// What a pause waits for.
enum class PauseKind { None, RootGone, RootReplaced, RootEmptied, MassDeletion, TrashFull, TooLarge, Error };

struct SyncStatus
{
    SyncState state = SyncState::Offline;
    std::uint64_t entriesToGo = 0;
    std::uint64_t bytesToGo = 0;
    std::uint64_t bytesBySeedDisk = 0; ///< of this connection
    std::vector<Note> problems{};  ///< paths are raw bytes; at most kMaxNotes of each list
    std::vector<Note> conflicts{};
    std::vector<Note> held{};
    std::uint64_t conflictCount = 0;
    std::uint64_t heldCount = 0;
    PauseKind pause = PauseKind::None;
    std::string pauseReason{};     ///< a sentence for the user
    std::string text{};            ///< one line: "In step", "12 files to go", …
    bool workspaceComplete = false; ///< the guest has everything the host has; agents may start

    bool operator==(const SyncStatus&) const = default;
};

inline constexpr std::size_t kMaxNotes = 200;

struct SyncLimits
{
    std::uint64_t maxEntries = 1'000'000;
    std::uint64_t maxFileBytes = std::uint64_t(4) << 30;
    std::uint64_t maxTrashBytes = std::uint64_t(20) << 30;
    std::size_t massDeletionFiles = 50;   ///< a pause when more files than this …
    std::size_t massDeletionPercent = 50; ///< … and more than this share of the host's files would be deleted
};

struct SessionOptions
{
    std::filesystem::path root;        ///< the host's folder; must exist
    std::filesystem::path stateFolder; ///< one per sandbox and root: ancestor, staging; made when missing
    std::filesystem::path trashFolder; ///< one per sandbox and root
    bool readOnly = false;             ///< host to guest only; what the guest changes is listed as held
    SyncLimits limits{};
    std::function<void(const SyncStatus&)> onStatus{}; ///< on the session's thread, when something changed
    /// Whether text holds a key from the keychain (keeps the file out of the sandbox). On the session's thread.
    std::function<bool(std::string_view)> isStoredKey{};
    std::shared_ptr<SeedDisk> seedDisk{}; ///< of the sandbox; null: all content goes by the stream
    std::chrono::milliseconds idleLimit{std::chrono::minutes(2)}; ///< the guest's silence during an exchange
};

/// Who is on the other end: both strings come from the host's own records, never from the guest. A new generation is
/// made for each start that did not follow a clean stop and for each restore; a new disk has a new id.
struct GuestIdentity
{
    std::string diskId;
    std::string generation;
};

enum class Accept {
    Deletions, ///< RootEmptied, MassDeletion: they were meant
    Root,      ///< RootReplaced, RootGone: the folder that is there now is the one; nothing is deleted
};

enum class Resolution { KeepHost, TakeGuest };

/// Keeps one root in step with one guest. Has a thread of its own while connected; all functions may be called from any
/// thread but onStatus. Live in both directions (inotify), two-way-safe; see reconcile.h for the rules.
///
/// Present depth for `.git`: objects first, then packed-refs, refs and HEAD; nothing while a lock file is there; objects
/// are only added; hooks, configuration and a rebase in progress never come back; the configuration that goes in is
/// rendered from an allow-list; the index goes in once and never comes back, so after a commit made in the guest
/// `git status` on the host compares with the old index until `git reset` is run. Refs moved on both sides are conflicts.
class Session
{
public:
    static Result<std::unique_ptr<Session>> open(SessionOptions options);
    ~Session(); ///< stops

    /// Starts over `fd` (a stream socket to runEndpoint), ending any earlier connection.
    void start(UniqueFd fd, GuestIdentity guest);
    /// Ends the connection and waits for the thread. Nothing half-made stays.
    void stop();
    /// Waits until everything both sides had at the call is on both sides and flushed to the guest's disk. Conflicts,
    /// held changes and listed problems do not keep it waiting; a pause is Busy, no connection Unavailable.
    Result<void> flush(std::chrono::milliseconds deadline);
    /// Answers a pause; InvalidArgument when it does not fit.
    Result<void> resume(Accept accept);
    /// Settles a conflict for the path and everything beneath it.
    Result<void> resolve(const std::string& path, Resolution resolution);
    SyncStatus status() const;

    Result<std::vector<TrashEntry>> trash() const;
    Result<void> restore(const std::string& trashId);

private:
    class Worker;
    struct Shared;
    Session(SessionOptions options, UniqueFd lock, std::unique_ptr<Trash> trash);

    std::unique_ptr<Shared> m_shared;
};

} // namespace coldframe::sync
