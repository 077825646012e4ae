// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/random.h"
#include "proxy/proxy_core.h"

#include <algorithm>

namespace coldframe::proxy {

namespace {

policy::Destination destinationOf(const Identity& identity)
{
    policy::Destination destination;
    destination.host = identity.host;
    destination.port = identity.port;
    destination.isLiteral = identity.isLiteral;
    return destination;
}

/// "host:port", "[v6]:port" and "v4/n:port", but not a bare IPv6 address.
bool hasPort(std::string_view pattern)
{
    const std::size_t colon = pattern.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == pattern.size()) {
        return false;
    }
    const std::string_view port = pattern.substr(colon + 1);
    const std::string_view before = pattern.substr(0, colon);
    const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits && (before.find(':') == std::string_view::npos || before.starts_with('['));
}

} // namespace

bool isAllowedByPortRule(const policy::PolicySet& policy, const Identity& identity)
{
    policy::PolicySet strict = policy;
    strict.mode = policy::Mode::Locked;
    // A raw stream has no method or path, so a rule that depends on them neither opens it nor may be evaded by it: an allow
    // rule of that kind goes, a deny rule loses its condition.
    std::erase_if(strict.rules, [](const policy::Rule& rule) {
        return rule.action == policy::Action::Allow
               && (!hasPort(rule.pattern) || !rule.method.empty() || !rule.path.empty());
    });
    for (policy::Rule& rule : strict.rules) {
        rule.method.clear();
        rule.path.clear();
    }
    return policy::decide(strict, destinationOf(identity), utcNow()).verdict == policy::Verdict::Allow;
}

bool isBypassHost(const policy::PolicySet& policy, const Identity& identity)
{
    if (policy.bypassHosts.empty()) {
        return false;
    }
    policy::PolicySet listed;
    listed.mode = policy::Mode::Locked;
    for (const std::string& pattern : policy.bypassHosts) {
        policy::Rule rule;
        rule.id = "bypass";
        rule.action = policy::Action::Allow;
        rule.pattern = pattern;
        listed.rules.push_back(std::move(rule));
    }
    if (policy::decide(listed, destinationOf(identity), utcNow()).verdict != policy::Verdict::Allow) {
        return false;
    }
    // Rules with conditions on requests can only be kept where requests are seen.
    policy::PolicySet unconditional = policy;
    std::erase_if(unconditional.rules, [](const policy::Rule& rule) {
        return rule.action == policy::Action::Allow && (!rule.method.empty() || !rule.path.empty());
    });
    for (policy::Rule& rule : unconditional.rules) {
        rule.method.clear();
        rule.path.clear();
    }
    return policy::decide(unconditional, destinationOf(identity), utcNow()).verdict != policy::Verdict::Deny;
}

asio::awaitable<Access> authorise(ProxyCorePtr core, std::shared_ptr<Tunnel> tunnel, std::string method, std::string path,
                                  std::string protocol)
{
    policy::Destination destination = destinationOf(tunnel->identity);
    destination.method = method;
    destination.path = path;
    const policy::Decision decision = policy::decide(*core->policy, destination, utcNow());
    Access access;
    access.rule = decision.ruleText;
    access.reason = decision.reason;
    access.allowed = decision.verdict == policy::Verdict::Allow;
    if (decision.verdict == policy::Verdict::Allow && tunnel->identity.isLiteral && protocol == "https"
        && decision.ruleId.empty()) {
        // No name means nothing to check a certificate's owner by; only a rule may open that.
        access.allowed = false;
        access.reason = "TLS to a bare address needs a rule that names the address.";
        co_return access;
    }
    if (decision.verdict != policy::Verdict::Ask) {
        co_return access;
    }
    if (tunnel->allowedByUser) {
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
    access.allowed = yes;
    access.reason = yes ? "Allowed by the user." : "The user was asked and did not allow it.";
    // The answer may have come with a new rule, and a rule made meanwhile may deny: deny wins.
    const policy::Decision again = policy::decide(*core->policy, destination, utcNow());
    if (again.verdict == policy::Verdict::Deny) {
        access.allowed = false;
        access.rule = again.ruleText;
        access.reason = again.reason;
    } else if (again.verdict == policy::Verdict::Allow) {
        access.allowed = true;
        access.rule = again.ruleText;
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
    return event;
}

} // namespace coldframe::proxy
