// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that has to do with keys: which ones its proxy has, and the placeholders inside.
#include "engine/key_ring.h"
#include "engine/sandbox.h"

#include "base/log.h"

namespace coldframe::engine {

void Sandbox::setRunKey(const std::string& service, SecretBuffer key)
{
    if (key.empty()) {
        m_runKeys.erase(service);
        m_record.runKeys.erase(service);
        m_keyedServices.erase(service);
    }
    if (m_proxy) {
        m_proxy->sendKey(service, key);
    }
    if (!key.empty()) {
        m_keyedServices.insert(service);
        m_record.runKeys.insert(service);
        m_runKeys[service] = std::move(key);
    }
    if (auto saved = save(); !saved) {
        logWarning("sandbox " + m_record.name, saved.error().message);
    }
}

asio::awaitable<void> Sandbox::refreshStoredKeys()
{
    const auto self = shared_from_this();
    if (!m_proxy) {
        co_return; // it is given them when it starts
    }
    Result<std::vector<std::string>> entries = co_await m_parts.keys.storedServices();
    if (!entries) {
        logInfo("sandbox " + m_record.name, "no stored keys: " + entries.error().message);
        co_return;
    }
    std::set<std::string> kept;
    for (const auto& [service, entry] : chooseEntries(*entries, m_record.accounts, m_record.id)) {
        if (m_record.runKeys.contains(service) || !m_parts.agents.knowsService(service)) {
            continue;
        }
        Result<SecretBuffer> key = co_await m_parts.keys.key(entry);
        if (key && m_proxy) {
            m_proxy->sendKey(service, *key);
            m_keyedServices.insert(service);
        }
        if (key || key.error().code != ErrorCode::NotFound) {
            kept.insert(service); // a keychain that is locked for now takes nothing back
        }
    }
    for (auto it = m_keyedServices.begin(); it != m_keyedServices.end();) {
        if (!kept.contains(*it) && !m_record.runKeys.contains(*it)) {
            if (m_proxy) {
                m_proxy->sendKey(*it, SecretBuffer());
            }
            it = m_keyedServices.erase(it);
        } else {
            ++it;
        }
    }
}

asio::awaitable<Result<void>> Sandbox::useAccount(std::string service, std::string account)
{
    if (account.empty()) {
        m_record.accounts.erase(service);
    } else {
        m_record.accounts[service] = std::move(account);
    }
    if (auto saved = save(); !saved) {
        co_return saved;
    }
    // Another account's key must not be used while the new one's is looked for.
    if (m_proxy && !m_record.runKeys.contains(service)) {
        m_proxy->sendKey(service, SecretBuffer());
    }
    co_await refreshStoredKeys();
    co_return Result<void>();
}

asio::awaitable<void> Sandbox::servicesChanged()
{
    if (!m_proxy) {
        co_return;
    }
    m_record.sentinels.merge(m_parts.agents.newSentinels());
    if (auto saved = save(); !saved) {
        logWarning("sandbox " + m_record.name, saved.error().message);
    }
    m_proxy->sendServices(m_parts.agents.servicesJson(m_record.sentinels));
    co_await refreshStoredKeys();
}

std::map<std::string, std::string> Sandbox::sentinelEnvironment() const
{
    return m_parts.agents.announced(m_keyedServices, m_record.sentinels);
}

} // namespace coldframe::engine
