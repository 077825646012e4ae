// SPDX-License-Identifier: Apache-2.0
#include "engine/learning.h"
#include "policy/rule_match.h"

#include <QtTest>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::engine;
using namespace std::chrono_literals;

namespace {

const UtcTime kNow = UtcTime(std::chrono::seconds(1'800'000'000));

GivenAnswer answered(const char* host, bool allow, bool forNow = true, const char* sandbox = "box", std::chrono::hours ago = 1h)
{
    return {kNow - ago, sandbox, host, 443, allow, forNow, false};
}

policy::Rule ruleFor(const char* pattern, policy::Action action = policy::Action::Allow)
{
    policy::Rule rule;
    rule.id = std::string("id-") + pattern;
    rule.action = action;
    rule.pattern = pattern;
    rule.origin = "user";
    return rule;
}

LearnScope scope(const char* sandbox, std::vector<policy::Rule> rules = {})
{
    LearnScope made;
    made.sandbox = sandbox;
    made.lasting.rules = rules;
    made.own = std::move(rules);
    return made;
}

std::vector<LearnScope> places(std::vector<policy::Rule> rules = {})
{
    return {scope(""), scope("box", std::move(rules)), scope("other")};
}

std::vector<Suggestion> suggested(std::vector<GivenAnswer> answers, std::vector<LearnScope> scopes = places())
{
    Learned learned;
    learned.answers = std::move(answers);
    return suggestionsFrom(learned, scopes, kNow);
}

using Kind = Suggestion::Kind;

} // namespace

class TestLearning : public QObject
{
    Q_OBJECT

private slots:
    void aHostThatIsAllowedAgainAndAgainIsSuggested()
    {
        const std::vector<GivenAnswer> thrice(3, answered("api.example.com", true));
        QVERIFY(suggested({thrice.begin(), thrice.begin() + 2}).empty());
        const auto found = suggested(thrice);
        QCOMPARE(found.size(), std::size_t(1));
        QVERIFY(found[0].kind == Kind::AllowHost);
        QCOMPARE(found[0].sandbox, std::string("box"));
        QCOMPARE(found[0].patterns, std::vector<std::string>{"api.example.com:443"});
        QCOMPARE(found[0].count, std::int64_t(3));
        QCOMPARE(found[0].id.size(), std::size_t(8));
        QCOMPARE(suggested(thrice)[0].id, found[0].id);
    }
    void severalSandboxesSpeakForAll()
    {
        const auto found = suggested({answered("api.example.com", true), answered("api.example.com", true, true, "other"), answered("api.example.com", true)});
        QCOMPARE(found.size(), std::size_t(1));
        QCOMPARE(found[0].sandbox, std::string());
    }
    void aSandboxThatIsNoMoreSpeaksForNothing()
    {
        QVERIFY(suggested(std::vector<GivenAnswer>(4, answered("api.example.com", true, true, "gone"))).empty());
    }
    void aDenialSinceThenSpeaksAgainstIt()
    {
        std::vector<GivenAnswer> answers(3, answered("api.example.com", true));
        answers.push_back(answered("api.example.com", false));
        QVERIFY(suggested(answers).empty());
        // Before them it does not: the user has come round.
        std::rotate(answers.rbegin(), answers.rbegin() + 1, answers.rend());
        QCOMPARE(suggested(answers).size(), std::size_t(1));
    }
    void aDomainStandsForItsHosts()
    {
        std::vector<GivenAnswer> answers{answered("a.shop.example.co.uk", true), answered("b.shop.example.co.uk", true, false)};
        QVERIFY(suggested(answers).empty());
        for (int i = 0; i < 3; ++i) {
            answers.push_back(answered("c.example.co.uk", true));
        }
        const auto found = suggested(answers);
        QCOMPARE(found.size(), std::size_t(1));
        QVERIFY(found[0].kind == Kind::AllowDomain);
        QCOMPARE(found[0].patterns, (std::vector<std::string>{"example.co.uk:443", "*.example.co.uk:443"}));
        QCOMPARE(found[0].hosts.size(), std::size_t(3));
        answers.push_back(answered("bad.example.co.uk", false));
        const auto without = suggested(answers);
        QCOMPARE(without.size(), std::size_t(1));
        QVERIFY(without[0].kind == Kind::AllowHost);
    }
    void aPublicSuffixIsNoDomain()
    {
        QVERIFY(suggested({answered("one.co.uk", true), answered("two.co.uk", true), answered("three.co.uk", true)}).empty());
    }
    void aHostThatIsAlwaysDeniedIsSuggestedToBeBlocked()
    {
        std::vector<GivenAnswer> answers(3, answered("spy.example.com", false));
        const auto found = suggested(answers);
        QCOMPARE(found.size(), std::size_t(1));
        QVERIFY(found[0].kind == Kind::DenyHost);
        answers.insert(answers.begin(), answered("spy.example.com", true));
        QVERIFY(suggested(answers).empty());
    }
    void whatRulesOrTheModeDecideIsNotSuggested()
    {
        const std::vector<GivenAnswer> thrice(3, answered("api.example.com", true));
        QVERIFY(suggested(thrice, places({ruleFor("*.example.com")})).empty());
        QVERIFY(suggested(thrice, places({ruleFor("api.example.com", policy::Action::Deny)})).empty());
        for (const policy::Mode mode : {policy::Mode::Open, policy::Mode::Locked}) {
            auto scopes = places();
            scopes[1].lasting.mode = mode;
            QVERIFY(suggested(thrice, scopes).empty());
        }
        // A rule of this run, or one that ends, does not last.
        auto session = ruleFor("api.example.com");
        session.scope = policy::Scope::Session;
        auto ending = ruleFor("api.example.com");
        ending.expiry = kNow + 1h;
        auto scopes = places();
        scopes[1].lasting.rules = {session, ending, ruleFor("else.example.com")};
        scopes[1].lasting = lastingPart(scopes[1].lasting);
        QCOMPARE(scopes[1].lasting.rules.size(), std::size_t(1));
        QCOMPARE(suggested(thrice, scopes).size(), std::size_t(1));
    }
    void whatWasDismissedIsNotSaidAgainForAWhile()
    {
        Learned learned;
        learned.answers.assign(3, answered("api.example.com", true));
        const std::string id = suggestionsFrom(learned, places(), kNow).at(0).id;
        learned.dismissed[id] = kNow - 24h;
        QVERIFY(suggestionsFrom(learned, places(), kNow).empty());
        learned.dismissed[id] = kNow - Learned::kRemembered - 1h;
        QCOMPARE(suggestionsFrom(learned, places(), kNow).size(), std::size_t(1));
    }
    void aRuleThatNothingUsesIsSuggestedToBeRemoved()
    {
        const policy::Rule old = ruleFor("old.example.com");
        const policy::Rule used = ruleFor("used.example.com");
        const policy::Rule young = ruleFor("young.example.com");
        const policy::Rule denial = ruleFor("no.example.com", policy::Action::Deny);
        Learned learned;
        for (const policy::Rule& rule : {old, used, denial}) {
            learned.knownSince[rule.id] = kNow - 31 * 24h;
        }
        learned.knownSince[young.id] = kNow - 29 * 24h;
        auto scopes = places({old, used, young, denial});
        QVERIFY(suggestionsFrom(learned, scopes, kNow).empty()); // the sandbox was not used: nothing speaks against its rules
        scopes[1].usedRules.emplace();
        scopes[1].usedRules->insert(policy::describe(used));
        const auto found = suggestionsFrom(learned, scopes, kNow);
        QCOMPARE(found.size(), std::size_t(1));
        QVERIFY(found[0].kind == Kind::RemoveRule);
        QCOMPARE(found[0].ruleId, old.id);
        QCOMPARE(found[0].sandbox, std::string("box"));
    }
    void whatIsRememberedIsBounded()
    {
        Learned learned;
        std::set<std::string> rules;
        for (int i = 0; i < 5000; ++i) {
            const std::string name = "h" + std::to_string(i) + ".example.com";
            learned.answers.push_back(answered(name.c_str(), true));
            learned.dismissed[name] = kNow - std::chrono::minutes(i);
            rules.insert(name);
        }
        learned.answers.insert(learned.answers.begin(), answered("ancient.example.com", true, true, "box", 91 * 24h));
        learned.knownSince["no rule any more"] = kNow;
        learned.bound(rules, kNow);
        QCOMPARE(learned.answers.size(), Learned::kMostAnswers);
        QCOMPARE(learned.answers.back().host, std::string("h4999.example.com"));
        QCOMPARE(learned.dismissed.size(), Learned::kMostDismissed);
        QVERIFY(learned.dismissed.contains("h0.example.com") && !learned.dismissed.contains("h4999.example.com"));
        QCOMPARE(learned.knownSince.size(), Learned::kMostRules);
        QVERIFY(!learned.knownSince.contains("no rule any more"));
        QVERIFY(toJson(learned).dump().size() < (1u << 20));
        QVERIFY(suggestionsFrom(learned, places(), kNow).size() <= 50);
    }
    void whatIsStoredIsReadBackAndDamageForgotten()
    {
        Learned learned;
        learned.answers = {answered("api.example.com", true), answered("2001:db8::1", false, false)};
        learned.dismissed["a"] = kNow;
        learned.knownSince["b"] = kNow;
        const Learned again = learnedFromJson(toJson(learned));
        QCOMPARE(toJson(again), toJson(learned));
        for (const char* bad : {"null", "[]", "{}", R"({"version":2,"answers":[]})", R"({"version":1,"answers":{},"dismissed":[],"knownSince":3})",
                                R"({"version":1,"answers":[3,{"host":"a b","port":1},{"host":"a.b","port":-1},{"host":"a.b","port":"1"},{"host":7}]})"}) {
            QVERIFY2(learnedFromJson(nlohmann::json::parse(bad)).answers.empty(), bad);
        }
        const Learned odd = learnedFromJson(nlohmann::json::parse(R"({"version":1,"dismissed":{"a":9223372036854775807,"b":-5,"c":"x"}})"));
        QCOMPARE(odd.dismissed.size(), std::size_t(3));
    }
};

QTEST_GUILESS_MAIN(TestLearning)
#include "test_learning.moc"
