// SPDX-License-Identifier: Apache-2.0
#include "engine/logins.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/key_ring.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using agents::LoginTokens;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kLongestSleep{600}; // the steady clock stands still while the computer sleeps

/// The host and the error code of a reply that refuses the refresh token itself, and not for now (RFC 6749, section 5.2).
bool isRefusal(const TokenReply& reply)
{
    if (reply.status != 400 && reply.status != 401) {
        return false;
    }
    const json body = json::parse(reply.body.view(), nullptr, false);
    return body.is_object() && body.contains("error");
}

} // namespace

/// While one lives nobody else works on the log-in. Whatever becomes of it, those who wait go on.
struct Logins::Landing
{
    Landing(Logins& owner, std::string name)
        : logins(owner), entry(std::move(name)), flight(std::make_shared<asio::steady_timer>(owner.m_o.io, asio::steady_timer::time_point::max()))
    {
        logins.m_held[entry].flight = flight;
    }
    ~Landing()
    {
        if (const auto held = logins.m_held.find(entry); held != logins.m_held.end() && held->second.flight == flight) {
            held->second.flight.reset();
        }
        flight->cancel();
    }
    Landing(const Landing&) = delete;
    Landing& operator=(const Landing&) = delete;
    Logins& logins;
    std::string entry;
    std::shared_ptr<asio::steady_timer> flight;
};

Logins::Logins(Outside outside) : m_o(std::move(outside)), m_timer(m_o.io) {}

Result<void> Logins::load()
{
    const auto text = readFile(m_o.file, 1u << 20);
    if (!text) {
        return text.error().code == ErrorCode::NotFound ? Result<void>() : tl::unexpected(text.error());
    }
    try {
        const json document = json::parse(*text);
        for (const json& item : document.at("logins")) {
            Login login;
            login.expiresAt = item.at("expiresAt").get<std::int64_t>();
            login.inside.scopes = item.at("scopes").get<std::vector<std::string>>();
            login.inside.facts = item.at("facts").get<std::map<std::string, std::string>>();
            login.isOver = item.value("isOver", false);
            login.wasInterrupted = item.value("isRefreshing", false);
            m_logins[item.at("entry").get<std::string>()] = std::move(login);
        }
    } catch (const std::exception& error) {
        return fail(ErrorCode::Corrupt, "The list of log-ins cannot be read; correct it or move it away, and log in again: " + m_o.file.string(),
                    error.what());
    }
    return {};
}

Result<void> Logins::save() const
{
    json list = json::array();
    for (const auto& [entry, login] : m_logins) {
        list.push_back({{"entry", entry},
                        {"expiresAt", login.expiresAt},
                        {"scopes", login.inside.scopes},
                        {"facts", login.inside.facts},
                        {"isOver", login.isOver},
                        {"isRefreshing", login.isRefreshing}});
    }
    return writeFileAtomic(m_o.file, json{{"version", 1}, {"logins", list}}.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

asio::awaitable<Result<std::vector<std::string>>> Logins::storedServices()
{
    co_return co_await m_o.keychain.storedServices();
}

asio::awaitable<void> Logins::settled(std::string entry)
{
    while (true) {
        const auto held = m_held.find(entry);
        if (held == m_held.end() || !held->second.flight) {
            co_return;
        }
        const std::shared_ptr<asio::steady_timer> flight = held->second.flight;
        std::error_code ignored;
        co_await flight->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

bool Logins::isDue(const Held& held) const
{
    const std::int64_t now = m_o.now();
    return held.unstored || (held.refreshAt != 0 && now >= held.refreshAt);
}

asio::awaitable<Result<SecretBuffer>> Logins::key(std::string entry)
{
    if (!m_logins.contains(entry)) {
        co_return co_await m_o.keychain.key(std::move(entry));
    }
    co_await settled(entry);
    const auto login = m_logins.find(entry);
    if (login == m_logins.end() || login->second.isOver) {
        co_return fail(ErrorCode::NotFound, "The log-in " + entry + " is over.");
    }
    const auto held = m_held.find(entry);
    const bool isThere = held != m_held.end() && !held->second.access.empty();
    if (isThere && isDue(held->second) && m_o.now() >= held->second.retryAt) {
        const bool isExpired = login->second.expiresAt != 0 && m_o.now() >= login->second.expiresAt;
        if (!isExpired) { // good for some minutes more: nobody has to wait
            SecretBuffer access = held->second.access.clone();
            start(entry, false);
            co_return access;
        }
    }
    if (!isThere || isDue(held->second)) {
        Result<void> done = co_await hold(entry, false);
        const auto after = m_held.find(entry);
        const bool isUsable = after != m_held.end() && !after->second.access.empty();
        if (!done && (done.error().code == ErrorCode::NotFound || !isUsable)) {
            co_return tl::unexpected(done.error());
        }
    }
    const auto now = m_held.find(entry);
    if (now == m_held.end() || now->second.access.empty()) {
        co_return fail(ErrorCode::NotFound, "The log-in " + entry + " is over.");
    }
    co_return now->second.access.clone();
}

/// Brings the access token into memory, and refreshes it where that is due (or forced). One at a time for each entry.
asio::awaitable<Result<void>> Logins::hold(std::string entry, bool force)
{
    co_await settled(entry);
    if (!m_logins.contains(entry)) {
        co_return fail(ErrorCode::NotFound, "The log-in " + entry + " was removed.");
    }
    Held& held = m_held[entry];
    if (!force && !held.access.empty() && !isDue(held)) {
        co_return Result<void>(); // whoever was waited for has done it
    }
    if (!force && !held.access.empty() && m_o.now() < held.retryAt) {
        co_return fail(ErrorCode::Unavailable, "The log-in " + entry + " could not be refreshed a moment ago.");
    }
    const Landing landing(*this, entry);
    if (held.unstored) {
        LoginTokens tokens = held.unstored->clone();
        co_return co_await keep(entry, std::move(tokens));
    }
    Result<SecretBuffer> secret = co_await m_o.keychain.key(entry);
    if (!secret && secret.error().code == ErrorCode::NotFound) {
        m_held[entry].access.clear(); // somebody took it out of the keychain
        co_return tl::unexpected(secret.error());
    }
    if (!secret) {
        co_return failed(entry, secret.error());
    }
    Result<LoginTokens> tokens = agents::tokensFromSecret(secret->view());
    if (!tokens) {
        co_return failed(entry, tokens.error());
    }
    adopt(entry, *tokens);
    if (!force && !isDue(m_held[entry])) {
        co_return Result<void>();
    }
    co_return co_await refresh(entry, std::move(*tokens));
}

asio::awaitable<Result<void>> Logins::refresh(std::string entry, LoginTokens before)
{
    const agents::LoginDefinition* const definition = m_o.definition(parseKeyName(entry).service);
    if (!definition) {
        co_return fail(ErrorCode::NotFound, "There is no log-in for " + parseKeyName(entry).service + " any more.");
    }
    // From here on until the reply is kept a crash may lose the log-in, since the server may take the old token only once.
    m_logins[entry].isRefreshing = true;
    if (auto saved = save(); !saved) {
        m_logins[entry].isRefreshing = false;
        co_return failed(entry, saved.error());
    }
    TokenRequest request{definition->tokenHost, 443, definition->tokenPath, std::string(agents::kJsonType), agents::refreshBody(*definition, before)};
    Result<TokenReply> reply = co_await m_o.exchange(std::move(request));
    if (!reply) {
        co_return failed(entry, reply.error());
    }
    if (isRefusal(*reply)) {
        co_return endOf(entry);
    }
    if (reply->status != 200) {
        co_return failed(entry, {ErrorCode::Unavailable, definition->tokenHost + " answered " + std::to_string(reply->status) + ".", {}});
    }
    Result<LoginTokens> tokens = agents::tokensFromReply(*definition, reply->body.view(), m_o.now(), &before);
    if (!tokens) {
        co_return failed(entry, tokens.error());
    }
    co_return co_await keep(entry, std::move(*tokens));
}

/// Into the keychain first; only then is it used.
asio::awaitable<Result<void>> Logins::keep(std::string entry, LoginTokens tokens)
{
    SecretBuffer secret = agents::tokensToSecret(tokens);
    Result<void> stored = co_await m_o.store(entry, std::move(secret));
    if (!stored) {
        m_held[entry].unstored = std::move(tokens);
        co_return failed(entry, stored.error());
    }
    Held& held = m_held[entry];
    held.unstored.reset();
    held.failures = 0;
    held.retryAt = 0;
    adopt(entry, tokens);
    Login& login = m_logins[entry];
    login = {tokens.expiresAt, {tokens.scopes, tokens.facts}};
    if (auto saved = save(); !saved) {
        logWarning("engine", saved.error().message);
    }
    logInfo("engine", "the log-in " + entry + " was refreshed");
    m_o.changed();
    co_return Result<void>();
}

void Logins::adopt(const std::string& entry, const LoginTokens& tokens)
{
    Held& held = m_held[entry];
    if (held.access.view() == tokens.access.view()) {
        return; // read again: when it is due does not move with the clock
    }
    held.access = tokens.access.clone();
    const std::int64_t left = tokens.expiresAt - m_o.now();
    held.refreshAt = tokens.expiresAt == 0 ? 0 : tokens.expiresAt - std::clamp<std::int64_t>(left / 4, 0, kRefreshBefore.count());
    if (Login& login = m_logins[entry]; login.expiresAt != tokens.expiresAt) {
        login.expiresAt = tokens.expiresAt;
    }
    wake();
}

/// For now: it is tried again later, by and by more rarely.
Result<void> Logins::failed(const std::string& entry, const Error& error)
{
    logWarning("engine", "the log-in " + entry + " could not be refreshed: " + error.message);
    Held& held = m_held[entry];
    const auto factor = std::int64_t{1} << std::min(held.failures, 10);
    held.retryAt = m_o.now() + std::min<std::int64_t>(kFirstRetry.count() * factor, kLastRetry.count());
    if (++held.failures == 3) {
        m_o.tell("The log-in for " + parseKeyName(entry).service + " could not be refreshed: " + error.message + " It is tried again.");
    }
    wake();
    return fail(ErrorCode::Unavailable, error.message, error.detail);
}

Result<void> Logins::endOf(const std::string& entry)
{
    Login& login = m_logins[entry];
    const bool wasInterrupted = login.wasInterrupted;
    login.isOver = true;
    login.isRefreshing = false;
    if (auto saved = save(); !saved) {
        logWarning("engine", saved.error().message);
    }
    const auto held = m_held.find(entry);
    if (held != m_held.end()) {
        held->second.access.clear();
        held->second.refreshAt = 0;
    }
    const KeyName name = parseKeyName(entry);
    const std::string notice = "The log-in for " + name.service + (name.account.empty() ? std::string() : " (account " + name.account + ")")
                               + " is over: its server takes it no more"
                               + (wasInterrupted ? ", since Coldframe ended in the middle of its last refresh" : "") + ". Log in again: coldframe keys login " + name.service
                               + (name.account.empty() ? std::string() : " --account " + name.account);
    m_o.tell(notice);
    m_o.changed();
    return fail(ErrorCode::NotFound, notice);
}

asio::awaitable<Result<void>> Logins::add(std::string entry, LoginTokens tokens)
{
    co_await settled(entry);
    const Landing landing(*this, entry);
    SecretBuffer secret = agents::tokensToSecret(tokens);
    if (secret.view().size() > SecretBuffer::kMaxSize / 2) {
        co_return fail(ErrorCode::InvalidArgument, "The tokens of this log-in are too large.");
    }
    Result<void> stored = co_await m_o.store(entry, std::move(secret));
    if (!stored) {
        co_return stored;
    }
    forget(entry);
    m_logins[entry] = {tokens.expiresAt, {tokens.scopes, tokens.facts}};
    co_return save();
}

asio::awaitable<Result<void>> Logins::storeKey(std::string entry, SecretBuffer key)
{
    co_await settled(entry);
    const Landing landing(*this, entry);
    Result<void> stored = co_await m_o.store(entry, std::move(key));
    if (stored) {
        forget(entry);
    }
    co_return stored;
}

asio::awaitable<Result<void>> Logins::remove(std::string entry)
{
    co_await settled(entry);
    const Landing landing(*this, entry);
    Result<void> removed = co_await m_o.remove(entry);
    if (removed || removed.error().code == ErrorCode::NotFound) {
        forget(entry);
    }
    co_return removed;
}

void Logins::forget(const std::string& entry)
{
    m_held.erase(entry);
    if (m_logins.erase(entry) > 0) {
        if (auto saved = save(); !saved) {
            logWarning("engine", saved.error().message);
        }
    }
}

void Logins::refused(const std::string& entry)
{
    const auto login = m_logins.find(entry);
    const auto held = m_held.find(entry);
    if (login == m_logins.end() || login->second.isOver || held == m_held.end() || held->second.flight || held->second.access.empty()) {
        return;
    }
    // A guest can bring a 401 about as often as it likes.
    if (m_o.now() - held->second.lastRefusal < kBetweenRefusals.count() || m_o.now() < held->second.retryAt) {
        return;
    }
    held->second.lastRefusal = m_o.now();
    logInfo("engine", "the access token of the log-in " + entry + " was refused; it is refreshed");
    start(entry, true);
}

void Logins::start(std::string entry, bool force)
{
    asio::co_spawn(
        m_o.io, [](Logins* self, std::string name, bool forced) -> asio::awaitable<void> { (void)co_await self->hold(std::move(name), forced); }(this, std::move(entry), force),
        asio::detached);
}

/// Whoever uses a key asks for it again then, and that refreshes it; a log-in that nobody uses is left alone.
void Logins::wake()
{
    const std::int64_t now = m_o.now();
    std::int64_t next = 0;
    for (const auto& [entry, held] : m_held) {
        const std::int64_t due = held.unstored ? held.retryAt : held.refreshAt == 0 ? 0 : std::max(held.refreshAt, held.retryAt);
        next = due > now && (next == 0 || due < next) ? due : next;
    }
    if (next == 0) {
        return;
    }
    const std::int64_t left = std::clamp<std::int64_t>(next - now, 1, kLongestSleep.count());
    m_timer.expires_after(std::chrono::seconds(left));
    m_timer.async_wait([this, next](std::error_code error) {
        if (error) {
            return; // set anew
        }
        if (m_o.now() < next) {
            wake();
            return;
        }
        for (auto& [entry, held] : m_held) {
            if (held.unstored) {
                start(entry, false);
            }
        }
        wake();
        m_o.changed();
    });
}

} // namespace coldframe::engine
