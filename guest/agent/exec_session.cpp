// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/exec_session.h"

#include "base/unique_fd.h"

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

namespace coldframe::guest {

namespace {

constexpr std::size_t kMaxReplies = 4096; ///< bytes a terminal without a viewer may have answered and the program not read
constexpr std::size_t kScrollbackBytes = 1024 * 1024;
constexpr char kEndOfTransmission = '\x04'; // Ctrl-D: the line discipline makes an end of file of it

Result<void> makePipe(UniqueFd& read, UniqueFd& write)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return failErrno("Cannot make a pipe.", errno);
    }
    read.reset(ends[0]);
    write.reset(ends[1]);
    return {};
}

void assign(std::optional<asio::posix::stream_descriptor>& to, asio::io_context& io, UniqueFd& fd)
{
    to.emplace(io, fd.release());
    to->non_blocking(true);
}

} // namespace

Result<std::shared_ptr<ExecSession>> ExecSession::start(asio::io_context& io, Reaper& reaper,
                                                        const ExecRequest& request, SpawnSpec spec)
{
    auto self = std::make_shared<ExecSession>(io);
    self->m_tty = request.tty;
    self->m_keepOpen = request.keepOpen || request.tty;
    UniqueFd ours[3];
    UniqueFd theirs[3];
    if (request.tty) {
        struct winsize size
        {
        };
        size.ws_row = static_cast<unsigned short>(request.rows);
        size.ws_col = static_cast<unsigned short>(request.columns);
        int master = -1;
        int slave = -1;
        if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0) {
            return failErrno("Cannot open a terminal.", errno);
        }
        ours[0].reset(master);
        theirs[0].reset(slave);
        ::fcntl(master, F_SETFD, FD_CLOEXEC);
        ::fcntl(slave, F_SETFD, FD_CLOEXEC);
        struct termios modes
        {
        };
        ::tcgetattr(slave, &modes);
        modes.c_iflag |= IUTF8; // so that erasing removes a whole character
        ::tcsetattr(slave, TCSANOW, &modes);
        (void)!::fchown(slave, spec.account.uid, static_cast<gid_t>(-1));
        spec.standardInput = spec.standardOutput = spec.standardError = slave;
        spec.controllingTerminal = true;
    } else {
        COLDFRAME_CHECK(makePipe(theirs[0], ours[0]));
        COLDFRAME_CHECK(makePipe(ours[1], theirs[1]));
        COLDFRAME_CHECK(makePipe(ours[2], theirs[2]));
        spec.standardInput = theirs[0].get();
        spec.standardOutput = theirs[1].get();
        spec.standardError = theirs[2].get();
    }
    COLDFRAME_TRY(self->m_pid, spawn(spec));
    reaper.watch(self->m_pid, [self](int status) {
        self->m_status = status;
        asio::co_spawn(self->m_io, conclude(self), asio::detached);
    });
    assign(self->m_input, io, ours[0]);
    if (request.tty) {
        self->makeScreen(request.rows, request.columns);
        self->m_openOutputs = 1;
        asio::co_spawn(io, drain(self, *self->m_input, ExecFrameType::Stdout), asio::detached);
    } else {
        assign(self->m_output, io, ours[1]);
        assign(self->m_error, io, ours[2]);
        self->m_openOutputs = 2;
        asio::co_spawn(io, drain(self, *self->m_output, ExecFrameType::Stdout), asio::detached);
        asio::co_spawn(io, drain(self, *self->m_error, ExecFrameType::Stderr), asio::detached);
    }
    asio::co_spawn(io, feed(self), asio::detached);
    return self;
}

asio::awaitable<void> ExecSession::drain(std::shared_ptr<ExecSession> self, Descriptor& from,
                                         ExecFrameType type)
{
    std::string buffer(32 * 1024, '\0');
    for (;;) {
        while (self->isBacklogged()) {
            co_await self->m_room.wait();
        }
        asio::error_code error;
        const std::size_t got = co_await from.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            break; // end of file, or EIO once a terminal has no user any more
        }
        const std::string_view output = std::string_view(buffer).substr(0, got);
        self->m_ring.append(type, output);
        // With a viewer it also holds what the viewer was not sent yet (see isBacklogged).
        self->m_ring.trim(self->m_viewers.empty() ? kRingBytes : 2 * kRingBytes);
        if (self->m_screen) {
            self->m_screen->feed(output);
        }
        self->m_changed.notify();
    }
    --self->m_openOutputs;
    self->m_changed.notify();
}

asio::awaitable<void> ExecSession::feed(std::shared_ptr<ExecSession> self)
{
    for (;;) {
        if (!self->m_pendingInput.empty() && self->m_input) {
            const std::string taken = std::move(self->m_pendingInput);
            self->m_pendingInput.clear();
            asio::error_code error;
            co_await asio::async_write(*self->m_input, asio::buffer(taken),
                                       asio::redirect_error(asio::use_awaitable, error));
            self->m_room.notify();
            if (error && !self->m_tty) {
                break; // the program closed its input
            }
            continue;
        }
        if (self->m_ended || (self->m_inputEnded && !self->m_tty)) {
            break;
        }
        co_await self->m_inputReady.wait();
    }
    if (!self->m_tty && self->m_input) {
        asio::error_code ignored;
        self->m_input->close(ignored);
    }
    self->m_inputEnded = true;
    self->m_room.notify();
}

/// After the program's end: its children may still hold the output, so what they write is taken until it is
/// closed or nothing came for a while.
asio::awaitable<void> ExecSession::conclude(std::shared_ptr<ExecSession> self)
{
    int quiet = 0;
    int rounds = 0;
    std::uint64_t seen = self->m_ring.end();
    while (self->m_openOutputs > 0 && quiet < 5 && rounds < 100) {
        co_await pause(self->m_io, std::chrono::milliseconds(30));
        if (self->isBacklogged()) {
            continue;
        }
        ++rounds;
        quiet = self->m_ring.end() == seen ? quiet + 1 : 0;
        seen = self->m_ring.end();
    }
    for (auto* descriptor : {&self->m_input, &self->m_output, &self->m_error}) {
        if (*descriptor) {
            asio::error_code ignored;
            (*descriptor)->close(ignored);
        }
    }
    self->explainFailure();
    self->m_ended = true;
    self->m_changed.notify();
    self->m_inputReady.notify();
    self->m_room.notify();
}

void ExecSession::explainFailure()
{
    const ExecExit how = exit();
    const std::string reason = !m_tty && m_reason && (how.exitCode != 0 || how.signal != 0) ? m_reason() : std::string();
    if (!reason.empty()) {
        m_ring.append(ExecFrameType::Stderr, "coldframe: " + reason + "\n");
    }
}

void ExecSession::say(const std::string& text)
{
    // In the middle of an escape sequence, or over a full-screen program, it would do harm.
    if (!m_screen || m_ended || m_screen->modes().alternateScreen || m_screen->unfinishedBytes() > 0) {
        return;
    }
    const std::string line = "\r\n\x1b[7m coldframe \x1b[0m " + text + "\r\n";
    m_ring.append(ExecFrameType::Stdout, line);
    m_screen->feed(line);
    m_changed.notify();
}

void ExecSession::apply(const ExecFrame& frame)
{
    const auto byte = [&](std::size_t i) {
        return static_cast<unsigned>(static_cast<unsigned char>(frame.payload[i]));
    };
    const bool hasInput = m_input && m_input->is_open();
    switch (frame.type) {
    case ExecFrameType::Stdin:
        if (!m_inputEnded && hasInput) {
            m_pendingInput += frame.payload;
        }
        break;
    case ExecFrameType::StdinEnd:
        if (m_tty && hasInput) {
            m_pendingInput += kEndOfTransmission;
        } else {
            m_inputEnded = true;
        }
        break;
    case ExecFrameType::Signal:
        if (!m_status && frame.payload.size() == 1 && byte(0) >= 1 && byte(0) <= 64) {
            signalForeground(static_cast<int>(byte(0)));
        }
        break;
    default:
        break; // frames of the other direction
    }
    m_inputReady.notify();
}

void ExecSession::makeScreen(int rows, int columns)
{
    terminal::Callbacks callbacks;
    callbacks.title = [this](const std::string& title) { m_title = title; };
    callbacks.reply = [this](std::string_view bytes) {
        // A viewer's own terminal answers; with nobody there a program would wait for ever.
        if (!hasWriter() && m_pendingInput.size() < kMaxReplies && m_input && m_input->is_open()) {
            m_pendingInput += bytes;
            m_inputReady.notify();
        }
    };
    m_screen = std::make_unique<terminal::Terminal>(rows, columns, std::move(callbacks),
                                                    terminal::ScrollbackLimits{kScrollbackLines, kScrollbackBytes});
}

int ExecSession::rows() const { return m_screen ? m_screen->rows() : 0; }
int ExecSession::columns() const { return m_screen ? m_screen->columns() : 0; }

ExecExit ExecSession::exit() const
{
    const int status = m_status.value_or(0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
}

void ExecSession::setSize(int rows, int columns)
{
    if (!m_screen || rows < 1 || columns < 1) {
        return;
    }
    m_screen->resize(rows, columns);
    if (m_input && m_input->is_open()) {
        struct winsize size
        {
        };
        size.ws_row = static_cast<unsigned short>(rows);
        size.ws_col = static_cast<unsigned short>(columns);
        ::ioctl(m_input->native_handle(), TIOCSWINSZ, &size);
    }
    fitViewers();
}

/// The foreground group of the terminal; without one the program's group.
void ExecSession::signalForeground(int signal)
{
    pid_t group = -1;
    if (!m_tty || !m_input || !m_input->is_open() || ::ioctl(m_input->native_handle(), TIOCGPGRP, &group) != 0 || group <= 1) {
        group = m_pid;
    }
    ::kill(-group, signal);
}

void ExecSession::killGroup(int signal)
{
    // Once reaped, the number may be another group's.
    if (!m_status && m_pid > 1) {
        ::kill(-m_pid, signal);
    }
}

asio::awaitable<void> ExecSession::endGroup(std::shared_ptr<ExecSession> self, int signal)
{
    if (!self->m_status && self->m_tty) {
        self->signalForeground(signal);
        self->signalForeground(SIGCONT); // a stopped program hears of it too
    }
    self->killGroup(signal);
    for (int i = 0; i < 40 && !self->m_ended; ++i) {
        co_await pause(self->m_io, std::chrono::milliseconds(50));
    }
    if (!self->m_status && self->m_tty) {
        self->signalForeground(SIGKILL);
    }
    self->killGroup(SIGKILL);
}

asio::awaitable<void> ExecSession::end()
{
    const auto self = shared_from_this();
    co_await endGroup(self, SIGHUP);
    for (int i = 0; i < 40 && !m_ended; ++i) {
        co_await pause(m_io, std::chrono::milliseconds(50));
    }
    m_delivered = true;
}

} // namespace coldframe::guest
