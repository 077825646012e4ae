// SPDX-License-Identifier: Apache-2.0
#include "dial/script_evaluator.h"

#include "dial/dialler.h"
#include "dial/route.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <dlfcn.h>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldframe::dial {

namespace {

constexpr unsigned kSeconds = 5;
constexpr rlim_t kMemory = rlim_t{512} << 20;
constexpr std::size_t kMaxUrl = 4096;

bool readAll(int fd, char* data, std::size_t size)
{
    while (size > 0) {
        const ssize_t count = ::read(fd, data, size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        data += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

bool writeAll(int fd, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t count = ::write(fd, data.data(), data.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        data.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string lengthOf(std::size_t size)
{
    std::string bytes;
    for (const int shift : {24, 16, 8, 0}) {
        bytes.push_back(static_cast<char>(size >> shift & 255));
    }
    return bytes;
}

std::optional<std::string> readField(int fd, std::size_t most)
{
    unsigned char head[4];
    if (!readAll(fd, reinterpret_cast<char*>(head), sizeof head)) {
        return std::nullopt;
    }
    const std::size_t size = std::size_t{head[0]} << 24 | std::size_t{head[1]} << 16 | std::size_t{head[2]} << 8 | std::size_t{head[3]};
    std::string field(size <= most ? size : 0, '\0');
    if (size > most || !readAll(fd, field.data(), field.size())) {
        return std::nullopt;
    }
    return field;
}

std::string answerFrame(bool good, std::string_view text)
{
    text = text.substr(0, kMaxScriptAnswer);
    return std::string(1, good ? '\1' : '\0') + lengthOf(text.size()) + std::string(text);
}

void ignoreMessage(const char*, ...) {}

template <typename Function> Function find(void* library, const char* name)
{
    return reinterpret_cast<Function>(::dlsym(library, name));
}

/// In the child; never returns.
[[noreturn]] void evaluate(int out, const std::string& script, const std::string& url, const std::string& host)
{
    ::alarm(kSeconds);
    const rlimit cpu{kSeconds, kSeconds};
    const rlimit memory{kMemory, kMemory};
    ::setrlimit(RLIMIT_CPU, &cpu);
    ::setrlimit(RLIMIT_AS, &memory);
    void* const library = ::dlopen("libpacparser.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        writeAll(out, answerFrame(false, "Proxy scripts need the library libpacparser (package libpacparser1)."));
        ::_exit(0);
    }
    const auto init = find<int (*)()>(library, "pacparser_init");
    const auto parse = find<int (*)(const char*)>(library, "pacparser_parse_pac_string");
    const auto findProxy = find<char* (*)(const char*, const char*)>(library, "pacparser_find_proxy");
    const auto setPrinter = find<void (*)(void (*)(const char*, ...))>(library, "pacparser_set_error_printer");
    if (!confineDialler() || !init || !parse || !findProxy) {
        writeAll(out, answerFrame(false, "The library for proxy scripts cannot be used."));
        ::_exit(0);
    }
    if (setPrinter) {
        setPrinter(ignoreMessage); // what a script says does not belong into the log
    }
    const char* const answer = init() == 1 && parse(script.c_str()) == 1 ? findProxy(url.c_str(), host.c_str()) : nullptr;
    writeAll(out, answer ? answerFrame(true, answer) : answerFrame(false, "The proxy script has a mistake or gave no answer."));
    ::_exit(0);
}

[[noreturn]] void serve(int fd)
{
    ::signal(SIGPIPE, SIG_IGN);
    while (true) {
        const auto script = readField(fd, kMaxScript);
        const auto url = script ? readField(fd, kMaxUrl) : std::nullopt;
        const auto host = url ? readField(fd, kMaxUrl) : std::nullopt;
        if (!host) {
            ::_exit(0);
        }
        int ends[2];
        if (::pipe(ends) != 0) {
            ::_exit(1);
        }
        const pid_t child = ::fork();
        if (child == 0) {
            ::close(ends[0]);
            ::close(fd);
            evaluate(ends[1], *script, *url, *host);
        }
        ::close(ends[1]);
        std::string answer;
        char buffer[4096];
        for (ssize_t count; (count = ::read(ends[0], buffer, sizeof buffer)) > 0 || (count < 0 && errno == EINTR);) {
            if (count > 0 && answer.size() <= kMaxScriptAnswer + kScriptAnswerHead) {
                answer.append(buffer, static_cast<std::size_t>(count));
            }
        }
        ::close(ends[0]);
        int status = 0;
        while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        const bool isWhole = child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && answer.size() >= kScriptAnswerHead
                             && answer.substr(1, 4) == lengthOf(answer.size() - kScriptAnswerHead);
        if (!writeAll(fd, isWhole ? answer : answerFrame(false, "The proxy script took too long or failed."))) {
            ::_exit(0);
        }
    }
}

} // namespace

Result<UniqueFd> startScriptEvaluator()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failErrno("The process for proxy scripts could not be started", errno);
    }
    UniqueFd here(ends[0]);
    UniqueFd there(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) {
        return failErrno("The process for proxy scripts could not be started", errno);
    }
    if (child == 0) {
        // Nothing of the dialler's is left here: no way to the engine, none to the proxy.
        const int fd = ::dup2(there.get(), STDERR_FILENO + 1);
        ::closefrom(STDERR_FILENO + 2);
        if (fd < 0 || !confineDialler(MayFork::Yes)) {
            ::_exit(1);
        }
        serve(fd);
    }
    return here;
}

std::string makeScriptQuestion(std::string_view script, std::string_view url, std::string_view host)
{
    std::string question;
    for (const std::string_view field : {script, url, host}) {
        question.append(lengthOf(field.size())).append(field);
    }
    return question;
}

} // namespace coldframe::dial
