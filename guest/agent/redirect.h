// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "channel/connection.h"
#include "guest/agent/names.h"
#include "guest/agent/process_owner.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <string>

namespace coldframe::guest {

/// Carries every TCP connection that would leave the sandbox to the host, which decides. On the io_context's
/// thread.
class Redirect
{
public:
    /// `net` may be null: every connection is refused at once then.
    Redirect(asio::io_context& io, channel::Connection* net, const NameMap& names)
        : m_io(io), m_net(net), m_names(names)
    {
    }

    /// The port nftables redirects to.
    Result<void> startTransparent(unsigned short port);
    /// The explicit proxy: CONNECT and absolute-form requests (RFC 9110, section 7.2; RFC 9112, section 3.2).
    Result<void> startProxy(const asio::ip::tcp::endpoint& at);

    /// "name:port", "[v6]:port" or "v4:port", and whether it is a name, for the place a connection wanted to
    /// go to. NotFound for a synthetic address no name has, NotAllowed for this machine's own.
    struct Target
    {
        std::string authority;
        bool isName = false;
    };
    Result<Target> targetOf(const asio::ip::tcp::endpoint& to) const;
    /// Connections that are being made or open.
    std::size_t openCount() const { return m_open; }

private:
    using Acceptor = std::shared_ptr<asio::ip::tcp::acceptor>;

    asio::awaitable<void> accept(Acceptor acceptor, bool isProxy);
    asio::awaitable<void> carry(asio::ip::tcp::socket socket);
    asio::awaitable<void> proxy(asio::ip::tcp::socket socket);
    Result<channel::StreamPtr> open(const std::string& authority, const std::string& kind,
                                    const asio::ip::tcp::endpoint& peer);

    asio::io_context& m_io;
    channel::Connection* m_net;
    const NameMap& m_names;
    std::size_t m_open = 0;
    ProcessOwner m_owners;
};

/// A proxy request's head, understood. InvalidArgument when it is neither CONNECT nor absolute-form http.
struct ProxyRequest
{
    std::string authority; ///< host:port, always with a port
    bool isTunnel = false;
    std::string
        forwarded; ///< not for a tunnel: the head to send on, in origin-form, one request per connection
};
Result<ProxyRequest> parseProxyRequest(std::string_view head);

} // namespace coldframe::guest
