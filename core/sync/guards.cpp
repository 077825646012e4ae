// SPDX-License-Identifier: Apache-2.0
#include "sync/guards.h"

#include "sync/guarded_paths.h"

#include <algorithm>
#include <map>

namespace coldframe::sync {

namespace {

bool isGitName(std::string_view name) { return name.size() == 4 && foldCase(name) == ".git"; }

std::vector<std::string> foldedParts(std::string_view path)
{
    std::vector<std::string> parts;
    for (const auto part : splitPath(path)) {
        parts.push_back(foldCase(part));
    }
    return parts;
}

/// `parts[from…]` is a path inside a git directory.
std::string gitReason(const std::vector<std::string>& parts, std::size_t from, const Entry& after)
{
    if (from >= parts.size()) {
        return {};
    }
    if (after.kind == Kind::Symlink) {
        return "a link inside a repository";
    }
    const std::string& first = parts[from];
    const std::string& last = parts.back();
    if (first == "refs" || first == "logs") {
        return {};
    }
    if (first == "objects") {
        return last == "alternates" || last == "http-alternates" ? "a repository that borrows objects from elsewhere"
                                                                 : std::string();
    }
    for (std::size_t i = from; i < parts.size(); ++i) {
        const std::string& part = parts[i];
        if (part == "hooks") {
            return "git hooks";
        }
        if (part == "config" || part == "config.worktree" || part == "commondir" || part == "gitdir" ||
            part == "worktrees") {
            return "git's configuration";
        }
        if (part == "rebase-merge" || part == "rebase-apply" || part == "sequencer") {
            return "commands that git runs when a rebase goes on";
        }
        if (part == "attributes" || part.starts_with("fsmonitor")) {
            return "programs that git runs";
        }
    }
    return {};
}

std::string listReason(const std::vector<std::string>& parts, const Entry& after)
{
    for (const GuardedPath& guarded : kGuardedPaths) {
        const auto wanted = splitPath(guarded.path);
        for (std::size_t at = 0; at < parts.size(); ++at) {
            std::size_t same = 0;
            while (same < wanted.size() && at + same < parts.size() && parts[at + same] == wanted[same]) {
                ++same;
            }
            if (same == wanted.size()) {
                return std::string(guarded.reason);
            }
            // A link in place of ".vscode" would bring its own tasks.json.
            if (same > 0 && at + same == parts.size() && after.kind == Kind::Symlink) {
                return std::string(guarded.reason);
            }
        }
    }
    return {};
}

} // namespace

std::string guardReason(std::string_view path, const Entry& after, const std::vector<std::string>& extra)
{
    const auto parts = foldedParts(path);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i] != ".git") {
            continue;
        }
        if (i + 1 == parts.size() && after.kind != Kind::Directory && after.kind != Kind::None) {
            return "a link to another repository";
        }
        if (auto reason = gitReason(parts, i + 1, after); !reason.empty()) {
            return reason;
        }
    }
    if (parts.back() == "commondir") {
        return "git's configuration";
    }
    if (auto reason = listReason(parts, after); !reason.empty()) {
        return reason;
    }
    const std::string folded = foldCase(path);
    for (const std::string& guarded : extra) {
        const std::string other = foldCase(guarded);
        if (isBeneath(folded, other) || (after.kind == Kind::Symlink && isBeneath(other, folded))) {
            return "named by your git configuration";
        }
    }
    return {};
}

bool isPortableLink(std::string_view path, std::string_view target)
{
    if (target.empty() || target.front() == '/' || target.size() > kMaxPathBytes) {
        return false;
    }
    std::size_t depth = splitPath(path).size() - 1;
    bool leading = true;
    while (!target.empty()) {
        const auto end = target.find('/');
        const std::string_view part = target.substr(0, end);
        if (part == "..") {
            if (!leading || depth == 0) {
                return false;
            }
            --depth;
        } else if (!part.empty() && part != ".") {
            leading = false;
        }
        if (end == std::string_view::npos) {
            break;
        }
        target.remove_prefix(end + 1);
    }
    return true;
}

GuardOutcome applyGuards(Plan& plan, const Node& host, const std::vector<std::string>& extra)
{
    GuardOutcome outcome;
    // Folders in which these operations put one of the three names that make a repository.
    std::map<std::string, std::set<std::string>> added;
    std::set<std::string> removedRepositories;
    for (const Operation& operation : plan.hostOperations) {
        const std::string name = foldCase(nameOf(operation.path));
        if (operation.after.kind != Kind::None && (name == "head" || name == "objects" || name == "refs")) {
            added[std::string(parentOf(operation.path))].insert(name);
        }
        if (operation.after.kind != Kind::Directory && operation.before.kind == Kind::Directory && isGitName(name)) {
            removedRepositories.insert(operation.path);
        }
    }
    std::set<std::string> newRepositories;
    for (auto& [folder, names] : added) {
        if (isGitName(nameOf(folder))) {
            continue;
        }
        const Node* existing = findNode(host, folder);
        if (existing != nullptr && looksLikeRepository(*existing)) {
            continue;
        }
        if (existing != nullptr) {
            for (const auto& [name, child] : existing->children) {
                names.insert(foldCase(name));
            }
        }
        if (names.contains("head") && names.contains("objects") && names.contains("refs")) {
            // Repositories of submodules live inside .git, where the rules for .git apply.
            if (gitFolderOf(folder).empty()) {
                newRepositories.insert(folder);
            }
        }
    }
    std::map<const Node*, bool> repositoryCache;
    const auto bareReason = [&](const Operation& operation) -> std::string {
        const auto parts = foldedParts(operation.path);
        const Node* node = &host;
        std::size_t index = 0;
        for (const auto part : splitPath(operation.path)) {
            const auto [cached, isNew] = repositoryCache.try_emplace(node, false);
            if (isNew) {
                cached->second = looksLikeRepository(*node);
            }
            if (cached->second) {
                if (auto reason = gitReason(parts, index, operation.after); !reason.empty()) {
                    return reason;
                }
            }
            const auto child = node->children.find(part);
            if (child == node->children.end()) {
                break;
            }
            node = &child->second;
            ++index;
        }
        return {};
    };
    std::set<std::string> heldCreations;
    std::set<std::string> blockedRemovals;
    std::vector<Operation> kept;
    kept.reserve(plan.hostOperations.size());
    for (Operation& operation : plan.hostOperations) {
        std::string reason = guardReason(operation.path, operation.after, extra);
        if (reason.empty()) {
            reason = bareReason(operation);
        }
        bool isDependent = false;
        std::string_view folder = operation.path;
        for (;;) {
            if (reason.empty() && newRepositories.contains(std::string(folder))) {
                reason = "a repository inside the workspace that git would use";
            }
            if (reason.empty() && operation.after.kind == Kind::None && removedRepositories.contains(std::string(folder))) {
                reason = "the removal of a whole repository";
            }
            if (heldCreations.contains(std::string(folder))) {
                isDependent = true;
            }
            if (folder.empty()) {
                break;
            }
            folder = parentOf(folder);
        }
        const bool isBlocked = blockedRemovals.contains(operation.path);
        if (reason.empty() && operation.after.kind == Kind::Symlink && !isPortableLink(operation.path, operation.after.text)) {
            outcome.problems.push_back({operation.path, "The link points outside the workspace and was not taken over."});
            heldCreations.insert(operation.path);
            continue;
        }
        if (reason.empty() && !isDependent && !isBlocked) {
            kept.push_back(std::move(operation));
            continue;
        }
        if (!reason.empty()) {
            outcome.held.push_back({operation.path, "Held: " + reason + "."});
        }
        if (operation.after.kind != Kind::None) {
            heldCreations.insert(operation.path);
        }
        if (operation.before.kind != Kind::None) {
            // What stays keeps its folders, and nothing can take the place of what stays.
            for (std::string_view up = operation.path; !up.empty(); up = parentOf(up)) {
                blockedRemovals.insert(std::string(up));
            }
        }
    }
    plan.hostOperations = std::move(kept);
    return outcome;
}

std::size_t countLostFiles(const std::vector<Operation>& operations)
{
    std::multiset<std::pair<std::uint64_t, Digest>> arriving;
    for (const Operation& operation : operations) {
        if (operation.before.kind == Kind::None && operation.after.kind == Kind::File) {
            arriving.insert({operation.after.size, operation.after.digest});
        }
    }
    std::size_t lost = 0;
    for (const Operation& operation : operations) {
        if (operation.after.kind == Kind::None && operation.before.kind == Kind::File) {
            const auto moved = arriving.find({operation.before.size, operation.before.digest});
            if (moved != arriving.end()) {
                arriving.erase(moved);
            } else {
                ++lost;
            }
        }
    }
    return lost;
}

std::size_t countFiles(const Node& node)
{
    std::size_t count = node.entry.kind == Kind::File ? 1 : 0;
    for (const auto& [name, child] : node.children) {
        count += countFiles(child);
    }
    return count;
}

std::string gitFolderOf(std::string_view path)
{
    for (std::string_view folder = parentOf(path); !folder.empty(); folder = parentOf(folder)) {
        if (isGitName(nameOf(folder))) {
            return std::string(folder);
        }
    }
    return {};
}

namespace {

/// 0 everything and git's objects, 1 packed-refs, 2 refs and the rest of the repository, 3 HEAD, 4 removed folders.
int gitPhase(const Operation& operation)
{
    const std::string folder = gitFolderOf(operation.path);
    if (folder.empty() || operation.after.kind == Kind::Directory) {
        return 0;
    }
    const std::string_view inside = std::string_view(operation.path).substr(folder.size() + 1);
    if (operation.before.kind == Kind::Directory) {
        return 4;
    }
    if (isBeneath(inside, "objects")) {
        return 0;
    }
    if (inside == "packed-refs") {
        return 1;
    }
    return inside == "HEAD" ? 3 : 2;
}

} // namespace

void orderForGit(std::vector<Operation>& operations)
{
    std::stable_sort(operations.begin(), operations.end(),
                     [](const Operation& a, const Operation& b) { return gitPhase(a) < gitPhase(b); });
}

std::string gitFolderOfRef(std::string_view path)
{
    Operation operation;
    operation.path = std::string(path);
    operation.after.kind = Kind::File;
    return gitPhase(operation) > 0 ? gitFolderOf(path) : std::string();
}

} // namespace coldframe::sync
