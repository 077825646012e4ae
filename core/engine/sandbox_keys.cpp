// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that has to do with keys: which ones its proxy has, and the placeholders inside.
#include "engine/key_ring.h"
#include "engine/logins.h"
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
    m_usedEntries = chooseEntries(*entries, m_record.accounts, m_record.id);
    if (LoginsInside logins = loginsAmong(m_usedEntries); logins != m_toldLogins) {
        m_toldLogins = std::move(logins);
        m_proxy->sendServices(m_parts.agents.servicesJson(m_record.sentinels, m_toldLogins));
    }
    const std::map<std::string, std::string> used = m_usedEntries;
    for (const auto& [service, entry] : used) {
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
    m_proxy->sendServices(m_parts.agents.servicesJson(m_record.sentinels, m_toldLogins));
    co_await refreshStoredKeys();
}

std::map<std::string, std::string> Sandbox::sentinelEnvironment() const
{
    // A log-in for which a file stands inside is not announced by a variable too: clients want one or the other.
    std::set<std::string> keyed = m_keyedServices;
    std::erase_if(keyed, [this](const std::string& service) { return m_record.loginFiles.contains(service) && m_toldLogins.contains(service); });
    return m_parts.agents.announced(keyed, m_record.sentinels);
}

/// Those of the entries that are log-ins and are used, since no key goes before them.
LoginsInside Sandbox::loginsAmong(const std::map<std::string, std::string>& entries) const
{
    LoginsInside logins;
    for (const auto& [service, entry] : entries) {
        const auto found = m_parts.logins.all().find(entry);
        const std::string key = m_parts.agents.otherwise(service);
        const bool hasKey = !key.empty() && (entries.contains(key) || m_record.runKeys.contains(key));
        if (found != m_parts.logins.all().end() && !hasKey && !m_record.runKeys.contains(service)) {
            logins[service] = found->second.inside;
        }
    }
    return logins;
}

asio::awaitable<LoginsInside> Sandbox::loginsNow()
{
    const Result<std::vector<std::string>> entries = co_await m_parts.keys.storedServices();
    co_return entries ? loginsAmong(chooseEntries(*entries, m_record.accounts, m_record.id)) : LoginsInside();
}

void Sandbox::loginRefused(const std::string& service)
{
    const auto entry = m_usedEntries.find(service);
    if (entry != m_usedEntries.end() && !m_record.runKeys.contains(service)) {
        m_parts.logins.refused(entry->second);
    }
}

} // namespace coldframe::engine
