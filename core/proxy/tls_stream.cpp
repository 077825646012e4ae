// SPDX-License-Identifier: Apache-2.0
#include "proxy/tls_stream.h"

#include "proxy/streams.h"

#include <algorithm>
#include <array>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace coldframe::proxy {

namespace {

void freeSsl(SSL* ssl) { SSL_free(ssl); }
using SslPtr = std::unique_ptr<SSL, OpenSslDeleter<SSL, freeSsl>>;

bool setServerName(SSL* ssl, const std::string& host)
{
    // What SSL_set_tlsext_host_name expands to, without its C casts; the text is copied.
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())) == 1;
}

class MemoryBioStream : public TlsStream
{
public:
    MemoryBioStream(asio::io_context& io, ByteStreamPtr under, SslPtr ssl)
        : m_under(std::move(under)), m_ssl(std::move(ssl)), m_flushed(io)
    {
        m_in = BIO_new(BIO_s_mem());
        m_out = BIO_new(BIO_s_mem());
        BIO_set_mem_eof_return(m_in, -1);
        SSL_set_bio(m_ssl.get(), m_in, m_out); // owns both now
    }

    asio::awaitable<Result<void>> handshake() override
    {
        while (true) {
            ERR_clear_error();
            const int result = SSL_do_handshake(m_ssl.get());
            const int reason = result == 1 ? SSL_ERROR_NONE : SSL_get_error(m_ssl.get(), result);
            const std::string words = reason == SSL_ERROR_SSL ? opensslError() : std::string();
            auto flushed = co_await flush(); // also the alert that says why
            if (reason == SSL_ERROR_SSL) {
                co_return fail(ErrorCode::Protocol, "The TLS hand-shake failed.", words);
            }
            if (!flushed) {
                co_return flushed;
            }
            if (result == 1) {
                co_return Result<void>();
            }
            if (reason != SSL_ERROR_WANT_READ) {
                co_return fail(ErrorCode::Protocol, "The TLS hand-shake failed.", opensslError());
            }
            auto more = co_await fill();
            if (!more) {
                co_return tl::unexpected(more.error());
            }
            if (*more == 0) {
                co_return fail(ErrorCode::Closed, "The peer closed the connection during the TLS hand-shake.");
            }
        }
    }

    asio::awaitable<Result<std::size_t>> read(std::span<std::uint8_t> buffer) override
    {
        bool mayHave = SSL_has_pending(m_ssl.get()) == 1 || BIO_ctrl_pending(m_in) > 0;
        while (true) {
            if (!mayHave) {
                auto more = co_await fill();
                if (!more) {
                    co_return tl::unexpected(more.error());
                }
                if (*more == 0) {
                    // No close_notify: where it matters, the message's own framing shows the truncation.
                    co_return fail(ErrorCode::Closed, "The connection ended without a TLS close.", "eof");
                }
            }
            ERR_clear_error();
            std::size_t count = 0;
            const int result = SSL_read_ex(m_ssl.get(), buffer.data(), buffer.size(), &count);
            if (result == 1) {
                co_return count;
            }
            const int reason = SSL_get_error(m_ssl.get(), result);
            if (reason == SSL_ERROR_ZERO_RETURN) {
                co_return std::size_t{0};
            }
            if (reason != SSL_ERROR_WANT_READ) {
                co_return fail(ErrorCode::Protocol, "The TLS connection broke.", opensslError());
            }
            if (BIO_ctrl_pending(m_out) > 0) { // a key update's answer
                auto flushed = co_await flush();
                if (!flushed) {
                    co_return tl::unexpected(flushed.error());
                }
            }
            mayHave = false;
        }
    }

    asio::awaitable<Result<void>> write(std::string_view data) override
    {
        while (!data.empty()) {
            const std::string_view piece = data.substr(0, 16384);
            data.remove_prefix(piece.size());
            ERR_clear_error();
            std::size_t count = 0;
            if (SSL_write_ex(m_ssl.get(), piece.data(), piece.size(), &count) != 1 || count != piece.size()) {
                co_return fail(ErrorCode::Closed, "The TLS connection is closed for writing.", opensslError());
            }
            if (data.empty() || BIO_ctrl_pending(m_out) >= 65536) {
                auto flushed = co_await flush();
                if (!flushed) {
                    co_return flushed;
                }
            }
        }
        co_return Result<void>();
    }

    asio::awaitable<void> finish() override
    {
        ERR_clear_error();
        SSL_shutdown(m_ssl.get());
        ERR_clear_error();
        auto flushed = co_await flush();
        if (flushed) {
            co_await m_under->finish();
        }
    }

    void abort() override { m_under->abort(); }

    std::string alpn() const override
    {
        const unsigned char* text = nullptr;
        unsigned length = 0;
        SSL_get0_alpn_selected(m_ssl.get(), &text, &length);
        return text ? std::string(reinterpret_cast<const char*>(text), length) : std::string();
    }

    std::string verificationProblem() const override
    {
        const long code = SSL_get_verify_result(m_ssl.get());
        return code == X509_V_OK ? std::string() : X509_verify_cert_error_string(code);
    }

    const ByteStream& under() const override { return *m_under; }

private:
    asio::awaitable<Result<std::size_t>> fill()
    {
        auto count = co_await m_under->read(m_buffer);
        if (count && *count > 0) {
            BIO_write(m_in, m_buffer.data(), static_cast<int>(*count));
        }
        co_return count;
    }

    /// Reader and writer may both have bytes to send; only one writes below at a time, and it takes all there are.
    asio::awaitable<Result<void>> flush()
    {
        while (m_flushing) {
            co_await m_flushed.wait();
        }
        m_flushing = true;
        Result<void> result;
        while (result && BIO_ctrl_pending(m_out) > 0) {
            std::string pending(BIO_ctrl_pending(m_out), '\0');
            const int count = BIO_read(m_out, pending.data(), static_cast<int>(pending.size()));
            if (count <= 0) {
                break;
            }
            pending.resize(static_cast<std::size_t>(count));
            auto written = co_await m_under->write(pending);
            result = std::move(written);
        }
        m_flushing = false;
        m_flushed.notify();
        co_return result;
    }

    ByteStreamPtr m_under;
    SslPtr m_ssl;
    BIO* m_in = nullptr;
    BIO* m_out = nullptr;
    Notifier m_flushed;
    bool m_flushing = false;
    std::array<std::uint8_t, 16384 + 512> m_buffer{};
};

} // namespace

Result<TlsStreamPtr> makeServerTls(asio::io_context& io, ByteStreamPtr under, const ContextPtr& context)
{
    SslPtr ssl(SSL_new(context.get()));
    if (!ssl) {
        return fail(ErrorCode::Internal, "A TLS connection could not be made.", opensslError());
    }
    SSL_set_accept_state(ssl.get());
    return std::make_shared<MemoryBioStream>(io, std::move(under), std::move(ssl));
}

Result<UpstreamTls> UpstreamTls::make(const std::vector<std::string>& trustedPems)
{
    UpstreamTls upstream;
    upstream.m_context = ContextPtr(SSL_CTX_new(TLS_client_method()), freeContext);
    SSL_CTX* const context = upstream.m_context.get();
    static constexpr std::array<unsigned char, 9> kAlpn = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1
        || SSL_CTX_set_alpn_protos(context, kAlpn.data(), kAlpn.size()) != 0) {
        return fail(ErrorCode::Internal, "TLS could not be set up.", opensslError());
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_security_level(context, 2); // keys and digests of 112 bits at least, whatever the library was built for
    X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context), X509_PURPOSE_SSL_SERVER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    X509_STORE* const store = SSL_CTX_get_cert_store(context);
    for (const std::string& pem : trustedPems) {
        const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                                &BIO_free_all);
        std::size_t count = 0;
        while (true) {
            const CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
            if (!certificate) {
                break;
            }
            X509_STORE_add_cert(store, certificate.get());
            ++count;
        }
        const unsigned long last = ERR_peek_last_error();
        const bool ended = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
        ERR_clear_error();
        if (!ended || (count == 0 && !pem.empty())) {
            return fail(ErrorCode::InvalidArgument, "A trusted certificate cannot be read.");
        }
    }
    return upstream;
}

Result<TlsStreamPtr> UpstreamTls::makeStream(asio::io_context& io, ByteStreamPtr under, const std::string& host,
                                             bool isLiteral, bool http2) const
{
    SslPtr ssl(SSL_new(m_context.get()));
    if (!ssl) {
        return fail(ErrorCode::Internal, "A TLS connection could not be made.", opensslError());
    }
    SSL_set_connect_state(ssl.get());
    static constexpr std::array<unsigned char, 12> kBoth = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    if (http2 && SSL_set_alpn_protos(ssl.get(), kBoth.data(), kBoth.size()) != 0) {
        return fail(ErrorCode::Internal, "A TLS connection could not be made.", opensslError());
    }
    X509_VERIFY_PARAM* const parameters = SSL_get0_param(ssl.get());
    // RFC 9525, section 2: the alternative names count, the common name never.
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const int named = isLiteral ? X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str())
                                : X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
    // Without a name to check, verification would pass for any certificate: then there is no connection at all.
    if (named != 1 || (!isLiteral && !setServerName(ssl.get(), host))) {
        return fail(ErrorCode::Internal, "The server's name cannot be checked.", opensslError());
    }
    COLDFRAME_CHECK(m_clientCertificates->apply(ssl.get(), host));
    return std::make_shared<MemoryBioStream>(io, std::move(under), std::move(ssl));
}

} // namespace coldframe::proxy
