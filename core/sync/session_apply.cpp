// SPDX-License-Identifier: Apache-2.0
#include "sync/session_worker.h"

#include "base/log.h"
#include "sync/git_config.h"
#include "sync/protocol.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace coldframe::sync {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kBatchOperations = 1000;
constexpr std::uint64_t kBatchContent = std::uint64_t(32) << 20;
constexpr std::size_t kFetchPathBytes = 256u << 10;

/// How many operations from `first` on go in one exchange.
std::size_t batchSize(const std::vector<Operation>& operations, std::size_t first)
{
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    std::size_t paths = 0;
    while (first + count < operations.size() && count < kBatchOperations) {
        const Operation& operation = operations[first + count];
        bytes += Replica::bringsContent(operation) ? operation.after.size : 0;
        paths += operation.path.size() + 64;
        if (count > 0 && (bytes > kBatchContent || paths > kFetchPathBytes)) {
            break;
        }
        ++count;
    }
    return count;
}

} // namespace

void Session::Worker::noteResult(const Operation& operation, const OperationResult& result, bool onHost)
{
    m_entriesToGo -= std::min<std::uint64_t>(m_entriesToGo, 1);
    if (result.outcome == Outcome::Done) {
        remember(operation.path, operation.after);
        return;
    }
    if (const std::string folder = gitFolderOf(operation.path); !folder.empty()) {
        m_failedRepositories.insert(folder);
    }
    if (result.outcome == Outcome::Changed) {
        // Beneath something that cannot be done there is nothing to try again.
        for (std::string_view up = parentOf(operation.path); !up.empty(); up = parentOf(up)) {
            if (m_failedPaths.contains(std::string(up))) {
                return;
            }
        }
        m_again = true;
        return;
    }
    m_failedPaths.insert(operation.path);
    m_problems.push_back({operation.path, (onHost ? "On the host: " : "In the sandbox: ") + result.text});
}

bool Session::Worker::readHostContent(const Operation& operation,
                                      const std::function<Result<void>(std::string_view)>& send, Result<void>& sent)
{
    auto file = m_host->openContent(operation.path);
    if (!file) {
        return false;
    }
    const Node* folder = findNode(std::as_const(m_host->scanner().tree()), parentOf(operation.path));
    const bool inGitFolder = folder != nullptr && (foldCase(nameOf(parentOf(operation.path))) == ".git" ||
                                                   looksLikeRepository(*folder));
    const bool rendered = HostContent::isRendered(operation.path, inGitFolder);
    std::string whole;
    std::string buffer(kChunkBytes, '\0');
    std::uint64_t left = operation.after.size;
    while (rendered || left > 0) {
        const ssize_t got = ::read(file->get(), buffer.data(),
                                   rendered ? buffer.size() : std::min<std::uint64_t>(left, buffer.size()));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || whole.size() > (2u << 20)) {
            break;
        }
        if (rendered) {
            whole.append(buffer, 0, static_cast<std::size_t>(got));
            continue;
        }
        left -= static_cast<std::uint64_t>(got);
        m_bytesToGo -= std::min<std::uint64_t>(m_bytesToGo, static_cast<std::uint64_t>(got));
        sent = send({buffer.data(), static_cast<std::size_t>(got)});
        if (!sent) {
            return false;
        }
    }
    if (rendered) {
        const auto values = parseGitConfig(whole);
        if (!values) {
            return false;
        }
        sent = send(renderGitConfig(*values));
    }
    return sent.has_value();
}

Result<void> Session::Worker::applyToGuest(const std::vector<Operation>& operations)
{
    for (std::size_t first = 0; first < operations.size();) {
        if (isStopping()) {
            return fail(ErrorCode::Cancelled, "Stopped.");
        }
        const std::size_t count = batchSize(operations, first);
        COLDFRAME_TRY(const auto results,
                      m_remote.apply(operations, first, count,
                                     [this](const Operation& operation, const auto& send, Result<void>& sent) {
                                         if (Clock::now() - m_lastReport > 100ms) {
                                             report(SyncState::Syncing);
                                         }
                                         return readHostContent(operation, send, sent);
                                     }));
        for (std::size_t i = 0; i < count; ++i) {
            const Operation& operation = operations[first + i];
            noteResult(operation, results[i], false);
            if (results[i].outcome == Outcome::Changed) {
                // Either side may have moved; the host's file is looked at again whatever its stamp says.
                m_host->scanner().markChanged(parentOf(operation.path));
                if (Node* node = findNode(m_host->scanner().tree(), operation.path)) {
                    node->stamp.trusted = false;
                }
            }
        }
        first += count;
        report(SyncState::Syncing);
    }
    return {};
}

Result<void> Session::Worker::applyToHost(const std::vector<Operation>& operations)
{
    for (std::size_t first = 0; first < operations.size();) {
        if (isStopping()) {
            return fail(ErrorCode::Cancelled, "Stopped.");
        }
        if (m_shared.trash->isFull()) {
            pause(PauseKind::TrashFull, "The trash of this workspace is full. Empty it to go on.");
            return {};
        }
        const std::size_t count = batchSize(operations, first);
        COLDFRAME_CHECK(applyHostBatch(operations, first, count));
        first += count;
        report(SyncState::Syncing);
    }
    return {};
}

Result<void> Session::Worker::applyHostBatch(const std::vector<Operation>& operations, std::size_t first,
                                             std::size_t count)
{
    std::vector<Record> wanted;
    std::vector<std::size_t> owner(count, count);
    for (std::size_t i = 0; i < count; ++i) {
        const Operation& operation = operations[first + i];
        if (Replica::bringsContent(operation)) {
            owner[i] = wanted.size();
            wanted.push_back({operation.path, operation.after});
        }
    }
    std::map<std::size_t, StagedFile> staged;
    Result<void> fetched;
    if (!wanted.empty()) {
        fetched = m_remote.fetch(wanted, *m_host, staged, [this](std::uint64_t bytes) {
            m_bytesToGo -= std::min(m_bytesToGo, bytes);
            if (Clock::now() - m_lastReport > 100ms) {
                report(SyncState::Syncing);
            }
        });
    }
    for (std::size_t i = 0; fetched && i < count; ++i) {
        const Operation& operation = operations[first + i];
        const std::string repository = gitFolderOfRef(operation.path);
        OperationResult result;
        StagedFile* file = nullptr;
        if (owner[i] < count) {
            const auto found = staged.find(owner[i]);
            file = found == staged.end() ? nullptr : &found->second;
        }
        if (!repository.empty() && m_failedRepositories.contains(repository)) {
            result = {Outcome::Changed, "Waits for the objects it names."};
        } else if (owner[i] < count && file == nullptr) {
            result = {Outcome::Changed, "The file changed while it was read."};
        } else if (m_shared.trash->isFull() && operation.before.kind != Kind::None) {
            result = {Outcome::Changed, "The trash is full."};
        } else {
            result = m_host->apply(operation, file,
                                   operation.after.kind == Kind::None ? "deleted by the sandbox" : "replaced by the sandbox");
        }
        noteResult(operation, result, true);
    }
    for (auto& [index, file] : staged) {
        m_host->discard(file);
    }
    return fetched;
}

} // namespace coldframe::sync
