// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_index.h"

#include "policy/path_glob.h"
#include "policy/pattern.h"
#include "policy/rule_match.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace coldframe::policy {

namespace {

constexpr std::string_view kAll = "all";
constexpr std::string_view kLocalhost = "localhost";

bool isConditional(const Rule& rule) { return !rule.method.empty() || !rule.path.empty(); }

IpAddress masked(const IpAddress& address, unsigned prefixLength)
{
    IpAddress result{};
    const std::size_t bytes = prefixLength / 8;
    std::memcpy(result.data(), address.data(), bytes);
    if (const unsigned rest = prefixLength % 8; rest != 0) {
        result[bytes] = static_cast<std::uint8_t>(address[bytes] & (0xff00u >> rest));
    }
    return result;
}

PolicySet bypassSet(const PolicySet& policy)
{
    PolicySet listed;
    listed.mode = Mode::Locked;
    for (const std::string& pattern : policy.bypassHosts) {
        Rule rule;
        rule.id = "bypass";
        rule.action = Action::Allow;
        rule.pattern = pattern;
        listed.rules.push_back(std::move(rule));
    }
    return listed;
}

} // namespace

std::size_t PolicyIndex::AddressHash::operator()(const IpAddress& address) const
{
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, address.data(), 8);
    std::memcpy(&low, address.data() + 8, 8);
    // Neighbouring networks differ in a few bits: multiply and fold, so that they fall apart.
    const std::uint64_t mixed = (high ^ (low * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
}

PolicyIndex::PolicyIndex(PolicySet policy) : m_set(std::move(policy))
{
    m_hasPort.reserve(m_set.rules.size());
    m_byPattern.reserve(m_set.rules.size());
    for (std::uint32_t number = 0; number < m_set.rules.size(); ++number) {
        addRule(number);
    }
    std::sort(m_expiries.begin(), m_expiries.end());
    for (std::uint32_t number = 0; number < m_set.hostMappings.size(); ++number) {
        m_mappings[m_set.hostMappings[number].name].push_back(number);
    }
    if (!m_set.bypassHosts.empty()) {
        m_bypass = std::make_unique<PolicyIndex>(bypassSet(m_set));
    }
}

PolicyIndex::~PolicyIndex() = default;

void PolicyIndex::addRule(std::uint32_t number)
{
    const Rule& rule = m_set.rules[number];
    m_hasPort.push_back(hasPort(rule.pattern));
    if (rule.expiry) {
        m_expiries.push_back(*rule.expiry);
    }
    const auto pattern = parse(rule.pattern);
    if (!pattern || pattern->kind != Pattern::Kind::Network) {
        m_byPattern[rule.pattern].push_back(number);
        if (pattern && pattern->kind == Pattern::Kind::SubDomains) {
            m_suffixLengths.set(pattern->host.size());
        }
        return;
    }
    auto networks = std::find_if(m_networks.begin(), m_networks.end(),
                                 [&](const Networks& other) { return other.prefixLength == pattern->prefixLength; });
    if (networks == m_networks.end()) {
        networks = m_networks.insert(m_networks.end(), Networks{pattern->prefixLength, {}});
    }
    networks->rules[pattern->network].push_back({number, pattern->port});
}

template <typename Visit>
void PolicyIndex::visitPattern(std::string_view star, std::string_view name, std::uint16_t port, Visit visit) const
{
    std::array<char, 300> text{}; // "*.", a name of at most 253, ":65535"
    if (star.size() + name.size() + 6 > text.size()) {
        return;
    }
    char* end = std::copy(star.begin(), star.end(), text.data());
    end = std::copy(name.begin(), name.end(), end);
    const auto lookUp = [&] {
        const auto found = m_byPattern.find(std::string_view(text.data(), static_cast<std::size_t>(end - text.data())));
        if (found != m_byPattern.end()) {
            for (const std::uint32_t number : found->second) {
                visit(number);
            }
        }
    };
    lookUp();
    *end++ = ':';
    end = std::to_chars(end, text.data() + text.size(), port).ptr;
    lookUp();
}

template <typename Visit> void PolicyIndex::visitNames(const Destination& destination, Visit visit) const
{
    const std::string_view name = destination.host;
    visitPattern({}, kAll, destination.port, visit);
    if (name != kAll) {
        visitPattern({}, name, destination.port, visit);
    }
    if (name != kLocalhost && isLoopbackName(name)) {
        visitPattern({}, kLocalhost, destination.port, visit);
    }
    for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
        const std::string_view suffix = name.substr(dot + 1);
        if (m_suffixLengths.test(suffix.size())) {
            visitPattern("*.", suffix, destination.port, visit);
        }
    }
}

template <typename Visit> void PolicyIndex::visitNetworks(const IpAddress& address, std::uint16_t port, Visit visit) const
{
    for (const Networks& networks : m_networks) {
        const auto found = networks.rules.find(masked(address, networks.prefixLength));
        if (found == networks.rules.end()) {
            continue;
        }
        for (const NetworkRule& rule : found->second) {
            if (rule.port == 0 || rule.port == port) {
                visit(rule.number, networks.prefixLength);
            }
        }
    }
}

bool PolicyIndex::isLeftOut(std::uint32_t number, Lens lens) const
{
    const Rule& rule = m_set.rules[number];
    if (lens == Lens::Requests || rule.action == Action::Deny) {
        return false;
    }
    return isConditional(rule) || (lens == Lens::RawStream && !m_hasPort[number]);
}

/// Takes one rule that speaks about the destination into account. Rules come in any order, so the first of the list is told by
/// its place; a rule may come twice.
void PolicyIndex::look(Found& found, std::uint32_t number, Lens lens, const Destination& destination,
                       const std::optional<std::string>& path, UtcTime now) const
{
    const Rule& rule = m_set.rules[number];
    if ((found.denying != nullptr && &rule > found.denying) || isLeftOut(number, lens) || !counts(rule, now)) {
        return;
    }
    const RequestMatch request = lens == Lens::Requests ? matchRequest(rule, destination, path) : RequestMatch::Yes;
    found.needsRequest = found.needsRequest || request == RequestMatch::NotKnownYet;
    if (request == RequestMatch::No || (request == RequestMatch::NotKnownYet && rule.action == Action::Deny)) {
        return;
    }
    const bool isSure = request == RequestMatch::Yes;
    if (rule.action == Action::Deny) {
        found.denying = &rule;
    } else if (found.allowing == nullptr || (isSure && !found.isSure) || (isSure == found.isSure && &rule < found.allowing)) {
        found.allowing = &rule;
        found.isSure = isSure;
    }
}

const Rule* PolicyIndex::exemptingRule(Lens lens, const Destination& destination, const IpAddress& address,
                                       unsigned exemptPrefix, UtcTime now) const
{
    const Rule* first = nullptr;
    const auto consider = [&](std::uint32_t number) {
        const Rule& rule = m_set.rules[number];
        if (rule.action == Action::Allow && counts(rule, now) && !isLeftOut(number, lens) && (first == nullptr || &rule < first)) {
            first = &rule;
        }
    };
    if (mayBeLocal(destination, address)) {
        const auto local = m_byPattern.find("localhost:" + std::to_string(destination.port));
        if (local != m_byPattern.end()) {
            std::for_each(local->second.begin(), local->second.end(), consider);
        }
    }
    visitNetworks(address, destination.port, [&](std::uint32_t number, unsigned prefixLength) {
        if (prefixLength >= exemptPrefix) {
            consider(number);
        }
    });
    return first;
}

Decision PolicyIndex::decideAs(Lens lens, const Destination& asked, UtcTime now) const
{
    auto read = readDestination(asked);
    if (!read) {
        return malformed(read.error().message);
    }
    Destination& destination = *read;
    const auto literal = parseIp(destination.host);
    destination.isLiteral = literal.has_value();
    const std::optional<std::string> path = canonicalPath(destination.path);
    Found found;
    const auto consider = [&](std::uint32_t number) { look(found, number, lens, destination, path, now); };
    if (literal) {
        visitPattern({}, kAll, destination.port, consider);
        if (isLoopback(*literal)) {
            visitPattern({}, kLocalhost, destination.port, consider);
        }
        visitNetworks(*literal, destination.port, [&](std::uint32_t number, unsigned) { consider(number); });
        if (const auto embedded = embeddedIpv4(*literal)) {
            visitNetworks(*embedded, destination.port, [&](std::uint32_t number, unsigned) {
                if (m_set.rules[number].action == Action::Deny) {
                    consider(number);
                }
            });
        }
    } else {
        visitNames(destination, consider);
    }
    if (found.denying != nullptr) {
        return byRule(*found.denying, destination);
    }
    const Mode mode = lens == Lens::RawStream ? Mode::Locked : m_set.mode;
    Decision decision = found.allowing != nullptr ? byRule(*found.allowing, destination) : byMode(mode, m_set.canAsk, destination);
    decision.needsRequest = found.needsRequest && decision.verdict != Verdict::Deny;
    if (mappingFor(destination) != nullptr) {
        decision.addressExempt = decision.verdict != Verdict::Deny;
        return decision;
    }
    IpAddress address{};
    if (literal) {
        address = *literal;
    } else if (isLoopbackName(destination.host)) {
        address[15] = 1;
    } else {
        return decision;
    }
    if (decision.verdict == Verdict::Deny && found.allowing == nullptr) {
        return decision;
    }
    const AddressClass addressClass = classify(address);
    if (!addressClass.isPublic) {
        if (exemptingRule(lens, destination, address, addressClass.exemptPrefix, now) == nullptr) {
            return addressDenied(destination, addressClass, address);
        }
        decision.addressExempt = true;
    }
    return decision;
}

Decision PolicyIndex::decide(const Destination& asked, UtcTime now) const { return decideAs(Lens::Requests, asked, now); }

bool PolicyIndex::allowsRawStream(const Destination& asked, UtcTime now) const
{
    return decideAs(Lens::RawStream, asked, now).verdict == Verdict::Allow;
}

bool PolicyIndex::isBypassed(const Destination& asked, UtcTime now) const
{
    return m_bypass && m_bypass->decide(asked, now).verdict == Verdict::Allow
           && decideAs(Lens::Uninspected, asked, now).verdict != Verdict::Deny;
}

Decision PolicyIndex::checkAddress(const Destination& destination, const IpAddress& address, UtcTime now) const
{
    if (const HostMapping* mapping = mappingFor(destination)) {
        const auto target = parseIp(mapping->address);
        if (target && *target == address) {
            return byMapping(*mapping, destination, address);
        }
    }
    const Rule* denying = nullptr;
    const auto consider = [&](std::uint32_t number, unsigned) {
        const Rule& rule = m_set.rules[number];
        if (rule.action == Action::Deny && !isConditional(rule) && counts(rule, now) && (denying == nullptr || &rule < denying)) {
            denying = &rule;
        }
    };
    visitNetworks(address, destination.port, consider);
    if (const auto embedded = embeddedIpv4(address)) {
        visitNetworks(*embedded, destination.port, consider);
    }
    if (denying != nullptr) {
        return byRule(*denying, destination);
    }
    const AddressClass addressClass = classify(address);
    if (addressClass.isPublic) {
        return publicAddress(address);
    }
    if (const Rule* rule = exemptingRule(Lens::Requests, destination, address, addressClass.exemptPrefix, now)) {
        Decision decision = byRule(*rule, destination);
        decision.addressExempt = true;
        return decision;
    }
    return addressDenied(destination, addressClass, address);
}

const HostMapping* PolicyIndex::mappingFor(const Destination& destination) const
{
    const auto found = m_mappings.find(destination.host);
    if (found != m_mappings.end()) {
        for (const std::uint32_t number : found->second) {
            const HostMapping& mapping = m_set.hostMappings[number];
            if (mapping.port == 0 || mapping.port == destination.port) {
                return &mapping;
            }
        }
    }
    return nullptr;
}

std::optional<UtcTime> PolicyIndex::nextExpiry(UtcTime now) const
{
    const auto next = std::upper_bound(m_expiries.begin(), m_expiries.end(), now);
    return next == m_expiries.end() ? std::nullopt : std::optional(*next);
}

} // namespace coldframe::policy
