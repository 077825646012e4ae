// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/protocol.h"
#include "sync/reconcile.h"
#include "sync/replica.h"
#include "sync/seed_transfer.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace coldframe::sync {

/// From this size on a file goes by the seed disk; smaller ones cost the guest more as files than as bytes.
inline constexpr std::uint64_t kSeedFileBytes = 128u << 10;

/// The host's view of the guest over one connection. Nothing the guest says is believed beyond its own tree; an error
/// of code Protocol means it broke the rules and the connection is to be dropped. Owned by one thread.
class Remote
{
public:
    struct Limits
    {
        std::uint64_t maxEntries = 1'000'000;
        std::uint64_t maxFileBytes = std::uint64_t(4) << 30;
    };

    Remote(int fd, Limits limits, std::chrono::milliseconds idleLimit) : m_stream(fd, idleLimit), m_limits(limits) {}

    Result<void> handshake();
    Result<void> requestScan(bool full);
    Result<void> finishScan();
    const Node& tree() const { return m_tree; }
    Node& tree() { return m_tree; }
    bool isWatching() const { return m_watching; }
    bool hasUnsettled() const { return m_unsettled; }

    /// Takes in Changed messages; true when there was one.
    Result<bool> takeChanged();

    /// Fetches the files into `staged` (by index). Files that could not be read in full or whose content is not what
    /// was announced are missing from the answer.
    Result<void> fetch(const std::vector<Record>& files, Replica& into, std::map<std::size_t, StagedFile>& staged,
                       const std::function<void(std::uint64_t bytes)>& onBytes);

    /// Content of a host file for the guest, chunk by chunk; false = cannot be read, the guest will refuse it.
    using ContentSource = std::function<bool(const Operation&, const std::function<Result<void>(std::string_view)>&,
                                             Result<void>&)>;
    Result<std::vector<OperationResult>> apply(const std::vector<Operation>& operations, std::size_t first,
                                               std::size_t count, const ContentSource& content);

    /// Content of files of at least kSeedFileBytes goes by this disk from now on, when the guest has it. Before handshake().
    void useSeedDisk(std::shared_ptr<SeedDisk> disk) { m_seedDisk = std::move(disk); }
    std::uint64_t bytesBySeedDisk() const { return m_bytesBySeed; }

    Result<void> flush();
    int fd() const { return m_stream.fd(); }
    bool hasInput();

private:
    Result<Message> receive();
    bool goesBySeedDisk(const Operation& operation) const;
    void noteSeedResult(const Operation& operation, Outcome outcome);
    Result<void> receiveResults(std::vector<OperationResult>& results, SeedTransfer& seed);
    bool goesAnyBySeedDisk(const std::vector<Operation>& operations, std::size_t first, std::size_t count) const;

    MessageStream m_stream;
    Limits m_limits;
    Node m_tree{};
    std::uint64_t m_entries = 0;
    bool m_watching = false;
    bool m_unsettled = false;
    bool m_changed = false;
    std::shared_ptr<SeedDisk> m_seedDisk{};
    std::set<std::string> m_notBySeed{}; ///< what did not arrive that way
    std::uint64_t m_bytesBySeed = 0;
};

} // namespace coldframe::sync
