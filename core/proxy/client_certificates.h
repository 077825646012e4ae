// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "proxy/leaf_authority.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::proxy {

/// A certificate of the user's for one server; as the engine sends it.
struct ClientCertificate
{
    std::string host;
    std::string certificatePem; ///< the certificate, then its chain
};

/// The certificates that the proxy shows, each to the exact host it is for and to nobody else. Which there are is the user's setting;
/// the keys come from the keychain, over the engine's socket. The key of one that is not in the list is kept nowhere.
class ClientCertificates
{
public:
    /// Keys in key frames are named so, with the host behind it.
    static constexpr std::string_view kKeyPrefix = "client-certificate:";

    /// Replaces all; the keys that were there are forgotten.
    Result<void> set(const std::vector<ClientCertificate>& certificates);
    /// PEM. An empty key takes it away. InvalidArgument when it is none or does not belong to the certificate.
    Result<void> setKey(std::string_view host, const SecretBuffer& key);
    /// Makes a client connection to `host` able to show its certificate; does nothing without one that is whole.
    Result<void> apply(SSL* ssl, const std::string& host) const;
    bool empty() const { return m_entries.empty(); }

private:
    struct Entry
    {
        CertificatePtr certificate;
        std::vector<CertificatePtr> chain;
        KeyPtr key;
    };
    std::map<std::string, Entry, std::less<>> m_entries;
};

} // namespace coldframe::proxy
