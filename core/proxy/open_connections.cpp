// SPDX-License-Identifier: Apache-2.0
#include "proxy/open_connections.h"

#include <algorithm>
#include <vector>

namespace coldframe::proxy {

namespace {

/// "192.0.2.1:443", "[2001:db8::1]:443" or an address alone.
Result<policy::IpAddress> addressOf(std::string_view text)
{
    if (text.starts_with('[')) {
        return policy::parseIp(text.substr(1, std::min(text.find(']'), text.size()) - 1));
    }
    const bool hasPort = text.find(':') != std::string_view::npos && text.find(':') == text.rfind(':');
    return policy::parseIp(hasPort ? text.substr(0, text.find(':')) : text);
}

policy::Decision refused(std::string rule, std::string reason)
{
    policy::Decision decision;
    decision.ruleText = std::move(rule);
    decision.reason = std::move(reason);
    return decision;
}

} // namespace

void OpenConnection::amend(ConnectionEvent& event) const
{
    if (m_isCut) {
        event.verdict = "denied";
        event.rule = m_rule;
        event.reason = "Closed while it was open, because the rules changed: " + m_reason;
    }
}

policy::Decision OpenConnection::judge(const policy::PolicyIndex& policy, UtcTime now)
{
    policy::Decision decision = policy.decide(m_grant.destination, now);
    if (decision.verdict != policy::Verdict::Allow) {
        const bool byModeAlone = decision.ruleId.empty() && policy.set().mode == policy::Mode::Balanced;
        if (m_grant.once && now >= *m_grant.once && byModeAlone && decision.ruleText.starts_with("mode ")) {
            decision.verdict = policy::Verdict::Allow;
            return decision;
        }
        return decision;
    }
    if (m_grant.as == Grant::As::RawStream && !m_grant.byUser && !policy.allowsRawStream(m_grant.destination, now)) {
        return refused("raw TCP", "No rule with a port allows " + m_grant.destination.host + " any more.");
    }
    if (m_grant.as == Grant::As::Bypass && !policy.isBypassed(m_grant.destination, now)) {
        return refused("inspection", m_grant.destination.host + " is no longer one of the hosts that are not inspected.");
    }
    if (m_grant.as == Grant::As::Request && m_grant.isTls && m_grant.destination.isLiteral && decision.ruleId.empty()) {
        return refused("bare address", "TLS to a bare address needs a rule that names the address.");
    }
    // Whether an address may be connected to at all the dialler judged, who knows about upstream proxies too. What it was judged by
    // may go again.
    const auto address = addressOf(m_grant.address);
    policy::Decision atAddress = address ? policy.checkAddress(m_grant.destination, *address, now) : decision;
    const bool isPlainNo = atAddress.verdict != policy::Verdict::Allow && atAddress.ruleId.empty();
    if (!m_addressWasJudged) {
        m_addressWasJudged = true;
        m_isAddressOpen = !isPlainNo;
    }
    return isPlainNo && !m_isAddressOpen ? decision : atAddress;
}

bool OpenConnection::review(const policy::PolicyIndex& policy, UtcTime now)
{
    if (m_isCut) {
        return false;
    }
    policy::Decision decision = judge(policy, now);
    if (decision.verdict == policy::Verdict::Allow) {
        return false;
    }
    m_isCut = true;
    m_rule = std::move(decision.ruleText);
    m_reason = std::move(decision.reason);
    m_cut();
    return true;
}

std::shared_ptr<OpenConnection> OpenConnections::add(Grant grant, const policy::PolicyIndex& policy, UtcTime now,
                                                     std::function<void()> cut)
{
    std::erase_if(m_all, [](const std::weak_ptr<OpenConnection>& other) { return other.expired(); });
    auto connection = std::make_shared<OpenConnection>(std::move(grant), std::move(cut));
    m_all.push_back(connection);
    connection->review(policy, now);
    return connection;
}

std::size_t OpenConnections::review(const policy::PolicyIndex& policy, UtcTime now)
{
    std::size_t cut = 0;
    // What a cut ends may take others with it, so they are held meanwhile.
    std::vector<std::shared_ptr<OpenConnection>> all;
    for (const std::weak_ptr<OpenConnection>& one : m_all) {
        if (auto connection = one.lock()) {
            all.push_back(std::move(connection));
        }
    }
    for (const auto& connection : all) {
        cut += connection->review(policy, now) ? 1 : 0;
    }
    return cut;
}

} // namespace coldframe::proxy
