// SPDX-License-Identifier: Apache-2.0
#include "dial/dialler.h"

#include "base/landlock.h"
#include "base/secret.h"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <string>
#include <string_view>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <vector>

namespace coldframe::dial {

namespace {

// Not needed to resolve and connect, and useful to whoever breaks in. Names unknown to this libseccomp are skipped.
constexpr const char* kForbidden[] = {
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "pidfd_open",
    "kcmp", "kill", "tkill", "pidfd_send_signal", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
    "io_uring_enter", "io_uring_register", "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "pivot_root",
    "chroot", "unshare", "setns", "keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module",
    "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "settimeofday", "clock_settime", "adjtimex",
    "clock_adjtime", "sethostname", "setdomainname", "personality", "modify_ldt", "ioperm", "iopl", "creat", "unlink", "unlinkat", "rename",
    "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat",
    "truncate", "ftruncate", "fallocate", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "setxattr", "lsetxattr",
    "fsetxattr", "removexattr", "utimensat", "name_to_handle_at", "open_by_handle_at", "listen", "accept", "accept4", "memfd_create",
    "setuid", "setgid", "setresuid", "setresgid", "setgroups", "capset", "vmsplice"};

// What looking a name up reads, and the library for proxy scripts. Nothing of the user's.
const std::vector<std::string> kReadable = {"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf",
                                            "/run/nscd", "/run/connman", "/run/current-system", "/nix/store", "/gnu/store", "/dev/urandom"};

struct ReleaseFilter
{
    void operator()(void* filter) const { seccomp_release(filter); }
};

} // namespace

Result<void> confineDialler(MayFork mayFork)
{
    forbidCoreDumps();
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failErrno("The dialler could not give up privileges", errno);
    }
    COLDFRAME_TRY([[maybe_unused]] const bool hasLandlock, restrictFilesTo(kReadable));
    const std::unique_ptr<void, ReleaseFilter> filter(seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) {
        return fail(ErrorCode::Unavailable, "This kernel offers no system call filter; Coldframe needs one.");
    }
    int failed = 0;
    const auto keep = [&failed](int code) { failed = failed == 0 ? code : failed; };
    for (const char* name : kForbidden) {
        if (mayFork == MayFork::Yes && (std::string_view(name) == "fork" || std::string_view(name) == "vfork")) {
            continue;
        }
        const int number = seccomp_syscall_resolve_name(name);
        if (number != __NR_SCMP_ERROR && number >= 0) {
            keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0));
        }
    }
    // Threads yes, processes no. clone3's flags lie in memory, where a filter cannot look; glibc falls back to clone.
    const auto cloneThread = static_cast<scmp_datum_t>(CLONE_THREAD);
    if (mayFork == MayFork::No) {
        keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, cloneThread, 0)));
    }
    keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
    keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0));
    // Reading /etc/hosts and its like stays; writing to a file does not.
    for (const auto accessMode : {O_WRONLY, O_RDWR}) {
        keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, static_cast<scmp_datum_t>(accessMode))));
        keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE, static_cast<scmp_datum_t>(accessMode))));
    }
    // Raw packets would go round every check. Netlink, which the C library asks about this host's addresses, has no other type.
    for (const auto socketType : {SOCK_RAW, SOCK_PACKET}) {
        keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_NE, AF_NETLINK),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, static_cast<scmp_datum_t>(socketType))));
    }
    keep(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_PACKET)));
    keep(seccomp_load(filter.get()));
    if (failed != 0) {
        return failErrno("The dialler's system call filter could not be set up", -failed);
    }
    return {};
}

} // namespace coldframe::dial
