// SPDX-License-Identifier: Apache-2.0
#include "engine/browser_login.h"

#include "base/percent_coding.h"
#include "base/random.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <map>
#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace coldframe::engine {

namespace {

constexpr std::size_t kMaxHead = 16 * 1024;
constexpr std::chrono::seconds kHeadWithin{10};
constexpr int kMaxPeers = 16;

std::string randomText()
{
    std::string bytes(32, '\0'); // RFC 7636, section 4.1: 32 octets make a verifier of 43 characters
    fillRandom({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
    return agents::base64UrlEncode(bytes);
}

std::string challengeOf(const std::string& verifier)
{
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    ::SHA256(reinterpret_cast<const unsigned char*>(verifier.data()), verifier.size(), reinterpret_cast<unsigned char*>(digest.data()));
    return agents::base64UrlEncode(digest);
}

/// Of a name that stands twice the first counts.
std::map<std::string, std::string> parametersOf(std::string_view query)
{
    std::map<std::string, std::string> parameters;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view member = query.substr(0, end);
        const std::size_t equals = std::min(member.find('='), member.size());
        parameters.emplace(formDecoded(member.substr(0, equals)), formDecoded(member.substr(std::min(member.size(), equals + 1))));
        query.remove_prefix(std::min(query.size(), end + 1));
    }
    return parameters;
}

bool isEqual(const std::string& a, const std::string& b)
{
    return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string page(int status, const std::string& words)
{
    const std::string body = "<!doctype html><meta charset=utf-8><title>Coldframe</title><p style=\"font:1.2em sans-serif;margin:3em\">" + words + "</p>\n";
    return "HTTP/1.1 " + std::to_string(status) + (status == 200 ? " OK" : status == 404 ? " Not Found" : " Bad Request")
           + "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: " + std::to_string(body.size())
           + "\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'"
             "\r\nConnection: close\r\n\r\n" + body;
}

} // namespace

BrowserLogin::BrowserLogin(asio::io_context& io, const agents::LoginDefinition& definition)
    : m_io(io), m_acceptor(io), m_arrived(io, asio::steady_timer::time_point::max()), m_path(definition.redirectPath)
{
}

Result<std::shared_ptr<BrowserLogin>> BrowserLogin::begin(asio::io_context& io, const agents::LoginDefinition& definition)
{
    if (definition.authorizeUrl.empty()) {
        return fail(ErrorCode::InvalidArgument, "This service has no log-in by the browser.");
    }
    const std::shared_ptr<BrowserLogin> login(new BrowserLogin(io, definition));
    std::vector<std::uint16_t> ports = definition.redirectPorts;
    if (ports.empty()) {
        ports.push_back(0);
    }
    std::error_code error = std::make_error_code(std::errc::address_in_use);
    for (const std::uint16_t port : ports) {
        login->m_acceptor = asio::ip::tcp::acceptor(io);
        login->m_acceptor.open(asio::ip::tcp::v4(), error);
        if (!error) {
            login->m_acceptor.set_option(asio::socket_base::reuse_address(true), error);
            login->m_acceptor.bind({asio::ip::address_v4::loopback(), port}, error);
        }
        if (!error) {
            login->m_acceptor.listen(8, error);
        }
        if (!error) {
            break;
        }
    }
    if (error) {
        return fail(ErrorCode::Unavailable, "The port of this computer that the browser has to come back to is taken (" + std::to_string(ports.front())
                                                + "). Is another log-in under way?", error.message());
    }
    agents::CodeGrant& grant = login->m_grant;
    grant.verifier = randomText();
    grant.state = randomText();
    grant.redirectUri = "http://localhost:" + std::to_string(login->m_acceptor.local_endpoint().port()) + definition.redirectPath;
    std::string scopes;
    for (const std::string& scope : definition.scopes) {
        scopes += (scopes.empty() ? "" : " ") + scope;
    }
    std::map<std::string, std::string> parameters = definition.authorizeParameters;
    parameters.insert({{"response_type", "code"},
                       {"client_id", definition.clientId},
                       {"redirect_uri", grant.redirectUri},
                       {"scope", scopes},
                       {"code_challenge", challengeOf(grant.verifier)},
                       {"code_challenge_method", "S256"},
                       {"state", grant.state}});
    login->m_url = definition.authorizeUrl;
    char separator = '?';
    for (const auto& [name, value] : parameters) {
        login->m_url += separator + agents::percentEncode(name) + "=" + agents::percentEncode(value);
        separator = '&';
    }
    return login;
}

asio::awaitable<Result<agents::CodeGrant>> BrowserLogin::wait(std::chrono::milliseconds within)
{
    const auto self = shared_from_this();
    acceptNext();
    m_arrived.expires_after(within);
    if (!m_outcome) {
        std::error_code ignored;
        co_await m_arrived.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    finish(fail(ErrorCode::Timeout, "Nobody logged in in time; the log-in was given up."));
    co_return std::move(*m_outcome);
}

void BrowserLogin::cancel() { finish(fail(ErrorCode::Cancelled, "The log-in was given up.")); }

void BrowserLogin::finish(Result<agents::CodeGrant> outcome)
{
    if (!m_outcome) {
        m_outcome = std::move(outcome);
    }
    std::error_code ignored;
    m_acceptor.close(ignored);
    m_arrived.cancel();
}

void BrowserLogin::acceptNext()
{
    const auto peer = std::make_shared<Socket>(m_io);
    m_acceptor.async_accept(*peer, [self = shared_from_this(), peer](std::error_code error) {
        if (error || self->m_outcome) {
            return;
        }
        if (self->m_peers < kMaxPeers) {
            ++self->m_peers;
            asio::co_spawn(self->m_io, serve(self, peer), asio::detached);
        }
        self->acceptNext();
    });
}

asio::awaitable<void> BrowserLogin::serve(std::shared_ptr<BrowserLogin> self, std::shared_ptr<Socket> peer)
{
    const auto deadline = std::make_shared<asio::steady_timer>(self->m_io, kHeadWithin);
    deadline->async_wait([peer](std::error_code error) {
        if (!error) {
            std::error_code ignored;
            peer->close(ignored);
        }
    });
    std::string head;
    std::error_code error;
    const std::size_t length = co_await asio::async_read_until(*peer, asio::dynamic_buffer(head, kMaxHead), "\r\n\r\n",
                                                               asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
        const auto [status, words] = self->take(std::string_view(head).substr(0, length));
        const std::string reply = page(status, words);
        co_await asio::async_write(*peer, asio::buffer(reply), asio::redirect_error(asio::use_awaitable, error));
        std::error_code ignored;
        peer->shutdown(Socket::shutdown_both, ignored);
    }
    deadline->cancel();
    --self->m_peers;
}

std::pair<int, std::string> BrowserLogin::take(std::string_view head)
{
    const std::string_view line = head.substr(0, head.find('\r'));
    const std::size_t end = line.rfind(" HTTP/1.");
    if (!line.starts_with("GET /") || end == std::string_view::npos || end < 4) {
        return {400, "This is no log-in."};
    }
    const std::string_view target = line.substr(4, end - 4);
    const std::size_t question = std::min(target.find('?'), target.size());
    if (target.substr(0, question) != m_path) {
        return {404, "There is nothing here."};
    }
    const auto parameters = parametersOf(target.substr(std::min(target.size(), question + 1)));
    const auto of = [&parameters](const char* name) {
        const auto found = parameters.find(name);
        return found == parameters.end() ? std::string() : found->second;
    };
    // RFC 6749, section 10.12: without our state somebody else began it.
    if (!isEqual(of("state"), m_grant.state)) {
        return {400, "This is not the log-in that Coldframe began. Begin again there."};
    }
    if (!of("error").empty() || of("code").empty()) {
        finish(fail(ErrorCode::NotAllowed, "The server did not let you log in. Nothing was stored.", of("error").substr(0, 100)));
        return {200, "The log-in was refused. You can close this page."};
    }
    m_grant.code = of("code");
    finish(m_grant);
    return {200, "Coldframe has the log-in. You can close this page."};
}

} // namespace coldframe::engine
