// SPDX-License-Identifier: Apache-2.0
#include "engine/learning.h"

#include "policy/policy_index.h"
#include "policy/rule_match.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kMostSuggestions = 50;
constexpr std::size_t kMostHostsShown = 5;
constexpr std::size_t kLongestText = 300;

std::int64_t secondsOf(UtcTime time)
{
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

UtcTime timeOf(const json& seconds)
{
    constexpr std::int64_t kFar = std::int64_t{1} << 32; // the year 2106; system_clock counts nanoseconds, and would overflow far beyond
    return UtcTime(std::chrono::seconds(seconds.is_number_integer() ? std::clamp<std::int64_t>(seconds.get<std::int64_t>(), 0, kFar) : 0));
}

json timesToJson(const std::map<std::string, UtcTime>& times)
{
    json stored = json::object();
    for (const auto& [name, when] : times) {
        stored[name] = secondsOf(when);
    }
    return stored;
}

std::map<std::string, UtcTime> timesFromJson(const json& stored, std::size_t most)
{
    std::map<std::string, UtcTime> times;
    if (stored.is_object()) {
        for (const auto& [name, when] : stored.items()) {
            if (times.size() < most && name.size() <= kLongestText) {
                times[name] = timeOf(when);
            }
        }
    }
    return times;
}

/// The oldest go first.
void keepNewest(std::map<std::string, UtcTime>& times, std::size_t most)
{
    while (times.size() > most) {
        times.erase(std::min_element(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
}

const char* kindName(Suggestion::Kind kind)
{
    switch (kind) {
    case Suggestion::Kind::AllowHost: return "allow";
    case Suggestion::Kind::AllowDomain: return "domain";
    case Suggestion::Kind::DenyHost: return "deny";
    case Suggestion::Kind::RemoveRule: return "remove";
    }
    return "";
}

/// A short name for it (FNV-1a): for a command line, not against an enemy.
std::string idOf(const Suggestion& suggestion)
{
    std::string text = std::string(kindName(suggestion.kind)) + '\n' + suggestion.sandbox + '\n' + suggestion.ruleId;
    for (const std::string& pattern : suggestion.patterns) {
        text += '\n' + pattern;
    }
    std::uint64_t hash = 14695981039346656037ull;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    }
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string id;
    for (int i = 0; i < 8; ++i) {
        id += kDigits[(hash >> (60 - 4 * i)) & 15];
    }
    return id;
}

std::string withPort(const std::string& host, std::uint16_t port)
{
    const bool isV6 = host.find(':') != std::string::npos;
    return (isV6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

using HostAndPort = std::pair<std::string, std::uint16_t>;

/// What was answered about one host and port.
struct About
{
    std::int64_t allowedForNow = 0;
    std::int64_t deniedForNow = 0;
    std::int64_t allowed = 0;
    std::int64_t denied = 0;
    bool deniedSinceAllowed = false;
    std::set<std::string> allowedIn; ///< sandboxes
    std::set<std::string> deniedIn;
};

std::map<HostAndPort, About> byHost(const Learned& learned, UtcTime now)
{
    std::map<HostAndPort, About> all;
    for (const GivenAnswer& answer : learned.answers) {
        if (answer.when + Learned::kRemembered < now) {
            continue;
        }
        About& about = all[{answer.host, answer.port}];
        (answer.allow ? about.allowed : about.denied) += 1;
        if (answer.allow && !answer.wholeDomain) {
            about.allowedForNow += answer.forNow ? 1 : 0;
        } else if (!answer.allow) {
            about.deniedForNow += answer.forNow ? 1 : 0;
            about.deniedSinceAllowed = about.deniedSinceAllowed || about.allowed > 0;
        }
        (answer.allow ? about.allowedIn : about.deniedIn).insert(answer.sandbox);
    }
    return all;
}

class Finder
{
public:
    Finder(const Learned& learned, const std::vector<LearnScope>& scopes, UtcTime now)
        : m_learned(learned), m_scopes(scopes), m_now(now), m_about(byHost(learned, now))
    {
    }

    std::vector<Suggestion> find()
    {
        findDomains();
        findHosts();
        findUnused();
        return std::move(m_found);
    }

private:
    /// The one sandbox that asked, or all. Nothing: the sandbox is no more.
    const LearnScope* scopeOf(const std::set<std::string>& sandboxes) const
    {
        const std::string wanted = sandboxes.size() == 1 ? *sandboxes.begin() : std::string();
        const auto found = std::find_if(m_scopes.begin(), m_scopes.end(), [&](const LearnScope& scope) { return scope.sandbox == wanted; });
        return found == m_scopes.end() ? nullptr : &*found;
    }

    /// Whether nothing lasting speaks about the place: what a rule, or an open or locked network, decides needs no suggestion.
    bool isOpenQuestion(const LearnScope& scope, const std::string& host, std::uint16_t port)
    {
        auto& index = m_indexes[scope.sandbox];
        if (!index) {
            policy::PolicySet asking = scope.lasting;
            asking.canAsk = true; // what would be asked about, were somebody there
            index = std::make_unique<policy::PolicyIndex>(std::move(asking));
        }
        policy::Destination destination;
        destination.host = host;
        destination.port = port;
        destination.isLiteral = policy::parseIp(host).has_value();
        return index->decide(destination, m_now).verdict == policy::Verdict::Ask;
    }

    void add(Suggestion suggestion)
    {
        suggestion.id = idOf(suggestion);
        const auto dismissed = m_learned.dismissed.find(suggestion.id);
        const bool isUnwanted = dismissed != m_learned.dismissed.end() && dismissed->second + Learned::kRemembered >= m_now;
        if (!isUnwanted && m_found.size() < kMostSuggestions) {
            m_found.push_back(std::move(suggestion));
        }
    }

    void findDomains()
    {
        struct Domain
        {
            std::vector<std::string> hosts;
            std::set<std::string> sandboxes;
            std::int64_t count = 0;
            bool isDenied = false;
        };
        std::map<HostAndPort, Domain> domains;
        for (const auto& [place, about] : m_about) {
            const std::string domain = registrableDomain(place.first);
            if (domain.empty()) {
                continue;
            }
            Domain& all = domains[{domain, place.second}];
            all.isDenied = all.isDenied || about.denied > 0;
            if (about.allowed > 0) {
                all.hosts.push_back(place.first);
                all.count += about.allowed;
                all.sandboxes.insert(about.allowedIn.begin(), about.allowedIn.end());
            }
        }
        for (const auto& [place, domain] : domains) {
            const LearnScope* scope = scopeOf(domain.sandboxes);
            if (domain.isDenied || domain.hosts.size() < static_cast<std::size_t>(kOften) || !scope
                || !isOpenQuestion(*scope, "any." + place.first, place.second)) {
                continue;
            }
            Suggestion suggestion;
            suggestion.kind = Suggestion::Kind::AllowDomain;
            suggestion.sandbox = scope->sandbox;
            suggestion.patterns = {withPort(place.first, place.second), "*." + withPort(place.first, place.second)};
            suggestion.count = domain.count;
            suggestion.hosts.assign(domain.hosts.begin(), domain.hosts.begin() + static_cast<std::ptrdiff_t>(std::min(domain.hosts.size(), kMostHostsShown)));
            m_domains.insert(place);
            add(std::move(suggestion));
        }
    }

    void findHosts()
    {
        for (const auto& [place, about] : m_about) {
            const bool isAllowed = about.allowedForNow >= kOften && !about.deniedSinceAllowed;
            const bool isDenied = about.deniedForNow >= kOften && about.allowed == 0;
            const LearnScope* scope = isAllowed ? scopeOf(about.allowedIn) : isDenied ? scopeOf(about.deniedIn) : nullptr;
            if (!scope || (isAllowed && m_domains.contains({registrableDomain(place.first), place.second}))
                || !isOpenQuestion(*scope, place.first, place.second)) {
                continue;
            }
            Suggestion suggestion;
            suggestion.kind = isAllowed ? Suggestion::Kind::AllowHost : Suggestion::Kind::DenyHost;
            suggestion.sandbox = scope->sandbox;
            suggestion.patterns = {withPort(place.first, place.second)};
            suggestion.count = isAllowed ? about.allowedForNow : about.deniedForNow;
            add(std::move(suggestion));
        }
    }

    void findUnused()
    {
        for (const LearnScope& scope : m_scopes) {
            for (const policy::Rule& rule : scope.usedRules ? scope.own : std::vector<policy::Rule>()) {
                const auto known = m_learned.knownSince.find(rule.id);
                const bool isOld = known != m_learned.knownSince.end() && known->second + kUnused <= m_now;
                if (rule.action != policy::Action::Allow || rule.expiry || !isOld || scope.usedRules->contains(policy::describe(rule))) {
                    continue;
                }
                Suggestion suggestion;
                suggestion.kind = Suggestion::Kind::RemoveRule;
                suggestion.sandbox = scope.sandbox;
                suggestion.patterns = {rule.pattern};
                suggestion.ruleId = rule.id;
                add(std::move(suggestion));
            }
        }
    }

    const Learned& m_learned;
    const std::vector<LearnScope>& m_scopes;
    UtcTime m_now;
    std::map<HostAndPort, About> m_about;
    std::map<std::string, std::unique_ptr<policy::PolicyIndex>> m_indexes; ///< by the scope's sandbox
    std::set<HostAndPort> m_domains; ///< suggested, or dismissed as a whole
    std::vector<Suggestion> m_found;
};

} // namespace

void Learned::bound(const std::set<std::string>& ruleIds, UtcTime now)
{
    std::erase_if(answers, [&](const GivenAnswer& answer) { return answer.when + kRemembered < now; });
    if (answers.size() > kMostAnswers) {
        answers.erase(answers.begin(), answers.end() - static_cast<std::ptrdiff_t>(kMostAnswers));
    }
    std::erase_if(dismissed, [&](const auto& one) { return one.second + kRemembered < now; });
    keepNewest(dismissed, kMostDismissed);
    std::erase_if(knownSince, [&](const auto& one) { return !ruleIds.contains(one.first); });
    for (const std::string& id : ruleIds) {
        if (knownSince.size() < kMostRules) {
            knownSince.emplace(id, now);
        }
    }
}

json toJson(const Learned& learned)
{
    json answers = json::array();
    for (const GivenAnswer& answer : learned.answers) {
        answers.push_back({{"when", secondsOf(answer.when)},
                           {"sandbox", answer.sandbox},
                           {"host", answer.host},
                           {"port", answer.port},
                           {"allow", answer.allow},
                           {"forNow", answer.forNow},
                           {"wholeDomain", answer.wholeDomain}});
    }
    return {{"version", 1}, {"answers", std::move(answers)}, {"dismissed", timesToJson(learned.dismissed)}, {"knownSince", timesToJson(learned.knownSince)}};
}

Learned learnedFromJson(const json& stored)
{
    Learned learned;
    if (!stored.is_object() || !stored.contains("version") || stored["version"] != 1) {
        return learned;
    }
    const auto text = [](const json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>().substr(0, kLongestText) : std::string();
    };
    const auto flag = [](const json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_boolean() && found->get<bool>();
    };
    const json none = json::array();
    const auto answers = stored.find("answers");
    for (const json& entry : answers != stored.end() && answers->is_array() ? *answers : none) {
        if (!entry.is_object() || learned.answers.size() >= Learned::kMostAnswers) {
            continue;
        }
        const auto host = policy::normaliseHost(text(entry, "host"));
        const auto port = entry.find("port");
        const bool hasPort = port != entry.end() && port->is_number_integer() && port->get<std::int64_t>() > 0 && port->get<std::int64_t>() < 65536;
        if (!host || !hasPort) {
            continue;
        }
        learned.answers.push_back({timeOf(entry.value("when", json())), text(entry, "sandbox"), *host, port->get<std::uint16_t>(), flag(entry, "allow"),
                                   flag(entry, "forNow"), flag(entry, "wholeDomain")});
    }
    learned.dismissed = timesFromJson(stored.value("dismissed", json()), Learned::kMostDismissed);
    learned.knownSince = timesFromJson(stored.value("knownSince", json()), Learned::kMostRules);
    return learned;
}

json toJson(const Suggestion& suggestion)
{
    return {{"id", suggestion.id},
            {"kind", kindName(suggestion.kind)},
            {"sandbox", suggestion.sandbox},
            {"patterns", suggestion.patterns},
            {"ruleId", suggestion.ruleId},
            {"count", suggestion.count},
            {"hosts", suggestion.hosts}};
}

std::vector<Suggestion> suggestionsFrom(const Learned& learned, const std::vector<LearnScope>& scopes, UtcTime now)
{
    return Finder(learned, scopes, now).find();
}

policy::PolicySet lastingPart(policy::PolicySet set)
{
    std::erase_if(set.rules, [](const policy::Rule& rule) { return rule.scope == policy::Scope::Session || rule.expiry.has_value(); });
    return set;
}

} // namespace coldframe::engine
