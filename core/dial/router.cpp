// SPDX-License-Identifier: Apache-2.0
#include "dial/router.h"

#include "base/log.h"
#include "dial/connect.h"
#include "dial/script_evaluator.h"
#include "dial/through_proxy.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

namespace coldframe::dial {

namespace {

constexpr std::chrono::seconds kAnswerKept{60};
constexpr std::size_t kMaxKept = 1000;
constexpr std::size_t kMaxTargets = 8;

/// A callback's value, waited for.
template <typename T> struct Slot
{
    explicit Slot(asio::io_context& io) : arrived(io, asio::steady_timer::time_point::max()) {}
    void set(T given)
    {
        value.emplace(std::move(given));
        arrived.cancel();
    }
    asio::awaitable<void> wait(std::chrono::milliseconds limit)
    {
        if (!value) {
            std::error_code ignored;
            arrived.expires_after(limit);
            co_await arrived.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    }
    std::optional<T> value;
    asio::steady_timer arrived;
};

} // namespace

/// The route in force and what came of it; a change makes a new one, so that old answers go with the old script.
struct Router::Settings
{
    Route route;
    std::shared_ptr<asio::ssl::context> tls;
    mutable std::map<std::string, std::pair<std::chrono::steady_clock::time_point, std::string>> answers;
};

/// One question at a time to the evaluating process.
class ScriptLink
{
public:
    ScriptLink(asio::io_context& io, UniqueFd fd) : m_io(io), m_socket(io, asio::local::stream_protocol(), fd.release()) {}

    asio::awaitable<Result<std::string>> ask(std::string question)
    {
        while (m_isBusy) {
            const auto turn = std::make_shared<Slot<bool>>(m_io);
            m_waiting.push_back(turn);
            co_await turn->wait(std::chrono::hours(1));
        }
        m_isBusy = true;
        std::error_code error;
        std::string head(kScriptAnswerHead, '\0');
        std::string text;
        co_await asio::async_write(m_socket, asio::buffer(question), asio::redirect_error(asio::use_awaitable, error));
        if (!error) {
            co_await asio::async_read(m_socket, asio::buffer(head), asio::redirect_error(asio::use_awaitable, error));
        }
        if (!error) {
            const auto byte = [&head](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(head[i])); };
            const std::size_t size = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
            text.resize(std::min(size, kMaxScriptAnswer));
            co_await asio::async_read(m_socket, asio::buffer(text), asio::redirect_error(asio::use_awaitable, error));
        }
        m_isBusy = false;
        if (!m_waiting.empty()) {
            m_waiting.front()->set(true);
            m_waiting.pop_front();
        }
        if (error) {
            co_return fail(ErrorCode::Unavailable, "The process for proxy scripts is gone.");
        }
        if (head[0] != 1) {
            co_return fail(ErrorCode::Unavailable, text);
        }
        co_return text;
    }

private:
    asio::io_context& m_io;
    asio::local::stream_protocol::socket m_socket;
    bool m_isBusy = false;
    std::deque<std::shared_ptr<Slot<bool>>> m_waiting;
};

Router::Router(asio::io_context& io, Resolver& resolver, UniqueFd scripts, DialLimits limits)
    : m_io(io), m_resolver(resolver), m_limits(limits), m_settings(std::make_shared<Settings>())
{
    if (scripts) {
        m_scripts = std::make_shared<ScriptLink>(io, std::move(scripts));
    }
}

Router::~Router() = default;

void Router::setRoute(Route route)
{
    auto settings = std::make_shared<Settings>();
    if (!route.trustedPems.empty()) {
        auto tls = makeProxyTls(route.trustedPems);
        if (tls) {
            settings->tls = std::move(*tls);
        } else {
            logWarning("dial", tls.error().message);
        }
        route.trustedPems.clear();
    }
    settings->route = std::move(route);
    m_settings = std::move(settings);
    m_password = std::make_shared<SecretBuffer>();
}

bool Router::mayUseProxy(const std::string& host, std::uint16_t port) const
{
    return m_settings->route.kind != Route::Kind::Direct && !m_settings->route.isExempt(host, port);
}

void Router::open(std::string host, std::uint16_t port, std::function<void(Outcome)> done)
{
    asio::co_spawn(m_io, run(shared_from_this(), std::move(host), port, std::move(done)), asio::detached);
}

asio::awaitable<void> Router::run(std::shared_ptr<Router> self, std::string host, std::uint16_t port, std::function<void(Outcome)> done)
{
    Outcome outcome;
    try {
        outcome = co_await self->tryAll(std::move(host), port);
    } catch (const std::exception& error) {
        outcome.problem = std::string("The way through the network's proxy failed: ") + error.what();
    }
    done(std::move(outcome));
}

asio::awaitable<Router::Outcome> Router::tryAll(std::string host, std::uint16_t port)
{
    const std::shared_ptr<const Settings> settings = m_settings;
    std::vector<std::optional<UpstreamProxy>> ways{settings->route.proxy};
    Outcome outcome;
    if (settings->route.kind == Route::Kind::Blocked) {
        outcome.problem = settings->route.reason;
        co_return outcome;
    }
    if (settings->route.kind == Route::Kind::Script) {
        const std::string urlHost = host.find(':') != std::string::npos ? "[" + host + "]" : host;
        const std::string scheme = port == 80 ? "http://" : "https://";
        const std::string url = scheme + urlHost + (port == 80 || port == 443 ? "" : ":" + std::to_string(port)) + "/";
        const auto answer = co_await askScript(settings, url, host);
        if (!answer) {
            outcome.problem = answer.error().message;
            co_return outcome;
        }
        ways = parseScriptAnswer(*answer);
        outcome.problem = "The network's proxy script gave no way that can be used: " + escapeForDisplay(*answer, 200);
    }
    for (const std::optional<UpstreamProxy>& way : ways) {
        if (!way) {
            outcome.isDirect = true;
            co_return outcome;
        }
        auto opened = co_await openOne(settings, *way, host, port);
        if (opened) {
            outcome.socket = std::move(*opened);
            outcome.through = way->text();
            co_return outcome;
        }
        outcome.problem = opened.error().message;
    }
    co_return outcome;
}

asio::awaitable<Result<std::string>> Router::askScript(std::shared_ptr<const Settings> settings, std::string url, std::string host)
{
    const auto now = std::chrono::steady_clock::now();
    if (const auto kept = settings->answers.find(url); kept != settings->answers.end() && now - kept->second.first < kAnswerKept) {
        co_return kept->second.second;
    }
    const std::shared_ptr<ScriptLink> scripts = m_scripts;
    if (!scripts) {
        co_return fail(ErrorCode::Unavailable, "Proxy scripts cannot be evaluated here.");
    }
    std::string question = makeScriptQuestion(settings->route.script, url, host);
    auto answer = co_await scripts->ask(std::move(question));
    if (answer) {
        if (settings->answers.size() >= kMaxKept) {
            settings->answers.clear();
        }
        settings->answers[url] = {now, *answer};
    }
    co_return answer;
}

asio::awaitable<Result<UniqueFd>> Router::openOne(std::shared_ptr<const Settings> settings, UpstreamProxy proxy, std::string host,
                                                  std::uint16_t port)
{
    std::vector<Target> targets;
    if (const auto literal = policy::parseIp(proxy.host)) {
        targets.push_back({*literal, proxy.port});
    } else {
        const auto names = std::make_shared<Slot<Result<std::vector<policy::IpAddress>>>>(m_io);
        m_resolver.resolve(proxy.host, [names](Result<std::vector<policy::IpAddress>> found) { names->set(std::move(found)); });
        co_await names->wait(m_limits.resolveTimeout);
        if (!names->value || !*names->value) {
            co_return fail(ErrorCode::Unavailable, "The network's proxy " + proxy.text() + " could not be found.");
        }
        for (const policy::IpAddress& address : **names->value) {
            if (targets.size() < kMaxTargets) {
                targets.push_back({address, proxy.port});
            }
        }
    }
    const auto connected = std::make_shared<Slot<Result<UniqueFd>>>(m_io);
    connectAny(m_io, std::move(targets), m_limits.connectTimeout, m_limits.nextAddressAfter,
               [connected](Result<UniqueFd> socket, const Target&) { connected->set(std::move(socket)); });
    co_await connected->wait(m_limits.connectTimeout + std::chrono::seconds(1));
    if (!connected->value || !*connected->value) {
        co_return fail(ErrorCode::Unavailable, "The network's proxy " + proxy.text() + " does not answer.");
    }
    const std::shared_ptr<SecretBuffer> password = m_password;
    ProxyLogin login;
    login.user = settings->route.user;
    login.password = password.get();
    UniqueFd socket = std::move(**connected->value);
    auto asked = co_await askProxy(m_io, std::move(socket), proxy, login, host, port, settings->tls, m_limits.connectTimeout);
    co_return asked;
}

} // namespace coldframe::dial
