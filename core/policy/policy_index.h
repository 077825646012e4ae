// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/policy.h"

#include <bitset>
#include <functional>
#include <memory>
#include <unordered_map>

namespace coldframe::policy {

/// A policy made ready for many decisions: built once, it decides as decide() and checkAddress() do, word for word, but looks only
/// at the rules that can speak about a destination, so that ten thousand rules cost what ten do. Immutable; any thread.
class PolicyIndex
{
public:
    explicit PolicyIndex(PolicySet policy);
    ~PolicyIndex();
    PolicyIndex(const PolicyIndex&) = delete; // it points into its own rules
    PolicyIndex& operator=(const PolicyIndex&) = delete;

    const PolicySet& set() const { return m_set; }

    Decision decide(const Destination& asked, UtcTime now) const;
    Decision checkAddress(const Destination& destination, const IpAddress& address, UtcTime now) const;

    /// Whether a rule with an explicit port lets this destination out whatever is spoken there, which is what raw TCP needs. A raw
    /// stream has no method or path: an allow rule with one does not open it, and a deny rule with one is not evaded by it.
    bool allowsRawStream(const Destination& asked, UtcTime now) const;
    /// Whether the destination is one of those tunnelled uninspected. Rules with a method or path can only be kept where requests
    /// are seen: a deny rule of that kind counts without its condition.
    bool isBypassed(const Destination& asked, UtcTime now) const;

    const HostMapping* mappingFor(const Destination& destination) const; ///< the host normalised
    /// When the next rule expires after `now`: the moment at which decisions change without a new policy.
    std::optional<UtcTime> nextExpiry(UtcTime now) const;

private:
    /// What the rules are looked at for.
    enum class Lens { Requests, RawStream, Uninspected };
    using Numbers = std::vector<std::uint32_t>; ///< of rules, ascending
    struct Found
    {
        const Rule* denying = nullptr;
        const Rule* allowing = nullptr;
        bool isSure = false;
        bool needsRequest = false;
    };
    struct NetworkRule
    {
        std::uint32_t number = 0;
        std::uint16_t port = 0; ///< 0: any
    };
    struct AddressHash
    {
        std::size_t operator()(const IpAddress& address) const;
    };
    /// All networks of one length.
    struct Networks
    {
        unsigned prefixLength = 0;
        std::unordered_map<IpAddress, std::vector<NetworkRule>, AddressHash> rules;
    };

    void addRule(std::uint32_t number);
    bool isLeftOut(std::uint32_t number, Lens lens) const;
    Decision decideAs(Lens lens, const Destination& asked, UtcTime now) const;
    void look(Found& found, std::uint32_t number, Lens lens, const Destination& destination,
              const std::optional<std::string>& path, UtcTime now) const;
    const Rule* exemptingRule(Lens lens, const Destination& destination, const IpAddress& address, unsigned exemptPrefix,
                              UtcTime now) const;
    template <typename Visit> void visitPattern(std::string_view star, std::string_view name, std::uint16_t port, Visit visit) const;
    template <typename Visit> void visitNames(const Destination& destination, Visit visit) const;
    template <typename Visit> void visitNetworks(const IpAddress& address, std::uint16_t port, Visit visit) const;

    PolicySet m_set;
    std::vector<bool> m_hasPort; ///< by rule
    /// By pattern, which is in normal form: looking a name up is writing down the few patterns that could speak about it.
    std::unordered_map<std::string_view, Numbers> m_byPattern;
    std::bitset<256> m_suffixLengths; ///< those that a "*." pattern has
    std::vector<Networks> m_networks;
    std::unordered_map<std::string_view, Numbers> m_mappings;
    std::vector<UtcTime> m_expiries; ///< ascending
    std::unique_ptr<PolicyIndex> m_bypass; ///< null: nothing is tunnelled uninspected
};

} // namespace coldframe::policy
