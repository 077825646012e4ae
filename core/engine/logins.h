// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agents/login.h"
#include "engine/engine_parts.h"
#include "engine/token_exchange.h"

#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace coldframe::engine {

/// What is known of a stored log-in beside the keychain; no secret.
struct Login
{
    std::int64_t expiresAt = 0; ///< of the access token, seconds since the epoch; 0: nobody said
    agents::LoginInside inside;
    bool isOver = false;        ///< the server takes its refresh token no more: the user has to log in again
    bool isRefreshing = false;  ///< a refresh token is on its way
    bool wasInterrupted = false; ///< the engine before this one ended while one was; not written down
};

/// Log-ins (OAuth 2.0): their tokens are in the keychain, in one entry each that is named like a key's, and the access token is what
/// their service's key is. Only this class refreshes them, one refresh at a time for each (HAZARDS 5): the refresh token is read out
/// of the keychain for it (locked: no refresh), and what the server gives instead is in the keychain before anybody gets to
/// see it. Engine's thread.
class Logins : public KeySource
{
public:
    struct Outside
    {
        asio::io_context& io;
        KeySource& keychain;
        std::function<asio::awaitable<Result<void>>(std::string, SecretBuffer)> store; ///< in the keychain
        std::function<asio::awaitable<Result<void>>(std::string)> remove;
        std::function<const agents::LoginDefinition*(const std::string& service)> definition;
        std::function<asio::awaitable<Result<TokenReply>>(TokenRequest)> exchange;
        std::function<std::int64_t()> now;                      ///< seconds since the epoch
        std::function<void(const std::string& notice)> tell;    ///< the user
        std::function<void()> changed;                          ///< somebody's key may be another one now
        std::filesystem::path file;                             ///< logins.json
    };
    static constexpr std::chrono::seconds kRefreshBefore{300};  ///< an access token's end, or a quarter of its life
    static constexpr std::chrono::seconds kBetweenRefusals{600}; ///< a refusal by the server starts no more refreshes than that
    static constexpr std::chrono::seconds kFirstRetry{30};      ///< after no answer; doubled up to kLastRetry
    static constexpr std::chrono::seconds kLastRetry{1800};

    explicit Logins(Outside outside);

    /// A damaged file is an error that names it.
    Result<void> load();
    asio::awaitable<Result<std::vector<std::string>>> storedServices() override;
    /// Of a log-in its access token, refreshed first when it is over. NotFound: the user has to log in again.
    asio::awaitable<Result<SecretBuffer>> key(std::string entry) override;

    asio::awaitable<Result<void>> add(std::string entry, agents::LoginTokens tokens);
    /// An ordinary key under this name: it is no log-in any more.
    asio::awaitable<Result<void>> storeKey(std::string entry, SecretBuffer key);
    asio::awaitable<Result<void>> remove(std::string entry);
    /// A server of the service answered 401 to the access token.
    void refused(const std::string& entry);
    const std::map<std::string, Login>& all() const { return m_logins; }

private:
    /// What is in memory of a log-in that is used.
    struct Held
    {
        SecretBuffer access;
        std::optional<agents::LoginTokens> unstored; ///< new ones that the keychain did not take yet
        std::int64_t refreshAt = 0;  ///< when it is due; 0: never by itself
        std::int64_t retryAt = 0;    ///< not before, after no answer
        std::int64_t lastRefusal = -1'000'000'000;
        int failures = 0;
        std::shared_ptr<asio::steady_timer> flight; ///< not null: a refresh is under way; cancelled at its end
    };
    struct Landing;

    asio::awaitable<void> settled(std::string entry);
    asio::awaitable<Result<void>> hold(std::string entry, bool force);
    asio::awaitable<Result<void>> refresh(std::string entry, agents::LoginTokens before);
    asio::awaitable<Result<void>> keep(std::string entry, agents::LoginTokens tokens);
    Result<void> failed(const std::string& entry, const Error& error);
    Result<void> endOf(const std::string& entry);
    void adopt(const std::string& entry, const agents::LoginTokens& tokens);
    void forget(const std::string& entry);
    void start(std::string entry, bool force);
    bool isDue(const Held& held) const;
    Result<void> save() const;
    void wake();

    Outside m_o;
    std::map<std::string, Login> m_logins;
    std::map<std::string, Held> m_held;
    asio::steady_timer m_timer;
};

} // namespace coldframe::engine
