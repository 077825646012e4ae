// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process.h"
#include "base/result.h"
#include "base/secret.h"

#include <asio/awaitable.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::engine {

struct EngineParts;

/// The user's network's proxy, from the settings alone: nothing in a workspace or a guest is looked at.
struct UpstreamProxySetting
{
    std::string kind = "none"; ///< none | http | https | socks5 | script | system
    std::string host;
    int port = 0;
    std::string user;                ///< the password is in the keychain as "upstream-proxy"
    std::string script;              ///< kind script: a file's path, or a URL (http, https, file)
    std::vector<std::string> exempt; ///< names, *.names and networks that are reached without it
};

inline constexpr std::string_view kUpstreamProxyKey = "upstream-proxy";
/// Whether a key of this name belongs to a setting and not to a service: for `keys set`.
bool isSettingKey(std::string_view name);

Result<UpstreamProxySetting> upstreamProxyFromJson(const nlohmann::json& json);
nlohmann::json toJson(const UpstreamProxySetting& setting);

/// The way out as coldframe-dial is told of it (dial/route.h). A way that cannot be found out is "blocked" with the reason:
/// nothing goes around a proxy because its script is out of reach.
struct WayOut
{
    nlohmann::json route = {{"kind", "direct"}};
    SecretBuffer password;
};
/// Blocking for as long as the script's server or the desktop's settings take. `environment` is getenv(3) but for tests.
WayOut findWayOut(const UpstreamProxySetting& setting, ProcessRunner& runner, const std::vector<std::string>& trustedPems,
                  const std::function<std::string(const char*)>& environment);

/// The same for the settings in force, with the password out of the keychain.
asio::awaitable<WayOut> currentWayOut(EngineParts& parts, std::vector<std::string> trustedPems);

} // namespace coldframe::engine
