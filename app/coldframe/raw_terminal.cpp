// SPDX-License-Identifier: Apache-2.0
#include "raw_terminal.h"

#include "interrupts.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace coldframe::cli {

namespace {

struct termios s_saved;
volatile std::sig_atomic_t s_isRaw = 0;

/// Async-signal-safe: tcsetattr is (POSIX.1-2017, 2.4.3).
void restore()
{
    if (s_isRaw) {
        s_isRaw = 0;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &s_saved);
    }
}

void onCrash(int signal)
{
    restore();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

void restoreOnAnyEnd()
{
    static const bool once = [] {
        std::atexit(restore);
        for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
            ::signal(signal, onCrash);
        }
        return true;
    }();
    (void)once;
}

} // namespace

RawTerminal::RawTerminal()
{
    Interrupts::setTerminalSignals(true);
    enter();
}
RawTerminal::~RawTerminal()
{
    leave();
    Interrupts::setTerminalSignals(false);
}

void RawTerminal::enter()
{
    if (s_isRaw || ::tcgetattr(STDIN_FILENO, &s_saved) != 0) {
        return;
    }
    restoreOnAnyEnd();
    struct termios raw = s_saved;
    ::cfmakeraw(&raw);
    s_isRaw = 1;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void RawTerminal::leave() { restore(); }

void RawTerminal::resetScreen()
{
    static constexpr char kReset[] = "\033[?1049l\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l\033[?1l\033>"
                                     "\033[?1004l\033[?2031l\033[r\033[?6l\033[?7h\033[4l\033[?5l\033(B\017\033[<u\033[>4;0m\033[?25h\033[0 q\033[0m\033[999;1H\r\n";
    if (::isatty(STDOUT_FILENO)) {
        (void)!::write(STDOUT_FILENO, kReset, sizeof(kReset) - 1);
    }
}

TerminalSize terminalSize()
{
    struct winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 && ::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0) {
        return {};
    }
    return size.ws_row == 0 || size.ws_col == 0
               ? TerminalSize{}
               : TerminalSize{std::clamp<int>(size.ws_row, 1, 1000), std::clamp<int>(size.ws_col, 1, 1000)};
}

long readHidden(const char* prompt, char* buffer, unsigned long size)
{
    const bool isTerminal = ::isatty(STDIN_FILENO) && ::tcgetattr(STDIN_FILENO, &s_saved) == 0;
    if (isTerminal) {
        restoreOnAnyEnd();
        struct termios hidden = s_saved;
        hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        s_isRaw = 1;
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
        // Only now: what a quick hand or a paste sends at the prompt must not be shown.
        (void)!::write(STDERR_FILENO, prompt, std::strlen(prompt));
    }
    unsigned long length = 0;
    bool failed = false;
    while (length < size) {
        // Not read() alone: a Ctrl-C between the prompt and a read that blocks would interrupt nothing.
        std::array<pollfd, 2> ready{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{Interrupts::fd(), POLLIN, 0}};
        if ((::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) || Interrupts::shouldEnd()) {
            failed = true;
            break;
        }
        if (ready[0].revents == 0) {
            continue;
        }
        const ssize_t got = ::read(STDIN_FILENO, buffer + length, size - length);
        if (got < 0) {
            failed = true;
            break;
        }
        length += static_cast<unsigned long>(got);
        if (got == 0 || (isTerminal && length > 0 && buffer[length - 1] == '\n')) {
            break;
        }
    }
    if (isTerminal) {
        restore();
        (void)!::write(STDERR_FILENO, "\n", 1);
    }
    while (length > 0 && (buffer[length - 1] == '\n' || buffer[length - 1] == '\r')) {
        --length;
    }
    return failed ? -1 : static_cast<long>(length);
}

} // namespace coldframe::cli
