// SPDX-License-Identifier: Apache-2.0
#include "engine/questions.h"

#include <QtTest>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::engine;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Scene
{
    asio::io_context io;
    std::vector<json> events;
    int presence = 0;
    Questions questions{io, [this](const json& event) { events.push_back(event); }, [this] { ++presence; }};
    std::vector<bool> replies;

    void ask(const std::string& host, const std::string& sandbox = "box", std::chrono::milliseconds within = 10s)
    {
        Question question;
        question.sandbox = sandbox;
        question.host = host;
        question.port = 443;
        question.protocol = "https";
        questions.ask(question, within, [this](bool allow) { replies.push_back(allow); });
    }
    std::string lastId() const { return events.back()["question"]["id"]; }
};

json answer(const char* verdict, const char* span = "once", const char* what = "host") { return {{"verdict", verdict}, {"for", span}, {"what", what}}; }

} // namespace

class TestQuestions : public QObject
{
    Q_OBJECT

private slots:
    void nobodyThereMeansNo()
    {
        Scene scene;
        scene.ask("example.com");
        QCOMPARE(scene.replies, std::vector<bool>{false});
        QVERIFY(scene.events.empty());
        QVERIFY(!scene.questions.isSomebodyThere());
    }

    void whoIsThereIsAskedAndAnswers()
    {
        Scene scene;
        const auto presence = scene.questions.attend();
        QCOMPARE(scene.presence, 1);
        scene.ask("api.example.co.uk");
        QVERIFY(scene.replies.empty());
        QCOMPARE(scene.questions.list().size(), std::size_t(1));
        QCOMPARE(scene.events.back()["question"]["domain"], json("example.co.uk"));
        auto taken = scene.questions.take(scene.lastId(), true);
        QVERIFY(taken);
        taken->second(true);
        QCOMPARE(scene.replies, std::vector<bool>{true});
        QCOMPARE(scene.events.back()["type"], json("ask.done"));
        QVERIFY(!scene.questions.take(scene.events.back()["id"], true)); // only once
        QVERIFY(scene.questions.list().empty());
    }

    void goingAwayAnswersNo()
    {
        Scene scene;
        auto first = scene.questions.attend();
        auto second = scene.questions.attend();
        scene.ask("example.com");
        first.reset();
        QVERIFY(scene.replies.empty()); // the other is still there
        second.reset();
        QCOMPARE(scene.replies, std::vector<bool>{false});
        QCOMPARE(scene.presence, 2);
        QCOMPARE(scene.events.back()["by"], json("absent"));
    }

    void noAnswerInTimeIsNoAndIsNotAskedAgainAtOnce()
    {
        Scene scene;
        const auto presence = scene.questions.attend();
        scene.ask("example.com", "box", 20ms);
        scene.io.run_for(2s);
        QCOMPARE(scene.replies, std::vector<bool>{false});
        QCOMPARE(scene.events.back()["by"], json("timeout"));
        const std::size_t told = scene.events.size();
        scene.ask("example.com");
        QCOMPARE(scene.replies, (std::vector<bool>{false, false}));
        QCOMPARE(scene.events.size(), told);
        scene.ask("example.com", "other"); // the control: another sandbox's is another question
        scene.ask("example.org");
        QCOMPARE(scene.events.size(), told + 2);
    }

    void aNoIsKeptForAWhileAndAYesIsNot()
    {
        Scene scene;
        const auto presence = scene.questions.attend();
        for (const bool allow : {true, false}) {
            scene.ask("example.com");
            QVERIFY(scene.questions.take(scene.lastId(), allow));
        }
        const std::size_t told = scene.events.size();
        scene.ask("example.com");
        QCOMPARE(scene.events.size(), told);
        QCOMPARE(scene.replies, std::vector<bool>{false});
    }

    void aFloodIsRefused()
    {
        Scene scene;
        const auto presence = scene.questions.attend();
        for (int number = 0; number < 100; ++number) {
            scene.ask("host" + std::to_string(number) + ".example.com");
        }
        QCOMPARE(scene.questions.list().size(), Questions::kMostPerSandbox);
        QCOMPARE(scene.replies.size(), 100 - Questions::kMostPerSandbox);
        for (int number = 0; number < 100; ++number) {
            scene.ask("example.com", "sandbox" + std::to_string(number));
        }
        QCOMPARE(scene.questions.list().size(), Questions::kMost);
        scene.questions.forget("box");
        QCOMPARE(scene.questions.list().size(), Questions::kMost - Questions::kMostPerSandbox);
        QCOMPARE(scene.events.back()["by"], json("gone"));
    }

    void presenceMayOutliveTheQuestions()
    {
        std::shared_ptr<void> presence;
        {
            Scene scene;
            presence = scene.questions.attend();
        }
        presence.reset();
    }

    void rulesMadeElsewhereEndIt()
    {
        Scene scene;
        const auto presence = scene.questions.attend();
        for (const char* host : {"yes.example.com", "no.example.com", "unknown.example.com"}) {
            scene.ask(host);
        }
        scene.ask("yes.example.com", "other");
        scene.questions.reconsider("box", [](const Question& question) -> std::optional<bool> {
            return question.host.starts_with("unknown") ? std::nullopt : std::optional(question.host.starts_with("yes"));
        });
        std::vector<bool> replies = scene.replies;
        std::sort(replies.begin(), replies.end());
        QCOMPARE(replies, (std::vector<bool>{false, true}));
        QCOMPARE(scene.questions.list().size(), std::size_t(2)); // the unknown one, and the other sandbox's
        QCOMPARE(scene.events.back()["by"], json("rule"));
        // A rule is no answer of somebody: what it denied is asked again as soon as it is gone.
        const std::size_t told = scene.events.size();
        scene.ask("no.example.com");
        QCOMPARE(scene.events.size(), told + 1);
        QCOMPARE(scene.events.back()["type"], json("ask"));
    }

    void answersAreRead()
    {
        QVERIFY(answerFrom(answer("allow", "always", "domain"))->wholeDomain);
        QVERIFY(answerFrom(answer("deny", "session"))->span == Answer::For::Session);
        QVERIFY(answerFrom({{"verdict", "allow"}})->span == Answer::For::Once);
        for (const json& bad : {answer("maybe"), answer("allow", "ever"), answer("allow", "once", "all")}) {
            QVERIFY2(!answerFrom(bad), bad.dump().c_str());
        }
    }

    void patternsFitWhatWasAsked_data()
    {
        QTest::addColumn<QString>("host");
        QTest::addColumn<bool>("domain");
        QTest::addColumn<QStringList>("patterns");
        QTest::newRow("host") << "api.example.com" << false << QStringList{"api.example.com:443"};
        QTest::newRow("domain") << "api.example.com" << true << QStringList{"example.com", "*.example.com"};
        QTest::newRow("under a public suffix") << "shop.example.co.uk" << true << QStringList{"example.co.uk", "*.example.co.uk"};
        QTest::newRow("a public suffix itself") << "co.uk" << true << QStringList{"co.uk:443"};
        QTest::newRow("a private suffix") << "someone.github.io" << true << QStringList{"someone.github.io", "*.someone.github.io"};
        QTest::newRow("IPv4") << "192.0.2.1" << true << QStringList{"192.0.2.1:443"};
        QTest::newRow("IPv6") << "2001:db8::1" << false << QStringList{"[2001:db8::1]:443"};
        QTest::newRow("one label") << "intranet" << true << QStringList{"intranet:443"};
    }
    void patternsFitWhatWasAsked()
    {
        QFETCH(QString, host);
        QFETCH(bool, domain);
        QFETCH(QStringList, patterns);
        Question question;
        question.host = host.toStdString();
        question.port = 443;
        Answer given;
        given.wholeDomain = domain;
        QStringList made;
        for (const std::string& pattern : patternsOf(question, given)) {
            QVERIFY2(policy::parsePattern(pattern), pattern.c_str());
            made.append(QString::fromStdString(pattern));
        }
        QCOMPARE(made, patterns);
    }
};

QTEST_GUILESS_MAIN(TestQuestions)
#include "test_questions.moc"
