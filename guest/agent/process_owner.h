// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/ip/tcp.hpp>
#include <chrono>
#include <filesystem>
#include <string>

namespace coldframe::guest {

/// Which program a redirected connection belongs to, by /proc: the socket with the peer's address and port, then the process that holds
/// it, also in a container's network. A help for the reader of the record and no more: root inside could make it say anything. What it
/// costs is bounded: one search ends after kMostEach, and all of them together get a tenth of the time.
class ProcessOwner
{
public:
    static constexpr std::chrono::milliseconds kMostEach{15};

    explicit ProcessOwner(std::chrono::milliseconds mostEach = kMostEach) : m_mostEach(mostEach) {}

    /// "curl", "python3 train.py", "node in container 0123456789ab"; empty: not known.
    std::string nameOf(const asio::ip::tcp::endpoint& peer);

private:
    bool mayLook();
    std::string search(const asio::ip::tcp::endpoint& peer);

    std::filesystem::path m_proc = "/proc";
    std::chrono::milliseconds m_mostEach;
    std::chrono::steady_clock::time_point m_deadline;
    std::chrono::steady_clock::time_point m_windowBegan;
    std::chrono::steady_clock::duration m_spent{};
    std::string m_recent; ///< the process that had the last one: most often it has the next
};

} // namespace coldframe::guest
