// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy_index.h"
#include "proxy/engine_protocol.h"

#include <functional>
#include <list>
#include <memory>
#include <string>

namespace coldframe::proxy {

/// What an open connection was allowed for.
struct Grant
{
    enum class As { Request, RawStream, Bypass };
    As as = As::Request;
    policy::Destination destination; ///< a request's with its method and path
    std::string address;             ///< what it is connected to, as the dialler says: "192.0.2.1:443"; may be empty
    bool isTls = false;
    bool byUser = false; ///< the user said yes to this very connection, so a raw stream needs no rule with a port
    /// Allowed by an answer for once, whose rule ends by itself at this time: what it opened may then stay open.
    std::optional<UtcTime> once;
};

/// One connection to a server while bytes go over it. Held by whoever serves it; gone means closed.
class OpenConnection
{
public:
    OpenConnection(Grant grant, std::function<void()> cut) : m_grant(std::move(grant)), m_cut(std::move(cut)) {}
    bool isCut() const { return m_isCut; }
    /// The log's line of a connection that was cut says so.
    void amend(ConnectionEvent& event) const;
    /// Cuts it when the policy does not let it stand any more. True when that was now.
    bool review(const policy::PolicyIndex& policy, UtcTime now);

private:
    policy::Decision judge(const policy::PolicyIndex& policy, UtcTime now);

    Grant m_grant;
    std::function<void()> m_cut;
    bool m_isCut = false;
    bool m_addressWasJudged = false;
    bool m_isAddressOpen = false; ///< a public one, or one that a rule opened
    std::string m_rule;
    std::string m_reason;
};

/// All open connections to servers, so that a rule that denies them ends them. One thread.
class OpenConnections
{
public:
    /// Judged at once, since the policy may have changed while it was being made. `cut` ends it; it may be called from here.
    std::shared_ptr<OpenConnection> add(Grant grant, const policy::PolicyIndex& policy, UtcTime now, std::function<void()> cut);
    /// How many were cut.
    std::size_t review(const policy::PolicyIndex& policy, UtcTime now);

private:
    std::list<std::weak_ptr<OpenConnection>> m_all;
};

} // namespace coldframe::proxy
