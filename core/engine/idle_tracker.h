// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace coldframe::engine {

/// One look at a sandbox.
struct IdleLook
{
    int attached = 0;                  ///< terminals and programs that somebody on the host is connected to
    bool isBusy = false;               ///< an operation on it is under way
    bool hasSyncToDo = false;          ///< its workspaces are not in step
    std::uint64_t connections = 0;     ///< to the network, being made or open: the guest's word
    std::uint64_t cpuMicroseconds = 0; ///< of the user's programs since the guest's boot: the guest's word
};

/// Since when nobody and nothing used a sandbox. Two of the marks are the guest's word: with a false one it stays awake, or is
/// put away and loses nothing.
class IdleTracker
{
public:
    using Time = std::chrono::steady_clock::time_point;

    /// Why it counts as used; empty: it does not.
    std::string look(const IdleLook& now, Time at);
    std::chrono::duration<double> idleFor(Time at) const;
    /// It was used just now, or started.
    void touch(Time at);

private:
    std::optional<Time> m_idleSince{};
    std::optional<Time> m_lastLook{};
    std::uint64_t m_lastCpu = 0;
};

} // namespace coldframe::engine
