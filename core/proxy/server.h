// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "proxy/limits.h"

#include <asio/io_context.hpp>
#include <functional>
#include <memory>

namespace coldframe::proxy {

/// The descriptors a proxy is born with; it never gets others but those the dialler passes and those it accepts on `adopt`.
struct ProxyDescriptors
{
    UniqueFd engine; ///< SOCK_STREAM: JSON lines and key frames
    UniqueFd dial;   ///< SOCK_SEQPACKET to coldframe-dial
    UniqueFd net;    ///< the "net" port of the microVM
    UniqueFd adopt;  ///< listening unix socket for a restarted engine; may be invalid
};

/// One sandbox's proxy. Waits for the engine's setup, enters the filter, announces "ready", then serves the net port until the
/// port or its owner is gone. Single-threaded on `io`.
class ProxyServer
{
public:
    struct Options
    {
        Limits limits;
        bool filter = true; ///< false in tests that run it in their own process
        /// Called once when the server has ended; the process then leaves with this exit code.
        std::function<void(int)> onEnd;
    };

    ProxyServer(asio::io_context& io, ProxyDescriptors descriptors, Options options);
    ~ProxyServer();
    ProxyServer(const ProxyServer&) = delete;
    ProxyServer& operator=(const ProxyServer&) = delete;

    void start();
    /// Connections being served now.
    std::size_t connectionCount() const;

private:
    struct State;
    std::shared_ptr<State> m_state;
};

} // namespace coldframe::proxy
