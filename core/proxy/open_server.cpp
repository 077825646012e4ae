// SPDX-License-Identifier: Apache-2.0
#include "proxy/open_server.h"

#include "proxy/http1_legs.h"
#include "proxy/http2_server_leg.h"

namespace coldframe::proxy {

namespace {

using Opened = tl::expected<ServerLegPtr, UpstreamFailure>;

ServerLegPtr http1Leg(const ProxyCorePtr& core, const std::string& key, Upstream upstream)
{
    const std::weak_ptr<ProxyCore> weak = core;
    auto giveBack = [weak, key](Upstream used) {
        if (const ProxyCorePtr strong = weak.lock()) {
            strong->pool.give(key, std::move(used));
        }
    };
    return std::make_shared<Http1ServerLeg>(std::move(upstream), std::move(giveBack));
}

ServerLegPtr http2Leg(const ProxyCorePtr& core, const std::string& key, const Http2ConnectionPtr& connection, bool secure)
{
    const std::weak_ptr<ProxyCore> weak = core;
    return std::make_shared<Http2ServerLeg>(connection, secure, [weak, key] {
        if (const ProxyCorePtr strong = weak.lock()) {
            strong->http2.setKnownHttp1(key);
        }
    });
}

Http2ConnectionPtr startHttp2(const ProxyCorePtr& core, const Upstream& upstream, bool secret)
{
    Http2Connection::Options options;
    options.role = Http2Codec::Role::Client;
    options.limits.maxHeaderBytes = 256 * 1024;
    options.limits.maxFields = 512;
    options.head = core->limits.head;
    options.idle = core->limits.upstreamIdle;
    options.address = upstream.address;
    auto connection = std::make_shared<Http2Connection>(core->io, upstream.reader->stream(), std::move(options));
    if (secret) {
        connection->keepSecret();
    }
    connection->start();
    return connection;
}

UpstreamFailure noGrpc(const Identity& identity)
{
    return {502, {}, "gRPC needs HTTP/2, and " + identity.host + " speaks only HTTP/1.1."};
}

/// Whatever becomes of the attempt, those who wait for it go on.
struct Claim
{
    ~Claim()
    {
        if (core) {
            core->http2.settle(key);
        }
    }
    ProxyCorePtr core;
    std::string key;
};

} // namespace

asio::awaitable<Opened> openServer(ProxyCorePtr core, Identity identity, bool secure, ServerWish wish)
{
    const std::string key = UpstreamPool::keyFor(secure, identity.host, identity.port, wish.service);
    bool claimed = false;
    Claim claim;
    while (wish.http2 && !core->http2.isKnownHttp1(key)) {
        if (const Http2ConnectionPtr shared = core->http2.find(key)) {
            co_return http2Leg(core, key, shared, secure);
        }
        claimed = core->http2.claim(key);
        if (claimed) {
            claim.core = core;
            claim.key = key;
            break;
        }
        co_await core->http2.settled(key);
        if (core->stopping) {
            co_return tl::unexpected(UpstreamFailure{503, {}, "The proxy is leaving."});
        }
    }
    if (!claimed && wish.grpc) {
        co_return tl::unexpected(noGrpc(identity));
    }
    auto upstream = co_await connectUpstream(core, identity, secure, wish.service, wish.fresh || claimed, claimed);
    if (claimed) {
        if (upstream && !upstream->isHttp2) {
            core->http2.setKnownHttp1(key);
        }
        Http2ConnectionPtr connection;
        if (upstream && upstream->isHttp2) {
            connection = startHttp2(core, *upstream, !wish.service.empty());
            core->http2.add(key, connection);
        }
        if (connection) {
            co_return http2Leg(core, key, connection, secure);
        }
    }
    if (!upstream) {
        co_return tl::unexpected(upstream.error());
    }
    if (wish.grpc) {
        core->pool.give(key, std::move(*upstream));
        co_return tl::unexpected(noGrpc(identity));
    }
    co_return http1Leg(core, key, std::move(*upstream));
}

bool isGrpc(const HeaderList& headers)
{
    static constexpr std::string_view kType = "application/grpc";
    const std::string* type = headers.find("content-type");
    if (!type || !equalsIgnoringCase(std::string_view(*type).substr(0, kType.size()), kType)) {
        return false;
    }
    const std::string_view rest = std::string_view(*type).substr(kType.size());
    return rest.empty() || rest[0] == '+' || rest[0] == ';' || rest[0] == ' ';
}

} // namespace coldframe::proxy
