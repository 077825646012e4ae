// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/connect_upstream.h"
#include "proxy/http_session.h"
#include "proxy/streams.h"

namespace coldframe::proxy {

/// A request's body on its way up, in a coroutine of its own: a server may answer before it is through.
struct HttpSession::Upload
{
    explicit Upload(asio::io_context& io) : ended(io) {}
    BufferedReaderPtr client;
    ByteStreamPtr server;
    Framing framing = Framing::None;
    std::uint64_t length = 0;
    std::shared_ptr<const PatternSet> sentinels;
    std::function<void()> onMovement;
    std::uint64_t bytes = 0;
    bool done = false;
    bool failed = false;
    int sentinelTag = -1;
    std::string problem; ///< what was malformed
    Notifier ended;
};

/// One request and its reply.
struct HttpSession::Exchange
{
    RequestHead request;
    RequestTarget target;
    Injection injection;
    ConnectionEvent event;
    Upstream upstream;
    std::shared_ptr<Upload> uploading; ///< null without a body
    std::string upgrade;               ///< "websocket" or empty
    bool clientKeepAlive = true;
};

} // namespace coldframe::proxy
