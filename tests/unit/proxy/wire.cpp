// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <algorithm>
#include <cerrno>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace proxytest {

namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

std::string textOf(BIO* bio)
{
    std::string text(BIO_ctrl_pending(bio), '\0');
    BIO_read(bio, text.data(), static_cast<int>(text.size()));
    return text;
}

KeyPtr keyFrom(const std::string& pem)
{
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
    return {PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
}

CertificatePtr certificateFrom(const std::string& pem)
{
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
    return {PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free};
}

void addExtension(X509* certificate, int nid, const std::string& value, X509* issuer = nullptr)
{
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer ? issuer : certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

std::string headerValue(const std::string& head, const std::string& name)
{
    std::string lower = head;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::size_t at = lower.find("\r\n" + name + ": ");
    if (at == std::string::npos) {
        return {};
    }
    const std::size_t start = at + name.size() + 4;
    return head.substr(start, head.find("\r\n", start) - start);
}

/// A Content-Length or chunked body read from the wire.
bool readBody(Wire& wire, const std::string& head, std::string& body)
{
    if (headerValue(head, "transfer-encoding") == "chunked") {
        while (true) {
            std::string line;
            while (!line.ends_with("\r\n")) {
                const std::string byte = wire.readExactly(1);
                if (byte.empty()) {
                    return false;
                }
                line += byte;
            }
            const std::size_t size = std::stoul(line, nullptr, 16);
            if (size == 0) {
                break;
            }
            const std::string data = wire.readExactly(size + 2);
            if (data.size() != size + 2) {
                return false;
            }
            body += data.substr(0, size);
        }
        std::string trailer;
        while (trailer != "\r\n" && !trailer.ends_with("\r\n\r\n")) {
            const std::string byte = wire.readExactly(1);
            if (byte.empty()) {
                return false;
            }
            trailer += byte;
        }
        return true;
    }
    const std::string length = headerValue(head, "content-length");
    if (!length.empty()) {
        body = wire.readExactly(std::stoul(length));
        return body.size() == std::stoul(length);
    }
    return true;
}

} // namespace

Certificate makeCertificate(const CertificateSpec& spec)
{
    const KeyPtr key(spec.rsaBits > 0 ? EVP_RSA_gen(static_cast<unsigned>(spec.rsaBits)) : EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const CertificatePtr certificate(X509_new(), &X509_free);
    X509* const x = certificate.get();
    static long serial = 1000;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), spec.notBeforeSeconds);
    X509_gmtime_adj(X509_getm_notAfter(x), spec.notAfterSeconds);
    X509_set_pubkey(x, key.get());
    if (spec.hasSubject) {
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1, 0);
    }
    for (const auto& [name, value] : spec.extensions) {
        addExtension(x, OBJ_sn2nid(name.c_str()), value);
    }
    if (spec.isCa && spec.extensions.empty()) {
        addExtension(x, NID_basic_constraints, "critical,CA:TRUE");
        addExtension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
        addExtension(x, NID_subject_key_identifier, "hash");
    } else if (spec.alternativeNames) {
        if (!spec.alternativeNames->empty()) {
            addExtension(x, NID_subject_alt_name, *spec.alternativeNames);
        }
    } else if (!spec.isCa) {
        struct in_addr address{};
        const bool isIp = ::inet_pton(AF_INET, spec.name.c_str(), &address) == 1;
        addExtension(x, NID_subject_alt_name, (isIp ? "IP:" : "DNS:") + spec.name);
    }
    const EVP_MD* const digest = EVP_get_digestbyname(spec.digest.c_str());
    if (spec.issuer) {
        const CertificatePtr issuer = certificateFrom(spec.issuer->certificatePem);
        const KeyPtr issuerKey = keyFrom(spec.issuer->keyPem);
        X509_set_issuer_name(x, X509_get_subject_name(issuer.get()));
        if (spec.extensions.empty()) {
            addExtension(x, NID_authority_key_identifier, "keyid", issuer.get());
        }
        X509_sign(x, issuerKey.get(), digest);
    } else {
        X509_set_issuer_name(x, X509_get_subject_name(x));
        X509_sign(x, key.get(), digest);
    }
    const BioPtr certificateBio(BIO_new(BIO_s_mem()), &BIO_free_all);
    const BioPtr keyBio(BIO_new(BIO_s_mem()), &BIO_free_all);
    PEM_write_bio_X509(certificateBio.get(), x);
    PEM_write_bio_PrivateKey(keyBio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return {textOf(certificateBio.get()), textOf(keyBio.get())};
}

Wire::Wire(coldframe::UniqueFd fd) : m_fd(std::move(fd))
{
    const struct timeval limit = {10, 0};
    ::setsockopt(m_fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(m_fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Wire::Wire(Wire&& other) noexcept
    : m_fd(std::move(other.m_fd)), m_context(std::exchange(other.m_context, nullptr)), m_ssl(std::exchange(other.m_ssl, nullptr)),
      m_buffer(std::move(other.m_buffer)), m_problem(std::move(other.m_problem)), m_hasEch(other.m_hasEch)
{
}

Wire::~Wire() { close(); }

bool Wire::arrivesWithin(std::chrono::milliseconds time)
{
    struct pollfd waiting
    {
        m_fd.get(), POLLIN, 0
    };
    return !m_buffer.empty() || (m_ssl && SSL_pending(m_ssl) > 0) || ::poll(&waiting, 1, static_cast<int>(time.count())) > 0;
}

void Wire::close()
{
    SSL_free(m_ssl);
    SSL_CTX_free(m_context);
    m_ssl = nullptr;
    m_context = nullptr;
    m_fd.reset();
}

namespace {

int addEch(SSL*, unsigned, unsigned, const unsigned char** out, std::size_t* length, X509*, std::size_t, int*, void*)
{
    static constexpr unsigned char kOuter[] = {0, 0, 1, 0, 1, 42, 0, 4, 'k', 'e', 'y', '!', 0, 8, 's', 'e', 'c', 'r', 'e', 't', 's', '!'};
    *out = kOuter;
    *length = sizeof kOuter;
    return 1;
}

} // namespace

bool Wire::startTls(const std::string& name, const std::string& caPem, const std::string& alpn, const std::string& verifyName)
{
    m_context = SSL_CTX_new(TLS_client_method());
    const CertificatePtr ca = certificateFrom(caPem);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(m_context), ca.get());
    SSL_CTX_set_verify(m_context, SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(m_context), X509_V_FLAG_X509_STRICT); // as Python does from 3.13 on
    if (m_hasEch) {
        constexpr unsigned kEncryptedClientHello = 0xfe0d;
        SSL_CTX_add_custom_ext(m_context, kEncryptedClientHello, SSL_EXT_CLIENT_HELLO, addEch, nullptr, nullptr, nullptr, nullptr);
    }
    m_ssl = SSL_new(m_context);
    SSL_set_fd(m_ssl, m_fd.get());
    const std::string expected = verifyName.empty() ? name : verifyName;
    struct in_addr address{};
    if (::inet_pton(AF_INET, expected.c_str(), &address) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(m_ssl), expected.c_str());
    } else {
        SSL_set1_host(m_ssl, expected.c_str());
    }
    if (!name.empty() && ::inet_pton(AF_INET, name.c_str(), &address) != 1) {
        SSL_ctrl(m_ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name.c_str()));
    }
    std::string protocols;
    for (std::size_t at = 0; at <= alpn.size();) {
        const std::size_t end = std::min(alpn.find(',', at), alpn.size());
        protocols += static_cast<char>(end - at) + alpn.substr(at, end - at);
        at = end + 1;
    }
    SSL_set_alpn_protos(m_ssl, reinterpret_cast<const unsigned char*>(protocols.data()), static_cast<unsigned>(protocols.size()));
    if (SSL_connect(m_ssl) == 1) {
        return true;
    }
    char text[256] = {};
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    m_problem = text;
    return false;
}

namespace {

/// The one protocol of this server, whatever else the client offers.
int selectOnly(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned offeredSize, void* user)
{
    const std::string& only = *static_cast<std::string*>(user);
    for (unsigned at = 0; at < offeredSize; at += 1u + offered[at]) {
        if (std::string_view(reinterpret_cast<const char*>(offered + at + 1), offered[at]) == only) {
            *out = offered + at + 1;
            *size = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

} // namespace

std::string Wire::alpn() const
{
    const unsigned char* text = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(m_ssl, &text, &size);
    return text ? std::string(reinterpret_cast<const char*>(text), size) : std::string();
}

bool Wire::acceptTls(const Certificate& certificate, const std::string& alpn)
{
    m_context = SSL_CTX_new(TLS_server_method());
    m_alpn = alpn;
    if (!alpn.empty()) {
        SSL_CTX_set_alpn_select_cb(m_context, selectOnly, &m_alpn);
    }
    const CertificatePtr own = certificateFrom(certificate.certificatePem);
    const KeyPtr key = keyFrom(certificate.keyPem);
    SSL_CTX_use_certificate(m_context, own.get());
    SSL_CTX_set_security_level(m_context, 0); // a server may be as bad as it likes
    SSL_CTX_use_certificate(m_context, own.get());
    SSL_CTX_use_PrivateKey(m_context, key.get());
    const BioPtr chain(BIO_new_mem_buf(certificate.certificatePem.data(), static_cast<int>(certificate.certificatePem.size())), &BIO_free_all);
    for (bool isFirst = true;; isFirst = false) {
        const CertificatePtr link(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr), &X509_free);
        if (!link) {
            break;
        }
        if (!isFirst) {
            SSL_CTX_add1_chain_cert(m_context, link.get());
        }
    }
    ERR_clear_error();
    SSL_CTX_set_mode(m_context, SSL_MODE_NO_AUTO_CHAIN);
    if (certificate.onlyVersion != 0) {
        SSL_CTX_set_min_proto_version(m_context, certificate.onlyVersion);
        SSL_CTX_set_max_proto_version(m_context, certificate.onlyVersion);
    }
    if (!certificate.ciphers.empty()) {
        SSL_CTX_set_cipher_list(m_context, certificate.ciphers.c_str());
    }
    if (!certificate.clientCaPem.empty()) {
        const CertificatePtr ca = certificateFrom(certificate.clientCaPem);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(m_context), ca.get());
        SSL_CTX_set_verify(m_context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    m_ssl = SSL_new(m_context);
    SSL_set_fd(m_ssl, m_fd.get());
    return SSL_accept(m_ssl) == 1;
}

bool Wire::write(std::string_view data)
{
    while (!data.empty()) {
        const ssize_t count = m_ssl ? SSL_write(m_ssl, data.data(), static_cast<int>(std::min<std::size_t>(data.size(), 1u << 20)))
                                    : ::send(m_fd.get(), data.data(), data.size(), MSG_NOSIGNAL);
        if (count <= 0) {
            return false;
        }
        data.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string Wire::readSome()
{
    if (!m_buffer.empty()) {
        return std::exchange(m_buffer, {});
    }
    std::string data(65536, '\0');
    errno = 0;
    const ssize_t count = m_ssl ? SSL_read(m_ssl, data.data(), static_cast<int>(data.size()))
                                : ::recv(m_fd.get(), data.data(), data.size(), 0);
    data.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return data;
}

std::string Wire::readHead()
{
    std::string all;
    while (all.find("\r\n\r\n") == std::string::npos) {
        const std::string more = readSome();
        if (more.empty()) {
            return {};
        }
        all += more;
    }
    const std::size_t end = all.find("\r\n\r\n") + 4;
    m_buffer = all.substr(end);
    return all.substr(0, end);
}

std::string Wire::readExactly(std::size_t count)
{
    std::string all;
    while (all.size() < count) {
        const std::string more = readSome();
        if (more.empty()) {
            return all;
        }
        all += more;
    }
    m_buffer = all.substr(count);
    all.resize(count);
    return all;
}

Wire::Reply Wire::readReply(bool headOnly)
{
    Reply reply;
    reply.head = readHead();
    if (reply.head.size() < 12) {
        return reply;
    }
    reply.status = std::stoi(reply.head.substr(9, 3));
    if (headOnly || reply.status / 100 == 1 || reply.status == 204 || reply.status == 304) {
        reply.complete = true;
        return reply;
    }
    reply.complete = readBody(*this, reply.head, reply.body);
    return reply;
}

void Wire::endWriting()
{
    if (m_ssl) {
        SSL_shutdown(m_ssl);
    }
    ::shutdown(m_fd.get(), SHUT_WR);
}

bool Wire::isEnded()
{
    for (int i = 0; i < 100000; ++i) {
        if (readSome().empty()) {
            return errno != EAGAIN;
        }
    }
    return false;
}

std::string Wire::peerNames() const
{
    const CertificatePtr peer(SSL_get1_peer_certificate(m_ssl), &X509_free);
    const BioPtr bio(BIO_new(BIO_s_mem()), &BIO_free_all);
    const int at = X509_get_ext_by_NID(peer.get(), NID_subject_alt_name, -1);
    X509V3_EXT_print(bio.get(), X509_get_ext(peer.get(), at), 0, 0);
    return textOf(bio.get());
}

long Wire::peerValidityDays() const
{
    const CertificatePtr peer(SSL_get1_peer_certificate(m_ssl), &X509_free);
    int days = 0;
    int seconds = 0;
    ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(peer.get()), X509_get0_notAfter(peer.get()));
    return days;
}

std::string readRequest(Wire& wire, Origin& origin)
{
    const std::string head = wire.readHead();
    if (head.empty()) {
        return {};
    }
    origin.note(head);
    std::string body;
    if (headerValue(head, "expect") == "100-continue") {
        wire.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return readBody(wire, head, body) ? head + body : std::string();
}

} // namespace proxytest
