// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_match.h"

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

bool namesMethod(std::string_view list, std::string_view method)
{
    for (std::size_t start = 0; start <= list.size();) {
        const std::size_t end = std::min(list.find(',', start), list.size());
        if (list.substr(start, end - start) == method) {
            return true;
        }
        start = end + 1;
    }
    return false;
}

/// What "localhost" means. The other loopback addresses are other places: a resolver or a service manager may listen there.
bool isLocalhostAddress(const IpAddress& address)
{
    IpAddress v6{};
    v6[15] = 1;
    const IpAddress v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    return address == v4 || address == v6;
}

std::string remedyFor(const Destination& destination, const IpAddress& address)
{
    if (mayBeLocal(destination, address)) {
        return "localhost:" + std::to_string(destination.port);
    }
    Pattern exact;
    exact.kind = Pattern::Kind::Network;
    exact.network = address;
    exact.port = destination.port;
    return formatPattern(exact);
}

} // namespace

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

RequestMatch matchRequest(const Rule& rule, const Destination& destination, const std::optional<std::string>& path)
{
    if (rule.method.empty() && rule.path.empty()) {
        return RequestMatch::Yes;
    }
    if (destination.method.empty()) {
        return RequestMatch::NotKnownYet;
    }
    if (!rule.method.empty() && !namesMethod(rule.method, destination.method)) {
        return RequestMatch::No;
    }
    if (rule.path.empty()) {
        return RequestMatch::Yes;
    }
    if (!path) {
        return rule.action == Action::Deny ? RequestMatch::Yes : RequestMatch::No;
    }
    return matchesGlob(rule.path, *path) ? RequestMatch::Yes : RequestMatch::No;
}

Decision byRule(const Rule& rule, const Destination& destination)
{
    Decision decision;
    decision.verdict = rule.action == Action::Allow ? Verdict::Allow : Verdict::Deny;
    decision.ruleId = rule.id;
    decision.ruleText = describe(rule);
    if (rule.origin == kAnswerOrigin && rule.action == Action::Allow) {
        decision.onceUntil = rule.expiry;
    }
    if (rule.action == Action::Allow) {
        decision.reason = place(destination) + " is allowed by the rule \"" + decision.ruleText + "\".";
    } else {
        decision.reason = place(destination) + " is blocked by the rule \"" + decision.ruleText
                          + "\"; ask the user to change the sandbox's network rules; retrying does not help.";
    }
    return decision;
}

Decision byMode(Mode mode, bool canAsk, const Destination& destination)
{
    Decision decision;
    decision.ruleText = "mode " + std::string(modeName(mode));
    switch (mode) {
    case Mode::Open:
        decision.verdict = Verdict::Allow;
        decision.reason = place(destination) + " is allowed because the network mode is open.";
        return decision;
    case Mode::Balanced:
        if (canAsk) {
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

Decision byMapping(const HostMapping& mapping, const Destination& destination, const IpAddress& address)
{
    Decision decision;
    decision.verdict = Verdict::Allow;
    decision.ruleText = "host mapping " + mapping.name;
    decision.reason = place(destination) + " goes to " + formatIp(address) + " by the user's host mapping.";
    decision.addressExempt = true;
    return decision;
}

Decision publicAddress(const IpAddress& address)
{
    Decision decision;
    decision.verdict = Verdict::Allow;
    decision.ruleText = "address check";
    decision.reason = formatIp(address) + " is a public address.";
    return decision;
}

Decision malformed(std::string reason)
{
    Decision decision;
    decision.ruleText = "malformed destination";
    decision.reason = std::move(reason);
    return decision;
}

Decision addressDenied(const Destination& destination, const AddressClass& addressClass, const IpAddress& address)
{
    Decision decision;
    decision.ruleText = "address check";
    decision.reason = place(destination) + " is blocked because it leads to a " + std::string(addressClass.name)
                      + " address, which only a rule like \"" + remedyFor(destination, address)
                      + "\" opens; ask the user to add it; retrying does not help.";
    return decision;
}

bool mayBeLocal(const Destination& destination, const IpAddress& address)
{
    return isLocalhostAddress(address) && (destination.isLiteral || isLoopbackName(destination.host));
}

Result<Destination> readDestination(const Destination& asked)
{
    auto host = normaliseHost(asked.host);
    if (!host) {
        return tl::unexpected(host.error());
    }
    if (asked.port == 0) {
        return fail(ErrorCode::InvalidArgument, "Port 0 cannot be connected to.");
    }
    Destination destination = asked;
    destination.host = std::move(*host);
    return destination;
}

bool hasPort(std::string_view pattern)
{
    const std::size_t colon = pattern.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == pattern.size()) {
        return false;
    }
    const std::string_view port = pattern.substr(colon + 1);
    const std::string_view before = pattern.substr(0, colon);
    const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    // "host:port", "[v6]:port" and "v4/n:port", but not a bare IPv6 address.
    return digits && (before.find(':') == std::string_view::npos || before.starts_with('['));
}

} // namespace coldframe::policy
