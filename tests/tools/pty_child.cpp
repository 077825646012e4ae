// SPDX-License-Identifier: Apache-2.0
#include "tools/pty_child.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldframe::terminal_tools {
namespace {

winsize sizeOf(int rows, int columns)
{
    winsize size{};
    size.ws_row = static_cast<unsigned short>(rows);
    size.ws_col = static_cast<unsigned short>(columns);
    return size;
}

[[noreturn]] void become(const std::vector<std::string>& command)
{
    for (const char* foreign : {"TMUX", "STY", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "VTE_VERSION", "WINDOWID", "LINES", "COLUMNS"}) {
        ::unsetenv(foreign);
    }
    ::setenv("TERM", "xterm-256color", 1);
    ::setenv("COLORTERM", "truecolor", 1);
    std::vector<char*> arguments;
    for (const std::string& part : command) {
        arguments.push_back(const_cast<char*>(part.c_str()));
    }
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
}

} // namespace

PtyChild::PtyChild(const std::vector<std::string>& command, int rows, int columns)
{
    const winsize size = sizeOf(rows, columns);
    m_child = ::forkpty(&m_master, nullptr, nullptr, &size);
    if (m_child < 0) {
        throw std::runtime_error("no terminal could be made for the program");
    }
    if (m_child == 0) {
        become(command);
    }
    ::fcntl(m_master, F_SETFL, O_NONBLOCK);
    ::fcntl(m_master, F_SETFD, FD_CLOEXEC);
}

PtyChild::~PtyChild()
{
    finish();
    ::close(m_master);
}

void PtyChild::flush()
{
    while (!m_toWrite.empty()) {
        const ssize_t written = ::write(m_master, m_toWrite.data(), m_toWrite.size());
        if (written <= 0) {
            return;
        }
        m_toWrite.erase(0, static_cast<std::size_t>(written));
    }
}

bool PtyChild::read(std::string& bytes, int milliseconds)
{
    bytes.clear();
    if (m_ended) {
        return false;
    }
    flush();
    pollfd waiting{m_master, static_cast<short>(POLLIN | (m_toWrite.empty() ? 0 : POLLOUT)), 0};
    if (::poll(&waiting, 1, milliseconds) <= 0) {
        return false;
    }
    char buffer[16384];
    const ssize_t count = ::read(m_master, buffer, sizeof buffer);
    if (count > 0) {
        bytes.assign(buffer, static_cast<std::size_t>(count));
        return true;
    }
    // Linux says EIO when the last holder of the other end is gone.
    m_ended = count == 0 || (errno != EAGAIN && errno != EINTR);
    return false;
}

void PtyChild::resize(int rows, int columns)
{
    const winsize size = sizeOf(rows, columns);
    ::ioctl(m_master, TIOCSWINSZ, &size);
}

int PtyChild::finish()
{
    if (m_child <= 0) {
        return m_status;
    }
    int status = 0;
    // It has a moment to go by itself: hung up, as when a window is closed, then killed.
    for (const int signal : {0, SIGHUP, SIGKILL}) {
        if (signal != 0) {
            ::kill(-m_child, signal);
        }
        const int tries = signal == SIGKILL ? 1000 : m_ended || signal == SIGHUP ? 100 : 1;
        for (int i = 0; i < tries; ++i) {
            if (::waitpid(m_child, &status, WNOHANG) == m_child) {
                m_child = -1;
                m_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                return m_status;
            }
            ::usleep(10000);
        }
    }
    return m_status;
}

} // namespace coldframe::terminal_tools
