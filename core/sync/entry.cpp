// SPDX-License-Identifier: Apache-2.0
#include "sync/entry.h"

#include <algorithm>

namespace coldframe::sync {

bool sameContent(const Entry& left, const Entry& right)
{
    if (left.kind != right.kind) {
        return false;
    }
    switch (left.kind) {
    case Kind::File:
        return left.size == right.size && left.executable == right.executable && left.digest == right.digest;
    case Kind::Symlink:
    case Kind::Problem:
    case Kind::Untracked:
        return left.text == right.text;
    case Kind::Directory:
    case Kind::None:
        return true;
    }
    return false;
}

bool isValidName(std::string_view name)
{
    return !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." && !name.starts_with(kReservedName) &&
           name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool isValidPath(std::string_view path)
{
    if (path.empty() || path.size() > kMaxPathBytes) {
        return false;
    }
    std::size_t depth = 0;
    std::size_t begin = 0;
    for (;;) {
        const std::size_t end = path.find('/', begin);
        if (!isValidName(path.substr(begin, end == std::string_view::npos ? end : end - begin)) ||
            ++depth > kMaxDepth) {
            return false;
        }
        if (end == std::string_view::npos) {
            return true;
        }
        begin = end + 1;
    }
}

std::vector<std::string_view> splitPath(std::string_view path)
{
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const std::size_t end = path.find('/');
        parts.push_back(path.substr(0, end));
        if (end == std::string_view::npos) {
            break;
        }
        path.remove_prefix(end + 1);
    }
    return parts;
}

std::string joinPath(std::string_view folder, std::string_view name)
{
    std::string path;
    path.reserve(folder.size() + name.size() + 1);
    path.append(folder);
    if (!folder.empty()) {
        path.push_back('/');
    }
    path.append(name);
    return path;
}

std::string_view parentOf(std::string_view path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view nameOf(std::string_view path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string foldCase(std::string_view text)
{
    std::string folded(text);
    std::transform(folded.begin(), folded.end(), folded.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return folded;
}

bool isBeneath(std::string_view path, std::string_view folder)
{
    return folder.empty() || path == folder ||
           (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

const Node* findNode(const Node& root, std::string_view path)
{
    const Node* node = &root;
    while (!path.empty()) {
        const std::size_t end = path.find('/');
        const auto child = node->children.find(path.substr(0, end));
        if (child == node->children.end()) {
            return nullptr;
        }
        node = &child->second;
        if (end == std::string_view::npos) {
            break;
        }
        path.remove_prefix(end + 1);
    }
    return node;
}

Node* findNode(Node& root, std::string_view path)
{
    return const_cast<Node*>(findNode(static_cast<const Node&>(root), path));
}

bool setNode(Node& root, std::string_view path, const Entry& entry)
{
    Node* parent = findNode(root, parentOf(path));
    if (parent == nullptr || parent->entry.kind != Kind::Directory) {
        return false;
    }
    Node& node = parent->children[std::string(nameOf(path))];
    if (entry.kind != Kind::Directory) {
        node.children.clear();
    }
    node.entry = entry;
    return true;
}

void removeNode(Node& root, std::string_view path)
{
    if (Node* parent = findNode(root, parentOf(path))) {
        const auto child = parent->children.find(nameOf(path));
        if (child != parent->children.end()) {
            parent->children.erase(child);
        }
    }
}

std::uint64_t countNodes(const Node& node)
{
    std::uint64_t count = 0;
    for (const auto& [name, child] : node.children) {
        count += 1 + countNodes(child);
    }
    return count;
}

bool looksLikeRepository(const Node& folder)
{
    bool head = false;
    bool objects = false;
    bool refs = false;
    bool common = false;
    for (const auto& [name, child] : folder.children) {
        if (name.size() < 4 || name.size() > 9) {
            continue;
        }
        const std::string folded = foldCase(name);
        head = head || folded == "head";
        objects = objects || folded == "objects";
        refs = refs || folded == "refs";
        common = common || folded == "commondir";
    }
    return head && ((objects && refs) || common);
}

} // namespace coldframe::sync
