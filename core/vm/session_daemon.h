// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>

namespace coldframe::vm {

/// The libvirt daemon that serves this user's microVMs.
///
/// The ordinary one keeps each microVM's monitor socket below ~/.config/libvirt, and a socket's path has 107 bytes at most
/// (unix(7)): below a long home folder QEMU does not start. There Coldframe runs a daemon of its own, with all its
/// folders below the runtime folder; libvirt's usual session is left alone.
struct SessionDaemon
{
    std::string uri;
    bool isPrivate = false;
    std::filesystem::path runtimeFolder; ///< its XDG_RUNTIME_DIR
    std::filesystem::path configFolder;  ///< its XDG_CONFIG_HOME

    std::filesystem::path pidFileOf(const std::string& domainName) const
    {
        return runtimeFolder / "libvirt/qemu/run" / (domainName + ".pid");
    }
};

/// `configHome`: $XDG_CONFIG_HOME or ~/.config; `runtimeDir`: $XDG_RUNTIME_DIR; `ownRuntime`: Coldframe's folder in it.
SessionDaemon chooseSessionDaemon(const std::filesystem::path& configHome, const std::filesystem::path& runtimeDir,
                                  const std::filesystem::path& ownRuntime);
/// The same for this process's environment.
SessionDaemon sessionDaemon();

/// Starts the private daemon, which leaves by itself when nothing runs and nobody is connected. Returns when it serves;
/// success when one serves already. Blocking, up to 20 s.
Result<void> startPrivateDaemon(const SessionDaemon& daemon);

} // namespace coldframe::vm
