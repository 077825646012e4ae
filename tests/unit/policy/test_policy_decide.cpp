// SPDX-License-Identifier: Apache-2.0
#include "policy/policy.h"

#include <QtTest>

using namespace coldframe;
using namespace coldframe::policy;

namespace {

Rule rule(Action action, const char* pattern, const char* method = "", const char* path = "")
{
    Rule result;
    result.id = std::string("id-") + pattern;
    result.action = action;
    result.pattern = pattern;
    result.method = method;
    result.path = path;
    result.origin = "user";
    return result;
}

PolicySet policyOf(Mode mode, std::vector<Rule> rules, bool canAsk = false)
{
    PolicySet policy;
    policy.mode = mode;
    policy.canAsk = canAsk;
    policy.rules = std::move(rules);
    return policy;
}

Destination to(const char* host, std::uint16_t port = 443, const char* method = "", const char* path = "")
{
    return {host, port, false, method, path};
}

const UtcTime kNow = UtcTime(std::chrono::hours(24 * 365 * 50));

Verdict verdict(const PolicySet& policy, const Destination& destination)
{
    return decide(policy, destination, kNow).verdict;
}

} // namespace

class TestPolicyDecide : public QObject
{
    Q_OBJECT

private slots:
    void modesDecideTheUnknown()
    {
        QCOMPARE(verdict(policyOf(Mode::Open, {}), to("example.com")), Verdict::Allow);
        QCOMPARE(verdict(policyOf(Mode::Locked, {}), to("example.com")), Verdict::Deny);
        QCOMPARE(verdict(policyOf(Mode::Balanced, {}), to("example.com")), Verdict::Deny);
        QCOMPARE(verdict(policyOf(Mode::Balanced, {}, true), to("example.com")), Verdict::Ask);
        QCOMPARE(verdict(policyOf(Mode::Locked, {}, true), to("example.com")), Verdict::Deny);
    }

    void denyWinsWhateverTheSpecificityAndOrder()
    {
        const Rule exact = rule(Action::Allow, "api.example.com:443");
        const Rule broad = rule(Action::Deny, "all");
        QCOMPARE(verdict(policyOf(Mode::Open, {exact, broad}), to("api.example.com")), Verdict::Deny);
        QCOMPARE(verdict(policyOf(Mode::Open, {broad, exact}), to("api.example.com")), Verdict::Deny);
        const Decision decision = decide(policyOf(Mode::Open, {exact, broad}), to("api.example.com"), kNow);
        QCOMPARE(decision.ruleId, std::string("id-all"));
        QCOMPARE(decision.ruleText, std::string("deny all (user)"));
    }

    void wildcardMeansSubDomainsNotTheApex()
    {
        const PolicySet policy = policyOf(Mode::Locked, {rule(Action::Allow, "*.example.com")});
        QCOMPARE(verdict(policy, to("a.example.com")), Verdict::Allow);
        QCOMPARE(verdict(policy, to("a.b.example.com")), Verdict::Allow);
        QCOMPARE(verdict(policy, to("example.com")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("evilexample.com")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("a.example.com.evil.net")), Verdict::Deny);
    }

    void spellingOfTheHostDoesNotMatter()
    {
        const PolicySet policy = policyOf(Mode::Open, {rule(Action::Deny, "example.com")});
        QCOMPARE(verdict(policy, to("EXAMPLE.com.")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("other.com")), Verdict::Allow); // control
    }

    void portsAreRespected()
    {
        const PolicySet policy = policyOf(Mode::Locked, {rule(Action::Allow, "example.com:22")});
        QCOMPARE(verdict(policy, to("example.com", 22)), Verdict::Allow);
        QCOMPARE(verdict(policy, to("example.com", 443)), Verdict::Deny);
        QCOMPARE(verdict(policyOf(Mode::Open, {}), to("example.com", 0)), Verdict::Deny);
        const PolicySet anyHost = policyOf(Mode::Locked, {rule(Action::Allow, "all:443")});
        QCOMPARE(verdict(anyHost, to("example.com", 443)), Verdict::Allow);
        QCOMPARE(verdict(anyHost, to("example.com", 80)), Verdict::Deny);
    }

    void malformedHostsAreRefusedEvenWhenOpen()
    {
        const PolicySet open = policyOf(Mode::Open, {rule(Action::Allow, "all")});
        for (const char* host : {"", "127.1", "0x7f.1", "a..b", "user@example.com", "fe80::1%eth0"}) {
            const Decision decision = decide(open, to(host), kNow);
            QVERIFY2(decision.verdict == Verdict::Deny, host);
            QVERIFY(!decision.reason.empty());
        }
    }

    void expiredRulesDoNotCount()
    {
        Rule allow = rule(Action::Allow, "example.com");
        allow.expiry = kNow + std::chrono::seconds(1);
        const PolicySet policy = policyOf(Mode::Locked, {allow});
        QCOMPARE(decide(policy, to("example.com"), kNow).verdict, Verdict::Allow);
        QCOMPARE(decide(policy, to("example.com"), *allow.expiry).verdict, Verdict::Deny);
        Rule deny = rule(Action::Deny, "example.com");
        deny.expiry = kNow;
        QCOMPARE(verdict(policyOf(Mode::Open, {deny}), to("example.com")), Verdict::Allow);
    }

    void organisationOnlyTightens()
    {
        Rule allow = rule(Action::Allow, "example.com");
        allow.scope = Scope::Organisation;
        QCOMPARE(verdict(policyOf(Mode::Locked, {allow}), to("example.com")), Verdict::Deny);
        Rule deny = rule(Action::Deny, "example.com");
        deny.scope = Scope::Organisation;
        QCOMPARE(verdict(policyOf(Mode::Open, {deny, rule(Action::Allow, "example.com")}), to("example.com")), Verdict::Deny);
    }

    void requestRulesWaitForTheRequest()
    {
        const PolicySet policy =
            policyOf(Mode::Locked, {rule(Action::Allow, "api.example.com", "GET,HEAD", "/v1/**")});
        const Decision atConnect = decide(policy, to("api.example.com"), kNow);
        QCOMPARE(atConnect.verdict, Verdict::Allow);
        QVERIFY(atConnect.needsRequest);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/v1/x?y")), Verdict::Allow);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "POST", "/v1/x")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GE", "/v1/x")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/v1/../admin")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/v1/%2e%2e/admin")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/v1/..%2fadmin")), Verdict::Deny);
        QVERIFY(!decide(policy, to("api.example.com", 443, "GET", "/v1/x"), kNow).needsRequest);
        QCOMPARE(verdict(policy, to("other.example.com")), Verdict::Deny);
    }

    void requestDenyBlocksOnlyThatRequest()
    {
        const PolicySet policy = policyOf(Mode::Open, {rule(Action::Deny, "api.example.com", "", "/admin/**")});
        const Decision atConnect = decide(policy, to("api.example.com"), kNow);
        QCOMPARE(atConnect.verdict, Verdict::Allow);
        QVERIFY(atConnect.needsRequest);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/x")), Verdict::Allow);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/admin/keys")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/x/../admin/keys")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/%61dmin/keys")), Verdict::Deny);
        QCOMPARE(verdict(policy, to("api.example.com", 443, "GET", "/admin%2fkeys")), Verdict::Deny);
        QVERIFY(!decide(policy, to("other.example.com"), kNow).needsRequest);
    }

    void reasonTellsAnAgentToAsk()
    {
        const Decision byMode = decide(policyOf(Mode::Locked, {}), to("example.com"), kNow);
        const Decision byRule = decide(policyOf(Mode::Open, {rule(Action::Deny, "example.com")}), to("example.com"), kNow);
        const Decision byAddress = decide(policyOf(Mode::Open, {}), to("10.0.0.1"), kNow);
        const Decision unknown = decide(policyOf(Mode::Balanced, {}), to("example.com"), kNow);
        for (const Decision& decision : {byMode, byRule, byAddress, unknown}) {
            QCOMPARE(decision.verdict, Verdict::Deny);
            QVERIFY2(decision.reason.find("ask the user") != std::string::npos, decision.reason.c_str());
            QVERIFY2(decision.reason.find("retrying does not help") != std::string::npos, decision.reason.c_str());
            QVERIFY(!decision.ruleText.empty());
        }
        QVERIFY(byRule.reason.find("example.com:443") != std::string::npos);
        QVERIFY(byRule.reason.find("deny example.com (user)") != std::string::npos);
        QCOMPARE(byMode.ruleText, std::string("mode locked"));
        QVERIFY(byMode.ruleId.empty());
    }

    void flagsChooseModeAndRules_data()
    {
        QTest::addColumn<QStringList>("allow");
        QTest::addColumn<QStringList>("deny");
        QTest::addColumn<QString>("policy");
        QTest::addColumn<QString>("mode"); // empty = refused
        QTest::addColumn<int>("rules");
        QTest::newRow("none") << QStringList() << QStringList() << "" << "balanced" << 0;
        QTest::newRow("allow") << QStringList{"a.com"} << QStringList() << "" << "locked" << 1;
        QTest::newRow("deny") << QStringList() << QStringList{"a.com"} << "" << "open" << 1;
        QTest::newRow("both") << QStringList{"a.com"} << QStringList{"b.com"} << "" << "locked" << 2;
        QTest::newRow("policy allow") << QStringList() << QStringList{"b.com"} << "allow" << "open" << 1;
        QTest::newRow("policy deny") << QStringList() << QStringList() << "deny" << "locked" << 0;
        QTest::newRow("policy balanced") << QStringList{"a.com"} << QStringList() << "balanced" << "balanced" << 1;
        QTest::newRow("star") << QStringList{"*"} << QStringList() << "" << "locked" << 1;
        QTest::newRow("comma list") << QStringList{"a.com,*.b.com:443"} << QStringList() << "" << "locked" << 2;
        QTest::newRow("bad pattern") << QStringList{"a com"} << QStringList() << "" << "" << 0;
        QTest::newRow("empty entry") << QStringList{"a.com,"} << QStringList() << "" << "" << 0;
        QTest::newRow("bad policy") << QStringList() << QStringList() << "maybe" << "" << 0;
    }

    void flagsChooseModeAndRules()
    {
        QFETCH(QStringList, allow);
        QFETCH(QStringList, deny);
        QFETCH(QString, policy);
        QFETCH(QString, mode);
        QFETCH(int, rules);
        PolicyFlags flags;
        for (const QString& text : allow) {
            flags.allow.push_back(text.toStdString());
        }
        for (const QString& text : deny) {
            flags.deny.push_back(text.toStdString());
        }
        flags.policy = policy.toStdString();
        const auto result = fromFlags(flags);
        QCOMPARE(result.has_value(), !mode.isEmpty());
        if (result) {
            QCOMPARE(modeName(result->mode), std::string_view(mode.toStdString()));
            QCOMPARE(static_cast<int>(result->rules.size()), rules);
            for (const Rule& made : result->rules) {
                QCOMPARE(made.origin, std::string("flag"));
                QVERIFY(made.scope == Scope::Sandbox);
                QVERIFY(!made.id.empty());
            }
        }
    }
};

QTEST_APPLESS_MAIN(TestPolicyDecide)
#include "test_policy_decide.moc"
