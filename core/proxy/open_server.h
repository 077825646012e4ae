// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/connect_upstream.h"
#include "proxy/http_leg.h"

namespace coldframe::proxy {

/// What a request wants of its server.
struct ServerWish
{
    std::string service; ///< whose key will go over it; such a connection is for that service alone
    bool fresh = false;  ///< not one that was kept
    bool http2 = false;  ///< the client speaks HTTP/2: so does the server leg where the server does
    bool grpc = false;   ///< cannot be carried by HTTP/1
};

/// A verified leg to the server for one request: HTTP/2 shared with others, or HTTP/1 of its own.
asio::awaitable<tl::expected<ServerLegPtr, UpstreamFailure>> openServer(ProxyCorePtr core, Identity identity, bool secure,
                                                                        ServerWish wish);

/// gRPC over HTTP/2; its variant for browsers (grpc-web) is ordinary HTTP.
bool isGrpc(const HeaderList& headers);

} // namespace coldframe::proxy
