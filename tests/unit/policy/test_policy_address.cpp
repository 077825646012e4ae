// SPDX-License-Identifier: Apache-2.0
#include "policy/address_class.h"

#include <QtTest>

using namespace coldframe;
using namespace coldframe::policy;

namespace {

const UtcTime kNow = UtcTime(std::chrono::hours(24 * 365 * 50));

IpAddress ip(const char* text)
{
    const auto address = parseIp(text);
    if (!address) {
        qFatal("bad address in a test: %s", text);
    }
    return *address;
}

PolicySet policyOf(Mode mode, const std::vector<std::pair<Action, const char*>>& rules)
{
    PolicySet policy;
    policy.mode = mode;
    for (const auto& [action, pattern] : rules) {
        Rule rule;
        rule.id = pattern;
        rule.action = action;
        rule.pattern = pattern;
        policy.rules.push_back(rule);
    }
    return policy;
}

Destination to(const char* host, std::uint16_t port = 443)
{
    Destination destination;
    destination.host = host;
    destination.port = port;
    destination.isLiteral = parseIp(host).has_value();
    return destination;
}

bool passes(const PolicySet& policy, const Destination& destination, const char* address)
{
    return checkAddress(policy, destination, ip(address), kNow).verdict == Verdict::Allow;
}

} // namespace

class TestPolicyAddress : public QObject
{
    Q_OBJECT

private slots:
    void everyClassIsKnown_data()
    {
        QTest::addColumn<QByteArray>("address");
        QTest::addColumn<QByteArray>("name");
        const auto row = [](const char* address, const char* name) {
            QTest::newRow(address) << QByteArray(address) << QByteArray(name);
        };
        for (const char* address : {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
                                    "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
                                    "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "192.0.2.1", "198.51.100.1",
                                    "203.0.113.80", "2606:4700::1111", "2a00::1", "2001:200::1", "2003::1", "64:ff9b::8.8.8.8"}) {
            row(address, "");
        }
        row("0.0.0.0", "unspecified");
        row("0.1.2.3", "unspecified");
        row("10.0.0.0", "private");
        row("10.255.255.255", "private");
        row("100.64.0.1", "carrier-grade NAT");
        row("100.127.255.255", "carrier-grade NAT");
        row("127.0.0.1", "loopback");
        row("127.255.255.254", "loopback");
        row("169.254.0.1", "link-local");
        row("169.254.169.254", "cloud metadata");
        row("169.254.170.2", "cloud metadata");
        row("100.100.100.200", "cloud metadata");
        row("168.63.129.16", "cloud metadata");
        row("fd00:ec2::254", "cloud metadata");
        row("172.16.0.1", "private");
        row("172.31.255.255", "private");
        row("192.0.0.1", "reserved");
        row("192.88.99.1", "6to4 relay");
        row("192.168.1.1", "private");
        row("198.18.0.1", "benchmarking");
        row("198.19.255.255", "benchmarking");
        row("224.0.0.251", "multicast");
        row("239.255.255.250", "multicast");
        row("240.0.0.1", "reserved");
        row("255.255.255.255", "reserved");
        row("::", "unspecified");
        row("::1", "loopback");
        row("::ffff:127.0.0.1", "loopback");
        row("::ffff:10.0.0.1", "private");
        row("::ffff:0:10.0.0.1", "IPv4-translated");
        row("::127.0.0.1", "IPv4-compatible");
        row("::8.8.8.8", "IPv4-compatible");
        row("64:ff9b::127.0.0.1", "loopback");
        row("64:ff9b::10.0.0.1", "private");
        row("64:ff9b::a9fe:a9fe", "cloud metadata");
        row("64:ff9b:1::8.8.8.8", "local-use NAT64");
        row("64:ff9b::1:8.8.8.8", "reserved");
        row("2002:7f00:1::", "6to4");
        row("2002:808:808::1", "6to4");
        row("2001::1", "Teredo");
        row("2001:0:1:2:3:4:80ff:fffe", "Teredo");
        row("2001:2::1", "benchmarking");
        row("2001:20::1", "reserved");
        row("2a00::5efe:10.0.0.1", "ISATAP");
        row("2a00::200:5efe:8.8.8.8", "ISATAP");
        row("fc00::1", "private");
        row("fdff::1", "private");
        row("fe80::1", "link-local");
        row("febf::1", "link-local");
        row("fec0::1", "site-local");
        row("ff02::fb", "multicast");
        row("100::1", "reserved");
        row("4000::1", "reserved");
        row("5f00::1", "reserved");
    }

    void everyClassIsKnown()
    {
        QFETCH(QByteArray, address);
        QFETCH(QByteArray, name);
        const AddressClass found = classify(ip(address.constData()));
        QCOMPARE(QByteArray(found.name.data(), static_cast<int>(found.name.size())), name);
        QCOMPARE(found.isPublic, name.isEmpty());
        // Neither a mode nor "all" nor a network of everything opens what is not public.
        for (const Mode mode : {Mode::Open, Mode::Balanced, Mode::Locked}) {
            const PolicySet policy =
                policyOf(mode, {{Action::Allow, "all"}, {Action::Allow, "0.0.0.0/0"}, {Action::Allow, "::/0"},
                                {Action::Allow, "example.com"}, {Action::Allow, "localhost:443"}});
            QCOMPARE(passes(policy, to("example.com"), address.constData()), name.isEmpty());
        }
    }

    void literalsOfEveryClassAreRefusedWithoutRule()
    {
        const PolicySet open = policyOf(Mode::Open, {{Action::Allow, "all"}});
        for (const char* host : {"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::10.0.0.1", "2002:7f00:1::",
                                 "::ffff:127.0.0.1", "0.0.0.0"}) {
            QVERIFY2(decide(open, to(host), kNow).verdict == Verdict::Deny, host);
        }
        QCOMPARE(decide(open, to("8.8.8.8"), kNow).verdict, Verdict::Allow); // control
    }

    void privateIsNotEvenAskedAbout()
    {
        PolicySet policy = policyOf(Mode::Balanced, {});
        policy.canAsk = true;
        QCOMPARE(decide(policy, to("10.0.0.1"), kNow).verdict, Verdict::Deny);
        QCOMPARE(decide(policy, to("host.docker.internal", 8080), kNow).verdict, Verdict::Deny);
        QCOMPARE(decide(policy, to("8.8.8.8"), kNow).verdict, Verdict::Ask); // control
    }

    void explicitNetworkOpensItsAddresses()
    {
        const PolicySet policy =
            policyOf(Mode::Locked, {{Action::Allow, "10.0.0.0/8"}, {Action::Allow, "git.example.com"}});
        const Decision literal = decide(policy, to("10.1.2.3"), kNow);
        QCOMPARE(literal.verdict, Verdict::Allow);
        QVERIFY(literal.addressExempt);
        QVERIFY(passes(policy, to("10.1.2.3"), "10.1.2.3"));
        QVERIFY(passes(policy, to("git.example.com"), "10.1.2.3"));
        QVERIFY(!passes(policy, to("git.example.com"), "192.168.0.1"));
        QVERIFY(!passes(policy, to("git.example.com"), "64:ff9b::10.1.2.3"));
        QCOMPARE(decide(policy, to("192.168.0.1"), kNow).verdict, Verdict::Deny);
    }

    void metadataMustBeNamedItself()
    {
        QVERIFY(!passes(policyOf(Mode::Open, {{Action::Allow, "169.254.0.0/16"}}), to("169.254.169.254", 80), "169.254.169.254"));
        QVERIFY(passes(policyOf(Mode::Open, {{Action::Allow, "169.254.0.0/16"}}), to("169.254.1.1", 80), "169.254.1.1"));
        QVERIFY(passes(policyOf(Mode::Open, {{Action::Allow, "169.254.169.254:80"}}), to("169.254.169.254", 80), "169.254.169.254"));
    }

    void localhostRuleOpensOnlyThatPortAndOnlyLocalNames()
    {
        const PolicySet policy = policyOf(Mode::Locked, {{Action::Allow, "localhost:8080"}, {Action::Allow, "evil.example"}});
        for (const char* host : {"host.docker.internal", "gateway.docker.internal", "localhost", "127.0.0.1", "::1"}) {
            const Decision decision = decide(policy, to(host, 8080), kNow);
            QVERIFY2(decision.verdict == Verdict::Allow, host);
            QVERIFY2(decision.addressExempt, host);
            QVERIFY2(decide(policy, to(host, 8081), kNow).verdict == Verdict::Deny, host);
        }
        QVERIFY(passes(policy, to("host.docker.internal", 8080), "127.0.0.1"));
        QVERIFY(passes(policy, to("host.docker.internal", 8080), "::1"));
        QVERIFY(!passes(policy, to("host.docker.internal", 8080), "10.0.0.1"));
        QVERIFY(!passes(policy, to("host.docker.internal", 8081), "127.0.0.1"));
        QVERIFY(!passes(policy, to("evil.example", 8080), "127.0.0.1")); // rebinding
        // Other loopback addresses are other places (a resolver listens on 127.0.0.53): each needs a rule of its own.
        QVERIFY(decide(policy, to("127.0.0.53", 8080), kNow).verdict == Verdict::Deny);
        QVERIFY(!passes(policy, to("127.0.0.53", 8080), "127.0.0.53"));
        QVERIFY(passes(policyOf(Mode::Locked, {{Action::Allow, "127.0.0.53:8080"}}), to("127.0.0.53", 8080), "127.0.0.53"));
    }

    void localhostNeedsAPort()
    {
        for (const char* pattern : {"localhost", "host.docker.internal:8080", "all"}) {
            const PolicySet policy = policyOf(Mode::Open, {{Action::Allow, pattern}});
            const Decision decision = decide(policy, to("host.docker.internal", 8080), kNow);
            QVERIFY2(decision.verdict == Verdict::Deny, pattern);
            QVERIFY2(decision.reason.find("localhost:8080") != std::string::npos, decision.reason.c_str());
        }
    }

    void denyNetworkAppliesToTheResolvedAddress()
    {
        const PolicySet policy = policyOf(Mode::Open, {{Action::Deny, "8.8.8.0/24"}, {Action::Allow, "dns.example"}});
        QVERIFY(!passes(policy, to("dns.example"), "8.8.8.8"));
        QVERIFY(!passes(policy, to("dns.example"), "64:ff9b::8.8.8.8"));
        QVERIFY(passes(policy, to("dns.example"), "8.8.4.4"));
        QCOMPARE(decide(policy, to("8.8.8.8"), kNow).verdict, Verdict::Deny);
        QCOMPARE(decide(policy, to("64:ff9b::808:808"), kNow).verdict, Verdict::Deny);
    }

    void denyBeatsAnExemption()
    {
        const PolicySet policy = policyOf(Mode::Open, {{Action::Allow, "10.0.0.0/8"}, {Action::Deny, "10.9.0.0/16"}});
        QVERIFY(passes(policy, to("10.1.0.1"), "10.1.0.1"));
        QVERIFY(!passes(policy, to("10.9.0.1"), "10.9.0.1"));
    }

    void mappingExemptsExactlyItsPair()
    {
        PolicySet policy = policyOf(Mode::Locked, {{Action::Allow, "api.example.com"}});
        policy.hostMappings.push_back({"api.example.com", "127.0.0.1", 443, 9443});
        const Decision decision = decide(policy, to("api.example.com"), kNow);
        QCOMPARE(decision.verdict, Verdict::Allow);
        QVERIFY(decision.addressExempt);
        QVERIFY(passes(policy, to("api.example.com"), "127.0.0.1"));
        QVERIFY(!passes(policy, to("api.example.com"), "127.0.0.2"));
        QVERIFY(!passes(policy, to("api.example.com", 80), "127.0.0.1"));
        QVERIFY(!passes(policy, to("other.example.com"), "127.0.0.1"));
        // A mapping redirects; it does not allow.
        policy.hostMappings.push_back({"closed.example.com", "127.0.0.1", 0, 0});
        QCOMPARE(decide(policy, to("closed.example.com"), kNow).verdict, Verdict::Deny);
    }
};

QTEST_APPLESS_MAIN(TestPolicyAddress)
#include "test_policy_address.moc"
