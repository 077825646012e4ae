// SPDX-License-Identifier: Apache-2.0
#include "engine/sessions.h"

#include <QtTest>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::engine;
using nlohmann::json;

namespace {

json entry(const char* id, int number, bool agent = false, bool ended = false)
{
    return {{"id", id}, {"label", "bash"}, {"agent", agent}, {"tty", true}, {"number", number}, {"ageSeconds", 5}, {"rows", 24},
            {"columns", 80}, {"viewers", 1}, {"ended", ended}, {"exitCode", 0}, {"signal", 0}};
}

Result<std::vector<GuestSession>> parsed(const json& sessions) { return parseSessions(json{{"sessions", sessions}}.dump()); }

} // namespace

class TestEngineSessions : public QObject
{
    Q_OBJECT

private slots:
    void aListIsRead()
    {
        const auto list = parsed(json::array({entry("bb", 2, true), entry("aa", 1)}));
        QVERIFY(list);
        QCOMPARE(list->size(), 2u);
        QCOMPARE((*list)[0].id, std::string("aa")); // the oldest first
        QVERIFY((*list)[1].isAgent);
        QCOMPARE((*list)[1].columns, 80);
        QVERIFY(parsed(json::array())->empty());
    }

    /// A guest may say anything: it is refused, or made harmless.
    void hostileListsAreHarmless()
    {
        for (const char* text : {"", "null", "[]", "{}", R"({"sessions":{}})", R"({"sessions":[1]})", R"({"sessions":[{}]})", R"({"sessions":[{"id":7}]})",
                                 R"({"sessions":[{"id":""}]})", R"({"sessions":[{"id":"../x"}]})", R"({"sessions":[{"id":"a\nb"}]})",
                                 R"({"sessions":[{"id":"a"},{"id":"a"}]})", "{\"sessions\":[{\"id\":\"a\xff\"}]}"}) {
            QVERIFY2(!parseSessions(text), text);
        }
        QVERIFY(!parsed(json::array({entry(std::string(200, 'a').c_str(), 1)})));
        json many = json::array();
        for (int i = 0; i < 600; ++i) {
            many.push_back(entry(std::to_string(i).c_str(), i));
        }
        QVERIFY(!parsed(many));
        json odd = entry("a", 1);
        odd.update({{"label", "\x1b[2J\u202e" + std::string(5000, 'x')}, {"rows", 1e300}, {"columns", -5}, {"viewers", "many"}, {"ageSeconds", -1e9},
                    {"number", -3}, {"exitCode", 100000}, {"agent", "yes"}});
        const auto list = parsed(json::array({odd}));
        QVERIFY(list);
        const GuestSession& session = list->front();
        QVERIFY(session.label.size() < 500 && session.label.find('\x1b') == std::string::npos);
        QCOMPARE(session.rows + session.columns + session.viewers + session.exitCode, 0);
        QCOMPARE(session.ageSeconds, 0.0);
        QVERIFY(!session.isAgent);
    }

    void theRightOneIsChosen()
    {
        const auto list = parsed(json::array({entry("aa1", 1, true), entry("aa2", 2, true), entry("bb", 3), entry("cc", 4, true, true)})).value();
        QCOMPARE(chooseSession(list, "", "box")->id, std::string("aa2")); // the agent's newest that runs
        QCOMPARE(runningAgent(list)->id, std::string("aa2"));
        QCOMPARE(chooseSession(list, "b", "box")->id, std::string("bb"));
        QCOMPARE(chooseSession(list, "cc", "box")->id, std::string("cc"));
        QCOMPARE(chooseSession(list, "aa", "box").error().code, ErrorCode::InvalidArgument);
        QCOMPARE(chooseSession(list, "dd", "box").error().code, ErrorCode::NotFound);
        const auto shells = parsed(json::array({entry("x", 1), entry("y", 2), entry("z", 3, false, true)})).value();
        QCOMPARE(chooseSession(shells, "", "box")->id, std::string("y"));
        QVERIFY(!runningAgent(shells));
        const auto over = parsed(json::array({entry("z", 3, true, true)})).value();
        QCOMPARE(chooseSession(over, "", "box")->id, std::string("z"));
        QVERIFY(!runningAgent(over));
        const auto none = chooseSession({}, "", "box");
        QCOMPARE(none.error().code, ErrorCode::NotFound);
        QVERIFY(none.error().message.find("coldframe run box") != std::string::npos);
    }

    void labelsAreShortAndHarmless()
    {
        QCOMPARE(sessionLabel({"bash", "-l"}), std::string("bash -l"));
        QVERIFY(sessionLabel({"sh", "-c", "\x1b]0;x\x07"}).find('\x1b') == std::string::npos);
        QVERIFY(sessionLabel({std::string(100000, 'y')}).size() < 200);
    }
};

QTEST_GUILESS_MAIN(TestEngineSessions)
#include "test_engine_sessions.moc"
