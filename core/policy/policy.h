// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::policy {

enum class Action { Allow, Deny };
enum class Mode { Open, Balanced, Locked };
enum class Scope { Organisation, Global, Sandbox, Session };

/// One rule. `pattern` is "host", "*.domain" (any sub-domain, not the apex), an IP or CIDR, or "all"; with
/// an optional ":port". Hosts are lower-case A-labels without a trailing dot after parsing.
struct Rule
{
    std::string id;      ///< short random hex, unique in its store
    Action action = Action::Deny;
    std::string pattern; ///< as normalised by parsePattern
    std::string method;  ///< upper case; empty = any
    std::string path;    ///< glob with * and **; empty = any
    Scope scope = Scope::Sandbox;
    std::string origin;  ///< "user", "flag", "preset:<name>", "agent:<name>", "notification", "organisation"
    std::string note;
    std::optional<UtcTime> expiry;
};

/// name → address:port, a setting of the user alone; skips the address check for exactly that pair.
struct HostMapping
{
    std::string name;
    std::string address; ///< IPv4 or IPv6 literal
    std::uint16_t port = 0;       ///< the port asked for; 0 = any
    std::uint16_t targetPort = 0; ///< 0 = the port asked for
};

/// Everything a decision depends on; handed whole to proxy and dialler as JSON.
struct PolicySet
{
    std::uint64_t version = 0;
    Mode mode = Mode::Balanced;
    bool canAsk = false;
    std::vector<Rule> rules;              ///< presets already expanded into rules
    std::vector<HostMapping> hostMappings;
    std::vector<std::string> bypassHosts; ///< patterns tunnelled uninspected, without keys
};

struct Destination
{
    std::string host;         ///< normalised name, or an IP literal without brackets
    std::uint16_t port = 443;
    bool isLiteral = false;
    std::string method;       ///< empty before the request is known
    std::string path;
};

enum class Verdict { Allow, Deny, Ask };

struct Decision
{
    Verdict verdict = Verdict::Deny;
    std::string ruleId;      ///< empty when the mode decided
    std::string ruleText;    ///< "deny *.example.com (flag)" or "mode locked"
    std::string reason;      ///< one sentence for people and agents
    bool addressExempt = false; ///< host mapping or explicit CIDR/localhost rule: the address check is skipped
    /// Rules with a method or path speak about this host and the request is not known yet: the connection may
    /// open, but it must be HTTP and each request has to be decided again. Never tunnel it uninspected.
    bool needsRequest = false;
    /// Allowed by the answer to a question, for once: its rule ends then, but not what it opened.
    std::optional<UtcTime> onceUntil;
};

/// The origin of rules that an answer to a question made. With an expiry: for once.
inline constexpr std::string_view kAnswerOrigin = "answer";

/// Normalises a host: lower case, one trailing dot removed, IDNA A-labels required, length limits of RFC 1035;
/// odd IPv4 spellings (octal, hex, short), zone ids, userinfo, empty labels are InvalidArgument.
Result<std::string> normaliseHost(std::string_view host);
/// Validates and normalises a rule pattern; the error names the pattern and shows an example.
Result<std::string> parsePattern(std::string_view pattern);

/// Deny wins over allow whatever the specificity, then allow, then the mode. Expired rules do not count; an
/// allow of Scope::Organisation grants nothing (an organisation only tightens). Patterns must be as parsePattern
/// makes them (policyFromJson and fromFlags do). The path's query is not looked at; a path that can be read in two ways
/// (encoded slash, bad escape) matches every deny and no allow that names a path. Pure.
Decision decide(const PolicySet& policy, const Destination& destination, UtcTime now);

using IpAddress = std::array<std::uint8_t, 16>; ///< IPv4 as ::ffff:a.b.c.d
Result<IpAddress> parseIp(std::string_view text);
std::string formatIp(const IpAddress& address);

/// After resolution: private, loopback, link-local, metadata, CGNAT, multicast, reserved, ULA and every IPv4
/// embedded in IPv6 (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) are denied unless an explicit CIDR or
/// localhost:PORT rule (for literals and host.docker.internal) or a host mapping exempts them; explicit deny
/// CIDRs are applied to the resolved address (and to an IPv4 embedded in it) too. A CIDR exempts only when it lies
/// within the special range, so 0.0.0.0/0 does not open private addresses; a metadata address must be named
/// itself. NAT64 of a public IPv4 (RFC 6052) passes; documentation ranges are not special. Pure.
Decision checkAddress(const PolicySet& policy, const Destination& destination, const IpAddress& address, UtcTime now);

/// Every rule in force that speaks about this destination, whatever it says and whatever decides in the end: to explain a decision.
/// One with a method or path counts as long as the request is not known.
std::vector<Rule> rulesAbout(const PolicySet& policy, const Destination& destination, UtcTime now);

/// --network-allow, --network-deny, --policy as in DESIGN §7 → mode and rules (scope Sandbox, origin "flag").
struct PolicyFlags
{
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::string policy; ///< "", "allow", "deny", "open", "balanced", "locked"
};
struct ModeAndRules
{
    Mode mode;
    std::vector<Rule> rules;
};
Result<ModeAndRules> fromFlags(const PolicyFlags& flags);

std::string toJson(const PolicySet& policy);
Result<PolicySet> policyFromJson(std::string_view json);
std::string_view modeName(Mode mode);       ///< "open" "balanced" "locked"
Result<Mode> modeFromName(std::string_view name);
std::string_view scopeName(Scope scope);
std::string_view actionName(Action action); ///< "allow" "deny"

} // namespace coldframe::policy
