// SPDX-License-Identifier: Apache-2.0
#include "proxy/leaf_authority.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace coldframe::proxy {

void freeContext(SSL_CTX* context) { SSL_CTX_free(context); }
void freeCertificate(X509* certificate) { X509_free(certificate); }
void freeKey(EVP_PKEY* key) { EVP_PKEY_free(key); }

std::string opensslError()
{
    std::string text;
    while (const unsigned long code = ERR_get_error()) {
        std::array<char, 256> buffer{};
        ERR_error_string_n(code, buffer.data(), buffer.size());
        text += text.empty() ? buffer.data() : std::string("; ") + buffer.data();
    }
    return text;
}

namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

BioPtr memoryOf(std::string_view text)
{
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all};
}

KeyPtr makeP256Key() { return KeyPtr(EVP_EC_gen("P-256")); }

bool addExtension(X509* certificate, X509* issuer, int nid, const std::string& value)
{
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (!extension) {
        return false;
    }
    const bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

bool setRandomSerial(X509* certificate)
{
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
        return false;
    }
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x01); // positive, and never zero
    BIGNUM* number = BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr);
    const bool done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return done;
}

/// Ours in our order, the client's among them: h2 first, since gRPC and some clients speak nothing else.
int selectAlpn(SSL*, const unsigned char** out, unsigned char* outLength, const unsigned char* in, unsigned inLength, void*)
{
    static constexpr std::array<std::string_view, 2> kOurs = {"h2", "http/1.1"};
    for (const std::string_view ours : kOurs) {
        for (unsigned at = 0; at < inLength;) {
            const unsigned length = in[at];
            if (at + 1 + length > inLength) {
                break;
            }
            if (length == ours.size() && std::memcmp(in + at + 1, ours.data(), length) == 0) {
                *out = in + at + 1;
                *outLength = static_cast<unsigned char>(length);
                return SSL_TLSEXT_ERR_OK;
            }
            at += 1 + length;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

} // namespace

Result<LeafAuthority> LeafAuthority::make(std::string_view caCertificatePem, std::string_view caKeyPem, Limits limits)
{
    LeafAuthority authority;
    authority.m_limits = limits;
    const BioPtr certificate = memoryOf(caCertificatePem);
    const BioPtr key = memoryOf(caKeyPem);
    authority.m_caCertificate.reset(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    authority.m_caKey.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
    authority.m_leafKey = makeP256Key();
    if (!authority.m_caCertificate || !authority.m_caKey || !authority.m_leafKey) {
        return fail(ErrorCode::InvalidArgument, "The sandbox's CA certificate or key cannot be read.", opensslError());
    }
    if (X509_check_private_key(authority.m_caCertificate.get(), authority.m_caKey.get()) != 1
        || X509_check_ca(authority.m_caCertificate.get()) == 0) {
        return fail(ErrorCode::InvalidArgument, "The sandbox's CA certificate does not fit its key, or may not sign.",
                    opensslError());
    }
    return authority;
}

Result<ContextPtr> LeafAuthority::contextFor(const std::string& host, bool isLiteral)
{
    const auto now = std::chrono::steady_clock::now();
    if (const auto found = m_cache.find(host); found != m_cache.end()) {
        if (now - found->second.made < m_limits.cacheLife) {
            m_order.splice(m_order.end(), m_order, found->second.order);
            return found->second.context;
        }
        m_order.erase(found->second.order);
        m_cache.erase(found);
    }
    COLDFRAME_TRY(ContextPtr context, makeContext(host, isLiteral));
    while (m_cache.size() >= m_limits.maxCached && !m_order.empty()) {
        m_cache.erase(m_order.front());
        m_order.pop_front();
    }
    m_order.push_back(host);
    m_cache[host] = Entry{context, now, std::prev(m_order.end())};
    return context;
}

Result<ContextPtr> LeafAuthority::makeContext(const std::string& host, bool isLiteral)
{
    const CertificatePtr leaf(X509_new());
    X509* const certificate = leaf.get();
    X509* const issuer = m_caCertificate.get();
    // The guest's clock may be a little behind; the leaf never outlives what is asked for.
    const long validity = static_cast<long>(std::chrono::seconds(m_limits.validity).count());
    bool ok = certificate && X509_set_version(certificate, X509_VERSION_3) == 1 && setRandomSerial(certificate)
              && X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nullptr
              && X509_gmtime_adj(X509_getm_notAfter(certificate), validity) != nullptr
              && X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1
              && X509_set_pubkey(certificate, m_leafKey.get()) == 1;
    // A common name holds 64 characters; the alternative name is what clients check.
    if (ok && host.size() <= 64) {
        ok = X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                        reinterpret_cast<const unsigned char*>(host.c_str()), -1, -1, 0)
             == 1;
    }
    const std::string alternative = (isLiteral ? "IP:" : "DNS:") + host;
    const std::string name = host.size() <= 64 ? alternative : "critical," + alternative;
    ok = ok && addExtension(certificate, issuer, NID_subject_alt_name, name)
         && addExtension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE")
         && addExtension(certificate, issuer, NID_key_usage, "critical,digitalSignature")
         && addExtension(certificate, issuer, NID_ext_key_usage, "serverAuth")
         && addExtension(certificate, issuer, NID_subject_key_identifier, "hash")
         // RFC 5280, section 4.2.1.1. Python from 3.13 on takes no certificate without it.
         && addExtension(certificate, issuer, NID_authority_key_identifier, "keyid")
         && X509_sign(certificate, m_caKey.get(), EVP_sha256()) > 0;
    const ContextPtr context(SSL_CTX_new(TLS_server_method()), freeContext);
    ok = ok && context && SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1
         && SSL_CTX_use_certificate(context.get(), certificate) == 1
         && SSL_CTX_use_PrivateKey(context.get(), m_leafKey.get()) == 1
         && SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
    if (!ok) {
        return fail(ErrorCode::Internal, "A certificate for " + host + " could not be made.", opensslError());
    }
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context.get(), selectAlpn, nullptr);
    return context;
}

} // namespace coldframe::proxy
