// SPDX-License-Identifier: Apache-2.0
#include "interrupts.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <unistd.h>

namespace coldframe::cli {

namespace {

int s_readEnd = -1;
int s_writeEnd = -1;
volatile std::sig_atomic_t s_shouldEnd = 0;

void onSignal(int signal)
{
    const int saved = errno;
    if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT) {
        s_shouldEnd = 1;
    }
    const char byte = static_cast<char>(signal);
    (void)!::write(s_writeEnd, &byte, 1);
    errno = saved;
}

void install(int signal)
{
    struct sigaction action{};
    action.sa_handler = onSignal;
    // No SA_RESTART: a write that blocks on a stopped reader has to notice.
    ::sigaction(signal, &action, nullptr);
}

} // namespace

int Interrupts::fd()
{
    if (s_readEnd < 0) {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
            return -1;
        }
        s_readEnd = ends[0];
        s_writeEnd = ends[1];
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
            install(signal);
        }
        ::signal(SIGPIPE, SIG_IGN);
    }
    return s_readEnd;
}

int Interrupts::take()
{
    char byte = 0;
    return ::read(fd(), &byte, 1) == 1 ? byte : 0;
}

bool Interrupts::shouldEnd() { return s_shouldEnd != 0; }
void Interrupts::clear() { s_shouldEnd = 0; }

void Interrupts::setTerminalSignals(bool handled)
{
    for (const int signal : {SIGTSTP, SIGWINCH, SIGCONT}) {
        if (handled) {
            install(signal);
        } else {
            ::signal(signal, SIG_DFL);
        }
    }
}

} // namespace coldframe::cli
