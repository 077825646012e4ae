// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::engine {

/// A certificate that this user shows to one server. Its key is in the keychain as "client-certificate:<host>".
struct ClientCertificateSetting
{
    std::string host;
    std::string certificateFile; ///< PEM, absolute path: the certificate, then its chain
};

inline constexpr std::string_view kClientCertificateKey = "client-certificate:";
/// Whether a key's name is that of a certificate's key.
bool isClientCertificateKey(std::string_view name);

/// A list of at most 100, one for each host. The files are not looked at: one that is away must not keep the engine from its settings.
Result<std::vector<ClientCertificateSetting>> clientCertificatesFromJson(const nlohmann::json& list);
/// InvalidArgument names a file that is no readable PEM of certificates, or that holds a private key.
Result<void> checkClientCertificates(const std::vector<ClientCertificateSetting>& settings);
nlohmann::json toJson(const std::vector<ClientCertificateSetting>& settings);

/// [{"host","certificatePem"}] for the proxy; files that cannot be read are left out and logged.
nlohmann::json readClientCertificates(const std::vector<ClientCertificateSetting>& settings);

} // namespace coldframe::engine
