// SPDX-License-Identifier: Apache-2.0
#include "base/paths.h"

#include <cstdlib>
#include <string>
#include <unistd.h>

namespace coldframe::paths {

namespace fs = std::filesystem;

namespace {

fs::path fromEnvironment(const char* variable, const fs::path& fallbackBelowHome)
{
    if (const char* value = std::getenv(variable); value && value[0] == '/') {
        return fs::path(value) / "coldframe";
    }
    const char* home = std::getenv("HOME");
    return fs::path(home ? home : "/") / fallbackBelowHome / "coldframe";
}

fs::path executableFolder()
{
    std::error_code ignored;
    return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

} // namespace

fs::path configFolder() { return fromEnvironment("XDG_CONFIG_HOME", ".config"); }
fs::path dataFolder() { return fromEnvironment("XDG_DATA_HOME", ".local/share"); }
fs::path cacheFolder() { return fromEnvironment("XDG_CACHE_HOME", ".cache"); }

fs::path runtimeFolder()
{
    if (const char* value = std::getenv("XDG_RUNTIME_DIR"); value && value[0] == '/') {
        return fs::path(value) / "coldframe";
    }
    return fs::path("/run/user") / std::to_string(::getuid()) / "coldframe";
}

fs::path engineSocket() { return runtimeFolder() / "engine.sock"; }

fs::path resourcesFolder()
{
    if (const char* value = std::getenv("COLDFRAME_RESOURCES"); value && value[0] == '/') {
        return value;
    }
    std::error_code ignored;
    const fs::path installed = executableFolder().parent_path() / "share/coldframe";
    if (fs::is_directory(installed, ignored)) {
        return installed;
    }
    // A build tree: climb until the checkout's resources/ is beside us.
    for (fs::path folder = executableFolder(); folder.has_relative_path(); folder = folder.parent_path()) {
        if (fs::is_directory(folder / "resources/agents", ignored)) {
            return folder / "resources";
        }
    }
    return "/usr/share/coldframe";
}

fs::path imageRecipeFolder()
{
    std::error_code ignored;
    const fs::path resources = resourcesFolder();
    if (fs::is_directory(resources / "guest-image", ignored)) {
        return resources / "guest-image";
    }
    return resources.parent_path() / "guest/image";
}

fs::path helperExecutable(const char* name)
{
    std::error_code ignored;
    const fs::path beside = executableFolder() / name;
    if (fs::exists(beside, ignored)) {
        return beside;
    }
    return executableFolder().parent_path() / "lib/coldframe" / name;
}

} // namespace coldframe::paths
