// SPDX-License-Identifier: Apache-2.0
// The part of Sandbox that has to do with the proxy: policy, keys, what it reports.
#include "engine/sandbox.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"
#include "engine/questions.h"
#include "engine/upstream_trust.h"
#include "policy/policy_index.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxBlockedNotices = 200;

} // namespace

policy::PolicySet Sandbox::effectivePolicy() const
{
    policy::PolicySet set;
    set.version = m_policyVersion;
    set.mode = m_record.mode;
    set.canAsk = m_parts.settings.askAboutHosts && m_parts.questions.isSomebodyThere();
    const auto add = [&set](const std::vector<policy::Rule>& rules) {
        set.rules.insert(set.rules.end(), rules.begin(), rules.end());
    };
    add(m_parts.globalRules);
    add(policy::presetRules(m_parts.presets, m_record.mode, m_record.presets));
    if (m_record.mode == policy::Mode::Balanced) {
        if (const auto plan = m_parts.agents.plan(m_record, {})) {
            add(plan->rules);
        }
    }
    add(m_record.rules);
    add(m_sessionRules);
    set.hostMappings = m_parts.settings.hostMappings;
    set.bypassHosts = m_parts.settings.bypassHosts;
    set.bypassHosts.insert(set.bypassHosts.end(), m_record.bypassHosts.begin(), m_record.bypassHosts.end());
    return set;
}

void Sandbox::policyChanged()
{
    ++m_policyVersion;
    if (m_proxy && m_proxy->canChangePolicy()) {
        m_proxy->sendPolicy(effectivePolicy());
    } else if (m_proxy && m_record.state == SandboxState::Running) {
        // A dialler that outlived an earlier engine cannot be told: both are replaced (connections inside end).
        m_proxy->shutdown();
        m_proxy.reset();
        asio::co_spawn(
            m_parts.io,
            [](std::shared_ptr<Sandbox> self) -> asio::awaitable<void> {
                if (auto connected = co_await self->connectProxy(); !connected) {
                    logError("sandbox " + self->m_record.name, connected.error().message);
                }
            }(shared_from_this()),
            asio::detached);
    }
    answerByRules();
    m_parts.emitEvent({{"type", "policy.changed"}, {"sandbox", m_record.id}});
}

/// Questions that rules made elsewhere, or by another answer, decide by now. After the rules went out: the answer follows them.
void Sandbox::answerByRules()
{
    std::unique_ptr<policy::PolicyIndex> rules; // mostly nothing is asked, and none is needed
    m_parts.questions.reconsider(m_record.id, [&](const Question& question) -> std::optional<bool> {
        rules = rules ? std::move(rules) : std::make_unique<policy::PolicyIndex>(effectivePolicy());
        policy::Destination destination;
        destination.host = question.host;
        destination.port = question.port;
        destination.method = question.method;
        destination.path = question.path;
        const policy::Verdict verdict = rules->decide(destination, utcNow()).verdict;
        return verdict == policy::Verdict::Ask ? std::nullopt : std::optional(verdict == policy::Verdict::Allow);
    });
}

Result<policy::Rule> Sandbox::addRule(policy::Rule rule, bool sessionOnly)
{
    rule.scope = sessionOnly ? policy::Scope::Session : policy::Scope::Sandbox;
    std::vector<policy::Rule>& rules = sessionOnly ? m_sessionRules : m_record.rules;
    std::erase_if(m_sessionRules, [now = utcNow()](const policy::Rule& old) { return old.expiry && now >= *old.expiry; });
    rules.push_back(rule);
    if (!sessionOnly) {
        if (auto saved = save(); !saved) {
            rules.pop_back();
            return tl::unexpected(saved.error());
        }
    }
    policyChanged();
    return rule;
}

Result<void> Sandbox::removeRule(const std::string& idOrPattern)
{
    const auto matches = [&](const policy::Rule& rule) { return rule.id == idOrPattern || rule.pattern == idOrPattern; };
    const std::size_t removed = std::erase_if(m_record.rules, matches) + std::erase_if(m_sessionRules, matches);
    if (removed == 0) {
        return fail(ErrorCode::NotFound, "The sandbox " + m_record.name + " has no rule of its own \"" +
                                             escapeForDisplay(idOrPattern, 100) + "\". See: coldframe policy ls");
    }
    COLDFRAME_CHECK(save());
    policyChanged();
    return {};
}

Result<void> Sandbox::setMode(policy::Mode mode)
{
    OwnPolicy own{mode, m_record.rules, m_record.presets, m_record.bypassHosts};
    return setOwnPolicy(std::move(own));
}

Result<void> Sandbox::setOwnPolicy(OwnPolicy own)
{
    const auto exchange = [&] {
        std::swap(m_record.mode, own.mode);
        m_record.rules.swap(own.rules);
        m_record.presets.swap(own.presets);
        m_record.bypassHosts.swap(own.bypassHosts);
    };
    exchange();
    if (auto saved = save(); !saved) {
        exchange();
        return saved;
    }
    policyChanged();
    return {};
}

bool Sandbox::changeSessionRule(const std::function<Result<void>(std::vector<policy::Rule>&)>& change)
{
    if (!change(m_sessionRules)) {
        return false;
    }
    policyChanged();
    return true;
}

asio::awaitable<Result<void>> Sandbox::connectProxy()
{
    const std::filesystem::path adoptSocket = socketFolder() / "proxy.sock";
    const std::weak_ptr<Sandbox> weak = weak_from_this();
    const auto onEvent = [weak](const json& event) {
        if (const auto self = weak.lock()) {
            self->onProxyEvent(event);
        }
    };
    const auto onGone = [weak] {
        const auto self = weak.lock();
        if (!self || !self->m_vmAlive) {
            return;
        }
        self->m_proxy.reset();
        if (self->m_record.state != SandboxState::Running) {
            return; // the microVM is going too
        }
        // Without its proxy the sandbox is offline: fail closed, say so, and give it a new one.
        logWarning("sandbox " + self->m_record.name, "the proxy ended; starting another");
        asio::co_spawn(
            self->m_parts.io,
            [](std::shared_ptr<Sandbox> sandbox) -> asio::awaitable<void> {
                if (auto connected = co_await sandbox->connectProxy(); !connected) {
                    sandbox->m_record.problem = "The network of this sandbox is off: its proxy does not start.";
                    logError("sandbox " + sandbox->m_record.name, connected.error().message + connected.error().detail);
                    sandbox->changed();
                } else {
                    co_await sandbox->takeScopes();
                }
            }(self),
            asio::detached);
    };
    if (!m_record.proxyCookie.empty()) {
        if (auto adopted = ProxyLink::adopt(m_parts.io, adoptSocket, m_record.proxyCookie, onEvent, onGone)) {
            m_proxy = *adopted;
            m_parts.record.nameIs(m_record.id, m_record.name);
            m_keyedServices.insert(m_record.runKeys.begin(), m_record.runKeys.end());
            co_await refreshStoredKeys();
            co_await sendClientCertificates(); // the settings may have changed while no engine was there
            co_return Result<void>();
        }
    }
    auto authority = loadOrMakeCertificateAuthority(folder(), m_record.name);
    if (!authority) {
        co_return tl::unexpected(authority.error());
    }
    Result<int> net = co_await connectUnixSocket(m_parts.io, socketFolder() / "net.sock");
    if (!net) {
        co_return tl::unexpected(net.error());
    }
    UniqueFd netPort(*net);
    m_record.sentinels.merge(m_parts.agents.newSentinels()); // those there stay; a newer Coldframe may know more services
    m_record.proxyCookie = randomHex(16);
    // Keys that only the proxy before still had went with it.
    std::erase_if(m_record.runKeys, [this](const std::string& service) { return !m_runKeys.contains(service); });
    if (auto saved = save(); !saved) {
        co_return saved;
    }
    ProxySetup setup;
    setup.sandbox = m_record.id;
    setup.authority = std::move(*authority);
    setup.policy = effectivePolicy();
    setup.upstreamCaPem = extraAuthorities(m_parts.settings);
    setup.systemTrustPem = systemTrust();
    m_toldLogins = co_await loginsNow();
    setup.servicesJson = m_parts.agents.servicesJson(m_record.sentinels, m_toldLogins);
    setup.cookie = m_record.proxyCookie;
    setup.wayOut = co_await currentWayOut(m_parts, trustedAuthorities(m_parts.settings));
    setup.clientCertificates = readClientCertificates(m_parts.settings.clientCertificates);
    auto link = ProxyLink::start(m_parts.io, setup, std::move(netPort), adoptSocket, folder() / "proxy.log", onEvent, onGone);
    wipe(setup.authority.privateKeyPem);
    if (!link) {
        co_return tl::unexpected(link.error());
    }
    m_proxy = *link;
    m_parts.record.nameIs(m_record.id, m_record.name);
    m_parts.record.endOpen(m_record.id);
    for (const auto& [service, key] : m_runKeys) {
        m_proxy->sendKey(service, key);
        m_keyedServices.insert(service);
    }
    co_await refreshStoredKeys();
    co_await sendClientKeys();
    co_return Result<void>();
}

asio::awaitable<void> Sandbox::sendClientCertificates()
{
    const auto self = shared_from_this();
    if (m_proxy) {
        m_proxy->sendClientCertificates(readClientCertificates(m_parts.settings.clientCertificates));
        co_await sendClientKeys();
    }
}

asio::awaitable<void> Sandbox::sendClientKeys()
{
    const auto self = shared_from_this();
    const std::vector<ClientCertificateSetting> certificates = m_parts.settings.clientCertificates;
    for (const ClientCertificateSetting& certificate : certificates) {
        const std::string name = std::string(kClientCertificateKey) + certificate.host;
        const Result<SecretBuffer> key = co_await m_parts.keys.key(name);
        if (!key) {
            logWarning("sandbox " + m_record.name, "the key of the client certificate for " + certificate.host + ": " + key.error().message);
        } else if (m_proxy) {
            m_proxy->sendKey(name, *key);
        }
    }
}

asio::awaitable<void> Sandbox::upstreamChanged()
{
    const auto self = shared_from_this();
    co_await sendClientCertificates();
    // A dialler that cannot be told is replaced when the policy changes, which the settings do as well.
    if (!m_proxy || !m_proxy->canChangePolicy()) {
        co_return;
    }
    const WayOut way = co_await currentWayOut(m_parts, trustedAuthorities(m_parts.settings));
    if (m_proxy) {
        m_proxy->sendWayOut(way);
    }
}

void Sandbox::askUser(const json& event)
{
    // The proxy bounds all of it too, but it is the process that hostile bytes go through.
    const int port = event.value("port", 0);
    Question question;
    question.sandbox = m_record.id;
    question.host = event.value("host", "");
    question.port = port > 0 && port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t(0);
    question.protocol = escapeForDisplay(event.value("protocol", ""), 20);
    question.method = escapeForDisplay(event.value("method", ""), 40);
    question.path = escapeForDisplay(event.value("path", ""), 1024);
    question.source = escapeForDisplay(event.value("source", ""), 200);
    const std::weak_ptr<ProxyLink> link = m_proxy;
    const auto reply = [link, id = event.value("id", "")](bool allow) {
        if (const auto proxy = link.lock()) {
            proxy->answer(id, allow);
        }
    };
    if (m_record.isBuilder || !policy::normaliseHost(question.host) || question.port == 0) {
        reply(false);
        return;
    }
    const std::string target = question.host + ":" + std::to_string(question.port);
    const bool isAsked = m_parts.questions.ask(std::move(question), std::chrono::seconds(m_parts.settings.askSeconds), reply);
    // Who was asked about it need not be told that it was blocked.
    if (isAsked && m_blockedHosts.size() < kMaxBlockedNotices) {
        m_blockedHosts.insert(target);
    }
}

void Sandbox::canAskChanged()
{
    // A dialler that cannot be told has no use for it; its connections are worth more.
    if (m_proxy && m_proxy->canChangePolicy()) {
        ++m_policyVersion;
        m_proxy->sendPolicy(effectivePolicy());
    }
}

void Sandbox::onProxyEvent(const json& event)
{
    const std::string type = event.value("type", "");
    if (type == "connection" && event.contains("connection") && event["connection"].is_object()) {
        json connection = event["connection"];
        connection["sandbox"] = m_record.id; // whatever the proxy says
        Result<json> recorded = m_parts.record.append(connection);
        if (recorded) {
            connection = *recorded;
        } else if (m_proxy) {
            // No record, no traffic: what happened must be on record (promise 6).
            logError("sandbox " + m_record.name, "the connection log cannot be written: " + recorded.error().message);
            policy::PolicySet closed;
            closed.mode = policy::Mode::Locked;
            m_proxy->sendPolicy(closed);
        }
        m_parts.emitEvent({{"type", "connection"}, {"connection", connection}});
        if (connection.value("verdict", "") == "denied") {
            ++m_blockedCount;
            const std::string host = connection.value("host", "");
            const int port = connection.value("port", 0);
            if (m_blockedHosts.size() < kMaxBlockedNotices && m_blockedHosts.insert(host + ":" + std::to_string(port)).second) {
                m_parts.emitEvent({{"type", "blocked"},
                                   {"sandbox", m_record.id},
                                   {"host", host},
                                   {"port", port},
                                   {"reason", connection.value("reason", "")}});
            }
        }
    } else if (type == "refused-key") {
        loginRefused(event.value("service", ""));
    } else if (type == "ask" && m_proxy) {
        askUser(event);
    } else if (type == "alert" || type == "problem") {
        logWarning("sandbox " + m_record.name, "proxy: " + event.dump());
        m_parts.emitEvent({{"type", "alert"}, {"sandbox", m_record.id}, {"text", event.value("text", event.value("message", ""))}});
    }
}

} // namespace coldframe::engine
