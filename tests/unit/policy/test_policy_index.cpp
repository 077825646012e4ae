// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_index.h"

#include <QtTest>
#include <algorithm>
#include <random>

using namespace coldframe;
using namespace coldframe::policy;

namespace {

const UtcTime kNow = UtcTime(std::chrono::hours(24 * 365 * 50));

/// Random policies of small vocabularies, so that rules speak about the same places and about nearly the same.
class Dice
{
public:
    explicit Dice(unsigned seed) : m_random(seed) {}

    std::size_t below(std::size_t count) { return m_random() % count; }
    bool once(std::size_t in) { return below(in) == 0; }
    template <std::size_t count> const char* oneOf(const char* const (&values)[count]) { return values[below(count)]; }

    std::string host()
    {
        static const char* const kHosts[] = {"example.com",      "api.example.com",  "a.b.example.com", "example.org",
                                             "notexample.com",   "com",              "localhost",       "host.docker.internal",
                                             "api.example.org",  "all",              "x.all",           "metadata.google.internal",
                                             "all.example.com",  "deep.er.a.b.c.d.example.com"};
        return oneOf(kHosts);
    }
    std::string literal()
    {
        static const char* const kLiterals[] = {"10.1.2.3",  "10.1.2.4",        "192.168.0.1",     "127.0.0.1", "127.9.9.9",
                                                "8.8.8.8",   "169.254.169.254", "::1",             "fe80::1",   "2001:db8::1",
                                                "fd00::5",   "64:ff9b::a01:203", "64:ff9b::808:808", "2002:a01:203::1",
                                                "::ffff:10.1.2.3", "0.0.0.0", "2001:4860:4860::8888"};
        return oneOf(kLiterals);
    }
    std::string port()
    {
        static const char* const kPorts[] = {"", "", "", ":443", ":80", ":22", ":8080"};
        return oneOf(kPorts);
    }
    std::string pattern()
    {
        static const char* const kNetworks[] = {"10.0.0.0/8",  "10.1.2.3",  "10.1.2.0/24", "192.168.0.0/16", "127.0.0.0/8", "0.0.0.0/0",
                                                "8.8.8.0/24",  "127.0.0.1", "169.254.169.254"};
        static const char* const kNetworks6[] = {"::/0", "::1", "fe80::/10", "fd00::/8", "2001:db8::/32", "64:ff9b::/96", "2002::/16"};
        std::string text;
        switch (below(6)) {
        case 0:
            text = once(3) ? "all" + port() : host();
            break;
        case 1:
            text = "*." + host() + port();
            break;
        case 2:
            text = oneOf(kNetworks) + port();
            break;
        case 3: {
            const std::string networkPort = port();
            text = networkPort.empty() ? oneOf(kNetworks6) : "[" + std::string(oneOf(kNetworks6)) + "]" + networkPort;
            break;
        }
        default:
            text = host() + port();
        }
        const auto normal = parsePattern(text);
        if (!normal) {
            qFatal("%s: %s", text.c_str(), normal.error().message.c_str());
        }
        return *normal;
    }
    Rule rule(std::size_t number)
    {
        static const char* const kMethods[] = {"GET", "POST", "GET,HEAD", "PUT,POST,PATCH"};
        static const char* const kPaths[] = {"/**", "/v1/**", "/v1/*/x", "/a"};
        static const char* const kOrigins[] = {"", "user", "flag", "preset:x", "answer"};
        Rule rule;
        rule.id = std::to_string(number);
        rule.action = once(3) ? Action::Deny : Action::Allow;
        rule.pattern = pattern();
        rule.method = once(5) ? oneOf(kMethods) : "";
        rule.path = once(5) ? oneOf(kPaths) : "";
        rule.origin = oneOf(kOrigins);
        rule.scope = static_cast<Scope>(below(4));
        if (once(4)) {
            rule.expiry = kNow + std::chrono::seconds(static_cast<int>(below(3)) - 1);
        }
        return rule;
    }
    PolicySet policy()
    {
        PolicySet set;
        set.mode = static_cast<Mode>(below(3));
        set.canAsk = once(2);
        const std::size_t rules = below(12);
        for (std::size_t i = 0; i < rules; ++i) {
            set.rules.push_back(rule(i));
        }
        for (std::size_t i = below(8) < 2 ? below(3) : 0; i > 0; --i) {
            set.hostMappings.push_back({host(), literal(), static_cast<std::uint16_t>(once(2) ? 443 : 0), 0});
        }
        for (std::size_t i = below(3); i > 0; --i) {
            set.bypassHosts.push_back(pattern());
        }
        return set;
    }
    Destination destination()
    {
        static const std::uint16_t kPorts[] = {443, 443, 80, 22, 8080, 1};
        static const char* const kMethods[] = {"", "", "GET", "POST", "HEAD", "PUT"};
        static const char* const kPaths[] = {"", "/", "/v1/m/x", "/v1/../a", "/v1%2fx", "/a?q", "/a%00"};
        static const char* const kOdd[] = {"EXAMPLE.com.", "127.1", "0x7f000001", "", "user@example.com", "[::1]", "a..b"};
        Destination to;
        to.host = once(20) ? oneOf(kOdd) : once(3) ? literal() : host();
        to.port = once(50) ? std::uint16_t(0) : kPorts[below(6)];
        to.isLiteral = once(2);
        to.method = oneOf(kMethods);
        to.path = to.method.empty() ? "" : oneOf(kPaths);
        return to;
    }

private:
    std::mt19937 m_random;
};

bool same(const Decision& a, const Decision& b)
{
    return a.verdict == b.verdict && a.ruleId == b.ruleId && a.ruleText == b.ruleText && a.reason == b.reason
           && a.addressExempt == b.addressExempt && a.needsRequest == b.needsRequest && a.onceUntil == b.onceUntil;
}

/// A pattern with a port cannot take another one.
bool endsInPort(const std::string& pattern)
{
    const bool isV6 = pattern.find(':') != pattern.rfind(':');
    return isV6 ? pattern.front() == '[' && pattern.back() != ']' : pattern.find(':') != std::string::npos;
}

/// What the rules mean for a stream whose requests are not seen, said with decide() and nothing else.
PolicySet withoutConditions(PolicySet set, bool needsPort)
{
    std::erase_if(set.rules, [needsPort](const Rule& rule) {
        return rule.action == Action::Allow && ((needsPort && !endsInPort(rule.pattern)) || !rule.method.empty() || !rule.path.empty());
    });
    for (Rule& rule : set.rules) {
        rule.method.clear();
        rule.path.clear();
    }
    return set;
}

bool rawByList(PolicySet set, const Destination& destination)
{
    PolicySet strict = withoutConditions(std::move(set), true);
    strict.mode = Mode::Locked;
    return decide(strict, destination, kNow).verdict == Verdict::Allow;
}

bool bypassedByList(const PolicySet& set, const Destination& destination)
{
    PolicySet listed;
    listed.mode = Mode::Locked;
    for (const std::string& pattern : set.bypassHosts) {
        Rule rule;
        rule.action = Action::Allow;
        rule.pattern = pattern;
        listed.rules.push_back(rule);
    }
    return decide(listed, destination, kNow).verdict == Verdict::Allow
           && decide(withoutConditions(set, false), destination, kNow).verdict != Verdict::Deny;
}

} // namespace

class TestPolicyIndex : public QObject
{
    Q_OBJECT

private slots:
    void decidesAsTheListDoes()
    {
        Dice dice(20261121);
        int verdicts[3] = {};
        int byRule = 0;
        int raw = 0;
        int bypassed = 0;
        int exempt = 0;
        for (int round = 0; round < 3000; ++round) {
            const PolicySet set = dice.policy();
            const PolicyIndex index(set);
            for (int i = 0; i < 8; ++i) {
                const Destination to = dice.destination();
                const Decision expected = decide(set, to, kNow);
                const Decision got = index.decide(to, kNow);
                const auto address = parseIp(dice.literal());
                QVERIFY(address.has_value());
                const bool isSame = same(expected, got) && same(checkAddress(set, to, *address, kNow), index.checkAddress(to, *address, kNow))
                                    && rawByList(set, to) == index.allowsRawStream(to, kNow)
                                    && bypassedByList(set, to) == index.isBypassed(to, kNow);
                if (!isSame) {
                    QFAIL((toJson(set) + "\n" + to.host + " " + to.method + to.path + "\n" + expected.ruleText + ": " + expected.reason + "\n"
                           + got.ruleText + ": " + got.reason).c_str());
                }
                ++verdicts[static_cast<int>(expected.verdict)];
                byRule += expected.ruleId.empty() ? 0 : 1;
                raw += index.allowsRawStream(to, kNow) ? 1 : 0;
                bypassed += index.isBypassed(to, kNow) ? 1 : 0;
                exempt += expected.addressExempt ? 1 : 0;
            }
        }
        // Otherwise nothing was compared.
        for (const int count : {verdicts[0], verdicts[1], verdicts[2], byRule, raw, bypassed, exempt}) {
            QVERIFY2(count > 200, QByteArray::number(count));
        }
    }

    void tellsWhenADecisionChangesByItself()
    {
        PolicySet set;
        set.mode = Mode::Locked;
        for (const int seconds : {90, 30, 60}) {
            Rule rule;
            rule.action = Action::Allow;
            rule.pattern = "host" + std::to_string(seconds) + ".example.com";
            rule.expiry = kNow + std::chrono::seconds(seconds);
            set.rules.push_back(rule);
        }
        const PolicyIndex index(set);
        Destination to;
        to.host = "host60.example.com";
        QVERIFY(index.decide(to, kNow).verdict == Verdict::Allow);
        QVERIFY(index.nextExpiry(kNow) == kNow + std::chrono::seconds(30));
        const auto second = index.nextExpiry(kNow + std::chrono::seconds(30));
        QVERIFY(second == kNow + std::chrono::seconds(60));
        QVERIFY(index.decide(to, *second).verdict == Verdict::Deny);
        QVERIFY(!index.nextExpiry(kNow + std::chrono::seconds(90)));
        QVERIFY(!PolicyIndex(PolicySet{}).nextExpiry(kNow));
    }

    void manyRulesForOneHostAreTold()
    {
        PolicySet set;
        set.mode = Mode::Locked;
        for (int i = 1; i <= 5000; ++i) {
            Rule rule;
            rule.id = std::to_string(i);
            rule.action = Action::Allow;
            rule.pattern = "db.example.com:" + std::to_string(i);
            set.rules.push_back(rule);
        }
        const PolicyIndex index(set);
        Destination to;
        to.host = "db.example.com";
        to.port = 4711;
        QCOMPARE(index.decide(to, kNow).ruleId, std::string("4711"));
        to.port = 5001;
        QVERIFY(index.decide(to, kNow).verdict == Verdict::Deny);
    }
};

QTEST_GUILESS_MAIN(TestPolicyIndex)
#include "test_policy_index.moc"
