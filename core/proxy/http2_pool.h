// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http2_connection.h"

#include <map>
#include <string>
#include <vector>

namespace coldframe::proxy {

/// Connections to servers that speak HTTP/2, shared by the requests to the very same place (as UpstreamPool has them), and which
/// places are known not to. The first request to a place connects, those that come meanwhile wait for what it finds.
class Http2Pool
{
public:
    explicit Http2Pool(asio::io_context& io) : m_io(io) {}
    ~Http2Pool();

    /// One that takes another request; null = none.
    Http2ConnectionPtr find(const std::string& key);
    void add(const std::string& key, Http2ConnectionPtr connection);
    bool isKnownHttp1(const std::string& key) const;
    void setKnownHttp1(const std::string& key);
    /// False when somebody else is connecting to this place; then settled() waits for the outcome.
    bool claim(const std::string& key);
    void settle(const std::string& key);
    asio::awaitable<void> settled(std::string key);
    /// No connection is given out again; requests under way go on.
    void clear();

private:
    struct Place
    {
        std::vector<Http2ConnectionPtr> connections;
        std::vector<std::shared_ptr<Notifier>> waiters;
        bool isHttp1 = false;
        bool connecting = false;
    };
    Place& placeOf(const std::string& key);
    asio::io_context& m_io;
    std::map<std::string, Place> m_places;
};

} // namespace coldframe::proxy
