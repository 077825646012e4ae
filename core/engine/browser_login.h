// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agents/login.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace coldframe::engine {

/// One log-in by the host's own browser: the authorisation code comes back to a port of the loopback (RFC 8252, section 7.3), is bound
/// to this log-in by `state` and is of use to nobody without the verifier (RFC 7636). Whoever else connects learns and changes nothing.
/// Engine's thread.
class BrowserLogin : public std::enable_shared_from_this<BrowserLogin>
{
public:
    /// Unavailable: no port that the server knows is free.
    static Result<std::shared_ptr<BrowserLogin>> begin(asio::io_context& io, const agents::LoginDefinition& definition);

    /// To be opened in the browser.
    const std::string& url() const { return m_url; }
    /// What to trade for tokens. Timeout; NotAllowed when the user or the server said no; Cancelled. Once.
    asio::awaitable<Result<agents::CodeGrant>> wait(std::chrono::milliseconds within);
    void cancel();

private:
    using Socket = asio::ip::tcp::socket;
    BrowserLogin(asio::io_context& io, const agents::LoginDefinition& definition);
    void acceptNext();
    static asio::awaitable<void> serve(std::shared_ptr<BrowserLogin> self, std::shared_ptr<Socket> peer);
    /// Status and words for the one who looks at the browser.
    std::pair<int, std::string> take(std::string_view head);
    void finish(Result<agents::CodeGrant> outcome);

    asio::io_context& m_io;
    asio::ip::tcp::acceptor m_acceptor;
    asio::steady_timer m_arrived;
    std::string m_path;
    agents::CodeGrant m_grant;
    std::string m_url;
    std::optional<Result<agents::CodeGrant>> m_outcome;
    int m_peers = 0;
};

} // namespace coldframe::engine
