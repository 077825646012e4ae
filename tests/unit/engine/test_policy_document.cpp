// SPDX-License-Identifier: Apache-2.0
#include "engine/network_note.h"
#include "engine/policy_document.h"
#include "engine/tighten.h"

#include "base/clock.h"

#include <QtTest>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::engine;
using nlohmann::json;

namespace {

policy::Presets presets()
{
    policy::Presets all;
    for (const char* name : {"python", "documentation"}) {
        policy::Preset preset;
        preset.name = name;
        preset.title = name;
        preset.allow = {std::string(name) + ".example.com:443"};
        all.all.push_back(std::move(preset));
    }
    all.all.back().method = "GET,HEAD";
    return all;
}

json document()
{
    return {{"coldframePolicy", 1},
            {"mode", "locked"},
            {"presets", {{"python", true}}},
            {"bypassHosts", {"pinned.example.com"}},
            {"rules",
             {{{"action", "allow"}, {"pattern", "API.example.com:443"}, {"note", "for the build"}},
              {{"action", "deny"}, {"pattern", "*.example.org"}, {"method", "POST"}, {"path", "/v1/**"}}}}};
}

std::string problemOf(const json& bad)
{
    const auto read = ownPolicyFrom(bad, policy::Scope::Global, presets());
    return read ? std::string() : read.error().message;
}

} // namespace

class TestPolicyDocument : public QObject
{
    Q_OBJECT

private slots:
    void whatIsWrittenIsReadBack()
    {
        auto own = ownPolicyFrom(document(), policy::Scope::Sandbox, presets());
        QVERIFY2(own.has_value(), own ? "" : own.error().message.c_str());
        QVERIFY(own->mode == policy::Mode::Locked);
        QCOMPARE(own->rules.size(), std::size_t(2));
        QCOMPARE(own->rules[0].pattern, std::string("api.example.com:443"));
        QCOMPARE(own->rules[0].origin, std::string("import"));
        QVERIFY(own->rules[0].scope == policy::Scope::Sandbox && !own->rules[0].id.empty());
        QCOMPARE(own->bypassHosts, std::vector<std::string>{"pinned.example.com"});
        own->rules[0].expiry = UtcTime(std::chrono::seconds(4'000'000'000));
        const json written = documentOf(*own);
        const auto again = ownPolicyFrom(written, policy::Scope::Sandbox, presets());
        QVERIFY(again.has_value());
        QCOMPARE(documentOf(*again), written);
        QVERIFY(again->rules[0].expiry == own->rules[0].expiry);
    }

    void aBadPartRefusesTheWhole()
    {
        const auto with = [](const char* pointer, const json& value) {
            json changed = document();
            changed[json::json_pointer(pointer)] = value;
            return changed;
        };
        QCOMPARE(problemOf(document()), std::string()); // the control
        const std::pair<json, const char*> bad[] = {
            {json::array(), "no JSON object"},
            {with("/coldframePolicy", 2), "version"},
            {with("/mode", "wide"), "network mode"},
            {with("/rules/1/pattern", "a b"), "rule 2"},
            {with("/rules/1/action", "ask"), "rule 2"},
            {with("/rules/0/colour", "red"), "rule 1: \"colour\""},
            {with("/extra", 1), "\"extra\""},
            {with("/presets/ruby", true), "\"ruby\""},
            {with("/presets/python", "yes"), "\"python\""},
            {with("/bypassHosts/0", "*"  ".*"), "network pattern"},
            {with("/rules", json::object()), "must be a list"},
        };
        for (const auto& [changed, part] : bad) {
            const std::string problem = problemOf(changed);
            QVERIFY2(problem.find(part) != std::string::npos, (changed.dump() + ": " + problem).c_str());
        }
    }

    void mergingAddsWhatIsNew()
    {
        OwnPolicy base = *ownPolicyFrom(document(), policy::Scope::Global, presets());
        OwnPolicy added = base;
        added.mode = policy::Mode::Open;
        added.presets = {{"documentation", false}};
        added.rules.push_back(added.rules[0]);
        added.rules.back().pattern = "new.example.com";
        QCOMPARE(mergeInto(base, added), std::size_t(1));
        QCOMPARE(base.rules.size(), std::size_t(3));
        QVERIFY(base.mode == policy::Mode::Open);
        QCOMPARE(base.presets, (policy::PresetSwitches{{"python", true}, {"documentation", false}}));
        QCOMPARE(base.bypassHosts.size(), std::size_t(1));
    }

    void presetsAreSwitchedForOneAndForAll()
    {
        policy::Presets all = presets();
        using policy::Mode;
        QVERIFY(policy::isPresetOn("python", Mode::Balanced, {}, {}));
        QVERIFY(!policy::isPresetOn("python", Mode::Locked, {}, {}));
        QVERIFY(!policy::isPresetOn("python", Mode::Balanced, {{"python", false}}, {}));
        QVERIFY(policy::isPresetOn("python", Mode::Balanced, {{"python", false}}, {{"python", true}}));
        QVERIFY(!policy::isPresetOn("python", Mode::Balanced, {}, {{"python", false}}));
        QVERIFY(!policy::isPresetOn("python", Mode::Locked, {{"python", true}}, {})); // one switch does not open every locked sandbox
        QVERIFY(policy::isPresetOn("python", Mode::Locked, {}, {{"python", true}}));
        const auto rules = policy::presetRules(all, Mode::Locked, {{"documentation", true}});
        QCOMPARE(rules.size(), std::size_t(1));
        QCOMPARE(rules[0].method, std::string("GET,HEAD"));
    }

    void timesOfRulesAreBounded()
    {
        QVERIFY(*expiryAfter(60) > utcNow());
        for (const json& bad : {json(0), json(-5), json("60"), json(1e9), json(std::int64_t{1} << 50)}) {
            QVERIFY2(!expiryAfter(bad), bad.dump().c_str());
        }
    }

    void whatWasUsedBecomesAnAllowList()
    {
        json entries = json::array();
        const auto used = [&entries](const char* host, int port, const char* verdict = "allowed", int count = 1) {
            entries.push_back({{"host", host}, {"port", port}, {"verdict", verdict}, {"count", count}, {"time", "2026-11-21T10:00:00Z"}});
        };
        used("api.example.com", 443, "allowed", 3);
        used("API.example.com.", 443);
        used("evil.example.net", 443, "denied");
        used("bad host", 443);
        used("2001:db8::1", 22);
        for (const char* host : {"a.cdn.example.org", "b.cdn.example.org", "c.cdn.example.org", "d.cdn.example.org", "example.org"}) {
            used(host, 443);
        }
        used("a.cdn.example.org", 80);
        OwnPolicy own = *ownPolicyFrom(document(), policy::Scope::Sandbox, presets());
        const json answer = tightened(entries, own);
        QStringList patterns;
        for (const json& place : answer["places"]) {
            patterns.append(QString::fromStdString(place["pattern"]));
        }
        QCOMPARE(patterns, (QStringList{"*.example.org:443", "[2001:db8::1]:22", "a.cdn.example.org:80", "api.example.com:443", "example.org:443"}));
        QCOMPARE(answer["places"][3]["count"], json(4));
        QCOMPARE(answer["places"][0]["hosts"], json(4));
        const auto read = ownPolicyFrom(answer["document"], policy::Scope::Sandbox, presets());
        QVERIFY(read.has_value());
        QVERIFY(read->mode == policy::Mode::Locked && read->presets.empty());
        QCOMPARE(read->bypassHosts, own.bypassHosts);
        QCOMPARE(read->rules.size(), std::size_t(6)); // with the denial that was there
        QVERIFY(read->rules[0].action == policy::Action::Deny);
    }

    void whoWorksInsideIsToldHowTheNetworkIs()
    {
        for (const char* agent : {"claude", "codex", "gemini", "copilot", "opencode", "shell"}) {
            const std::vector<SeedFile> files = networkNote(agent);
            QVERIFY(!files.empty());
            QCOMPARE(files.front().path, std::string("/etc/coldframe/network.md"));
            for (const SeedFile& file : files) {
                QVERIFY(file.content.find("blocked_by_coldframe") != std::string::npos);
                QVERIFY(file.content.size() < 4096); // it is in every conversation
            }
        }
        QCOMPARE(networkNote("claude").size(), std::size_t(2));
    }
};

QTEST_GUILESS_MAIN(TestPolicyDocument)
#include "test_policy_document.moc"
