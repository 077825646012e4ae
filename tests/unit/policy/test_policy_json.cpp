// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_json.h"
#include "policy/presets.h"

#include "base/file.h"

#include <QTemporaryDir>
#include <QtTest>
#include <nlohmann/json.hpp>
#include <set>

using namespace coldframe;
using namespace coldframe::policy;

namespace {

PolicySet example()
{
    PolicySet policy;
    policy.version = 7;
    policy.mode = Mode::Open;
    policy.canAsk = true;
    Rule rule;
    rule.id = "ab12";
    rule.action = Action::Allow;
    rule.pattern = "*.example.com:443";
    rule.method = "GET,POST";
    rule.path = "/v1/**";
    rule.scope = Scope::Session;
    rule.origin = "notification";
    rule.note = "\"quoted\" \xc3\xbc";
    rule.expiry = UtcTime(std::chrono::milliseconds(1800000000123));
    policy.rules.push_back(rule);
    policy.hostMappings.push_back({"api.example.com", "127.0.0.1", 443, 9443});
    policy.bypassHosts.push_back("*.pinned.example");
    return policy;
}

} // namespace

class TestPolicyJson : public QObject
{
    Q_OBJECT

private slots:
    void anExpiryBeyondTheClockIsRefused()
    {
        const auto with = [](const std::string& expiry) {
            return policyFromJson(R"({"version":1,"mode":"locked","rules":[{"id":"a","action":"deny","pattern":"a.example",)"
                                  R"("scope":"session","origin":"user","note":"","expiry":)" + expiry + "}]}");
        };
        QVERIFY(with("4102444800000").has_value());
        QVERIFY(!with("18000000001723")); // would overflow nanoseconds and come back negative
    }

    void survivesTheRoundTrip()
    {
        const std::string text = toJson(example());
        const auto back = policyFromJson(text);
        QVERIFY2(back.has_value(), back ? "" : back.error().message.c_str());
        QCOMPARE(toJson(*back), text);
        QCOMPARE(back->version, std::uint64_t{7});
        QVERIFY(back->mode == Mode::Open);
        QVERIFY(back->canAsk);
        QCOMPARE(back->rules.size(), std::size_t{1});
        QVERIFY(back->rules[0].expiry == example().rules[0].expiry);
        QVERIFY(back->rules[0].scope == Scope::Session);
        QCOMPARE(back->hostMappings[0].targetPort, std::uint16_t{9443});
        QCOMPARE(back->bypassHosts[0], std::string("*.pinned.example"));
    }

    void normalisesWhatItReads()
    {
        const auto policy = policyFromJson(
            R"({"mode":"locked","rules":[{"action":"deny","pattern":"**.EXAMPLE.com"}],"hostMappings":[{"name":"API.example.com.","address":"::FFFF:127.0.0.1"}]})");
        QVERIFY(policy.has_value());
        QCOMPARE(policy->rules[0].pattern, std::string("*.example.com"));
        QCOMPARE(policy->hostMappings[0].name, std::string("api.example.com"));
        QCOMPARE(policy->hostMappings[0].address, std::string("127.0.0.1"));
    }

    void refusesWhatItDoesNotUnderstand_data()
    {
        QTest::addColumn<QByteArray>("json");
        QTest::newRow("empty") << QByteArray();
        QTest::newRow("array") << QByteArray("[]");
        QTest::newRow("no mode") << QByteArray("{}");
        QTest::newRow("bad mode") << QByteArray(R"({"mode":"ajar"})");
        QTest::newRow("bad action") << QByteArray(R"({"mode":"open","rules":[{"action":"maybe","pattern":"a.com"}]})");
        QTest::newRow("no pattern") << QByteArray(R"({"mode":"open","rules":[{"action":"deny"}]})");
        QTest::newRow("bad pattern") << QByteArray(R"({"mode":"open","rules":[{"action":"deny","pattern":"a..b"}]})");
        QTest::newRow("bad scope") << QByteArray(R"({"mode":"open","rules":[{"action":"deny","pattern":"a.com","scope":"me"}]})");
        QTest::newRow("bad method") << QByteArray(R"({"mode":"open","rules":[{"action":"deny","pattern":"a.com","method":"get"}]})");
        QTest::newRow("bad path") << QByteArray(R"({"mode":"open","rules":[{"action":"deny","pattern":"a.com","path":"x"}]})");
        QTest::newRow("bad expiry") << QByteArray(R"({"mode":"open","rules":[{"action":"deny","pattern":"a.com","expiry":1e300}]})");
        QTest::newRow("negative version") << QByteArray(R"({"mode":"open","version":-1})");
        QTest::newRow("rules not a list") << QByteArray(R"({"mode":"open","rules":{}})");
        QTest::newRow("mapping name") << QByteArray(R"({"mode":"open","hostMappings":[{"name":"a..b","address":"1.1.1.1"}]})");
        QTest::newRow("mapping address") << QByteArray(R"({"mode":"open","hostMappings":[{"name":"a.b","address":"example.com"}]})");
        QTest::newRow("mapping port") << QByteArray(R"({"mode":"open","hostMappings":[{"name":"a.b","address":"1.1.1.1","port":65536}]})");
        QTest::newRow("bypass") << QByteArray(R"({"mode":"open","bypassHosts":[1]})");
        QTest::newRow("deep") << QByteArray(R"({"mode":"open","rules":)") + QByteArray(100000, '[');
        QTest::newRow("too many bypass hosts")
            << QByteArray(R"({"mode":"open","bypassHosts":[)") + QByteArray("\"a.b\",").repeated(1000) + "\"a.b\"]}";
    }

    void refusesWhatItDoesNotUnderstand()
    {
        QFETCH(QByteArray, json);
        const auto policy = policyFromJson(json.toStdString());
        QVERIFY(!policy.has_value());
        QCOMPARE(policy.error().code, ErrorCode::InvalidArgument);
    }

    void shippedPresetsLoadAndStayNarrow()
    {
        const auto presets = loadPresets(COLDFRAME_POLICY_RESOURCES);
        QVERIFY2(presets.has_value(), presets ? "" : presets.error().message.c_str());
        const std::vector<Rule> rules = presetRules(*presets);
        QVERIFY(rules.size() > 100);
        const std::set<std::string> tooBroad{"*.amazonaws.com", "*.googleapis.com", "*.githubusercontent.com", "*.cloudfront.net",
                                             "*.com", "all"};
        std::set<std::string> ids;
        for (const Rule& rule : rules) {
            const std::string host = rule.pattern.substr(0, rule.pattern.find(':'));
            QVERIFY2(!tooBroad.contains(host), rule.pattern.c_str());
            QVERIFY2(rule.pattern.find(':') != std::string::npos, rule.pattern.c_str());
            QVERIFY2(ids.insert(rule.id).second, rule.id.c_str());
        }
        PolicySet policy;
        policy.rules = rules;
        for (const char* host : {"registry.npmjs.org", "pypi.org", "api.anthropic.com", "github.com", "deb.nodesource.com"}) {
            Destination destination;
            destination.host = host;
            QVERIFY2(decide(policy, destination, utcNow()).verdict == Verdict::Allow, host);
        }
        Destination unknown;
        unknown.host = "evil.s3.amazonaws.com";
        QCOMPARE(decide(policy, unknown, utcNow()).verdict, Verdict::Deny);
    }

    void aBadPresetIsNamed()
    {
        QTemporaryDir folder;
        const std::filesystem::path path = folder.path().toStdString();
        QVERIFY(!loadPresets(path).has_value());
        QVERIFY(writeFileAtomic(path / "mine.json", R"({"title":"t","description":"d","allow":["a..b"]})").has_value());
        const auto presets = loadPresets(path);
        QVERIFY(!presets.has_value());
        QVERIFY2(presets.error().message.find("mine.json") != std::string::npos, presets.error().message.c_str());
        QVERIFY(presets.error().message.find("allow") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(TestPolicyJson)
#include "test_policy_json.moc"
