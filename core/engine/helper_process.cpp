// SPDX-License-Identifier: Apache-2.0
#include "engine/helper_process.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldframe::engine {

namespace {
constexpr int kFirstTarget = 3;
constexpr unsigned kCloseAtExec = 1u << 2; ///< CLOSE_RANGE_CLOEXEC
constexpr int kMostDescriptors = 65536;    ///< looked at where the kernel cannot do that at once

/// What the children tell before the helper runs: its process id, or why it could not be executed.
struct Report
{
    int isError = 0;
    int value = 0;
};
} // namespace

Result<std::pair<UniqueFd, UniqueFd>> makeSocketPair(int type)
{
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) {
        return failErrno("Cannot make a socket pair.", errno);
    }
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<pid_t> startHelper(const std::filesystem::path& program, const std::vector<std::pair<std::string, int>>& descriptors,
                         const std::filesystem::path& log)
{
    std::vector<std::string> arguments{program.string()};
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
        arguments.push_back(descriptors[i].first);
        arguments.push_back(std::to_string(kFirstTarget + static_cast<int>(i)));
    }
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    std::vector<int> parked(descriptors.size(), -1); // made before the fork: after it only system calls are safe
    int failure[2];
    if (::pipe2(failure, O_CLOEXEC) != 0) {
        return failErrno("Cannot make a pipe.", errno);
    }
    const UniqueFd failureRead(failure[0]);
    UniqueFd failureWrite(failure[1]);
    const pid_t child = ::fork();
    if (child < 0) {
        return failErrno("Cannot start " + program.string() + ".", errno);
    }
    if (child == 0) {
        // A second fork hands the helper to init: nobody has to reap it, and the engine's end does not end it.
        if (const pid_t helper = ::fork(); helper != 0) {
            const Report started{0, helper};
            (void)!::write(failure[1], &started, sizeof started);
            ::_exit(0);
        }
        ::setsid();
        const int logFd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
        const int null = ::open("/dev/null", O_RDWR);
        // Copies above all targets, at numbers that nobody uses: a target may be the number of a descriptor still to be moved.
        const int after = kFirstTarget + static_cast<int>(descriptors.size());
        const int report = ::fcntl(failure[1], F_DUPFD_CLOEXEC, after);
        for (std::size_t i = 0; i < descriptors.size(); ++i) {
            parked[i] = ::fcntl(descriptors[i].second, F_DUPFD_CLOEXEC, after);
        }
        const int parkedLog = ::fcntl(logFd >= 0 ? logFd : null, F_DUPFD_CLOEXEC, after);
        const int parkedNull = ::fcntl(null, F_DUPFD_CLOEXEC, after);
        ::dup2(parkedNull, STDIN_FILENO);
        ::dup2(parkedNull, STDOUT_FILENO);
        ::dup2(parkedLog, STDERR_FILENO);
        for (std::size_t i = 0; i < descriptors.size(); ++i) {
            ::dup2(parked[i], kFirstTarget + static_cast<int>(i));
        }
        // Everything else ends with the exec; close_range(2) knows the flag since Linux 5.11.
        if (::syscall(SYS_close_range, static_cast<unsigned>(after), ~0u, kCloseAtExec) != 0) {
            for (int fd = after; fd < kMostDescriptors; ++fd) {
                (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
            }
        }
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::execv(argv[0], argv.data());
        const Report failed{1, errno};
        (void)!::write(report, &failed, sizeof failed);
        ::_exit(127);
    }
    failureWrite.reset();
    ::waitpid(child, nullptr, 0);
    pid_t helper = -1;
    for (Report report; ::read(failureRead.get(), &report, sizeof report) == sizeof report;) {
        if (report.isError != 0 || report.value < 0) {
            return failErrno("Cannot start " + program.string() + ". Is the installation complete?", report.value);
        }
        helper = report.value;
    }
    return helper;
}

} // namespace coldframe::engine
