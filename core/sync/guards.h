// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/reconcile.h"

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::sync {

/// Why a change from the sandbox to this path may not land by itself; empty when it may. Knows git's own files at any
/// depth, the list in guarded_paths.h, `extra` (paths the host's git configuration names), and symlinks that would put
/// something else in the place of one of these.
std::string guardReason(std::string_view path, const Entry& after, const std::vector<std::string>& extra);

/// Takes the operations that may not land out of plan.hostOperations and answers them as notes. Also holds what would
/// complete an embedded bare repository (HEAD, objects and refs, or HEAD and commondir, under any name), changes
/// within one beyond objects and refs, the removal of a whole repository, and whatever depends on a held operation.
/// Symlinks that leave the root become problems.
struct GuardOutcome
{
    std::vector<Note> held;
    std::vector<Note> problems;
};
GuardOutcome applyGuards(Plan& plan, const Node& host, const std::vector<std::string>& extra);

/// Relative, and ".." only at its start and not beyond the root: then it cannot leave the root even through other links.
bool isPortableLink(std::string_view path, std::string_view target);

/// Files the operations would really remove from the host: removals whose content does not come back elsewhere in the
/// same plan (a renamed folder removes nothing).
std::size_t countLostFiles(const std::vector<Operation>& operations);
std::size_t countFiles(const Node& node);

/// Objects first, then packed-refs, refs, HEAD, so that no repository ever names what is not there yet.
void orderForGit(std::vector<Operation>& operations);
/// The `.git` folder of an operation that comes after the objects; empty for all others. When an earlier operation in
/// that folder failed, this one must wait.
std::string gitFolderOfRef(std::string_view path);
std::string gitFolderOf(std::string_view path);

/// Paths relative to the root that the git configuration's values name (hooksPath and any value that is a path inside).
std::vector<std::string> pathsNamedByGit(std::string_view configText, const std::string& root,
                                         const std::function<bool(const std::string&)>& existsInRoot);

/// How the host shows its files to the sandbox: git configurations rendered from an allow-list, files with keys as
/// Untracked. `isStoredKey` (may be empty) answers whether the text holds a key from the keychain.
struct HostContent
{
    std::function<bool(std::string_view content)> isStoredKey{};

    static bool needsContent(std::string_view path, bool inGitFolder);
    Entry present(std::string_view path, bool inGitFolder, std::string_view content, const Entry& plain) const;
    static bool isRendered(std::string_view path, bool inGitFolder);
};

} // namespace coldframe::sync
