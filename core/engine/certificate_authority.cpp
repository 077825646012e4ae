// SPDX-License-Identifier: Apache-2.0
#include "engine/certificate_authority.h"

#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"

#include <array>
#include <cstdio>
#include <memory>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace coldframe::engine {

namespace {

template <auto Free> struct Freer
{
    template <typename T> void operator()(T* object) const { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;

tl::unexpected<Error> failed()
{
    std::array<char, 256> text{};
    ERR_error_string_n(ERR_get_error(), text.data(), text.size());
    return fail(ErrorCode::Internal, "The sandbox's certificate could not be made.", text.data());
}

std::string takeText(BIO* bio)
{
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

bool addExtension(X509* certificate, int nid, const char* value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    if (!extension) {
        return false;
    }
    const bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

} // namespace

Result<CertificateAuthority> makeCertificateAuthority(const std::string& sandboxName)
{
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate(X509_new());
    if (!key || !certificate) {
        return failed();
    }
    std::array<std::uint8_t, 16> serial{};
    fillRandom(serial);
    serial[0] &= 0x7F; // RFC 5280, 4.1.2.2: positive
    const Number number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
    X509_set_version(certificate.get(), X509_VERSION_3);
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
    // An hour back: a guest clock that is a little behind still accepts it.
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600L * 24 * 3650);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* name = X509_get_subject_name(certificate.get());
    const std::string common = "Coldframe sandbox " + sandboxName.substr(0, 40);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    if (!addExtension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !addExtension(certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !addExtension(certificate.get(), NID_subject_key_identifier, "hash") ||
        X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) {
        return failed();
    }
    const Bio certificateText(BIO_new(BIO_s_mem()));
    const Bio keyText(BIO_new(BIO_s_secmem()));
    if (PEM_write_bio_X509(certificateText.get(), certificate.get()) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(keyText.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return failed();
    }
    return CertificateAuthority{takeText(certificateText.get()), takeText(keyText.get())};
}

std::string subjectHash(const std::string& certificatePem)
{
    const Bio text(BIO_new_mem_buf(certificatePem.data(), static_cast<int>(certificatePem.size())));
    const Certificate certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    std::array<char, 16> hex{};
    if (certificate) {
        std::snprintf(hex.data(), hex.size(), "%08lx", X509_subject_name_hash(certificate.get()));
    }
    return hex.data();
}

Result<CertificateAuthority> loadOrMakeCertificateAuthority(const std::filesystem::path& folder,
                                                            const std::string& sandboxName)
{
    auto certificate = readFile(folder / "ca.pem", 65536);
    auto key = readFile(folder / "ca.key", 65536);
    if (certificate && key && !certificate->empty() && !key->empty()) {
        return CertificateAuthority{std::move(*certificate), std::move(*key)};
    }
    COLDFRAME_TRY(CertificateAuthority authority, makeCertificateAuthority(sandboxName));
    // The key first: a certificate without its key would be loaded as whole above otherwise.
    COLDFRAME_CHECK(writeFileAtomic(folder / "ca.key", authority.privateKeyPem, 0600));
    COLDFRAME_CHECK(writeFileAtomic(folder / "ca.pem", authority.certificatePem, 0644));
    return authority;
}

Result<void> copyCertificateAuthority(const std::filesystem::path& from, const std::filesystem::path& to)
{
    COLDFRAME_TRY(std::string key, readFile(from / "ca.key", 65536));
    Result<void> done = writeFileAtomic(to / "ca.key", key, 0600);
    wipe(key);
    COLDFRAME_TRY(const std::string certificate, readFile(from / "ca.pem", 65536));
    return done ? writeFileAtomic(to / "ca.pem", certificate, 0644) : done;
}

} // namespace coldframe::engine
