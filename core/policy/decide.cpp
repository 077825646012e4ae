// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"

#include "policy/address_class.h"
#include "policy/path_glob.h"
#include "policy/pattern.h"
#include "policy/rule_match.h"

namespace coldframe::policy {

namespace {

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

const HostMapping* findMapping(const PolicySet& policy, const Destination& destination)
{
    for (const HostMapping& mapping : policy.hostMappings) {
        if (mapping.name == destination.host && (mapping.port == 0 || mapping.port == destination.port)) {
            return &mapping;
        }
    }
    return nullptr;
}

/// `literal`: the host, where it is an address.
bool speaksAbout(const Rule& rule, const Destination& destination, const Result<IpAddress>& literal)
{
    if (!literal) {
        return matchesName(rule.pattern, destination.host, destination.port);
    }
    const auto embedded = embeddedIpv4(*literal);
    return matchNetwork(rule, *literal, destination.port).has_value()
           || (isLoopback(*literal) && matchesName(rule.pattern, "localhost", destination.port))
           || (rule.pattern.starts_with("all") && matchesName(rule.pattern, destination.host, destination.port))
           || (rule.action == Action::Deny && embedded && matchNetwork(rule, *embedded, destination.port));
}

/// Which rule opens an address that is not public, if any.
const Rule* exemptingRule(const PolicySet& policy, const Destination& destination, const IpAddress& address,
                          const AddressClass& addressClass, UtcTime now)
{
    const bool isLocal = mayBeLocal(destination, address);
    for (const Rule& rule : policy.rules) {
        if (rule.action != Action::Allow || !counts(rule, now)) {
            continue;
        }
        if (isLocal && isLocalhostRule(rule, destination.port)) {
            return &rule;
        }
        const auto network = matchNetwork(rule, address, destination.port);
        if (network && network->prefixLength >= addressClass.exemptPrefix) {
            return &rule;
        }
    }
    return nullptr;
}

} // namespace

Decision decide(const PolicySet& policy, const Destination& asked, UtcTime now)
{
    auto read = readDestination(asked);
    if (!read) {
        return malformed(read.error().message);
    }
    Destination& destination = *read;
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
        if (!speaksAbout(rule, destination, literal)) {
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
    Decision decision = allowing ? byRule(*allowing, destination) : byMode(policy.mode, policy.canAsk, destination);
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
            return addressDenied(destination, addressClass, address);
        }
        decision.addressExempt = true;
    }
    return decision;
}

std::vector<Rule> rulesAbout(const PolicySet& policy, const Destination& asked, UtcTime now)
{
    std::vector<Rule> about;
    const auto destination = readDestination(asked);
    if (!destination) {
        return about;
    }
    const auto literal = parseIp(destination->host);
    const std::optional<std::string> path = canonicalPath(destination->path);
    for (const Rule& rule : policy.rules) {
        if (counts(rule, now) && speaksAbout(rule, *destination, literal)
            && matchRequest(rule, *destination, path) != RequestMatch::No) {
            about.push_back(rule);
        }
    }
    return about;
}

Decision checkAddress(const PolicySet& policy, const Destination& destination, const IpAddress& address, UtcTime now)
{
    if (const HostMapping* mapping = findMapping(policy, destination)) {
        const auto target = parseIp(mapping->address);
        if (target && *target == address) {
            return byMapping(*mapping, destination, address);
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
        return publicAddress(address);
    }
    if (const Rule* rule = exemptingRule(policy, destination, address, addressClass, now)) {
        Decision decision = byRule(*rule, destination);
        decision.addressExempt = true;
        return decision;
    }
    return addressDenied(destination, addressClass, address);
}

} // namespace coldframe::policy
