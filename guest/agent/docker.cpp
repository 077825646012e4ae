// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/docker.h"

#include "base/file.h"
#include "base/log.h"
#include "guest/agent/accounts.h"
#include "guest/agent/environment.h"
#include "guest/agent/modules.h"

#include <array>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::guest {

namespace {

constexpr const char* kSocket = "/var/run/docker.sock";
constexpr const char* kDaemonSocket = "/run/coldframe/dockerd.sock";
constexpr const char* kShims = "/run/coldframe/shims";
constexpr auto kStartLimit = std::chrono::seconds(120); // emulated machines are slow
/// dockerd gives up by itself when its containerd is not there in time; on a busy machine the next one finds the files in memory.
constexpr int kStarts = 3;

/// One direction of a connection. The end of the one side's sending is passed on, as `docker attach` and
/// builds need.
asio::awaitable<void> copy(std::shared_ptr<asio::local::stream_protocol::socket> from,
                           std::shared_ptr<asio::local::stream_protocol::socket> to)
{
    std::array<char, 32 * 1024> buffer;
    asio::error_code error;
    for (;;) {
        const std::size_t got = co_await from->async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            break;
        }
        co_await asio::async_write(*to, asio::buffer(buffer, got),
                                   asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            from->close(error);
            break;
        }
    }
    if (error == asio::error::eof) {
        to->shutdown(asio::socket_base::shutdown_send, error);
    } else {
        to->close(error);
    }
}

} // namespace

Docker::Docker(asio::io_context& io, Reaper& reaper, std::string executable, UserLimits* limits)
    : m_io(io), m_reaper(reaper), m_executable(std::move(executable)), m_limits(limits), m_acceptor(io), m_changed(io)
{
}

Result<void> Docker::listen()
{
    COLDFRAME_TRY(const std::string groups, readFile("/etc/group"));
    COLDFRAME_TRY(const gid_t group, findGroup(groups, "docker"));
    if (::access("/etc/docker/daemon.json", F_OK) != 0) {
        COLDFRAME_CHECK(makeFolders("/etc/docker", 0755));
        COLDFRAME_CHECK(replaceFile("/etc/docker/daemon.json",
                                        "{\n  \"dns\": [\"198.18.0.1\"],\n"
                                        "  \"exec-opts\": [\"native.cgroupdriver=cgroupfs\"],\n"
                                        "  \"log-driver\": \"local\"\n}\n",
                                        0644));
    }
    COLDFRAME_CHECK(makeFolders(kShims, 0755));
    const std::string shim = std::string(kShims) + "/runc";
    ::unlink(shim.c_str());
    if (::symlink(m_executable.c_str(), shim.c_str()) != 0) {
        return failErrno("Cannot prepare Docker's runtime.", errno);
    }
    ::unlink(kSocket);
    asio::error_code error;
    m_acceptor.open(asio::local::stream_protocol(), error);
    ::fcntl(m_acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    m_acceptor.bind(asio::local::stream_protocol::endpoint(kSocket), error);
    if (!error) {
        m_acceptor.listen(128, error);
    }
    if (error || ::chown(kSocket, 0, group) != 0 || ::chmod(kSocket, 0660) != 0) {
        return fail(ErrorCode::Io, "Docker's socket cannot be opened.", error.message());
    }
    asio::co_spawn(m_io, accept(), asio::detached);
    return {};
}

void Docker::startInBackground()
{
    asio::co_spawn(m_io, ensureRunning(), [](std::exception_ptr, bool) {});
}

asio::awaitable<void> Docker::accept()
{
    for (;;) {
        auto client = std::make_shared<Socket>(m_io);
        asio::error_code error;
        co_await m_acceptor.async_accept(*client, asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (error) {
            co_await pause(m_io, std::chrono::milliseconds(100));
        } else {
            asio::co_spawn(m_io, serve(client), asio::detached);
        }
    }
}

asio::awaitable<void> Docker::serve(std::shared_ptr<Socket> client)
{
    const bool running = co_await ensureRunning();
    if (!running) {
        co_return;
    }
    auto daemon = std::make_shared<Socket>(m_io);
    asio::error_code error;
    co_await daemon->async_connect(asio::local::stream_protocol::endpoint(kDaemonSocket),
                                   asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
        asio::co_spawn(m_io, copy(daemon, client), asio::detached);
        co_await copy(client, daemon);
    }
}

Result<void> Docker::startDaemon()
{
    loadModules("/usr/lib/coldframe/modules-docker.list");
    ::unlink(kDaemonSocket);
    ::unlink("/var/run/docker.pid");
    const UniqueFd log(::open("/var/log/dockerd.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    SpawnSpec spec;
    spec.argv = {kDockerDaemon, "-H", std::string("unix://") + kDaemonSocket};
    UniqueFd group;
    if (m_limits && m_limits->isMade()) {
        group = m_limits->entrance();
        spec.controlGroup = group.get();
        // Given in both places it would not start at all.
        if (readFile("/etc/docker/daemon.json", 1u << 20).value_or("").find("cgroup-parent") == std::string::npos) {
            spec.argv.insert(spec.argv.end(), {"--cgroup-parent", UserLimits::kDockerParent});
        }
    }
    spec.environment = trustEnvironment(kCaBundle);
    spec.environment["PATH"] =
        std::string(kShims) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    spec.environment["HOME"] = "/root";
    COLDFRAME_TRY(spec.account, loadAccount("/", "root"));
    spec.standardOutput = log.get();
    spec.standardError = log.get();
    COLDFRAME_TRY(m_pid, spawn(spec));
    m_reaper.watch(m_pid, [this](int) {
        m_pid = -1;
        m_ready = false;
        m_changed.notify();
    });
    return {};
}

asio::awaitable<bool> Docker::answers(std::chrono::steady_clock::time_point deadline)
{
    const auto probe = std::make_shared<Socket>(m_io);
    asio::error_code error;
    co_await probe->async_connect(asio::local::stream_protocol::endpoint(kDaemonSocket),
                                  asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        co_return false;
    }
    // dockerd listens long before it has begun to work, and may still give up then.
    asio::steady_timer limit(m_io, deadline);
    limit.async_wait([probe](const asio::error_code& cancelled) {
        if (!cancelled) {
            asio::error_code ignored;
            probe->close(ignored);
        }
    });
    const std::string ping = "GET /_ping HTTP/1.0\r\n\r\n";
    co_await asio::async_write(*probe, asio::buffer(ping), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        co_return false;
    }
    std::array<char, 64> reply;
    const std::size_t got = co_await probe->async_read_some(asio::buffer(reply), asio::redirect_error(asio::use_awaitable, error));
    co_return !error && got > 0;
}

asio::awaitable<bool> Docker::ensureRunning()
{
    while (m_starting) {
        co_await m_changed.wait();
    }
    if (isRunning()) {
        co_return true;
    }
    m_starting = true;
    const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
    int starts = 0;
    while (!m_ready && !m_stopping && std::chrono::steady_clock::now() < deadline) {
        if (m_pid <= 0 && ++starts > kStarts) {
            break;
        }
        const auto started = m_pid > 0 ? Result<void>() : startDaemon();
        if (!started) {
            logError("docker", started.error().message + " " + started.error().detail);
            break;
        }
        const bool answered = co_await answers(deadline);
        m_ready = answered && m_pid > 0;
        if (!m_ready) {
            co_await pause(m_io, std::chrono::milliseconds(100));
        }
    }
    m_starting = false;
    m_changed.notify();
    co_return isRunning();
}

asio::awaitable<void> Docker::stop()
{
    m_stopping = true;
    if (m_pid > 0) {
        ::kill(m_pid, SIGTERM);
    }
    for (int i = 0; i < 200 && m_pid > 0; ++i) {
        co_await pause(m_io, std::chrono::milliseconds(50));
    }
}

} // namespace coldframe::guest
