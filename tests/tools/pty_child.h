// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace coldframe::terminal_tools {

/// A program in a terminal of its own (a PTY), as an ordinary terminal starts it: TERM=xterm-256color, COLORTERM=truecolor,
/// nothing of the terminal that this one runs in. It is ended with its group when the object goes.
class PtyChild
{
public:
    /// Throws std::runtime_error when there is no PTY. A program that cannot be started exits with 127.
    PtyChild(const std::vector<std::string>& command, int rows, int columns);
    ~PtyChild();
    PtyChild(const PtyChild&) = delete;
    PtyChild& operator=(const PtyChild&) = delete;

    /// Waits at most so long for output, writing what is to be written meanwhile. False: nothing came; see ended().
    bool read(std::string& bytes, int milliseconds);
    void write(std::string_view bytes) { m_toWrite += bytes; }
    void resize(int rows, int columns);
    bool ended() const { return m_ended; } ///< everything that holds the terminal is gone
    /// The exit status, or 128 + signal. Ends the program first when it still runs.
    int finish();

private:
    void flush();

    int m_master = -1;
    pid_t m_child = -1;
    bool m_ended = false;
    int m_status = -1;
    std::string m_toWrite;
};

} // namespace coldframe::terminal_tools
