// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/setup.h"

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "guest/agent/java_trust.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/random.h>
#include <optional>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coldframe::guest {

namespace fs = std::filesystem;

namespace {

fs::path under(const fs::path& root, const std::string& absolute)
{
    return root / fs::path(absolute).relative_path();
}

/// random(4): RNDADDENTROPY credits the bytes, RNDRESEEDCRNG makes them count at once.
Result<void> creditEntropy(std::string_view bytes)
{
    UniqueFd device(::open("/dev/urandom", O_RDWR | O_CLOEXEC));
    if (!device) {
        return failErrno("Cannot open the random device.", errno);
    }
    std::array<std::uint32_t, 2 + 1024> info{};
    const std::size_t size = std::min<std::size_t>(bytes.size(), 4096);
    info[0] = static_cast<std::uint32_t>(size * 8);
    info[1] = static_cast<std::uint32_t>(size);
    std::memcpy(&info[2], bytes.data(), size);
    if (::ioctl(device.get(), RNDADDENTROPY, info.data()) != 0 || ::ioctl(device.get(), RNDRESEEDCRNG) != 0) {
        return failErrno("Cannot reseed the random generator.", errno);
    }
    return {};
}

void setClock(double time)
{
    // The kernel's clock may be years off after a restore; before 2020 the host's own is wrong.
    if (time < 1577836800.0) {
        return;
    }
    const double whole = std::floor(time);
    const struct timespec now
    {
        static_cast<time_t>(whole), static_cast<long>((time - whole) * 1e9)
    };
    if (::clock_settime(CLOCK_REALTIME, &now) != 0) {
        logWarning("setup", std::string("the clock cannot be set: ") + std::strerror(errno));
    }
}

Result<void> nameMachine(const fs::path& root, const std::string& hostName)
{
    COLDFRAME_CHECK(replaceFile(root / "etc/hostname", hostName + "\n", 0644));
    COLDFRAME_CHECK(replaceFile(root / "etc/hosts",
                                    "127.0.0.1\tlocalhost\n127.0.1.1\t" + hostName +
                                        "\n::1\tlocalhost ip6-localhost ip6-loopback\n",
                                    0644));
    // A new id in each boot: two sandboxes of one template must not share it.
    return replaceFile(root / "etc/machine-id", randomHex(16) + "\n", 0444);
}

/// While it lives, files are made and reached with the agent's rights, so a link the agent left on its disk
/// leads nowhere the agent could not write itself.
class AgentRights
{
public:
    explicit AgentRights(const Account& account) : m_active(::geteuid() == 0)
    {
        if (m_active) {
            ::setfsgid(account.gid);
            ::setfsuid(account.uid);
        }
    }
    ~AgentRights()
    {
        if (m_active) {
            ::setfsuid(0);
            ::setfsgid(0);
        }
    }
    AgentRights(const AgentRights&) = delete;
    AgentRights& operator=(const AgentRights&) = delete;

private:
    bool m_active;
};

Result<void> writeSetupFile(const fs::path& root, const SetupFile& file, const Account& agent)
{
    const fs::path path = under(root, file.path);
    std::optional<AgentRights> rights;
    if (file.ownedByAgent) {
        rights.emplace(agent);
    }
    COLDFRAME_CHECK(makeFolders(path.parent_path(), 0755));
    COLDFRAME_CHECK(replaceFile(path, file.content, file.mode));
    if (::chmod(path.c_str(), file.mode) != 0) {
        return failErrno("Cannot set the mode of " + file.path + ".", errno);
    }
    return {};
}

} // namespace

Result<void> installTrust(const fs::path& root, std::string_view name, std::string_view pem)
{
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
    if (pem.find(kBegin) == std::string_view::npos || pem.find("PRIVATE KEY") != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument, "The CA to trust is not a PEM certificate.");
    }
    std::string text(pem);
    if (text.back() != '\n') {
        text += '\n';
    }
    const fs::path source = root / "usr/local/share/ca-certificates" / (std::string(name) + ".crt");
    COLDFRAME_CHECK(makeFolders(source.parent_path(), 0755));
    COLDFRAME_CHECK(replaceFile(source, text, 0644));
    const fs::path bundlePath = root / "etc/ssl/certs/ca-certificates.crt";
    std::string bundle = readFile(bundlePath).value_or("");
    if (bundle.find(text) == std::string::npos) {
        if (!bundle.empty() && bundle.back() != '\n') {
            bundle += '\n';
        }
        COLDFRAME_CHECK(makeFolders(bundlePath.parent_path(), 0755));
        COLDFRAME_CHECK(replaceFile(bundlePath, bundle + text, 0644));
    }
    return {};
}

void linkBySubject(const fs::path& root, const std::string& name, const std::string& subjectHash)
{
    const fs::path folder = root / "etc/ssl/certs";
    std::error_code ignored;
    for (const auto& [link, target] : {std::pair{name + ".pem", "/usr/local/share/ca-certificates/" + name + ".crt"},
                                       {subjectHash + ".0", name + ".pem"}}) {
        fs::remove(folder / link, ignored);
        fs::create_symlink(target, folder / link, ignored);
    }
}

Result<void> makeWorkspace(const fs::path& root, const std::string& path, const Account& owner)
{
    for (const std::string_view own : {"/proc", "/sys", "/dev", "/run/coldframe", "/etc", "/usr", "/bin",
                                       "/sbin", "/lib", "/lib64", "/boot", "/var/lib"}) {
        if (path == own || path.starts_with(std::string(own) + "/")) {
            return fail(ErrorCode::NotAllowed,
                        "A workspace cannot be at " + path + ": that is the sandbox's own system.");
        }
    }
    if (path == "/" || path == "/run" || path == "/var" || path == "/home" || path == "/root" ||
        path == "/opt" || path == "/tmp") {
        return fail(ErrorCode::NotAllowed,
                    "A workspace cannot be at " + path + ": that is the sandbox's own system.");
    }
    const fs::path folder = under(root, path);
    COLDFRAME_CHECK(makeFolders(folder, 0755));
    struct stat info
    {
    };
    if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        return fail(ErrorCode::NotAllowed, "The workspace " + path + " is not a folder inside the sandbox.");
    }
    if ((info.st_uid != owner.uid || info.st_gid != owner.gid) &&
        ::chown(folder.c_str(), owner.uid, owner.gid) != 0) {
        return failErrno("Cannot give the workspace to the agent.", errno);
    }
    return {};
}

Result<void> applyRenewal(const fs::path& root, const RenewRequest& request)
{
    if (root == "/") {
        if (!request.entropy.empty()) {
            COLDFRAME_CHECK(creditEntropy(request.entropy));
        }
        setClock(request.time);
        if (!request.hostName.empty() && ::sethostname(request.hostName.c_str(), request.hostName.size()) != 0) {
            logWarning("setup", "the host name cannot be set");
        }
    }
    return request.hostName.empty() ? Result<void>() : nameMachine(root, request.hostName);
}

Result<Account> applySetup(const fs::path& root, const SetupRequest& request)
{
    const RenewRequest identity{request.generation, request.hostName, request.time, request.entropy};
    COLDFRAME_CHECK(applyRenewal(root, identity));
    Account wanted;
    wanted.name = request.userName;
    wanted.uid = request.uid;
    wanted.gid = request.gid;
    wanted.home = request.home;
    wanted.shell = loginShell(root);
    COLDFRAME_TRY(Account agent, ensureAccount(root, wanted));
    const fs::path runtime = root / "run/user" / std::to_string(agent.uid);
    COLDFRAME_CHECK(makeFolders(runtime, 0700));
    (void)!::chown(runtime.c_str(), agent.uid, agent.gid);
    if (!request.caPem.empty()) {
        COLDFRAME_CHECK(installTrust(root, "coldframe", request.caPem));
        if (!request.caSubjectHash.empty()) {
            linkBySubject(root, "coldframe", request.caSubjectHash);
        }
        // An image may bring Java runtimes. One that cannot be told is no reason to have no sandbox.
        if (const auto told = JavaTrust(root).install(); !told) {
            logWarning("setup", told.error().message + " " + told.error().detail);
        }
    }
    for (const SetupWorkspace& workspace : request.workspaces) {
        COLDFRAME_CHECK(makeWorkspace(root, workspace.path, agent));
    }
    for (const SetupFile& file : request.files) {
        COLDFRAME_CHECK(writeSetupFile(root, file, agent));
    }
    return agent;
}

} // namespace coldframe::guest
