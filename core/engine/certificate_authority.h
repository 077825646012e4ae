// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>

namespace coldframe::engine {

/// A sandbox's own certificate authority: P-256, self-signed, path length 0, ten years (it lives only as long
/// as the sandbox). The key is handed to the proxy and kept 0600, so that a new proxy breaks no TLS inside.
struct CertificateAuthority
{
    std::string certificatePem;
    std::string privateKeyPem; ///< wipe after use
};

/// OpenSSL's hash of the subject, 8 hex digits, by which a folder of certificates is searched; empty for what is no certificate.
std::string subjectHash(const std::string& certificatePem);

Result<CertificateAuthority> makeCertificateAuthority(const std::string& sandboxName);

/// Loads ca.pem and ca.key from the folder, or makes and stores them.
Result<CertificateAuthority> loadOrMakeCertificateAuthority(const std::filesystem::path& folder,
                                                            const std::string& sandboxName);

/// The same authority for another sandbox: a fork's.
Result<void> copyCertificateAuthority(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace coldframe::engine
