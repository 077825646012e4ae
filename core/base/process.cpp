// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include "base/unique_fd.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace coldframe {

namespace {

struct Pipe
{
    UniqueFd read;
    UniqueFd write;
};

Result<Pipe> makePipe()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return failErrno("Cannot make a pipe.", errno);
    }
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

class LineSplitter
{
public:
    void feed(std::string_view data, const std::function<void(std::string_view)>& onLine)
    {
        if (!onLine) {
            return;
        }
        for (const char c : data) {
            if (c == '\n' || c == '\r' || m_line.size() > 8192) {
                if (!m_line.empty()) {
                    onLine(m_line);
                }
                m_line.clear();
            } else {
                m_line += c;
            }
        }
    }

private:
    std::string m_line;
};

void keepTail(std::string& text, std::size_t maxBytes)
{
    if (text.size() > maxBytes) {
        text.erase(0, text.size() - maxBytes);
    }
}

} // namespace

Result<ProcessResult> SystemProcessRunner::run(const ProcessSpec& spec)
{
    if (spec.arguments.empty()) {
        return fail(ErrorCode::InvalidArgument, "No program was given.");
    }
    COLDFRAME_TRY(Pipe input, makePipe());
    COLDFRAME_TRY(Pipe output, makePipe());
    COLDFRAME_TRY(Pipe error, makePipe());
    COLDFRAME_TRY(Pipe execFailure, makePipe());

    std::vector<char*> argv;
    for (const std::string& argument : spec.arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    std::vector<std::string> variables;
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view text(*entry);
        if (!spec.environment.contains(std::string(text.substr(0, text.find('='))))) {
            variables.emplace_back(text);
        }
    }
    for (const auto& [name, value] : spec.environment) {
        variables.push_back(name + "=" + value);
    }
    std::vector<char*> envp;
    for (std::string& variable : variables) {
        envp.push_back(variable.data());
    }
    envp.push_back(nullptr);

    const pid_t child = ::fork();
    if (child < 0) {
        return failErrno("Cannot start " + spec.arguments[0] + ".", errno);
    }
    if (child == 0) {
        // Only async-signal-safe calls between fork and exec: the parent may have threads.
        ::setpgid(0, 0);
        ::dup2(input.read.get(), STDIN_FILENO);
        ::dup2(output.write.get(), STDOUT_FILENO);
        ::dup2(error.write.get(), STDERR_FILENO);
        if (spec.workingFolder.empty() || ::chdir(spec.workingFolder.c_str()) == 0) {
            ::execvpe(argv[0], argv.data(), envp.data());
        }
        const int reason = errno;
        (void)!::write(execFailure.write.get(), &reason, sizeof reason);
        ::_exit(127);
    }
    ::setpgid(child, child);
    input.read.reset();
    output.write.reset();
    error.write.reset();
    execFailure.write.reset();

    int reason = 0;
    if (::read(execFailure.read.get(), &reason, sizeof reason) == sizeof reason) {
        ::waitpid(child, nullptr, 0);
        return failErrno("Cannot start " + spec.arguments[0] + ".", reason);
    }
    ::fcntl(input.write.get(), F_SETFL, O_NONBLOCK);

    ProcessResult result;
    LineSplitter outputLines;
    LineSplitter errorLines;
    std::string_view toWrite = spec.standardInput;
    const auto deadline = std::chrono::steady_clock::now() + spec.timeout;
    ErrorCode stopped = ErrorCode::Internal;
    bool killed = false;
    const auto kill = [&](ErrorCode why) {
        stopped = why;
        killed = true;
        ::kill(-child, SIGKILL);
    };
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    struct sigaction previous {};
    ::sigaction(SIGPIPE, &ignore, &previous);
    while (output.read || error.read) {
        if (toWrite.empty()) {
            input.write.reset();
        }
        struct pollfd waiting[3] = {{output.read.get(), POLLIN, 0},
                                    {error.read.get(), POLLIN, 0},
                                    {input.write.get(), POLLOUT, 0}};
        ::poll(waiting, 3, 100);
        const auto drain = [&](UniqueFd& fd, short events, std::string& text, LineSplitter& lines) {
            if (!(events & (POLLIN | POLLHUP | POLLERR))) {
                return;
            }
            char buffer[32768];
            const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
            if (got <= 0) {
                if (got == 0 || errno != EINTR) {
                    fd.reset();
                }
                return;
            }
            const std::string_view data(buffer, static_cast<std::size_t>(got));
            text.append(data);
            keepTail(text, spec.maxOutputBytes);
            lines.feed(data, spec.onLine);
        };
        drain(output.read, waiting[0].revents, result.standardOutput, outputLines);
        drain(error.read, waiting[1].revents, result.standardError, errorLines);
        if (waiting[2].revents & (POLLOUT | POLLERR)) {
            const ssize_t put = ::write(input.write.get(), toWrite.data(), toWrite.size());
            if (put < 0 && errno != EAGAIN && errno != EINTR) {
                toWrite = {};
            } else if (put > 0) {
                toWrite.remove_prefix(static_cast<std::size_t>(put));
            }
        }
        if (killed) {
            break;
        }
        if (spec.cancelled && spec.cancelled->load()) {
            kill(ErrorCode::Cancelled);
        } else if (std::chrono::steady_clock::now() > deadline) {
            kill(ErrorCode::Timeout);
        }
    }
    ::sigaction(SIGPIPE, &previous, nullptr);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (killed) {
        return fail(stopped,
                    spec.arguments[0] + (stopped == ErrorCode::Cancelled ? " was cancelled." : " took too long."),
                    result.standardError);
    }
    result.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

} // namespace coldframe
