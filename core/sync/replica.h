// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "sync/digest.h"
#include "sync/reconcile.h"
#include "sync/scanner.h"
#include "sync/trash.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace coldframe::sync {

/// How an operation went. Values travel in Results.
enum class Outcome : std::uint8_t {
    Done = 0,
    Changed = 1, ///< the target is no longer what the scan saw; nothing was done, scan again
    Failed = 2,  ///< cannot be done; nothing was changed
};

struct OperationResult
{
    Outcome outcome = Outcome::Failed;
    std::string text{};
};

struct ReplicaOptions
{
    std::filesystem::path root;
    std::filesystem::path stagingFolder; ///< used when on the root's file system, else a hidden folder in the root
    Trash* trash = nullptr;              ///< host side; borrowed
    bool keepTimes = false;              ///< guest side: files get the host's modification time
    ScanOptions scan{};
    /// Attack tests only: opens folders by path, as a careless program would.
    bool followLinksForTest = false;
};

/// Content on its way into a root: written outside the tree, hashed on the way, then swapped in.
class StagedFile
{
public:
    StagedFile() = default;
    StagedFile(StagedFile&&) noexcept = default;
    StagedFile& operator=(StagedFile&&) noexcept = default;

    Result<void> write(std::string_view bytes);
    bool matches(const Entry& entry) const;
    std::uint64_t size() const { return m_size; }

private:
    friend class Replica;
    std::string m_name{};
    UniqueFd m_file{};
    Hasher m_hasher{};
    std::uint64_t m_size = 0;
};

/// One side's root: its scanner, and the applier that changes it. Every change goes through directory handles beneath
/// the root without following links, compares the target with the last scan, and swaps atomically; what was swapped
/// out is looked at once more and put back when it was not what the scan saw. Owned by one thread.
class Replica
{
public:
    static Result<std::unique_ptr<Replica>> open(ReplicaOptions options);
    ~Replica();

    Scanner& scanner() { return m_scanner; }
    int root() const { return m_root.get(); }

    Result<StagedFile> stage();
    void discard(StagedFile& file);
    /// `staged` holds the new content when the operation brings some (see bringsContent).
    OperationResult apply(const Operation& operation, StagedFile* staged, std::string_view reason);
    /// A regular file for reading, without following links.
    Result<UniqueFd> openContent(const std::string& path) const;

    static bool bringsContent(const Operation& operation);

private:
    Replica(ReplicaOptions options, UniqueFd root, UniqueFd staging);
    void recoverStaging();
    Result<UniqueFd> openParent(const std::string& path) const;
    OperationResult makeFolder(int parent, const std::string& name, const Operation& operation);
    OperationResult removeFolder(int parent, const std::string& name, const Operation& operation);
    OperationResult put(int parent, const std::string& name, const Operation& operation, StagedFile* staged,
                        std::string_view reason);
    OperationResult take(int parent, const std::string& name, const Operation& operation, std::string_view reason);
    std::optional<OperationResult> checkTarget(int parent, const std::string& name, const Operation& operation,
                                               struct stat& info) const;
    bool isSwapped(const std::string& name, const struct stat& expected) const;
    void settle(int parent, const std::string& name, const Operation& operation);

    ReplicaOptions m_options;
    UniqueFd m_root;
    UniqueFd m_staging;
    Scanner m_scanner;
};

} // namespace coldframe::sync
