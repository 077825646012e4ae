// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/proxy_core.h"

namespace coldframe::proxy {

/// Why there is no upstream connection, in HTTP's terms.
struct UpstreamFailure
{
    int status = 502; ///< 403 = refused by rule or address check
    std::string rule;
    std::string reason;
};

/// A verified connection for one request: from the pool, or dialled and, where `secure`, with its certificate verified for the
/// identity's own name. `fresh` = not from the pool. `http2` = offers h2 too, and without TLS speaks it by prior knowledge; look at Upstream::isHttp2.
asio::awaitable<tl::expected<Upstream, UpstreamFailure>> connectUpstream(ProxyCorePtr core, Identity identity, bool secure,
                                                                         std::string service, bool fresh, bool http2 = false);

/// Ends our side and waits a moment for the peer's end, so that what was written is not overtaken by a reset.
asio::awaitable<void> lingeringClose(asio::io_context& io, ByteStreamPtr stream);

} // namespace coldframe::proxy
