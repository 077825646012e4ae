// SPDX-License-Identifier: Apache-2.0
#include "app/qemu-wrapper/confinement.h"

#include "base/unique_fd.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coldframe::qemu {
namespace {

// The kernel's interface (Documentation/userspace-api/landlock.rst), spelled out because build hosts' headers differ
// in age. ABI 1: files; 2: refer; 3: truncate; 4: TCP; 5: ioctl on devices; 6: scopes.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr std::uint32_t kVersionFlag = 1;
constexpr int kPathBeneath = 1;
constexpr std::uint64_t kExecute = 1u << 0;
constexpr std::uint64_t kWriteFile = 1u << 1;
constexpr std::uint64_t kReadFile = 1u << 2;
constexpr std::uint64_t kReadFolder = 1u << 3;
constexpr std::uint64_t kTruncate = 1u << 14;
constexpr std::uint64_t kAllFileRights[] = {0, (1u << 13) - 1, (1u << 14) - 1, (1u << 15) - 1};
constexpr std::uint64_t kTcpBindAndConnect = 3;
constexpr std::uint64_t kAbstractSocketsAndSignals = 3;

struct RulesetAttributes
{
    std::uint64_t files = 0;
    std::uint64_t network = 0;
    std::uint64_t scoped = 0;
};

struct __attribute__((packed)) PathRule
{
    std::uint64_t allowed = 0;
    std::int32_t parent = -1;
};

Result<void> writeProc(const char* path, const std::string& text)
{
    const UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
    if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return failErrno(std::string(path) + " could not be written.", errno);
    }
    return {};
}

/// An empty network namespace; the user keeps its own id in it.
bool leaveNetwork()
{
    const auto user = std::to_string(::getuid());
    const auto group = std::to_string(::getgid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    // Without the maps files are still reached by the real ids; QEMU only sees itself as "nobody".
    (void)writeProc("/proc/self/setgroups", "deny");
    (void)writeProc("/proc/self/uid_map", user + " " + user + " 1");
    (void)writeProc("/proc/self/gid_map", group + " " + group + " 1");
    return true;
}

Result<void> forbidInternetSockets()
{
    const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
    const auto add = [&](int call) {
        return seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), call, 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
    };
    if (!filter || add(SCMP_SYS(socket)) != 0 || add(SCMP_SYS(socketpair)) != 0 || seccomp_load(filter.get()) != 0) {
        return fail(ErrorCode::Internal, "The system-call filter could not be set.");
    }
    return {};
}

/// Missing system paths are no error; missing files of the machine are QEMU's to report.
Result<void> allow(int ruleset, const std::string& path, std::uint64_t rights)
{
    const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd) {
        return {};
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) == 0 && !S_ISDIR(status.st_mode)) {
        rights &= kExecute | kWriteFile | kReadFile | kTruncate;
    }
    const PathRule rule{rights, fd.get()};
    if (::syscall(kAddRule, ruleset, kPathBeneath, &rule, 0) != 0) {
        return failErrno("Access to “" + path + "” could not be granted.", errno);
    }
    return {};
}

Result<void> restrictFiles(const Needs& needs, long abi)
{
    RulesetAttributes attributes;
    attributes.files = kAllFileRights[abi < 3 ? abi : 3];
    std::size_t size = sizeof attributes.files;
    if (abi >= 4) {
        attributes.network = kTcpBindAndConnect;
        size += sizeof attributes.network;
    }
    if (abi >= 6) {
        attributes.scoped = kAbstractSocketsAndSignals;
        size += sizeof attributes.scoped;
    }
    const UniqueFd ruleset(static_cast<int>(::syscall(kCreateRuleset, &attributes, size, 0)));
    if (!ruleset) {
        return failErrno("The Landlock rules could not be made.", errno);
    }
    constexpr std::uint64_t kProgram = kExecute | kReadFile | kReadFolder;
    const std::uint64_t write = kReadFile | kWriteFile | (abi >= 3 ? kTruncate : 0);
    for (const char* path : {"/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/alternatives"}) {
        COLDFRAME_CHECK(allow(ruleset.get(), path, kProgram));
    }
    for (const char* path : {"/dev/urandom", "/dev/random", "/sys/devices/system", "/proc/self", "/proc/cpuinfo"}) {
        COLDFRAME_CHECK(allow(ruleset.get(), path, kReadFile | kReadFolder));
    }
    for (const char* path : {"/dev/null", "/dev/zero"}) {
        COLDFRAME_CHECK(allow(ruleset.get(), path, write));
    }
    if (needs.usesKvm) {
        COLDFRAME_CHECK(allow(ruleset.get(), "/dev/kvm", write));
    }
    for (const auto& path : needs.readable) {
        COLDFRAME_CHECK(allow(ruleset.get(), path, kReadFile));
    }
    for (const auto& path : needs.writable) {
        COLDFRAME_CHECK(allow(ruleset.get(), path, write));
    }
    if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0) {
        return failErrno("The Landlock rules could not be applied.", errno);
    }
    return {};
}

} // namespace

Result<std::vector<std::string>> confine(const Needs& needs)
{
    std::vector<std::string> missing;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failErrno("New privileges could not be ruled out.", errno);
    }
    if (!leaveNetwork()) {
        missing.push_back("no network namespace of its own (user namespaces are switched off)");
    }
    if (!needs.isProbe) {
        const long abi = ::syscall(kCreateRuleset, nullptr, 0, kVersionFlag);
        if (abi < 1) {
            missing.push_back("no limit to its own files (the kernel has no Landlock)");
        } else {
            COLDFRAME_CHECK(restrictFiles(needs, abi));
        }
    }
    COLDFRAME_CHECK(forbidInternetSockets());
    return missing;
}

} // namespace coldframe::qemu
