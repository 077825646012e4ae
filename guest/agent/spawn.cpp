// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/spawn.h"

#include "base/unique_fd.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

enum class Step : int { Session, Descriptors, Identity, Folder, Program };

struct Failure
{
    Step step;
    int reason;
};

[[noreturn]] void giveUp(int reportFd, Step step)
{
    const Failure failure{step, errno};
    (void)!::write(reportFd, &failure, sizeof failure);
    ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> out;
    for (auto& text : texts) {
        out.push_back(text.data());
    }
    out.push_back(nullptr);
    return out;
}

/// dup2 in two rounds, so that a source below 3 is not overwritten before it is used.
bool placeDescriptors(const SpawnSpec& spec, int null)
{
    const int wanted[3] = {spec.standardInput, spec.standardOutput, spec.standardError};
    int parked[3];
    for (int i = 0; i < 3; ++i) {
        parked[i] = ::fcntl(wanted[i] >= 0 ? wanted[i] : null, F_DUPFD_CLOEXEC, 10);
        if (parked[i] < 0) {
            return false;
        }
    }
    for (int i = 0; i < 3; ++i) {
        if (::dup2(parked[i], i) < 0) {
            return false;
        }
    }
    return true;
}

[[noreturn]] void becomeProgram(const SpawnSpec& spec, int null, int reportFd, char** argv,
                                char** environment)
{
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction standard
        {
        };
        standard.sa_handler = SIG_DFL;
        ::sigaction(number, &standard, nullptr); // SIGKILL, SIGSTOP refuse; that is fine
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::setsid() < 0) {
        giveUp(reportFd, Step::Session);
    }
    if (!placeDescriptors(spec, null)) {
        giveUp(reportFd, Step::Descriptors);
    }
    if (spec.controllingTerminal && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) {
        giveUp(reportFd, Step::Session);
    }
    if (spec.controlGroup >= 0) {
        // Its own doing before its first instruction, so that nothing it starts is outside. Root inside may have removed the group.
        (void)!::write(spec.controlGroup, "0", 1);
    }
    if (spec.openFiles > 0) {
        const struct rlimit files
        {
            static_cast<rlim_t>(spec.openFiles), static_cast<rlim_t>(spec.openFiles)
        };
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    if (::geteuid() == 0) {
        if (::setgroups(spec.account.groups.size(), spec.account.groups.data()) != 0 ||
            ::setresgid(spec.account.gid, spec.account.gid, spec.account.gid) != 0 ||
            ::setresuid(spec.account.uid, spec.account.uid, spec.account.uid) != 0) {
            giveUp(reportFd, Step::Identity);
        }
    }
    if (::chdir(spec.cwd.c_str()) != 0) {
        giveUp(reportFd, Step::Folder);
    }
    ::umask(0022);
    // execvp looks PATH up in `environ`, so it must already be the program's.
    environ = environment;
    ::execvp(argv[0], argv);
    if (errno == ENOENT && std::strcmp(argv[0], "bash") == 0) {
        // An image of the user's own may have no other shell than this one, which may go by its name (busybox).
        static char name[] = "sh";
        argv[0] = name;
        ::execv("/bin/sh", argv);
        errno = ENOENT;
    }
    giveUp(reportFd, Step::Program);
}

tl::unexpected<Error> explain(const SpawnSpec& spec, const Failure& failure)
{
    switch (failure.step) {
    case Step::Folder:
        return fail(ErrorCode::InvalidArgument, "The working folder " + spec.cwd + " cannot be entered.",
                    std::string(::strerror(failure.reason)));
    case Step::Program:
        return failErrno("Cannot run " + spec.argv[0] + ".", failure.reason);
    default:
        return fail(ErrorCode::Internal, "Cannot prepare the start of " + spec.argv[0] + ".",
                    std::string(::strerror(failure.reason)));
    }
}

} // namespace

Result<pid_t> spawn(const SpawnSpec& spec)
{
    if (spec.argv.empty()) {
        return fail(ErrorCode::InvalidArgument, "No program was given.");
    }
    std::vector<std::string> arguments = spec.argv;
    std::vector<std::string> variables;
    for (const auto& [name, value] : spec.environment) {
        variables.push_back(name + "=" + value);
    }
    std::vector<char*> argv = pointers(arguments);
    std::vector<char*> environment = pointers(variables);
    UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    int ends[2];
    if (!null || ::pipe2(ends, O_CLOEXEC) != 0) {
        return failErrno("Cannot prepare the start of " + spec.argv[0] + ".", errno);
    }
    UniqueFd reportRead(ends[0]);
    UniqueFd reportWrite(ends[1]);

    // No handler of ours may run in the child before it has reset them.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t child = ::fork();
    if (child == 0) {
        becomeProgram(spec, null.get(), reportWrite.get(), argv.data(), environment.data());
    }
    const int forkError = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (child < 0) {
        return failErrno("Cannot start " + spec.argv[0] + ".", forkError);
    }
    reportWrite.reset();
    Failure failure{};
    ssize_t got = 0;
    do {
        got = ::read(reportRead.get(), &failure, sizeof failure);
    } while (got < 0 && errno == EINTR);
    if (got == static_cast<ssize_t>(sizeof failure)) {
        ::waitpid(child, nullptr, 0);
        return explain(spec, failure);
    }
    return child;
}

Reaper::Reaper(asio::io_context& io) : m_signals(io, SIGCHLD)
{
    wait();
}

void Reaper::watch(pid_t pid, std::function<void(int status)> ended)
{
    m_watched[pid] = std::move(ended);
}

void Reaper::stop()
{
    asio::error_code ignored;
    m_signals.cancel(ignored);
}

void Reaper::wait()
{
    m_signals.async_wait([this](const asio::error_code& error, int) {
        if (!error) {
            reap();
            wait();
        }
    });
}

void Reaper::reap()
{
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto found = m_watched.find(pid);
        if (found != m_watched.end()) {
            const auto ended = std::move(found->second);
            m_watched.erase(found);
            ended(status);
        }
    }
}

} // namespace coldframe::guest
