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
constexpr int kParking = 64; ///< above every target, so that moving one cannot overwrite another

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
        ::dup3(failure[1], kParking - 1, O_CLOEXEC);
        const int logFd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
        const int null = ::open("/dev/null", O_RDWR);
        for (std::size_t i = 0; i < descriptors.size(); ++i) {
            ::dup2(descriptors[i].second, kParking + static_cast<int>(i));
        }
        ::dup2(null, STDIN_FILENO);
        ::dup2(null, STDOUT_FILENO);
        ::dup2(logFd >= 0 ? logFd : null, STDERR_FILENO);
        for (std::size_t i = 0; i < descriptors.size(); ++i) {
            ::dup2(kParking + static_cast<int>(i), kFirstTarget + static_cast<int>(i));
        }
        const unsigned after = static_cast<unsigned>(kFirstTarget) + static_cast<unsigned>(descriptors.size());
        ::syscall(SYS_close_range, after, static_cast<unsigned>(kParking - 2), 0u);
        ::syscall(SYS_close_range, static_cast<unsigned>(kParking), ~0u, 0u);
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::execv(argv[0], argv.data());
        const Report failed{1, errno};
        (void)!::write(kParking - 1, &failed, sizeof failed);
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
