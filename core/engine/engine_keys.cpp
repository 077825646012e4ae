// SPDX-License-Identifier: Apache-2.0
// keys.*: stored keys, commands that give keys, accounts, and the user's own services.
#include "engine/engine.h"

#include "api/attachment_io.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/browser_login.h"
#include "engine/key_ring.h"
#include "engine/logins.h"
#include "engine/upstream.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

Result<std::string> Engine::entryOf(const json& params) const
{
    const std::string service = params.at("service");
    if (isSettingKey(service)) {
        return service;
    }
    if (!m_o.parts.agents.knowsService(service)) {
        return fail(ErrorCode::NotFound, "There is no service named " + escapeForDisplay(service, 80) + ". See: coldframe keys ls");
    }
    std::string sandbox;
    if (!params.value("sandbox", "").empty()) {
        COLDFRAME_TRY(const std::shared_ptr<Sandbox> found, sandboxOf(params));
        sandbox = found->record().id;
    }
    return keyEntry(service, params.value("account", ""), sandbox);
}

asio::awaitable<void> Engine::keysChanged(std::string entry)
{
    for (const auto& sandbox : m_o.registry.all()) {
        co_await sandbox->refreshStoredKeys();
        if (isSettingKey(entry)) {
            co_await sandbox->upstreamChanged();
        }
    }
    m_o.parts.emitEvent({{"type", "keys.changed"}});
}

void Engine::refreshKeys()
{
    asio::co_spawn(m_o.parts.io, keysChanged(std::string()), asio::detached);
}

asio::awaitable<void> Engine::forgetKeysOf(std::string sandboxId)
{
    const Result<std::vector<std::string>> entries = co_await m_o.keyRing.storedServices();
    for (const std::string& entry : entries ? *entries : std::vector<std::string>()) {
        if (parseKeyName(entry).sandbox == sandboxId && !m_o.keyRing.removeCommand(entry).value_or(false)) {
            (void)co_await m_o.removeKey(entry); // locked: it stays, for a sandbox that never comes back
        }
    }
}

asio::awaitable<Result<json>> Engine::keysList()
{
    Result<json> status = co_await m_o.keysStatus();
    if (!status) {
        co_return status;
    }
    json keys = json::array();
    const auto add = [&](const std::string& entry, const json& storedAt, const std::string& source) {
        const KeyName name = parseKeyName(entry);
        keys.push_back({{"service", name.service}, {"account", name.account}, {"sandbox", name.sandbox}, {"storedAt", storedAt}, {"source", source}});
        if (const auto login = m_o.parts.logins.all().find(entry); login != m_o.parts.logins.all().end()) {
            keys.back()["login"] = {{"expiresAt", login->second.expiresAt},
                                    {"state", login->second.isOver ? "over" : "good"},
                                    {"facts", login->second.inside.facts},
                                    {"scopes", login->second.inside.scopes}};
        }
    };
    for (const json& key : status->value("keys", json::array())) {
        if (!m_o.keyRing.commands().contains(key.value("service", ""))) {
            add(key.value("service", ""), key.value("storedAt", ""), "keychain");
        }
    }
    for (const auto& [entry, command] : m_o.keyRing.commands()) {
        // The program only: its arguments may say more than somebody who looks over a shoulder should see.
        add(entry, "", command.arguments[0]);
    }
    (*status)["keys"] = std::move(keys);
    (*status)["services"] = json::parse(m_o.parts.agents.servicesListJson());
    co_return status;
}

/// The credentials file of an agent on this computer, as bytes over the attachment.
std::string Engine::offerLogin(const std::string& entry)
{
    const auto handler = [this, entry](api::AttachmentSocket socket) -> asio::awaitable<void> {
        return [](Engine* self, std::string name, api::AttachmentSocket peer) -> asio::awaitable<void> {
            Result<SecretBuffer> file = co_await api::receiveSecret(peer);
            const agents::LoginDefinition* const definition = self->m_o.parts.agents.login(parseKeyName(name).service);
            Result<void> outcome = file ? Result<void>() : tl::unexpected(file.error());
            if (file && definition) {
                Result<agents::LoginTokens> tokens = agents::tokensFromFile(*definition, file->view());
                if (tokens) {
                    agents::LoginTokens taken = std::move(*tokens);
                    outcome = co_await self->m_o.parts.logins.add(name, std::move(taken));
                } else {
                    outcome = tl::unexpected(tokens.error());
                }
            }
            if (outcome) {
                (void)self->m_o.keyRing.removeCommand(name);
                co_await self->keysChanged(std::string());
            }
            co_await api::answerSecret(peer, std::move(outcome));
        }(this, entry, std::move(socket));
    };
    return m_server->offerAttachment(handler);
}

Result<json> Engine::beginLogin(const std::string& entry)
{
    const std::string service = parseKeyName(entry).service;
    const agents::LoginDefinition* const definition = m_o.parts.agents.login(service);
    if (!definition) {
        return fail(ErrorCode::NotFound, "There is no log-in for " + service + ".");
    }
    // One at a time for each service: the last that was begun, since the port may be the same.
    std::erase_if(m_openLogins, [&service](const auto& open) {
        const bool isSame = parseKeyName(open.second.entry).service == service;
        if (isSame) {
            open.second.login->cancel();
        }
        return isSame;
    });
    COLDFRAME_TRY(const std::shared_ptr<BrowserLogin> login, BrowserLogin::begin(m_o.parts.io, *definition));
    const std::string id = randomHex(8);
    m_openLogins[id] = {entry, login};
    return json{{"id", id}, {"url", login->url()}};
}

asio::awaitable<Result<json>> Engine::finishLogin(std::string id)
{
    const auto open = m_openLogins.find(id);
    if (open == m_openLogins.end()) {
        co_return fail(ErrorCode::NotFound, "No such log-in was begun, or another was begun after it.");
    }
    const OpenLogin begun = open->second;
    const agents::LoginDefinition* const definition = m_o.parts.agents.login(parseKeyName(begun.entry).service);
    Result<agents::CodeGrant> grant = co_await begun.login->wait(std::chrono::minutes(10));
    m_openLogins.erase(id);
    if (!grant) {
        co_return tl::unexpected(grant.error());
    }
    TokenRequest request{definition->tokenHost, 443, definition->tokenPath, std::string(agents::codeBodyType(*definition)),
                         agents::codeBody(*definition, *grant)};
    Result<TokenReply> reply = co_await exchangeTokens(m_o.parts, std::move(request));
    if (!reply) {
        co_return tl::unexpected(reply.error());
    }
    if (reply->status != 200) {
        co_return fail(ErrorCode::Unavailable, definition->tokenHost + " did not take the log-in (" + std::to_string(reply->status) + "). Nothing was stored.");
    }
    const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(utcNow().time_since_epoch()).count();
    Result<agents::LoginTokens> tokens = agents::tokensFromReply(*definition, reply->body.view(), now, nullptr);
    if (!tokens) {
        co_return tl::unexpected(tokens.error());
    }
    agents::LoginTokens taken = std::move(*tokens);
    Result<void> added = co_await m_o.parts.logins.add(begun.entry, std::move(taken));
    if (!added) {
        co_return tl::unexpected(added.error());
    }
    (void)m_o.keyRing.removeCommand(begun.entry);
    co_await keysChanged(std::string());
    co_return json::object();
}

asio::awaitable<Result<json>> Engine::keysCall(std::string method, json params)
{
    if (method == "keys.list") {
        co_return co_await keysList();
    }
    if (method == "keys.define" || method == "keys.undefine" || method == "keys.hosts") {
        Result<void> done;
        if (method == "keys.define") {
            done = m_o.parts.agents.defineService(params.at("service").dump());
        } else if (method == "keys.undefine") {
            done = m_o.parts.agents.undefineService(params.at("service").get<std::string>());
        } else {
            done = m_o.parts.agents.nameHosts(params.at("service").get<std::string>(), params.at("hosts").get<std::vector<std::string>>());
        }
        if (!done) {
            co_return tl::unexpected(done.error());
        }
        for (const auto& sandbox : m_o.registry.all()) {
            co_await sandbox->servicesChanged();
        }
        m_o.parts.emitEvent({{"type", "keys.changed"}});
        co_return json::object();
    }
    if (method == "keys.use") {
        auto sandbox = sandboxOf(params);
        const std::string service = params.at("service");
        const std::string account = params.value("account", "");
        const Result<std::string> entry = keyEntry(service, account, {});
        if (!sandbox || !entry) {
            co_return tl::unexpected(sandbox ? entry.error() : sandbox.error());
        }
        const Result<std::vector<std::string>> entries = co_await m_o.keyRing.storedServices();
        if (!account.empty() && (!entries || std::find(entries->begin(), entries->end(), *entry) == entries->end())) {
            co_return fail(ErrorCode::NotFound, "No key of the account " + escapeForDisplay(account, 64) + " is stored for "
                                                    + escapeForDisplay(service, 80) + ". See: coldframe keys ls");
        }
        if (auto used = co_await (*sandbox)->useAccount(service, account); !used) {
            co_return tl::unexpected(used.error());
        }
        co_return json::object();
    }
    if (method == "keys.login.finish") {
        co_return co_await finishLogin(params.at("id").get<std::string>());
    }
    if (method == "keys.login" || method == "keys.login.begin") {
        const Result<std::string> service = m_o.parts.agents.loginService(params.at("service").get<std::string>());
        if (!service) {
            co_return tl::unexpected(service.error());
        }
        params["service"] = *service;
    }
    const Result<std::string> entry = entryOf(params);
    if (!entry) {
        co_return tl::unexpected(entry.error());
    }
    if (method == "keys.login") {
        co_return json{{"token", offerLogin(*entry)}};
    }
    if (method == "keys.login.begin") {
        co_return beginLogin(*entry);
    }
    if (method == "keys.remove") {
        const Result<bool> wasCommand = m_o.keyRing.removeCommand(*entry);
        Result<void> removed = wasCommand ? Result<void>() : tl::unexpected(wasCommand.error());
        if (wasCommand && !*wasCommand) {
            removed = co_await m_o.removeKey(*entry);
        }
        if (!removed) {
            co_return tl::unexpected(removed.error());
        }
        co_await keysChanged(*entry);
        co_return json::object();
    }
    if (method == "keys.command") {
        KeyCommand command{params.at("arguments").get<std::vector<std::string>>(), std::chrono::seconds(params.value("lifetimeSeconds", 3600))};
        if (auto set = co_await m_o.keyRing.setCommand(*entry, std::move(command)); !set) {
            co_return tl::unexpected(set.error());
        }
        co_await keysChanged(*entry);
        co_return json::object();
    }
    if (method == "keys.set") {
        const auto handler = [this, entry = *entry](api::AttachmentSocket socket) -> asio::awaitable<void> {
            return [](Engine* self, std::string name, api::AttachmentSocket peer) -> asio::awaitable<void> {
                Result<SecretBuffer> key = co_await api::receiveSecret(peer);
                Result<void> outcome = key ? Result<void>() : tl::unexpected(key.error());
                if (key) {
                    outcome = co_await self->m_o.storeKey(name, std::move(*key));
                }
                if (outcome) {
                    (void)self->m_o.keyRing.removeCommand(name); // the key given last is the one that is used
                    co_await self->keysChanged(name);
                }
                co_await api::answerSecret(peer, std::move(outcome));
            }(this, entry, std::move(socket));
        };
        co_return json{{"token", m_server->offerAttachment(handler)}};
    }
    co_return tl::unexpected(api::unknownMethod(method));
}

} // namespace coldframe::engine
