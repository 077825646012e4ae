// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <openssl/ossl_typ.h>
#include <string>
#include <string_view>

namespace coldframe::proxy {

template <typename T, void (*Free)(T*)> struct OpenSslDeleter
{
    void operator()(T* object) const { Free(object); }
};
void freeContext(SSL_CTX* context);
void freeCertificate(X509* certificate);
void freeKey(EVP_PKEY* key);
using ContextPtr = std::shared_ptr<SSL_CTX>;
using CertificatePtr = std::unique_ptr<X509, OpenSslDeleter<X509, freeCertificate>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslDeleter<EVP_PKEY, freeKey>>;

/// Text of OpenSSL's error queue, which is emptied.
std::string opensslError();

/// Signs single-name leaf certificates with the sandbox's CA and keeps the newest few. A leaf names exactly one host or address
/// (clients coalesce connections by a certificate's names), is P-256, and lives 30 days at most. Not thread-safe.
class LeafAuthority
{
public:
    struct Limits
    {
        std::size_t maxCached = 256;
        std::chrono::hours cacheLife{24};
        std::chrono::hours validity{24 * 30};
    };
    /// Checks that the key belongs to the certificate and that it may sign.
    static Result<LeafAuthority> make(std::string_view caCertificatePem, std::string_view caKeyPem, Limits limits);
    static Result<LeafAuthority> make(std::string_view caCertificatePem, std::string_view caKeyPem)
    {
        return make(caCertificatePem, caKeyPem, Limits());
    }

    /// A server context whose certificate names `host` alone: TLS ≥ 1.2, ALPN http/1.1.
    Result<ContextPtr> contextFor(const std::string& host, bool isLiteral);
    std::size_t cachedCount() const { return m_cache.size(); }

private:
    struct Entry
    {
        ContextPtr context;
        std::chrono::steady_clock::time_point made;
        std::list<std::string>::iterator order;
    };
    LeafAuthority() = default;
    Result<ContextPtr> makeContext(const std::string& host, bool isLiteral);

    Limits m_limits;
    CertificatePtr m_caCertificate;
    KeyPtr m_caKey;
    KeyPtr m_leafKey; ///< one for all leaves: it never leaves this process, and so a new name costs one signature
    std::map<std::string, Entry> m_cache;
    std::list<std::string> m_order; ///< least recently used first
};

} // namespace coldframe::proxy
