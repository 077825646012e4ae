// SPDX-License-Identifier: Apache-2.0
#include "proxy/connect_upstream.h"

#include "proxy/streams.h"

#include <array>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kMostDrained = 1u << 20;
constexpr std::chrono::milliseconds kLinger{2000};

} // namespace

asio::awaitable<tl::expected<Upstream, UpstreamFailure>> connectUpstream(ProxyCorePtr core, Identity identity, bool secure,
                                                                         std::string service, bool fresh, bool http2)
{
    if (!fresh) {
        std::optional<Upstream> idle =
            core->pool.take(UpstreamPool::keyFor(secure, identity.host, identity.port, service));
        if (idle) {
            co_return std::move(*idle);
        }
    }
    auto dialled = co_await core->dialler->dial(identity, core->limits.dial);
    if (!dialled) {
        const int status = dialled.error().code == ErrorCode::Timeout ? 504 : 502;
        co_return tl::unexpected(UpstreamFailure{status, {}, dialled.error().message});
    }
    if (!dialled->fd) {
        co_return tl::unexpected(UpstreamFailure{403, dialled->rule, dialled->reason});
    }
    Upstream upstream;
    upstream.address = dialled->address;
    upstream.secure = secure;
    ByteStreamPtr stream = makeSocketStream(core->io, std::move(dialled->fd));
    if (secure) {
        auto tls = core->upstreamTls->makeStream(core->io, stream, identity.host, identity.isLiteral, http2);
        if (!tls) {
            co_return tl::unexpected(UpstreamFailure{502, {}, tls.error().message});
        }
        Watchdog watchdog(core->io);
        watchdog.arm(core->limits.upstreamHandshake, [stream] { stream->abort(); });
        const TlsStreamPtr tlsStream = *tls;
        auto shaken = co_await tlsStream->handshake();
        watchdog.disarm();
        if (!shaken) {
            const std::string problem = tlsStream->verificationProblem();
            const std::string reason = !problem.empty()
                                           ? "The server's certificate is not valid for " + identity.host + ": " + problem + "."
                                           : "The TLS hand-shake with " + identity.host + " failed: " + shaken.error().detail;
            stream->abort();
            co_return tl::unexpected(UpstreamFailure{502, {}, reason});
        }
        upstream.isHttp2 = tlsStream->alpn() == "h2";
        stream = tlsStream;
    } else {
        upstream.isHttp2 = http2; // the client knows it of this place
    }
    upstream.reader = std::make_shared<BufferedReader>(stream);
    co_return upstream;
}

asio::awaitable<void> lingeringClose(asio::io_context& io, ByteStreamPtr stream)
{
    Watchdog watchdog(io);
    watchdog.arm(kLinger, [stream] { stream->abort(); });
    co_await stream->finish();
    std::array<std::uint8_t, 8192> ignored{};
    std::size_t total = 0;
    bool hasEnded = false;
    while (total < kMostDrained && !hasEnded) {
        auto count = co_await stream->read(ignored);
        if (!count) {
            break;
        }
        total += *count;
        hasEnded = *count == 0;
    }
    watchdog.disarm();
    // Where the peer ended its half first, what was written may still wait for the port; a reset would throw it away.
    if (!hasEnded) {
        stream->abort();
    }
}

} // namespace coldframe::proxy
