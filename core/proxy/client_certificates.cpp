// SPDX-License-Identifier: Apache-2.0
#include "proxy/client_certificates.h"

#include "policy/policy.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace coldframe::proxy {

namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

BioPtr reader(std::string_view text)
{
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all);
}

/// A key with a password is one that nobody can be asked about here.
int noPassword(char*, int, int, void*) { return 0; }

} // namespace

Result<void> ClientCertificates::set(const std::vector<ClientCertificate>& certificates)
{
    m_entries.clear();
    for (const ClientCertificate& certificate : certificates) {
        COLDFRAME_TRY(std::string host, policy::normaliseHost(certificate.host));
        Entry entry;
        const BioPtr bio = reader(certificate.certificatePem);
        while (CertificatePtr next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
            if (entry.certificate) {
                entry.chain.push_back(std::move(next));
            } else {
                entry.certificate = std::move(next);
            }
        }
        ERR_clear_error();
        if (!entry.certificate) {
            return fail(ErrorCode::InvalidArgument, "The client certificate for " + host + " cannot be read.");
        }
        m_entries[std::move(host)] = std::move(entry);
    }
    return {};
}

Result<void> ClientCertificates::setKey(std::string_view host, const SecretBuffer& key)
{
    const auto found = m_entries.find(host);
    if (found == m_entries.end()) {
        return {}; // taken out of the settings meanwhile
    }
    Entry& entry = found->second;
    entry.key.reset();
    if (key.empty()) {
        return {};
    }
    const BioPtr bio = reader(key.view());
    KeyPtr parsed(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassword, nullptr));
    ERR_clear_error();
    if (!parsed || X509_check_private_key(entry.certificate.get(), parsed.get()) != 1) {
        ERR_clear_error();
        return fail(ErrorCode::InvalidArgument,
                    "The stored key of the client certificate for " + std::string(host)
                        + " is no PEM key without a password, or belongs to another certificate.");
    }
    entry.key = std::move(parsed);
    return {};
}

Result<void> ClientCertificates::apply(SSL* ssl, const std::string& host) const
{
    const auto found = m_entries.find(host);
    if (found == m_entries.end() || !found->second.key) {
        return {};
    }
    const Entry& entry = found->second;
    bool good = SSL_use_certificate(ssl, entry.certificate.get()) == 1 && SSL_use_PrivateKey(ssl, entry.key.get()) == 1;
    for (const CertificatePtr& link : entry.chain) {
        good = good && SSL_add1_chain_cert(ssl, link.get()) == 1;
    }
    if (!good) {
        return fail(ErrorCode::Internal, "The client certificate for " + host + " cannot be used.", opensslError());
    }
    return {};
}

} // namespace coldframe::proxy
