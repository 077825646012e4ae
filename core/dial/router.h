// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/secret.h"
#include "dial/dialler.h"
#include "dial/route.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ssl/context.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace coldframe::dial {

/// The way out by the user's own proxies. Which of them, or none, is for the settings and their script to say; whether at all is
/// decided before. The dialler's thread.
class Router : public std::enable_shared_from_this<Router>
{
public:
    /// `scripts` is startScriptEvaluator()'s descriptor; without one, scripts cannot be used. `resolver` outlives it.
    Router(asio::io_context& io, Resolver& resolver, UniqueFd scripts, DialLimits limits);
    ~Router();

    void setRoute(Route route);         ///< forgets the password
    void setPassword(SecretBuffer password) { m_password = std::make_shared<SecretBuffer>(std::move(password)); }
    /// Whether this place may be reached by a proxy; otherwise it is dialled as if there were none.
    bool mayUseProxy(const std::string& host, std::uint16_t port) const;

    struct Outcome
    {
        bool isDirect = false; ///< the script sends it out directly: dial, with all checks
        UniqueFd socket;
        std::string through;   ///< the proxy, when there is a socket
        std::string problem;   ///< when there is none
    };
    /// `done` comes once, from the io_context.
    void open(std::string host, std::uint16_t port, std::function<void(Outcome)> done);

private:
    struct Settings;
    static asio::awaitable<void> run(std::shared_ptr<Router> self, std::string host, std::uint16_t port,
                                     std::function<void(Outcome)> done);
    asio::awaitable<Outcome> tryAll(std::string host, std::uint16_t port);
    asio::awaitable<Result<std::string>> askScript(std::shared_ptr<const Settings> settings, std::string url, std::string host);
    asio::awaitable<Result<UniqueFd>> openOne(std::shared_ptr<const Settings> settings, UpstreamProxy proxy, std::string host,
                                              std::uint16_t port);

    asio::io_context& m_io;
    Resolver& m_resolver;
    DialLimits m_limits;
    std::shared_ptr<const Settings> m_settings;
    std::shared_ptr<SecretBuffer> m_password = std::make_shared<SecretBuffer>();
    std::shared_ptr<class ScriptLink> m_scripts;
};

} // namespace coldframe::dial
