// SPDX-License-Identifier: Apache-2.0
#include "proxy/sandbox_filter.h"

#include "base/landlock.h"
#include "base/secret.h"

#include <array>
#include <cerrno>
#include <memory>
#include <seccomp.h>
#include <sys/prctl.h>

namespace coldframe::proxy {

namespace {

// What asio, OpenSSL, malloc and the channel use while running. Everything not named here fails with EPERM.
constexpr std::array kAllowed = {
    // streams and descriptors that exist already
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(close), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(accept4), SCMP_SYS(fcntl), SCMP_SYS(ioctl), SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    // waiting
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(futex),
    SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
    // memory
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    // time, randomness, identity of itself, ends
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(geteuid), SCMP_SYS(getuid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

// No mistake of ours leads here; whoever calls these has taken the process over.
constexpr std::array kFatal = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(bpf), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(init_module),
    SCMP_SYS(finit_module), SCMP_SYS(mount), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(setuid), SCMP_SYS(setresuid),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
};

void release(void* context) { seccomp_release(context); }

} // namespace

Result<void> enterFilter()
{
    forbidCoreDumps();
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failErrno("The proxy could not give up privileges", errno);
    }
    // The filter below lets no file be opened; this holds, too, should a call ever be missing in it.
    COLDFRAME_TRY([[maybe_unused]] const bool hasLandlock, restrictFilesTo({}));
    const std::unique_ptr<void, decltype(&release)> context(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &release);
    if (!context) {
        return fail(ErrorCode::Unavailable, "The system call filter cannot be made.");
    }
    for (const int call : kAllowed) {
        if (call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect)) {
            continue; // below: never executable
        }
        if (const int error = seccomp_rule_add(context.get(), SCMP_ACT_ALLOW, call, 0); error != 0) {
            return failErrno("The system call filter cannot be made.", -error);
        }
    }
    constexpr scmp_datum_t kExecutable = 4; // PROT_EXEC
    for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
        const struct scmp_arg_cmp notExecutable = {2, SCMP_CMP_MASKED_EQ, kExecutable, 0};
        if (const int error = seccomp_rule_add_array(context.get(), SCMP_ACT_ALLOW, call, 1, &notExecutable); error != 0) {
            return failErrno("The system call filter cannot be made.", -error);
        }
    }
    for (const int call : kFatal) {
        // A kernel or architecture without the call has nothing to forbid.
        (void)seccomp_rule_add(context.get(), SCMP_ACT_KILL_PROCESS, call, 0);
    }
    if (const int error = seccomp_load(context.get()); error != 0) {
        return failErrno("The system call filter cannot be put in force.", -error);
    }
    return {};
}

} // namespace coldframe::proxy
