// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "policy/policy.h"

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::dial {

enum class ProxyScheme { Http, Https, Socks5 };

/// A proxy of the user's network, in front of the internet. Its host is the user's word: no address check.
struct UpstreamProxy
{
    ProxyScheme scheme = ProxyScheme::Http;
    std::string host; ///< name or literal, normalised
    std::uint16_t port = 0;

    std::string text() const; ///< "proxy.example:3128"
};

/// How connections leave this computer; a setting of the user alone. With a proxy, looking names up and choosing addresses
/// are delegated to it.
struct Route
{
    enum class Kind { Direct, Proxy, Script, Blocked };
    Kind kind = Kind::Direct;
    UpstreamProxy proxy;             ///< Proxy
    std::string user;                ///< empty: the proxy is given no credentials; the password comes apart
    std::vector<std::string> exempt; ///< reached directly: "corp.example" (with all below), "*.x", "10.0.0.0/8", each with ":port" or not
    std::string script;              ///< Script: a proxy auto-configuration file's text
    std::string reason;              ///< Blocked: why the way out is not known
    std::vector<std::string> trustedPems; ///< for proxies that are spoken to by TLS

    bool isExempt(std::string_view host, std::uint16_t port) const;
};

constexpr std::size_t kMaxScript = 1u << 20;

/// From the engine: {"kind":"direct"|"proxy"|"script"|"blocked","scheme":"http"|"https"|"socks5","host","port","user","exempt","script","reason","trusted"}.
Result<Route> routeFromJson(const nlohmann::json& json);

/// What a script answered, in its order: "PROXY a:1; SOCKS5 b:2; DIRECT". nullopt stands for DIRECT; unknown kinds are left out.
std::vector<std::optional<UpstreamProxy>> parseScriptAnswer(std::string_view answer);

} // namespace coldframe::dial
