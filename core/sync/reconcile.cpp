// SPDX-License-Identifier: Apache-2.0
#include "sync/reconcile.h"

#include <set>

namespace coldframe::sync {

namespace {

const Node* tracked(const Node* node)
{
    return node == nullptr || node->entry.kind == Kind::Untracked || node->entry.kind == Kind::None ? nullptr : node;
}

const Node* childOf(const Node* node, const std::string& name)
{
    if (node == nullptr) {
        return nullptr;
    }
    const auto child = node->children.find(name);
    return child == node->children.end() ? nullptr : &child->second;
}

bool isFolder(const Node* node) { return node != nullptr && node->entry.kind == Kind::Directory; }

/// The same tracked content all the way down. A Problem equals nothing.
bool deepEqual(const Node* left, const Node* right)
{
    left = tracked(left);
    right = tracked(right);
    if (left == nullptr || right == nullptr) {
        return left == right;
    }
    if (left->entry.kind == Kind::Problem || !sameContent(left->entry, right->entry)) {
        return false;
    }
    for (const auto& [name, child] : left->children) {
        if (!deepEqual(&child, childOf(right, name))) {
            return false;
        }
    }
    for (const auto& [name, child] : right->children) {
        if (childOf(left, name) == nullptr && tracked(&child) != nullptr) {
            return false;
        }
    }
    return true;
}

/// Something in `node` is new or different since the ancestor (and not only gone).
bool hasAdditions(const Node* ancestor, const Node* node)
{
    node = tracked(node);
    if (node == nullptr) {
        return false;
    }
    if (ancestor == nullptr || node->entry.kind == Kind::Problem || !sameContent(ancestor->entry, node->entry)) {
        return true;
    }
    for (const auto& [name, child] : node->children) {
        if (hasAdditions(childOf(ancestor, name), &child)) {
            return true;
        }
    }
    return false;
}

bool isGitName(std::string_view name) { return name.size() == 4 && foldCase(name) == ".git"; }

/// A lock anywhere but among the objects, which git writes without locks.
bool hasLock(const Node* node)
{
    if (node == nullptr) {
        return false;
    }
    for (const auto& [name, child] : node->children) {
        if (child.entry.kind == Kind::Untracked && name.ends_with(".lock")) {
            return true;
        }
        if (child.entry.kind == Kind::Directory && name != "objects" && hasLock(&child)) {
            return true;
        }
    }
    return false;
}

enum class Side { Host, Guest };

class Reconciler
{
public:
    Reconciler(ReconcileMode mode, Plan& plan) : m_mode(mode), m_plan(plan) {}

    void visit(const std::string& path, const Node* ancestor, const Node* host, const Node* guest, bool inGitFolder);

private:
    void visitChildren(const std::string& path, const Node* ancestor, const Node* host, const Node* guest);
    void disagree(const std::string& path, const Node* ancestor, const Node* host, const Node* guest);
    void merge(const std::string& path, const Node* ancestor, const Node* host, const Node* guest);
    void propagate(Side to, const std::string& path, const Node* before, const Node* after);
    void remove(Side side, const std::string& path, const Node& node);
    void create(Side side, const std::string& path, const Node& node, bool inGitFolder);
    bool isLocked(const std::string& path, const Node* host, const Node* guest);
    std::vector<Operation>& operations(Side side)
    {
        return side == Side::Host ? m_plan.hostOperations : m_plan.guestOperations;
    }

    ReconcileMode m_mode;
    Plan& m_plan;
};

bool Reconciler::isLocked(const std::string& path, const Node* host, const Node* guest)
{
    if (!isGitName(nameOf(path)) || (!hasLock(host) && !hasLock(guest))) {
        return false;
    }
    m_plan.waiting.push_back({path, hasLock(host) ? "git is at work in this repository on the host."
                                                  : "git is at work in this repository in the sandbox."});
    return true;
}

void Reconciler::visit(const std::string& path, const Node* ancestor, const Node* host, const Node* guest,
                       bool inGitFolder)
{
    if ((host != nullptr && host->entry.kind == Kind::Problem) ||
        (guest != nullptr && guest->entry.kind == Kind::Problem)) {
        return;
    }
    host = tracked(host);
    guest = tracked(guest);
    if (host == nullptr && guest == nullptr) {
        if (ancestor != nullptr) {
            m_plan.ancestorChanges.push_back({path, Entry{}});
        }
        return;
    }
    if (isLocked(path, host, guest)) {
        return;
    }
    if (inGitFolder && nameOf(path) == "index") {
        if (guest == nullptr && ancestor == nullptr && host != nullptr) {
            create(Side::Guest, path, *host, false);
        }
        return;
    }
    if (host != nullptr && guest != nullptr && sameContent(host->entry, guest->entry)) {
        if (ancestor == nullptr || !sameContent(ancestor->entry, host->entry)) {
            m_plan.ancestorChanges.push_back({path, host->entry});
        }
        if (isFolder(host)) {
            visitChildren(path, isFolder(ancestor) ? ancestor : nullptr, host, guest);
        }
        return;
    }
    if (m_mode == ReconcileMode::TwoWaySafe) {
        disagree(path, ancestor, host, guest);
    } else {
        merge(path, ancestor, host, guest);
    }
}

void Reconciler::visitChildren(const std::string& path, const Node* ancestor, const Node* host, const Node* guest)
{
    std::set<std::string_view> names;
    for (const Node* node : {ancestor, host, guest}) {
        if (node != nullptr) {
            for (const auto& [name, child] : node->children) {
                names.insert(names.end(), name);
            }
        }
    }
    const bool gitFolder = isGitName(nameOf(path)) || looksLikeRepository(*host) || looksLikeRepository(*guest);
    for (const std::string_view view : names) {
        const std::string name(view);
        visit(joinPath(path, name), childOf(ancestor, name), childOf(host, name), childOf(guest, name), gitFolder);
    }
}

void Reconciler::disagree(const std::string& path, const Node* ancestor, const Node* host, const Node* guest)
{
    if (deepEqual(ancestor, guest)) {
        propagate(Side::Guest, path, guest, host);
    } else if (deepEqual(ancestor, host)) {
        propagate(Side::Host, path, host, guest);
    } else if (!hasAdditions(ancestor, guest)) {
        propagate(Side::Guest, path, guest, host);
    } else if (!hasAdditions(ancestor, host)) {
        propagate(Side::Host, path, host, guest);
    } else {
        m_plan.conflicts.push_back({path, "Changed on the host and in the sandbox; both stay as they are."});
    }
}

void Reconciler::merge(const std::string& path, const Node* ancestor, const Node* host, const Node* guest)
{
    if (guest == nullptr) {
        propagate(Side::Guest, path, nullptr, host);
    } else if (host == nullptr) {
        propagate(Side::Host, path, nullptr, guest);
    } else if (m_mode == ReconcileMode::Seed ||
               (ancestor != nullptr && host->entry.kind != Kind::Directory && deepEqual(ancestor, guest))) {
        propagate(Side::Guest, path, guest, host);
    } else {
        m_plan.conflicts.push_back(
            {path, "The sandbox's copy differs and its history is not certain; the host's copy stays."});
    }
}

void Reconciler::propagate(Side to, const std::string& path, const Node* before, const Node* after)
{
    const bool replacesFile = before != nullptr && after != nullptr && !isFolder(before) && !isFolder(after);
    if (replacesFile) {
        operations(to).push_back({path, before->entry, after->entry, after->stamp.mtimeNs});
        return;
    }
    if (before != nullptr) {
        remove(to, path, *before);
    }
    if (after != nullptr) {
        create(to, path, *after, false);
    }
}

void Reconciler::remove(Side side, const std::string& path, const Node& node)
{
    if (tracked(&node) == nullptr || node.entry.kind == Kind::Problem) {
        return;
    }
    for (const auto& [name, child] : node.children) {
        remove(side, joinPath(path, name), child);
    }
    operations(side).push_back({path, node.entry, Entry{}, 0});
}

void Reconciler::create(Side side, const std::string& path, const Node& node, bool inGitFolder)
{
    if (tracked(&node) == nullptr || node.entry.kind == Kind::Problem) {
        return;
    }
    if (inGitFolder && side == Side::Host && nameOf(path) == "index") {
        return;
    }
    if (node.entry.kind == Kind::Directory && isLocked(path, &node, nullptr)) {
        return;
    }
    operations(side).push_back({path, Entry{}, node.entry, node.stamp.mtimeNs});
    const bool gitFolder = isFolder(&node) && (isGitName(nameOf(path)) || looksLikeRepository(node));
    for (const auto& [name, child] : node.children) {
        create(side, joinPath(path, name), child, gitFolder);
    }
}

/// `…/objects/…` inside a git directory.
bool isGitObject(std::string_view path)
{
    bool inGit = false;
    for (const auto part : splitPath(parentOf(path))) {
        if (inGit && part == "objects") {
            return true;
        }
        inGit = inGit || isGitName(part);
    }
    return false;
}

} // namespace

Plan reconcile(const Node& ancestor, const Node& host, const Node& guest, ReconcileMode mode)
{
    Plan plan;
    Reconciler(mode, plan).visit("", &ancestor, &host, &guest, false);
    // Objects only add: git's own clean-up on one side must not take away what a ref on the other side needs. A whole
    // repository that went away goes whole.
    for (auto* operations : {&plan.hostOperations, &plan.guestOperations}) {
        std::set<std::string> removedFolders;
        for (const Operation& operation : *operations) {
            if (operation.after.kind == Kind::None && isGitName(nameOf(operation.path))) {
                removedFolders.insert(operation.path);
            }
        }
        std::erase_if(*operations, [&](const Operation& operation) {
            if (operation.after.kind != Kind::None || !isGitObject(operation.path)) {
                return false;
            }
            std::string_view folder = operation.path;
            while (!folder.empty()) {
                folder = parentOf(folder);
                if (removedFolders.contains(std::string(folder))) {
                    return false;
                }
            }
            return true;
        });
    }
    std::erase_if(plan.ancestorChanges, [](const Record& record) { return record.path.empty(); });
    return plan;
}

} // namespace coldframe::sync
