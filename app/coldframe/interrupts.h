// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace coldframe::cli {

/// Signals as readable bytes: SIGINT, SIGTERM, SIGHUP, SIGQUIT, and while a terminal is raw SIGTSTP, SIGWINCH and
/// SIGCONT, each write their number to a pipe. Outside an attachment every byte means "cancel". One per process.
class Interrupts
{
public:
    /// Installs the handlers at the first call.
    static int fd();
    /// The next signal's number, 0 when there is none.
    static int take();
    /// True once one of the first four came since clear(); for loops that block in write(2).
    static bool shouldEnd();
    static void clear();
    /// SIGTSTP, SIGWINCH and SIGCONT too, or no longer.
    static void setTerminalSignals(bool handled);
};

} // namespace coldframe::cli
