// SPDX-License-Identifier: Apache-2.0
// keys.*: stored keys, commands that give keys, accounts, and the user's own services.
#include "engine/engine.h"

#include "api/attachment_io.h"
#include "base/log.h"
#include "engine/key_ring.h"
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

asio::awaitable<void> Engine::keysChanged()
{
    for (const auto& sandbox : m_o.registry.all()) {
        co_await sandbox->refreshStoredKeys();
    }
    m_o.parts.emitEvent({{"type", "keys.changed"}});
}

void Engine::refreshKeys()
{
    asio::co_spawn(m_o.parts.io, keysChanged(), asio::detached);
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
    const Result<std::string> entry = entryOf(params);
    if (!entry) {
        co_return tl::unexpected(entry.error());
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
        co_await keysChanged();
        co_return json::object();
    }
    if (method == "keys.command") {
        KeyCommand command{params.at("arguments").get<std::vector<std::string>>(), std::chrono::seconds(params.value("lifetimeSeconds", 3600))};
        if (auto set = co_await m_o.keyRing.setCommand(*entry, std::move(command)); !set) {
            co_return tl::unexpected(set.error());
        }
        co_await keysChanged();
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
                    co_await self->keysChanged();
                    for (const auto& sandbox : isSettingKey(name) ? self->m_o.registry.all() : std::vector<std::shared_ptr<Sandbox>>()) {
                        co_await sandbox->upstreamChanged();
                    }
                }
                co_await api::answerSecret(peer, std::move(outcome));
            }(this, entry, std::move(socket));
        };
        co_return json{{"token", m_server->offerAttachment(handler)}};
    }
    co_return tl::unexpected(api::unknownMethod(method));
}

} // namespace coldframe::engine
