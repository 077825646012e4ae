// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::cli {

/// Puts the terminal of standard input into raw mode (every key goes to the sandbox, Ctrl-C too) and back. Restored on
/// every way out: destruction, exit(), and the signals of a crash. One at a time.
class RawTerminal
{
public:
    RawTerminal();
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    void enter();
    void leave();
    /// For an end that the program in the sandbox did not reach itself: leaves the alternate screen, shows the cursor,
    /// ends mouse reports and bracketed paste.
    static void resetScreen();
};

struct TerminalSize
{
    int rows = 24;
    int columns = 80;
};
TerminalSize terminalSize();

/// Reads a line with echo off from the terminal (or plainly from a pipe) into a buffer that the caller wipes. Returns
/// the length, -1 on end or error.
long readHidden(const char* prompt, char* buffer, unsigned long size);

} // namespace coldframe::cli
