// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/buffered_reader.h"
#include "proxy/limits.h"

#include <asio/io_context.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>

namespace coldframe::proxy {

/// A connection to a server, ready for a request.
struct Upstream
{
    BufferedReaderPtr reader;
    std::string address;
    bool secure = false;
    bool reused = false;
    bool isHttp2 = false;
};

/// Idle upstream connections, kept for requests to the very same place: scheme, host, port and the service whose key went over
/// it. Emptied when the policy changes, so that the dialler checks addresses anew.
class UpstreamPool
{
public:
    UpstreamPool(asio::io_context& io, Limits limits);
    ~UpstreamPool();

    static std::string keyFor(bool secure, const std::string& host, std::uint16_t port, const std::string& service);
    /// The newest that is still quiet and open; nullopt when there is none.
    std::optional<Upstream> take(const std::string& key);
    void give(const std::string& key, Upstream upstream);
    void clear();
    std::size_t size() const { return m_idle.size(); }

private:
    struct Idle
    {
        std::string key;
        Upstream upstream;
        std::chrono::steady_clock::time_point since;
    };
    void schedule();
    void expire();

    asio::io_context& m_io;
    Limits m_limits;
    std::list<Idle> m_idle; ///< oldest first
    std::shared_ptr<class Watchdog> m_timer;
};

} // namespace coldframe::proxy
