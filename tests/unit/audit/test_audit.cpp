// SPDX-License-Identifier: Apache-2.0
#include "audit/connection_log.h"

#include "audit/database.h"
#include "base/file.h"

#include <QTemporaryDir>
#include <QtTest>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

using namespace coldframe;
using namespace coldframe::audit;

namespace {

Connection denied(const std::string& host, const std::string& sandbox = "one")
{
    Connection connection;
    connection.sandbox = sandbox;
    connection.source = "process";
    connection.kind = "name";
    connection.host = host;
    connection.port = 443;
    connection.verdict = "denied";
    connection.rule = "mode locked";
    connection.reason = "because";
    connection.protocol = "https";
    connection.bytesOut = 10;
    return connection;
}

} // namespace

class TestAudit : public QObject
{
    Q_OBJECT

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_file = std::filesystem::path(m_folder->path().toStdString()) / "audit.sqlite";
    }

    void keepsEveryField()
    {
        Connection given = denied("example.com");
        given.address = "192.0.2.1:443";
        given.method = "GET";
        given.path = "/x?\xff\n";
        given.status = 403;
        given.bytesIn = 5;
        given.keyInjected = "anthropic";
        given.inspected = true;
        given.time = "2026-01-29T10:15:23.123Z";
        {
            const auto log = openLog();
            QVERIFY(log->append(given).has_value());
        }
        const auto log = openLog();
        const auto found = log->find({});
        QCOMPARE(found->size(), std::size_t{1});
        given.id = found->at(0).id;
        QCOMPARE(toJson(found->at(0)), toJson(given));
        QCOMPARE(found->at(0).path, given.path);
    }

    void hazard_19_repeatsAreFoldedFirstsNeverDropped()
    {
        const auto log = openLog();
        for (int i = 0; i < 50; ++i) {
            QVERIFY(log->append(denied("a.example")).has_value());
        }
        const auto other = log->append(denied("b.example"));
        QVERIFY(other->id > 0);
        QCOMPARE(other->count, std::int64_t{1});
        Connection otherRule = denied("a.example");
        otherRule.rule = "deny a.example (user)";
        QVERIFY(log->append(otherRule).has_value());
        QVERIFY(log->append(denied("a.example", "two")).has_value());
        const auto found = log->find({});
        QCOMPARE(found->size(), std::size_t{4});
        QCOMPARE(found->at(0).count, std::int64_t{50});
        QCOMPARE(found->at(0).bytesOut, std::int64_t{500});
        QCOMPARE(*log->countBlocked("one"), std::int64_t{52});
        QCOMPARE(*log->countBlocked("two"), std::int64_t{1});
    }

    void foldingEndsWithTheWindow()
    {
        LogLimits limits;
        limits.foldWindow = std::chrono::seconds(0);
        const auto log = openLog(limits);
        QVERIFY(log->append(denied("a.example")).has_value());
        QVERIFY(log->append(denied("a.example")).has_value());
        QCOMPARE(log->find({})->size(), std::size_t{2});
    }

    void eachInspectedRequestStandsAlone()
    {
        const auto log = openLog();
        Connection request = denied("a.example");
        request.verdict = "allowed";
        request.method = "POST";
        QVERIFY(log->append(request).has_value());
        QVERIFY(log->append(request).has_value());
        QCOMPARE(log->find({})->size(), std::size_t{2});
    }

    void queriesChooseTheNewest()
    {
        const auto log = openLog();
        std::vector<std::int64_t> ids;
        for (int i = 0; i < 10; ++i) {
            Connection connection = denied("h" + std::to_string(i) + ".example", i % 2 == 0 ? "one" : "two");
            connection.verdict = i < 5 ? "denied" : "allowed";
            ids.push_back(log->append(connection)->id);
        }
        Query query;
        query.limit = 3;
        const auto newest = log->find(query);
        QCOMPARE(newest->size(), std::size_t{3});
        QCOMPARE(newest->front().id, ids[7]);
        QCOMPARE(newest->back().id, ids[9]);
        query = {};
        query.sandbox = "two";
        query.verdict = "denied";
        query.afterId = ids[1];
        const auto some = log->find(query);
        QCOMPARE(some->size(), std::size_t{1});
        QCOMPARE(some->at(0).host, std::string("h3.example"));
        query = {};
        query.sandbox = "' OR 1=1 --";
        QVERIFY(log->find(query)->empty());
    }

    void exportsJsonLines()
    {
        const auto log = openLog();
        QVERIFY(log->append(denied("a.example")).has_value());
        QVERIFY(log->append(denied("line\nbreak \xff")).has_value());
        std::vector<std::string> lines;
        QVERIFY(log->exportLines("one", [&](const std::string& line) -> Result<void> {
                       lines.push_back(line);
                       return {};
                   }).has_value());
        QCOMPARE(lines.size(), std::size_t{2});
        for (const std::string& line : lines) {
            QCOMPARE(std::count(line.begin(), line.end(), '\n'), std::ptrdiff_t{1});
            QVERIFY(nlohmann::json::accept(line));
        }
        QVERIFY(!log->exportLines("", [](const std::string&) -> Result<void> { return fail(ErrorCode::Closed, "gone"); }).has_value());
        QVERIFY(log->removeSandbox("one").has_value());
        QVERIFY(log->find({})->empty());
    }

    void retentionDropsTheOldest()
    {
        LogLimits limits;
        limits.maxEntries = 100;
        const auto log = openLog(limits);
        std::int64_t last = 0;
        for (int i = 0; i < 250; ++i) {
            last = log->append(denied("h" + std::to_string(i) + ".example"))->id;
        }
        const auto found = log->find({});
        QVERIFY(found->size() <= 100 && found->size() >= 90);
        QCOMPARE(found->back().id, last);
    }

    void damagedFileIsMovedAside()
    {
        QVERIFY(writeFileAtomic(m_file, std::string(8192, 'x')).has_value());
        auto opened = ConnectionLog::open(m_file);
        QVERIFY2(opened.has_value(), opened ? "" : opened.error().message.c_str());
        QVERIFY2(opened->note.find("damaged") != std::string::npos, opened->note.c_str());
        QVERIFY(opened->log->append(denied("a.example")).has_value());
        int damaged = 0;
        for (const auto& entry : std::filesystem::directory_iterator(m_file.parent_path())) {
            if (entry.path().filename().string().find(".damaged-") != std::string::npos) {
                QCOMPARE(readFile(entry.path())->substr(0, 3), std::string("xxx"));
                ++damaged;
            }
        }
        QCOMPARE(damaged, 1);
        QVERIFY(ConnectionLog::open(m_file)->note.empty());
    }

    void newerVersionIsLeftAlone()
    {
        {
            auto database = Database::open(m_file);
            QVERIFY(database->execute("CREATE TABLE t(x); PRAGMA user_version=99;").has_value());
        }
        const auto opened = ConnectionLog::open(m_file);
        QVERIFY(!opened.has_value());
        QVERIFY(std::filesystem::exists(m_file));
        QVERIFY(opened.error().message.find("newer") != std::string::npos);
    }

    void aFullDiskIsAnErrorAndTheLogSurvives()
    {
        const auto log = openLog();
        QVERIFY(log->append(denied("first.example")).has_value());
        // No file may grow beyond what is there: what a full disk does to the writer.
        ::signal(SIGXFSZ, SIG_IGN);
        rlimit before{};
        QCOMPARE(::getrlimit(RLIMIT_FSIZE, &before), 0);
        rlimit small = before;
        small.rlim_cur = 64 * 1024;
        QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
        bool failed = false;
        for (int i = 0; i < 200 && !failed; ++i) {
            Connection connection = denied("h" + std::to_string(i) + ".example");
            connection.reason = std::string(2000, 'r');
            failed = !log->append(connection).has_value();
        }
        QCOMPARE(::setrlimit(RLIMIT_FSIZE, &before), 0);
        QVERIFY(failed);
        QVERIFY(log->append(denied("after.example")).has_value()); // control: space again
        QCOMPARE(log->find({})->front().host, std::string("first.example"));
    }

    void recordsOfTheWrongShapeAreRefused()
    {
        QVERIFY(connectionFromJson(R"({"host":"a","port":443,"verdict":"denied","count":3,"unknown":[]})").has_value());
        QCOMPARE(connectionFromJson(R"({"host":"a","count":3})")->count, std::int64_t{3});
        for (const char* bad : {"", "[]", R"({"host":1})", R"({"port":65536})", R"({"port":-1})", R"({"bytesIn":1.5})", R"({"inspected":1})"}) {
            QVERIFY2(!connectionFromJson(bad).has_value(), bad);
        }
        QCOMPARE(connectionFromJson("{\"path\":\"" + std::string(100000, 'x') + "\"}")->path.size(), std::size_t{4096});
    }

private:
    std::unique_ptr<ConnectionLog> openLog(LogLimits limits = {})
    {
        auto opened = ConnectionLog::open(m_file, limits);
        if (!opened) {
            qFatal("%s", opened.error().message.c_str());
        }
        return std::move(opened->log);
    }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::filesystem::path m_file;
};

QTEST_APPLESS_MAIN(TestAudit)
#include "test_audit.moc"
