// SPDX-License-Identifier: Apache-2.0
#include "engine/upstream_trust.h"

#include "base/file.h"
#include "base/log.h"

namespace coldframe::engine {

namespace {
constexpr const char* kTrustStores[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem"};
} // namespace

std::string systemTrust()
{
    for (const char* file : kTrustStores) {
        if (auto pem = readFile(file, 8u << 20)) {
            return std::move(*pem);
        }
    }
    return {};
}

std::vector<std::string> extraAuthorities(const Settings& settings)
{
    std::vector<std::string> pems;
    for (const std::string& file : settings.upstreamCaFiles) {
        if (auto pem = readFile(file, 4u << 20)) {
            pems.push_back(std::move(*pem));
        } else {
            logWarning("engine", "the CA file " + file + " cannot be read and is left out");
        }
    }
    return pems;
}

std::vector<std::string> trustedAuthorities(const Settings& settings)
{
    std::vector<std::string> pems = extraAuthorities(settings);
    pems.push_back(systemTrust());
    return pems;
}

} // namespace coldframe::engine
