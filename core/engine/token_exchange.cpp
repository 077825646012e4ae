// SPDX-License-Identifier: Apache-2.0
#include "engine/token_exchange.h"

#include "base/log.h"
#include "base/paths.h"
#include "base/unique_fd.h"
#include "engine/blocking.h"
#include "engine/engine_parts.h"
#include "engine/helper_process.h"
#include "engine/upstream.h"
#include "engine/upstream_trust.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

namespace coldframe::engine {

using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kWithin{40};
constexpr std::size_t kMaxLine = 4096;

bool waitFor(int fd, short events, Clock::time_point deadline)
{
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd poller{fd, events, 0};
    return left > 0 && ::poll(&poller, 1, static_cast<int>(left)) == 1;
}

bool sendAll(int fd, std::string_view data, Clock::time_point deadline)
{
    while (!data.empty()) {
        const ssize_t sent = waitFor(fd, POLLOUT, deadline) ? ::send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
        if (sent <= 0) {
            return false;
        }
        data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// One JSON line and as many bytes behind it as it says.
Result<TokenReply> readReply(int fd, Clock::time_point deadline)
{
    const auto broken = [](const std::string& why) {
        return fail(ErrorCode::Unavailable, why.empty() ? "The process that asks for tokens ended without an answer." : why);
    };
    std::string received;
    received.reserve(SecretBuffer::kMaxSize + kMaxLine); // never moved, so that no copy is left behind
    struct Wiped
    {
        ~Wiped() { wipe(text); }
        std::string& text;
    } wiped{received};
    while (true) {
        const std::size_t newline = received.find('\n');
        if (newline != std::string::npos) {
            const json head = json::parse(std::string_view(received).substr(0, newline), nullptr, false);
            if (!head.is_object() || head.contains("problem")) {
                return broken(escapeForDisplay(head.is_object() ? head.value("problem", "") : std::string(), 300));
            }
            const std::size_t length = head.value("length", std::size_t{0});
            if (length > SecretBuffer::kMaxSize) {
                return broken({});
            }
            if (received.size() - newline - 1 >= length) {
                return TokenReply{head.value("status", 0), SecretBuffer(std::string_view(received).substr(newline + 1, length))};
            }
        }
        char piece[4096];
        const ssize_t got = waitFor(fd, POLLIN, deadline) ? ::recv(fd, piece, sizeof piece, MSG_DONTWAIT) : -1;
        const bool fits = got > 0 && received.size() + static_cast<std::size_t>(got) <= received.capacity();
        if (fits) {
            received.append(piece, static_cast<std::size_t>(got));
        }
        ::explicit_bzero(piece, sizeof piece);
        if (!fits) {
            return broken(Clock::now() >= deadline ? "No answer came in time." : std::string());
        }
    }
}

Result<TokenReply> exchange(const WayOut& way, const policy::PolicySet& policy, const std::vector<std::string>& trusted,
                            const TokenRequest& request, const std::filesystem::path& log)
{
    const Clock::time_point deadline = Clock::now() + kWithin;
    COLDFRAME_TRY(auto helperPair, makeSocketPair(SOCK_STREAM));
    COLDFRAME_TRY(auto dialPair, makeSocketPair(SOCK_STREAM));
    COLDFRAME_TRY(auto between, makeSocketPair(SOCK_SEQPACKET));
    COLDFRAME_CHECK(startHelper(paths::helperExecutable("coldframe-dial"),
                                {{"--engine-fd", dialPair.second.get()}, {"--proxy-fd", between.second.get()}}, log));
    COLDFRAME_CHECK(startHelper(paths::helperExecutable("coldframe-proxy"),
                                {{"--exchange-fd", helperPair.second.get()}, {"--dial-fd", between.first.get()}}, log));
    // Each of the two ends when the other's or our end of its socket is closed.
    helperPair.second.reset();
    dialPair.second.reset();
    between.first.reset();
    between.second.reset();
    // The way out first: with a policy and without it, the connection would go around the network's proxy.
    std::string toDial = json{{"type", "route"}, {"route", way.route}}.dump() + "\n";
    if (!way.password.empty()) {
        const std::string head = json{{"type", "route-password"}, {"length", way.password.view().size()}}.dump() + "\n";
        toDial.reserve(toDial.size() + head.size() + way.password.view().size());
        toDial.append(head).append(way.password.view());
    }
    bool told = sendAll(dialPair.first.get(), toDial, deadline);
    wipe(toDial);
    told = told && sendAll(dialPair.first.get(), json{{"type", "setup"}, {"policy", json::parse(policy::toJson(policy))}}.dump() + "\n", deadline);
    const std::string head = json{{"host", request.host},
                                  {"port", request.port},
                                  {"path", request.path},
                                  {"contentType", request.contentType},
                                  {"trusted", trusted},
                                  {"length", request.body.view().size()}}
                                 .dump()
                             + "\n";
    told = told && sendAll(helperPair.first.get(), head, deadline) && sendAll(helperPair.first.get(), request.body.view(), deadline);
    Result<TokenReply> reply = readReply(helperPair.first.get(), deadline);
    (void)sendAll(dialPair.first.get(), "{\"type\":\"shutdown\"}\n", deadline);
    return reply;
}

} // namespace

asio::awaitable<Result<TokenReply>> exchangeTokens(EngineParts& parts, TokenRequest request)
{
    std::vector<std::string> trusted = trustedAuthorities(parts.settings);
    const auto way = std::make_shared<WayOut>();
    *way = co_await currentWayOut(parts, trusted);
    policy::PolicySet policy;
    policy.mode = policy::Mode::Locked;
    policy::Rule rule;
    rule.id = "token-endpoint";
    rule.action = policy::Action::Allow;
    rule.pattern = request.host + ":" + std::to_string(request.port);
    rule.origin = "log-in";
    policy.rules.push_back(std::move(rule));
    policy.hostMappings = parts.settings.hostMappings;
    const auto shared = std::make_shared<TokenRequest>(std::move(request));
    auto work = [way, policy, trusted = std::move(trusted), shared, log = paths::dataFolder() / "log-in.log"] {
        return exchange(*way, policy, trusted, *shared, log);
    };
    co_return co_await onPool(parts.pool, std::move(work));
}

} // namespace coldframe::engine
