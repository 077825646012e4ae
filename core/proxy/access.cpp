// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/random.h"
#include "proxy/proxy_core.h"

namespace coldframe::proxy {

policy::Destination destinationOf(const Identity& identity)
{
    policy::Destination destination;
    destination.host = identity.host;
    destination.port = identity.port;
    destination.isLiteral = identity.isLiteral;
    return destination;
}

void usePolicy(ProxyCore& core, std::shared_ptr<const policy::PolicyIndex> policy)
{
    constexpr std::chrono::milliseconds kAtLeast{1};
    constexpr std::chrono::milliseconds kAtMost{60'000}; // the clock may be set meanwhile
    core.policy = std::move(policy);
    core.pool.clear(); // connections made under the old rules are not reused
    core.http2.clear();
    const UtcTime now = utcNow();
    core.open.review(*core.policy, now);
    if (const auto next = core.policy->nextExpiry(now)) {
        const auto left = *next - now > kAtMost ? kAtMost : std::chrono::ceil<std::chrono::milliseconds>(*next - now);
        core.expiry.arm(std::max(left, kAtLeast), [&core] { usePolicy(core, core.policy); });
    } else {
        core.expiry.disarm();
    }
}

std::shared_ptr<OpenConnection> watchConnection(ProxyCore& core, const Tunnel& tunnel, Grant grant, std::function<void()> cut)
{
    std::string method = std::move(grant.destination.method);
    std::string path = std::move(grant.destination.path);
    grant.destination = destinationOf(tunnel.identity);
    grant.destination.method = std::move(method);
    grant.destination.path = std::move(path);
    grant.byUser = tunnel.allowedByUser;
    grant.once = tunnel.once;
    return core.open.add(std::move(grant), *core.policy, utcNow(), std::move(cut));
}

asio::awaitable<Access> authorise(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, std::string method, std::string path,
                                  std::string protocol)
{
    policy::Destination destination = destinationOf(tunnel->identity);
    destination.method = method;
    destination.path = path;
    const policy::Decision decision = core->policy->decide(destination, utcNow());
    Access access;
    access.rule = decision.ruleText;
    access.reason = decision.reason;
    access.allowed = decision.verdict == policy::Verdict::Allow;
    access.denyingRule = access.allowed ? "" : decision.ruleId;
    if (decision.verdict == policy::Verdict::Allow && tunnel->identity.isLiteral && protocol == "https"
        && decision.ruleId.empty()) {
        // No name means nothing to check a certificate's owner by; only a rule may open that.
        access.allowed = false;
        access.reason = "TLS to a bare address needs a rule that names the address.";
        co_return access;
    }
    if (access.allowed) {
        tunnel->once = decision.onceUntil;
    }
    if (decision.verdict != policy::Verdict::Ask) {
        co_return access;
    }
    if (tunnel->once && utcNow() >= *tunnel->once) {
        access.allowed = true;
        access.reason = "Allowed by the user for this connection.";
        co_return access;
    }
    AskQuestion question;
    question.id = randomHex(8);
    question.host = tunnel->identity.host;
    question.port = tunnel->identity.port;
    question.source = tunnel->identity.source;
    question.kind = tunnel->identity.kind;
    question.protocol = protocol;
    question.method = method;
    question.path = path;
    question.reason = decision.reason;
    const bool yes = co_await core->engine->ask(std::move(question), core->sandbox);
    tunnel->allowedByUser = yes;
    tunnel->once = yes ? std::optional(UtcTime::min()) : std::nullopt;
    access.allowed = yes;
    access.reason = yes ? "Allowed by the user." : "The user was asked and did not allow it.";
    // The answer may have come with a new rule, and a rule made meanwhile may deny: deny wins.
    const policy::Decision again = core->policy->decide(destination, utcNow());
    if (again.verdict == policy::Verdict::Deny) {
        access.allowed = false;
        access.rule = again.ruleText;
        access.denyingRule = again.ruleId;
        access.reason = again.reason;
    } else if (again.verdict == policy::Verdict::Allow) {
        access.allowed = true;
        access.rule = again.ruleText;
        tunnel->once = again.onceUntil;
    }
    co_return access;
}

ConnectionEvent eventFor(const Tunnel& tunnel, std::string_view protocol)
{
    ConnectionEvent event;
    event.host = tunnel.identity.host;
    event.port = tunnel.identity.port;
    event.source = tunnel.identity.source;
    event.kind = tunnel.identity.kind;
    event.protocol = protocol;
    event.process = tunnel.identity.process;
    return event;
}

void ProxyCore::report(const ConnectionEvent& event)
{
    const std::shared_ptr<const PatternSet> keys = injector.keyPatterns();
    const auto holdsKey = [&keys](const std::string& text) { return keys->find(text) >= 0; };
    if (holdsKey(event.path) || holdsKey(event.method) || holdsKey(event.process)) {
        ConnectionEvent clean = event;
        for (std::string* text : {&clean.path, &clean.method, &clean.process}) {
            *text = holdsKey(*text) ? "[redacted]" : *text;
        }
        engine->send(encodeConnection(clean, sandbox));
        return;
    }
    engine->send(encodeConnection(event, sandbox));
}

namespace {

void sweepOpen(const ProxyCorePtr& core)
{
    core->isSweeping = true;
    core->openSweep.expires_after(core->limits.openReport / 4);
    core->openSweep.async_wait([weak = std::weak_ptr<ProxyCore>(core)](const asio::error_code& error) {
        const ProxyCorePtr strong = weak.lock();
        if (!strong || error || strong->stopping) {
            return;
        }
        const auto due = std::chrono::steady_clock::now() - strong->limits.openReport;
        for (ConnectionEvent* event : strong->lasting) {
            if (event->ref.empty() && event->began <= due) {
                event->ref = randomHex(8);
                event->isOpen = true;
                strong->report(*event);
                event->isOpen = false;
            }
        }
        strong->isSweeping = false;
        if (!strong->lasting.empty()) {
            sweepOpen(strong);
        }
    });
}

} // namespace

OpenReport::OpenReport(ProxyCorePtr core, ConnectionEvent& event) : m_core(std::move(core)), m_place(m_core->lasting.insert(m_core->lasting.end(), &event))
{
    if (!m_core->isSweeping) {
        sweepOpen(m_core);
    }
}

OpenReport::~OpenReport() { m_core->lasting.erase(m_place); }

} // namespace coldframe::proxy
