// SPDX-License-Identifier: Apache-2.0
#include "engine/client_certificates.h"

#include "base/file.h"
#include "base/log.h"
#include "policy/policy.h"

#include <algorithm>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kLargestFile = 1u << 20;
constexpr std::size_t kMost = 100;

Result<ClientCertificateSetting> settingFrom(const json& entry)
{
    ClientCertificateSetting setting;
    COLDFRAME_TRY(setting.host, policy::normaliseHost(entry.at("host").get<std::string>()));
    setting.certificateFile = entry.at("certificateFile").get<std::string>();
    if (!setting.certificateFile.starts_with('/')) {
        return fail(ErrorCode::InvalidArgument, "The setting \"clientCertificates\" needs absolute paths of PEM files.");
    }
    return setting;
}

} // namespace

bool isClientCertificateKey(std::string_view name)
{
    if (!name.starts_with(kClientCertificateKey)) {
        return false;
    }
    const std::string_view host = name.substr(kClientCertificateKey.size());
    const auto normal = policy::normaliseHost(host);
    return normal && *normal == host;
}

Result<std::vector<ClientCertificateSetting>> clientCertificatesFromJson(const json& list)
{
    if (!list.is_array() || list.size() > kMost) {
        return fail(ErrorCode::InvalidArgument, "The setting \"clientCertificates\" is a list of at most " + std::to_string(kMost)
                                                    + R"(, like [{"host":"api.example.com","certificateFile":"/home/me/me.pem"}].)");
    }
    std::vector<ClientCertificateSetting> settings;
    for (const json& entry : list) {
        COLDFRAME_TRY(ClientCertificateSetting setting, settingFrom(entry));
        const auto isSame = [&](const ClientCertificateSetting& other) { return other.host == setting.host; };
        if (std::any_of(settings.begin(), settings.end(), isSame)) {
            return fail(ErrorCode::InvalidArgument, "The setting \"clientCertificates\" names " + setting.host + " twice.");
        }
        settings.push_back(std::move(setting));
    }
    return settings;
}

Result<void> checkClientCertificates(const std::vector<ClientCertificateSetting>& settings)
{
    for (const ClientCertificateSetting& setting : settings) {
        const auto content = readFile(setting.certificateFile, kLargestFile);
        if (!content || content->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
            return fail(ErrorCode::InvalidArgument, "The setting \"clientCertificates\" names " + escapeForDisplay(setting.certificateFile, 300)
                                                        + ", which is no readable PEM file of certificates.");
        }
        if (content->find("PRIVATE KEY-----") != std::string::npos) {
            return fail(ErrorCode::InvalidArgument, "The file " + escapeForDisplay(setting.certificateFile, 300)
                                                        + " has a private key in it. A key belongs in the keychain: coldframe keys set "
                                                        + std::string(kClientCertificateKey) + setting.host + " < KEYFILE");
        }
    }
    return {};
}

json toJson(const std::vector<ClientCertificateSetting>& settings)
{
    json list = json::array();
    for (const ClientCertificateSetting& setting : settings) {
        list.push_back({{"host", setting.host}, {"certificateFile", setting.certificateFile}});
    }
    return list;
}

json readClientCertificates(const std::vector<ClientCertificateSetting>& settings)
{
    json list = json::array();
    for (const ClientCertificateSetting& setting : settings) {
        if (const auto pem = readFile(setting.certificateFile, kLargestFile)) {
            list.push_back({{"host", setting.host}, {"certificatePem", *pem}});
        } else {
            logWarning("engine", "the client certificate " + setting.certificateFile + " cannot be read and is left out");
        }
    }
    return list;
}

} // namespace coldframe::engine
