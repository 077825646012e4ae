// SPDX-License-Identifier: Apache-2.0
#include "engine/workspace_rules.h"

#include "base/log.h"
#include "base/paths.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::engine {

namespace fs = std::filesystem;

namespace {

/// Folders that are the system's: the folder itself and all below it are refused, for the guest has its own
/// at the same place and shadowing them would break it.
constexpr std::array<std::string_view, 15> kSystemTrees = {
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr",
    "/var/lib/docker", "/var/run"};
/// Folders that hold projects but are none themselves.
constexpr std::array<std::string_view, 10> kParentsOnly = {"/", "/home", "/root", "/tmp", "/opt",
                                                           "/srv", "/mnt", "/media", "/var", "/var/tmp"};

std::string shown(const fs::path& path) { return escapeForDisplay(path.native()); }

bool isInside(const fs::path& path, const fs::path& folder)
{
    const auto [end, unused] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end();
}

Result<fs::path> checkOne(const Workspace& workspace, const fs::path& home)
{
    const fs::path& wanted = workspace.path;
    if (!wanted.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The folder " + shown(wanted) + " must be given by its full path.");
    }
    std::error_code error;
    const fs::path path = fs::canonical(wanted, error);
    if (error) {
        return fail(error == std::errc::permission_denied ? ErrorCode::NotAllowed : ErrorCode::NotFound,
                    "The folder " + shown(wanted) + " cannot be opened: check that it exists and that you may read it.",
                    error.message());
    }
    if (!fs::is_directory(path, error)) {
        return fail(ErrorCode::InvalidArgument, shown(path) + " is not a folder. Give the folder of your project.");
    }
    if (path == home) {
        return fail(ErrorCode::NotAllowed, "Your home folder " + shown(path) +
                                               " cannot be shared: it holds your keys. Choose a project folder in it.");
    }
    const bool isSomeHome = path.parent_path() == "/home";
    if (isSomeHome || std::find(kParentsOnly.begin(), kParentsOnly.end(), path.native()) != kParentsOnly.end()) {
        return fail(ErrorCode::NotAllowed,
                    "The folder " + shown(path) + " cannot be shared as a whole. Choose a project folder in it.");
    }
    for (const std::string_view tree : kSystemTrees) {
        if (isInside(path, tree)) {
            return fail(ErrorCode::NotAllowed, "The folder " + shown(path) + " belongs to the system (" +
                                                   std::string(tree) + "). Choose a project folder elsewhere.");
        }
    }
    for (const fs::path& own : {paths::configFolder(), paths::dataFolder(), paths::cacheFolder(), paths::runtimeFolder()}) {
        if (isInside(path, own) || isInside(own, path)) {
            return fail(ErrorCode::NotAllowed,
                        "The folder " + shown(path) + " overlaps Coldframe's own data in " + shown(own) + ". Choose another.");
        }
    }
    for (const char* secret : {".ssh", ".aws", ".gnupg", ".kube", ".docker", ".local/share/keyrings"}) {
        if (isInside(path, home / secret)) {
            return fail(ErrorCode::NotAllowed, "The folder " + shown(path) + " holds credentials and cannot be shared.");
        }
    }
    const int access = workspace.readOnly ? R_OK | X_OK : R_OK | W_OK | X_OK;
    if (::access(path.c_str(), access) != 0) {
        return fail(ErrorCode::NotAllowed, "You may not " + std::string(workspace.readOnly ? "read" : "read and write") +
                                               " the folder " + shown(path) + ". Change its permissions" +
                                               (workspace.readOnly ? "." : ", or share it read-only with :ro."));
    }
    return path;
}

} // namespace

Result<std::vector<Workspace>> checkWorkspaces(const std::vector<Workspace>& wanted, const fs::path& home)
{
    std::error_code ignored;
    const fs::path realHome = fs::weakly_canonical(home, ignored);
    std::vector<Workspace> checked;
    for (const Workspace& workspace : wanted) {
        COLDFRAME_TRY(fs::path path, checkOne(workspace, realHome));
        for (const Workspace& other : checked) {
            if (other.path == path) {
                return fail(ErrorCode::InvalidArgument, "The folder " + shown(path) + " is given twice.");
            }
            if (isInside(path, other.path) || isInside(other.path, path)) {
                return fail(ErrorCode::InvalidArgument, "The folders " + shown(other.path) + " and " + shown(path) +
                                                            " lie in one another. Give only the outer one.");
            }
        }
        checked.push_back({std::move(path), workspace.readOnly, {}});
    }
    return checked;
}

} // namespace coldframe::engine
