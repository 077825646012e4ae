// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proxy/byte_stream.h"
#include "proxy/client_certificates.h"
#include "proxy/leaf_authority.h"

#include <asio/io_context.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::proxy {

/// TLS over any ByteStream, by memory BIOs: no library call ever touches a socket.
class TlsStream : public ByteStream
{
public:
    /// InvalidArgument-free; Protocol with OpenSSL's words when the hand-shake fails.
    virtual asio::awaitable<Result<void>> handshake() = 0;
    virtual std::string alpn() const = 0;
    /// Client side: why the server's certificate was refused, in words for people; empty when it was not.
    virtual std::string verificationProblem() const = 0;
    virtual const ByteStream& under() const = 0;
};
using TlsStreamPtr = std::shared_ptr<TlsStream>;

/// The leg towards the sandbox.
Result<TlsStreamPtr> makeServerTls(asio::io_context& io, ByteStreamPtr under, const ContextPtr& context);

/// The leg towards the internet. Verification of chain, dates and name is always on; there is no way to turn it off.
class UpstreamTls
{
public:
    /// Trusts exactly these certificates (PEM, each string one or many). Unreadable ones are an error.
    static Result<UpstreamTls> make(const std::vector<std::string>& trustedPems);
    /// Offers http/1.1 and, with `http2`, h2 before it.
    Result<TlsStreamPtr> makeStream(asio::io_context& io, ByteStreamPtr under, const std::string& host, bool isLiteral,
                                    bool http2 = false) const;

    /// Shown where a server asks for one and there is one for its host. Changes count from the next connection on.
    ClientCertificates& clientCertificates() { return *m_clientCertificates; }

private:
    ContextPtr m_context;
    std::shared_ptr<ClientCertificates> m_clientCertificates = std::make_shared<ClientCertificates>();
};

} // namespace coldframe::proxy
