// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness.h"

/// Proxies of others in front of the same origin, as reverse proxies from TLS to TLS with one worker.
namespace proxybench {

class Peer
{
public:
    Peer(std::string name, std::string folder, std::uint16_t originPort);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    /// False when it is not installed or does not come up.
    bool start();
    std::uint16_t port() const { return m_port; }
    int processId() const { return m_child; }
    const std::string& name() const { return m_name; }

private:
    std::vector<std::string> command();
    std::string m_name;
    std::string m_folder; ///< has own.pem (certificate and key), own.crt, own.key, ca.pem
    std::uint16_t m_originPort;
    std::uint16_t m_port = 0;
    int m_child = -1;
};

std::uint16_t freePort();
coldframe::UniqueFd connectTo(std::uint16_t port);
/// Seconds of processor time of a process so far (proc(5), stat: utime and stime).
double processorSeconds(int pid);
/// VmRSS or VmHWM.
long memoryKiB(int pid, const std::string& field);
/// Keeps a process on one processor, or (negative) on all others than the first.
void pin(int pid, int processor);

} // namespace proxybench
