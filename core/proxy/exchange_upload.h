// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http_exchange.h"
#include "proxy/key_scanner.h"

namespace coldframe::proxy {

/// A request's body on its way up, in a coroutine of its own: a server may answer before it is through.
struct HttpExchange::Upload
{
    explicit Upload(asio::io_context& io) : ended(io) {}
    ClientLegPtr client;
    ServerLegPtr server;
    std::optional<std::string> whole; ///< the body, where it was read before
    std::shared_ptr<const PatternSet> sentinels;
    std::function<void()> onMovement;
    bool done = false;
    bool failed = false;
    int sentinelTag = -1;
    std::string problem; ///< what was malformed
    Notifier ended;
};

/// Passes `plain` through the scanner into `out`; a match's tag or -1. Without patterns nothing is copied.
int passThrough(StreamScanner& scanner, const PatternSet* patterns, std::string& plain, std::string& out);
/// A pattern that stands in a trailer section, or -1.
int findInFields(const PatternSet* patterns, const HeaderList& fields);

} // namespace coldframe::proxy
