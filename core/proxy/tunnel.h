// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/connection.h"
#include "proxy/proxy_core.h"

namespace coldframe::proxy {

/// Serves one stream of the net port from its first header to its end: CONNECT (finds out what is spoken: TLS, HTTP, or
/// something else that only a host:port rule lets through) or POST /report. Everything in it is the guest's word.
asio::awaitable<void> serveStream(ProxyCorePtr core, channel::StreamPtr stream);

} // namespace coldframe::proxy
