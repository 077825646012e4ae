// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/credential_scan.h"

#include "base/file.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <sys/stat.h>

namespace coldframe::guest {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFound = 100;
constexpr std::size_t kMaxEntries = 20'000;
constexpr int kMaxDepth = 4;
constexpr std::size_t kMaxRead = 64u << 10;

/// The end of a path, and a word that must stand in the file (empty: the name is enough).
struct Sign
{
    std::string_view suffix;
    std::string_view word;
};

constexpr std::array<Sign, 19> kSigns = {{
    {"/.netrc", "password"},
    {"/.git-credentials", ""},
    {"/.npmrc", "_auth"},
    {"/.pypirc", "password"},
    {"/.docker/config.json", "\"auth\""},
    {"/.aws/credentials", ""},
    {"/.azure/msal_token_cache.json", ""},
    {"/gcloud/application_default_credentials.json", ""},
    {"/.kube/config", "user"},
    {"/gh/hosts.yml", "oauth_token"},
    {"/.claude/.credentials.json", ""},
    {"/.codex/auth.json", ""},
    {"/.gemini/oauth_creds.json", ""},
    {"/opencode/auth.json", ""},
    {"/.ssh/id_rsa", ""},
    {"/.ssh/id_ed25519", ""},
    {"/.ssh/id_ecdsa", ""},
    {"/.env", ""},
    {".pem", "PRIVATE KEY"},
}};

bool looksLikeCredentials(const fs::path& path)
{
    const std::string name = path.native();
    return std::any_of(kSigns.begin(), kSigns.end(), [&](const Sign& sign) {
        if (!name.ends_with(sign.suffix)) {
            return false;
        }
        struct stat info{};
        if (sign.word.empty()) {
            return ::lstat(path.c_str(), &info) == 0 && info.st_size > 0;
        }
        const auto text = readFile(path, kMaxRead);
        return text && text->find(sign.word) != std::string::npos;
    });
}

} // namespace

std::vector<std::string> findCredentials(const fs::path& root)
{
    std::vector<std::string> found;
    std::size_t seen = 0;
    for (const fs::path& home : {root / "home", root / "root"}) {
        std::error_code error;
        fs::recursive_directory_iterator entry(home, fs::directory_options::skip_permission_denied, error);
        for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
            if (++seen > kMaxEntries || found.size() >= kMaxFound) {
                return found;
            }
            std::error_code ignored;
            const auto status = entry->symlink_status(ignored);
            const std::string name = entry->path().filename().string();
            if (fs::is_directory(status) && (entry.depth() >= kMaxDepth || name == "node_modules" || name == ".cache")) {
                entry.disable_recursion_pending();
            } else if (fs::is_regular_file(status) && looksLikeCredentials(entry->path())) {
                found.push_back("/" + entry->path().lexically_relative(root).native());
            }
        }
    }
    return found;
}

} // namespace coldframe::guest
