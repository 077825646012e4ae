// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness.h"
#include "proxy/http2_codec.h"

namespace proxytest {

using coldframe::proxy::HeaderList;
using coldframe::proxy::Http2Codec;
using coldframe::proxy::Http2StreamPtr;

HeaderList fields(const std::vector<std::pair<std::string, std::string>>& list);

/// One end of HTTP/2 over a blocking connection, for clients and origins of tests.
class Http2Peer
{
public:
    Http2Peer(Wire& wire, Http2Codec::Role role, coldframe::proxy::Http2Limits limits = {});

    /// Client.
    Http2StreamPtr request(const std::string& method, const std::string& host, const std::string& path, bool hasBody = false,
                           const std::vector<std::pair<std::string, std::string>>& more = {});
    /// Server: the next request whose head is complete; null at the end.
    Http2StreamPtr accept();
    void respond(const Http2StreamPtr& stream, int status, const std::vector<std::pair<std::string, std::string>>& headers,
                 const std::string& body, const std::vector<std::pair<std::string, std::string>>& trailers = {});
    void send(const Http2StreamPtr& stream, const std::string& data, bool end);
    /// Reads and writes until it holds, or the connection ends (false).
    bool until(const std::function<bool()>& condition);
    /// What has come of a body, given back to the window.
    std::string take(const Http2StreamPtr& stream);

    struct Reply
    {
        int status = 0;
        HeaderList headers;
        std::string body;
        HeaderList trailers;
        std::vector<int> interim;
        bool complete = false;
        std::uint32_t error = 0;
    };
    /// The rest of a reply.
    Reply finish(const Http2StreamPtr& stream);
    Http2Codec& codec() { return m_codec; }
    bool flush();
    std::string scheme = "https"; ///< of a client's requests

private:
    Wire& m_wire;
    std::deque<Http2StreamPtr> m_requests;
    Http2Codec m_codec;
};

} // namespace proxytest
