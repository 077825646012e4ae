// SPDX-License-Identifier: Apache-2.0
#include "api/engine_start.h"

#include "api/engine_lock.h"
#include "base/file.h"
#include "base/paths.h"
#include "base/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldframe::api {

namespace fs = std::filesystem;

namespace {

constexpr off_t kMaxLog = 4 << 20;

fs::path logPath() { return paths::runtimeFolder() / "engine.log"; }

/// Appends to the log of the engine before, which may tell why it ended; starts afresh when that has grown large.
Result<UniqueFd> openLog()
{
    COLDFRAME_CHECK(makeFolders(paths::runtimeFolder(), 0700));
    UniqueFd log(::open(logPath().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log) {
        return failErrno("The engine's log " + logPath().string() + " cannot be opened.", errno);
    }
    struct stat status{};
    if (::fstat(log.get(), &status) == 0 && status.st_size > kMaxLog) {
        (void)!::ftruncate(log.get(), 0);
    }
    return log;
}

/// Everything the child needs, made before the fork: afterwards only async-signal-safe calls are allowed.
struct Launch
{
    std::string program;
    std::vector<std::string> environment;
    std::vector<char*> environmentPointers;
    std::array<char*, 2> arguments{};

    explicit Launch(const fs::path& executable) : program(executable.native())
    {
        environment = engineEnvironment(environ);
        for (std::string& variable : environment) {
            environmentPointers.push_back(variable.data());
        }
        environmentPointers.push_back(nullptr);
        arguments = {program.data(), nullptr};
    }
};

/// What the children tell their parent before the engine runs.
struct Report
{
    int isError = 0;
    int value = 0; ///< the engine's process id, or why it could not be executed
};

[[noreturn]] void becomeEngine(Launch& launch, int log, int report)
{
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    (void)!::chdir("/");
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    // The caller's other descriptors (a terminal, a window's connection) would be held open as long as the engine lives.
    ::fcntl(report, F_SETFD, FD_CLOEXEC);
    for (int fd = 3; fd < 1024; ++fd) {
        if (fd != report) {
            ::close(fd);
        }
    }
    ::execve(launch.program.c_str(), launch.arguments.data(), launch.environmentPointers.data());
    const Report failed{1, errno};
    (void)!::write(report, &failed, sizeof failed);
    ::_exit(127);
}

Result<SpawnedEngine> spawnDetached(const fs::path& executable)
{
    COLDFRAME_TRY(const UniqueFd log, openLog());
    SpawnedEngine engine;
    engine.logStart = ::lseek(log.get(), 0, SEEK_END);
    Launch launch(executable);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return failErrno("The engine cannot be started.", errno);
    }
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) {
        return failErrno("The engine cannot be started.", errno);
    }
    if (child == 0) {
        // The second fork makes init its parent, so that nobody has to wait for it and no terminal can become its own.
        ::setsid();
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            becomeEngine(launch, log.get(), writer.get());
        }
        const Report started{0, grandchild};
        (void)!::write(writer.get(), &started, sizeof started);
        ::_exit(grandchild < 0 ? 1 : 0);
    }
    writer.reset();
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    for (Report report;;) {
        const ssize_t size = ::read(reader.get(), &report, sizeof report);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size != static_cast<ssize_t>(sizeof report)) {
            return engine; // executed: that closed the pipe
        }
        if (report.isError != 0) {
            return fail(ErrorCode::Unavailable,
                        "The engine " + executable.string() + " cannot be started; reinstall Coldframe.",
                        std::strerror(report.value));
        }
        engine.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, report.value, 0)));
    }
}

/// True where a systemd of the user runs and took the engine over as a unit of its own.
bool spawnAsUnit(const fs::path& executable)
{
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    std::error_code ignored;
    if (!runtime || !fs::exists(fs::path(runtime) / "systemd/private", ignored) || !openLog()) {
        return false;
    }
    ProcessSpec spec;
    spec.arguments = {"systemd-run", "--user", "--quiet", "--collect", "--unit=coldframed",
                      // Stopping the unit must leave microVMs and proxies alone.
                      "--property=KillMode=process", "--property=StandardOutput=append:" + logPath().string(),
                      "--property=StandardError=append:" + logPath().string()};
    for (const std::string& variable : engineEnvironment(environ)) {
        spec.arguments.push_back("--setenv=" + variable);
    }
    spec.arguments.push_back(executable.string());
    spec.timeout = std::chrono::seconds(3);
    SystemProcessRunner runner;
    const Result<ProcessResult> result = runner.run(spec);
    return result && result->exitCode == 0;
}

} // namespace

fs::path engineExecutable()
{
    if (const char* chosen = std::getenv("COLDFRAME_ENGINE"); chosen && chosen[0] == '/') {
        return chosen;
    }
    return paths::helperExecutable("coldframed");
}

std::vector<std::string> engineEnvironment(const char* const* environment)
{
    static constexpr std::array<std::string_view, 25> kNames = {
        "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY",
        "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "KDE_FULL_SESSION", "KDE_SESSION_VERSION",
        "GNOME_DESKTOP_SESSION_ID", "SSL_CERT_FILE", "SSL_CERT_DIR", "LIBVIRT_DEFAULT_URI", "LIBVIRT_DEBUG",
        "QT_QPA_PLATFORM", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};
    static constexpr std::array<std::string_view, 3> kPrefixes = {"XDG_", "LC_", "COLDFRAME_"};
    std::vector<std::string> kept;
    for (; environment && *environment; ++environment) {
        const std::string_view variable(*environment);
        const std::string_view name = variable.substr(0, variable.find('='));
        const bool isKept = std::ranges::find(kNames, name) != kNames.end() ||
                            std::ranges::any_of(kPrefixes, [&](auto prefix) { return name.starts_with(prefix); });
        if (isKept) {
            kept.emplace_back(variable);
        }
    }
    return kept;
}

Result<SpawnedEngine> spawnEngine()
{
    const fs::path executable = engineExecutable();
    if (::access(executable.c_str(), X_OK) != 0) {
        return fail(ErrorCode::Unavailable,
                    "The engine " + executable.string() + " is missing; reinstall Coldframe.", std::strerror(errno));
    }
    if (spawnAsUnit(executable)) {
        return SpawnedEngine{};
    }
    return spawnDetached(executable);
}

bool hasEnded(const SpawnedEngine& engine)
{
    pollfd ended{engine.process.get(), POLLIN, 0};
    return engine.process && ::poll(&ended, 1, 0) == 1;
}

std::optional<Error> startFailure(const SpawnedEngine& engine)
{
    if (!hasEnded(engine)) {
        return std::nullopt;
    }
    std::string said;
    if (const auto log = readFile(logPath(), static_cast<std::size_t>(2 * kMaxLog)); log && log->size() > static_cast<std::size_t>(engine.logStart)) {
        said = log->substr(static_cast<std::size_t>(engine.logStart));
    }
    constexpr std::string_view kMark = "coldframed: ";
    const auto from = said.find(kMark);
    if (from == std::string::npos) {
        return Error{ErrorCode::Unavailable, "The Coldframe engine ended while it started; its log " + logPath().string() + " may say why.", {}};
    }
    const auto end = std::min(said.find('\n', from), said.size());
    const std::string sentence = said.substr(from + kMark.size(), end - from - kMark.size());
    if (sentence == kRunningAlready) {
        return std::nullopt;
    }
    return Error{ErrorCode::Unavailable, "The Coldframe engine cannot start: " + sentence, {}};
}

Result<UniqueFd> connectEngine(const fs::path& socketPath)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& name = socketPath.native();
    if (name.size() >= sizeof(address.sun_path)) {
        return fail(ErrorCode::InvalidArgument, "The path " + name +
                                                    " is too long for a socket; set XDG_RUNTIME_DIR to a shorter one.");
    }
    std::memcpy(address.sun_path, name.data(), name.size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return failErrno("No socket can be made.", errno);
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return fail(ErrorCode::Unavailable, "The Coldframe engine is not running.", std::strerror(errno));
    }
    return socket;
}

bool isAnswering(int socket, std::chrono::steady_clock::time_point deadline)
{
    constexpr std::string_view kPing = R"({"jsonrpc":"2.0","id":0,"method":"engine.ping"})"
                                       "\n";
    if (::send(socket, kPing.data(), kPing.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(kPing.size())) {
        return false;
    }
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd readable{socket, POLLIN, 0};
        const int ready = ::poll(&readable, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        // Only looked at: it may be a refusal, which the caller's first call shows. An answer to call 0 is passed over there.
        char byte = 0;
        return ready == 1 && ::recv(socket, &byte, 1, MSG_PEEK) == 1;
    }
}

Result<UniqueFd> connectOrStartEngine(const fs::path& socketPath, std::chrono::milliseconds timeout)
{
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::optional<SpawnedEngine> engine;
    for (;;) {
        Result<UniqueFd> socket = connectEngine(socketPath);
        if (!socket && socket.error().code != ErrorCode::Unavailable) {
            return socket;
        }
        if (socket && isAnswering(socket->get(), deadline)) {
            return socket;
        }
        if (engine) {
            if (const auto failure = startFailure(*engine)) {
                return tl::unexpected(*failure);
            }
        }
        // The one started may have left the place to another, which then ended.
        if (!engine || hasEnded(*engine)) {
            COLDFRAME_TRY(engine, spawnEngine());
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return fail(ErrorCode::Unavailable, "The Coldframe engine did not start in time; its log " +
                                                    logPath().string() + " says why.",
                        socket ? "It takes connections, and does not answer." : socket.error().detail);
        }
        ::poll(nullptr, 0, 20);
    }
}

} // namespace coldframe::api
