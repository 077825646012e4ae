// SPDX-License-Identifier: Apache-2.0
#include "vm/session_daemon.h"

#include "base/file.h"
#include "base/paths.h"
#include "base/process.h"

#include <cstdlib>
#include <sys/un.h>
#include <unistd.h>

namespace coldframe::vm {

namespace fs = std::filesystem;

namespace {

/// libvirt: <configuration>/libvirt/qemu/lib/domain-<number>-<name's first 20>/monitor.sock; the number counts up for as
/// long as the daemon lives.
constexpr std::size_t kMonitorTail = std::string_view("/libvirt/qemu/lib/domain-9999999-").size() + 20 + std::string_view("/monitor.sock").size();
constexpr std::size_t kLongestSocket = sizeof(sockaddr_un::sun_path) - 1;

std::string daemonProgram()
{
    for (const char* folder : {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"}) {
        const fs::path program = fs::path(folder) / "libvirtd";
        if (::access(program.c_str(), X_OK) == 0) {
            return program;
        }
    }
    return "libvirtd"; // wherever PATH has it
}

} // namespace

SessionDaemon chooseSessionDaemon(const fs::path& configHome, const fs::path& runtimeDir, const fs::path& ownRuntime)
{
    if (configHome.native().size() + kMonitorTail <= kLongestSocket) {
        return {"qemu:///session", false, runtimeDir, configHome};
    }
    const fs::path folder = ownRuntime / "v";
    return {"qemu:///session?socket=" + (folder / "libvirt/libvirt-sock").string(), true, folder, folder};
}

SessionDaemon sessionDaemon()
{
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    return chooseSessionDaemon(paths::configFolder().parent_path(), runtime ? runtime : "", paths::runtimeFolder());
}

Result<void> startPrivateDaemon(const SessionDaemon& daemon)
{
    COLDFRAME_CHECK(makeFolders(daemon.runtimeFolder, 0700));
    ProcessSpec spec;
    spec.arguments = {daemonProgram(), "--daemon", "--timeout", "120"};
    spec.environment = {{"XDG_RUNTIME_DIR", daemon.runtimeFolder.string()}, {"XDG_CONFIG_HOME", daemon.configFolder.string()}};
    spec.timeout = std::chrono::seconds(20);
    SystemProcessRunner runner;
    const Result<ProcessResult> done = runner.run(spec);
    if (!done) {
        return fail(ErrorCode::Unavailable,
                    "libvirt's daemon cannot be started. Install it: libvirt-daemon (Debian, Ubuntu), libvirt-daemon-kvm (Fedora).",
                    done.error().message + " " + done.error().detail);
    }
    // Another engine thread may have been faster; the connection tells.
    if (done->exitCode != 0 && done->standardError.find("Unable to obtain pidfile") == std::string::npos) {
        return fail(ErrorCode::Unavailable, "libvirt's daemon does not start; see: coldframe diagnose", done->standardError);
    }
    return {};
}

} // namespace coldframe::vm
