// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/http2_codec.h"
#include "proxy/proxy_core.h"

namespace coldframe::proxy {

/// HTTP/2 with a client, inside its TLS (`secure`) or by prior knowledge without: each stream is one request, decided and carried out like one of HTTP/1. Until the
/// connection has ended. `refusal` as for HttpSession.
asio::awaitable<void> serveHttp2(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, ByteStreamPtr stream, bool secure,
                                 std::string refusal);

/// A request as HTTP/1 would have it: Host from :authority, one Cookie field, its framing. Refuses what the identity check and the
/// HTTP/1 parser could not: another scheme, Host beside a different :authority, odd characters in the target, a wrong Expect.
HttpResult<RequestHead> requestFrom(const Http2Stream& stream, bool secure = true);

} // namespace coldframe::proxy
