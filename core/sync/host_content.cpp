// SPDX-License-Identifier: Apache-2.0
#include "sync/digest.h"
#include "sync/git_config.h"
#include "sync/guarded_paths.h"
#include "sync/guards.h"

#include <algorithm>

namespace coldframe::sync {

namespace {

constexpr std::size_t kMaxConfigBytes = 1u << 20;

bool isTokenCharacter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// A known prefix with at least 20 token characters after it.
bool holdsToken(std::string_view content)
{
    for (const std::string_view prefix : kTokenPrefixes) {
        for (auto at = content.find(prefix); at != std::string_view::npos; at = content.find(prefix, at + 1)) {
            if (at > 0 && isTokenCharacter(content[at - 1])) {
                continue;
            }
            const std::string_view rest = content.substr(at + prefix.size());
            const auto end = std::find_if_not(rest.begin(), rest.end(), isTokenCharacter);
            if (end - rest.begin() >= 20) {
                return true;
            }
        }
    }
    return false;
}

bool isSecretName(std::string_view name)
{
    return std::find(kSecretNames.begin(), kSecretNames.end(), name) != kSecretNames.end();
}

bool isObject(std::string_view path)
{
    return path.find("objects/") != std::string_view::npos;
}

Entry keptOut(std::string reason) { return {Kind::Untracked, false, 0, {}, std::move(reason)}; }

} // namespace

bool HostContent::isRendered(std::string_view path, bool inGitFolder)
{
    const std::string name = foldCase(nameOf(path));
    return inGitFolder && (name == "config" || name == "config.worktree");
}

bool HostContent::needsContent(std::string_view path, bool inGitFolder)
{
    if (isRendered(path, inGitFolder)) {
        return true;
    }
    return !inGitFolder && !(isObject(path) && !gitFolderOf(path).empty());
}

Entry HostContent::present(std::string_view path, bool inGitFolder, std::string_view content, const Entry& plain) const
{
    const std::string name = foldCase(nameOf(path));
    if (isRendered(path, inGitFolder)) {
        if (content.size() > kMaxConfigBytes) {
            return keptOut("This git configuration cannot be read.");
        }
        const auto values = parseGitConfig(content);
        if (!values) {
            return keptOut("This git configuration cannot be read.");
        }
        const std::string rendered = renderGitConfig(*values);
        return {Kind::File, false, rendered.size(), digestOf(rendered), {}};
    }
    if (isSecretName(name)) {
        return keptOut("Kept out of the sandbox: this file holds keys.");
    }
    if (name == ".npmrc" && (content.find("_auth") != std::string_view::npos ||
                             content.find("_password") != std::string_view::npos)) {
        return keptOut("Kept out of the sandbox: this file holds keys.");
    }
    if (content.size() <= kMaxConfigBytes && (holdsToken(content) || (isStoredKey && isStoredKey(content)))) {
        return keptOut("Kept out of the sandbox: a key or token was found in this file.");
    }
    return plain;
}

std::vector<std::string> pathsNamedByGit(std::string_view configText, const std::string& root,
                                         const std::function<bool(const std::string&)>& existsInRoot)
{
    std::vector<std::string> paths;
    const auto values = parseGitConfig(configText);
    if (!values) {
        return paths;
    }
    for (const GitConfigValue& item : *values) {
        std::string_view text = item.value;
        while (!text.empty()) {
            const auto end = text.find_first_of(" \t\"'!;&|<>()=");
            std::string_view word = text.substr(0, end);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            if (word.size() > root.size() && word.starts_with(root) && word[root.size()] == '/') {
                word.remove_prefix(root.size() + 1);
            }
            while (word.starts_with("./")) {
                word.remove_prefix(2);
            }
            while (word.ends_with('/')) {
                word.remove_suffix(1);
            }
            if (!isValidPath(word)) {
                continue;
            }
            const std::string path(word);
            if (item.key == "hookspath" || existsInRoot(path)) {
                paths.push_back(path);
            }
        }
    }
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    return paths;
}

} // namespace coldframe::sync
