// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"

#include "policy/address_class.h"
#include "policy/path_glob.h"
#include "policy/pattern.h"

#include <algorithm>

namespace coldframe::policy {

namespace {

constexpr std::string_view kAskUser =
    "ask the user to allow it in the sandbox's network rules; retrying does not help";

std::string place(const Destination& destination)
{
    const bool isV6 = destination.host.find(':') != std::string::npos;
    return (isV6 ? "[" + destination.host + "]" : destination.host) + ":" + std::to_string(destination.port);
}

std::string describe(const Rule& rule)
{
    std::string text(actionName(rule.action));
    text += rule.method.empty() ? "" : " " + rule.method;
    text += " " + rule.pattern + rule.path;
    text += rule.origin.empty() ? "" : " (" + rule.origin + ")";
    return text;
}

bool counts(const Rule& rule, UtcTime now)
{
    if (rule.expiry && now >= *rule.expiry) {
        return false;
    }
    return rule.action == Action::Deny || rule.scope != Scope::Organisation;
}

/// A network pattern that holds this address (and port).
std::optional<Pattern> matchNetwork(const Rule& rule, const IpAddress& address, std::uint16_t port)
{
    // Cheap refusal first: the pattern of a network has a digit, a colon or a bracket in front.
    const char first = rule.pattern.empty() ? 'a' : rule.pattern.front();
    const bool hex = (first >= '0' && first <= '9') || (first >= 'a' && first <= 'f') || first == ':' || first == '[';
    if (!hex) {
        return std::nullopt;
    }
    auto pattern = parse(rule.pattern);
    if (!pattern || pattern->kind != Pattern::Kind::Network || (pattern->port != 0 && pattern->port != port)
        || !contains(pattern->network, pattern->prefixLength, address)) {
        return std::nullopt;
    }
    return *pattern;
}

bool isLocalhostRule(const Rule& rule, std::uint16_t port)
{
    return rule.pattern == "localhost:" + std::to_string(port);
}

enum class RequestMatch { No, Yes, NotKnownYet };

RequestMatch matchRequest(const Rule& rule, const Destination& destination, const std::optional<std::string>& path)
{
    if (rule.method.empty() && rule.path.empty()) {
        return RequestMatch::Yes;
    }
    if (destination.method.empty()) {
        return RequestMatch::NotKnownYet;
    }
    if (!rule.method.empty()) {
        const std::string list = "," + rule.method + ",";
        if (list.find("," + destination.method + ",") == std::string::npos) {
            return RequestMatch::No;
        }
    }
    if (rule.path.empty()) {
        return RequestMatch::Yes;
    }
    if (!path) {
        return rule.action == Action::Deny ? RequestMatch::Yes : RequestMatch::No;
    }
    return matchesGlob(rule.path, *path) ? RequestMatch::Yes : RequestMatch::No;
}

const HostMapping* findMapping(const PolicySet& policy, const Destination& destination)
{
    for (const HostMapping& mapping : policy.hostMappings) {
        if (mapping.name == destination.host && (mapping.port == 0 || mapping.port == destination.port)) {
            return &mapping;
        }
    }
    return nullptr;
}

Decision byRule(const Rule& rule, const Destination& destination)
{
    Decision decision;
    decision.verdict = rule.action == Action::Allow ? Verdict::Allow : Verdict::Deny;
    decision.ruleId = rule.id;
    decision.ruleText = describe(rule);
    if (rule.action == Action::Allow) {
        decision.reason = place(destination) + " is allowed by the rule \"" + decision.ruleText + "\".";
    } else {
        decision.reason = place(destination) + " is blocked by the rule \"" + decision.ruleText
                          + "\"; ask the user to change the sandbox's network rules; retrying does not help.";
    }
    return decision;
}

Decision byMode(const PolicySet& policy, const Destination& destination)
{
    Decision decision;
    decision.ruleText = "mode " + std::string(modeName(policy.mode));
    switch (policy.mode) {
    case Mode::Open:
        decision.verdict = Verdict::Allow;
        decision.reason = place(destination) + " is allowed because the network mode is open.";
        return decision;
    case Mode::Balanced:
        if (policy.canAsk) {
            decision.verdict = Verdict::Ask;
            decision.reason = place(destination)
                              + " is not on the list of allowed hosts; the user is being asked about it.";
            return decision;
        }
        decision.reason = place(destination) + " is blocked because it is not on the list of allowed hosts; "
                          + std::string(kAskUser) + ".";
        return decision;
    case Mode::Locked:
        break;
    }
    decision.reason = place(destination) + " is blocked because the network is locked and no rule allows it; "
                      + std::string(kAskUser) + ".";
    return decision;
}

Decision addressDenied(const Destination& destination, std::string_view className, const std::string& remedy)
{
    Decision decision;
    decision.ruleText = "address check";
    decision.reason = place(destination) + " is blocked because it leads to a " + std::string(className)
                      + " address, which only a rule like \"" + remedy
                      + "\" opens; ask the user to add it; retrying does not help.";
    return decision;
}

/// What "localhost" means. The other loopback addresses are other places: a resolver or a service manager may listen there.
bool isLocalhostAddress(const IpAddress& address)
{
    IpAddress v6{};
    v6[15] = 1;
    const IpAddress v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    return address == v4 || address == v6;
}

/// Which rule opens an address that is not public, if any.
const Rule* exemptingRule(const PolicySet& policy, const Destination& destination, const IpAddress& address,
                          const AddressClass& addressClass, UtcTime now)
{
    // A name that merely resolves to loopback gets nothing from a localhost rule (rebinding).
    const bool mayBeLocal = isLocalhostAddress(address) && (destination.isLiteral || isLoopbackName(destination.host));
    for (const Rule& rule : policy.rules) {
        if (rule.action != Action::Allow || !counts(rule, now)) {
            continue;
        }
        if (mayBeLocal && isLocalhostRule(rule, destination.port)) {
            return &rule;
        }
        const auto network = matchNetwork(rule, address, destination.port);
        if (network && network->prefixLength >= addressClass.exemptPrefix) {
            return &rule;
        }
    }
    return nullptr;
}

std::string remedyFor(const Destination& destination, const IpAddress& address)
{
    if (isLocalhostAddress(address) && (destination.isLiteral || isLoopbackName(destination.host))) {
        return "localhost:" + std::to_string(destination.port);
    }
    Pattern exact;
    exact.kind = Pattern::Kind::Network;
    exact.network = address;
    exact.port = destination.port;
    return formatPattern(exact);
}

} // namespace

Decision decide(const PolicySet& policy, const Destination& asked, UtcTime now)
{
    // The caller's word is not taken for what the host is: the decision must fit what will be connected to.
    Destination destination = asked;
    auto host = normaliseHost(asked.host);
    if (!host || asked.port == 0) {
        Decision decision;
        decision.ruleText = "malformed destination";
        decision.reason = !host ? host.error().message : "Port 0 cannot be connected to.";
        return decision;
    }
    destination.host = std::move(*host);
    const auto literal = parseIp(destination.host);
    destination.isLiteral = literal.has_value();

    const std::optional<std::string> path = canonicalPath(destination.path);
    const Rule* denying = nullptr;
    const Rule* allowing = nullptr;
    bool allowingIsSure = false;
    bool needsRequest = false;
    for (const Rule& rule : policy.rules) {
        if (!counts(rule, now)) {
            continue;
        }
        bool matches = false;
        if (literal) {
            const auto embedded = embeddedIpv4(*literal);
            matches = matchNetwork(rule, *literal, destination.port).has_value()
                      || (isLoopback(*literal) && matchesName(rule.pattern, "localhost", destination.port))
                      || (rule.pattern.starts_with("all") && matchesName(rule.pattern, destination.host, destination.port))
                      || (rule.action == Action::Deny && embedded && matchNetwork(rule, *embedded, destination.port));
        } else {
            matches = matchesName(rule.pattern, destination.host, destination.port);
        }
        if (!matches) {
            continue;
        }
        const RequestMatch request = matchRequest(rule, destination, path);
        needsRequest = needsRequest || request == RequestMatch::NotKnownYet;
        if (request == RequestMatch::No || (request == RequestMatch::NotKnownYet && rule.action == Action::Deny)) {
            continue;
        }
        const bool isSure = request == RequestMatch::Yes;
        if (rule.action == Action::Deny) {
            denying = denying ? denying : &rule;
        } else if (!allowing || (isSure && !allowingIsSure)) {
            allowing = &rule;
            allowingIsSure = isSure;
        }
    }
    if (denying) {
        return byRule(*denying, destination);
    }
    Decision decision = allowing ? byRule(*allowing, destination) : byMode(policy, destination);
    decision.needsRequest = needsRequest && decision.verdict != Verdict::Deny;
    if (findMapping(policy, destination)) {
        decision.addressExempt = decision.verdict != Verdict::Deny;
        return decision;
    }
    // What only an explicit rule opens is refused here already, so that it is neither asked about nor resolved.
    IpAddress address{};
    if (literal) {
        address = *literal;
    } else if (isLoopbackName(destination.host)) {
        address[15] = 1;
    } else {
        return decision;
    }
    if (decision.verdict == Verdict::Deny && !allowing) {
        return decision;
    }
    const AddressClass addressClass = classify(address);
    if (!addressClass.isPublic) {
        if (!exemptingRule(policy, destination, address, addressClass, now)) {
            return addressDenied(destination, addressClass.name, remedyFor(destination, address));
        }
        decision.addressExempt = true;
    }
    return decision;
}

Decision checkAddress(const PolicySet& policy, const Destination& destination, const IpAddress& address, UtcTime now)
{
    if (const HostMapping* mapping = findMapping(policy, destination)) {
        const auto target = parseIp(mapping->address);
        if (target && *target == address) {
            Decision decision;
            decision.verdict = Verdict::Allow;
            decision.ruleText = "host mapping " + mapping->name;
            decision.reason = place(destination) + " goes to " + formatIp(address) + " by the user's host mapping.";
            decision.addressExempt = true;
            return decision;
        }
    }
    const auto embedded = embeddedIpv4(address);
    for (const Rule& rule : policy.rules) {
        if (rule.action == Action::Deny && rule.method.empty() && rule.path.empty() && counts(rule, now)
            && (matchNetwork(rule, address, destination.port)
                || (embedded && matchNetwork(rule, *embedded, destination.port)))) {
            return byRule(rule, destination);
        }
    }
    const AddressClass addressClass = classify(address);
    if (addressClass.isPublic) {
        Decision decision;
        decision.verdict = Verdict::Allow;
        decision.ruleText = "address check";
        decision.reason = formatIp(address) + " is a public address.";
        return decision;
    }
    if (const Rule* rule = exemptingRule(policy, destination, address, addressClass, now)) {
        Decision decision = byRule(*rule, destination);
        decision.addressExempt = true;
        return decision;
    }
    return addressDenied(destination, addressClass.name, remedyFor(destination, address));
}

} // namespace coldframe::policy
