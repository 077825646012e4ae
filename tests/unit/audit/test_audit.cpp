// SPDX-License-Identifier: Apache-2.0
#include "audit/connection_log.h"

#include "audit/database.h"
#include "audit/log_export.h"
#include "audit/log_reader.h"
#include "audit/redaction.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"

#include <QTemporaryDir>
#include <QtTest>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

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
        given.path = "/x\xff\n";
        given.process = "curl";
        given.how = "refused";
        given.durationMs = 12;
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
        const auto found = find({});
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
        const auto found = find({});
        QCOMPARE(found->size(), std::size_t{4});
        QCOMPARE(found->at(0).count, std::int64_t{50});
        QCOMPARE(found->at(0).bytesOut, std::int64_t{500});
    }

    void foldingEndsWithTheWindow()
    {
        LogLimits limits;
        limits.foldWindow = std::chrono::seconds(0);
        const auto log = openLog(limits);
        QVERIFY(log->append(denied("a.example")).has_value());
        QVERIFY(log->append(denied("a.example")).has_value());
        QCOMPARE(find({})->size(), std::size_t{2});
    }

    void eachInspectedRequestStandsAlone()
    {
        const auto log = openLog();
        Connection request = denied("a.example");
        request.verdict = "allowed";
        request.method = "POST";
        QVERIFY(log->append(request).has_value());
        QVERIFY(log->append(request).has_value());
        QCOMPARE(find({})->size(), std::size_t{2});
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
        const auto newest = find(query);
        QCOMPARE(newest->size(), std::size_t{3});
        QCOMPARE(newest->front().id, ids[7]);
        QCOMPARE(newest->back().id, ids[9]);
        query = {};
        query.sandbox = "two";
        query.verdict = "denied";
        query.afterId = ids[1];
        const auto some = find(query);
        QCOMPARE(some->size(), std::size_t{1});
        QCOMPARE(some->at(0).host, std::string("h3.example"));
        query = {};
        query.sandbox = "' OR 1=1 --";
        QVERIFY(find(query)->empty());
    }

    void hazard_19_aFloodDoesNotPushAFirstOccurrenceOut()
    {
        LogLimits limits;
        limits.maxEntries = 100;
        const auto log = openLog(limits);
        QVERIFY(log->append(denied("first.example")).has_value());
        for (int i = 0; i < 300; ++i) {
            QVERIFY(log->append(request("busy.example", "/" + std::to_string(i))).has_value());
        }
        Query query;
        query.host = "first.example";
        QVERIFY(find(query)->empty()); // the entry went for size
        const auto places = summary(query);
        QCOMPARE(places->size(), std::size_t{1});
        QCOMPARE(places->at(0).count, std::int64_t{1});
        QCOMPARE(summary({})->size(), std::size_t{2});
    }

    void foldedRepeatsNameTheirProcesses()
    {
        const auto log = openLog();
        for (const char* process : {"curl", "node", "curl", "", "node"}) {
            Connection connection = denied("a.example");
            connection.process = process;
            QVERIFY(log->append(connection).has_value());
        }
        const auto found = find({});
        QCOMPARE(found->size(), std::size_t{1});
        QCOMPARE(found->at(0).process, std::string("curl, node"));
    }

    void filtersChooseAndPagesFollow()
    {
        const auto log = openLog();
        const auto keep = [&](const char* host, const char* path, const char* method, int status, const char* process, const char* how) {
            Connection connection = request(host, path);
            connection.method = method;
            connection.status = status;
            connection.process = process;
            connection.how = how;
            connection.rule = std::string("allow ") + host;
            QVERIFY(log->append(connection).has_value());
        };
        keep("api.example.com", "/v1/models", "GET", 200, "node", "intercepted");
        keep("api.example.com", "/v1/messages", "POST", 429, "node", "intercepted");
        keep("example.com", "/", "GET", 404, "curl", "plain");
        keep("git.example.org", "", "", 0, "git", "raw");
        const auto hosts = [&](Query query) {
            std::string all;
            const auto found = find(query);
            for (const Connection& connection : found ? *found : std::vector<Connection>()) {
                all += (all.empty() ? "" : " ") + connection.host + connection.path;
            }
            return found ? all : "error: " + found.error().message;
        };
        Query query;
        query.host = "*.example.com";
        QCOMPARE(hosts(query), std::string("api.example.com/v1/models api.example.com/v1/messages"));
        query.host = "EXAMPLE.com";
        QCOMPARE(hosts(query), std::string("example.com/"));
        query = {};
        query.method = "post";
        QCOMPARE(hosts(query), std::string("api.example.com/v1/messages"));
        query = {};
        query.status = "4xx";
        QCOMPARE(hosts(query), std::string("api.example.com/v1/messages example.com/"));
        query.status = "404";
        QCOMPARE(hosts(query), std::string("example.com/"));
        query = {};
        query.process = "GIT";
        QCOMPARE(hosts(query), std::string("git.example.org"));
        query = {};
        query.how = "plain";
        QCOMPARE(hosts(query), std::string("example.com/"));
        query = {};
        query.rule = "allow git";
        QCOMPARE(hosts(query), std::string("git.example.org"));
        query = {};
        query.text = "V1/MESS";
        QCOMPARE(hosts(query), std::string("api.example.com/v1/messages"));
        query.text = "%"; // no wild card
        QCOMPARE(hosts(query), std::string());
        query = {};
        query.limit = 2;
        const auto newest = find(query);
        query.beforeId = newest->front().id;
        QCOMPARE(hosts(query), std::string("api.example.com/v1/models api.example.com/v1/messages"));
        query = {};
        query.limit = 2;
        query.oldestFirst = true;
        const auto oldest = find(query);
        QCOMPARE(oldest->front().path, std::string("/v1/models"));
        query.afterId = oldest->back().id;
        QCOMPARE(hosts(query), std::string("example.com/ git.example.org"));
        const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(utcNow().time_since_epoch()).count();
        query = {};
        query.since = now + 100;
        QCOMPARE(hosts(query), std::string());
        query.since = now - 100;
        query.until = now + 100;
        QCOMPARE(find(query)->size(), std::size_t{4});
        QCOMPARE(summary(query)->size(), std::size_t{3});
        query.until = now - 50;
        QCOMPARE(hosts(query), std::string());
        for (const auto& [verdict, status] : {std::pair("maybe", ""), std::pair("", "4x"), std::pair("", "40'"), std::pair("", "xxx")}) {
            Query bad;
            bad.verdict = verdict;
            bad.status = status;
            QVERIFY(hosts(bad).starts_with("error"));
        }
    }

    void summaryCountsByHostAndRule()
    {
        const auto log = openLog();
        for (int i = 0; i < 5; ++i) {
            Connection connection = request("api.example.com", "/" + std::to_string(i));
            connection.bytesIn = 100;
            connection.keyInjected = i == 2 ? "anthropic" : "";
            QVERIFY(log->append(connection).has_value());
            QVERIFY(log->append(denied("bad.example")).has_value());
        }
        const auto places = summary({});
        QCOMPARE(places->size(), std::size_t{2});
        for (const Place& place : *places) {
            QCOMPARE(place.count, std::int64_t{5});
            QVERIFY(place.firstTime <= place.lastTime);
            const bool isApi = place.host == "api.example.com";
            QCOMPARE(place.bytesIn, std::int64_t{isApi ? 500 : 0});
            QCOMPARE(place.keyInjected, std::string(isApi ? "anthropic" : ""));
        }
        // The same from the entries, where a filter needs them.
        Query query;
        query.text = "example";
        const auto counted = summary(query);
        QCOMPARE(counted->size(), std::size_t{2});
        QCOMPARE(counted->at(0).count, std::int64_t{5});
        query = {};
        query.verdict = "blocked";
        QCOMPARE(summary(query)->at(0).host, std::string("bad.example"));
    }

    void whatIsStillOpenIsOneEntryWithItsEnd()
    {
        const auto log = openLog();
        Connection connection = request("stream.example", "/events");
        connection.ref = "abc";
        connection.isOpen = true;
        const auto begun = log->append(connection);
        QVERIFY(begun->isOpen);
        QVERIFY(find({})->at(0).isOpen);
        connection.isOpen = false;
        connection.bytesIn = 77;
        connection.status = 200;
        const auto ended = log->append(connection);
        QCOMPARE(ended->id, begun->id);
        QCOMPARE(ended->bytesIn, std::int64_t{77});
        const auto found = find({});
        QCOMPARE(found->size(), std::size_t{1});
        QVERIFY(!found->at(0).isOpen);
        QCOMPARE(summary({})->at(0).count, std::int64_t{1});
        QCOMPARE(summary({})->at(0).bytesIn, std::int64_t{77});
        // Another sandbox cannot write the end of it, and a proxy that went leaves nothing open.
        connection.ref = "def";
        connection.isOpen = true;
        QVERIFY(log->append(connection).has_value());
        Connection stranger = connection;
        stranger.sandbox = "two";
        stranger.isOpen = false;
        QVERIFY(log->append(stranger).has_value());
        QCOMPARE(find({})->size(), std::size_t{3});
        QVERIFY(find({})->at(1).isOpen);
        QVERIFY(log->endOpen("one").has_value());
        QVERIFY(!find({})->at(1).isOpen);
    }

    void aLogOfVersion1IsBroughtUpToDate()
    {
        {
            auto database = Database::open(m_file);
            QVERIFY(database->execute(
                "PRAGMA journal_mode=WAL;"
                "CREATE TABLE connection(id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, seconds INTEGER NOT NULL, sandbox TEXT NOT NULL,"
                " source TEXT NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL, address TEXT NOT NULL, method TEXT NOT NULL,"
                " path TEXT NOT NULL, status INTEGER NOT NULL, bytesIn INTEGER NOT NULL, bytesOut INTEGER NOT NULL, verdict TEXT NOT NULL,"
                " rule TEXT NOT NULL, reason TEXT NOT NULL, keyInjected TEXT NOT NULL, inspected INTEGER NOT NULL, protocol TEXT NOT NULL,"
                " count INTEGER NOT NULL);"
                "CREATE INDEX connection_fold ON connection(sandbox, host, port, seconds);"
                "CREATE INDEX connection_sandbox ON connection(sandbox, id);"
                "PRAGMA user_version=1;").has_value());
            for (int i = 0; i < 3; ++i) {
                QVERIFY(database->execute("INSERT INTO connection(time, seconds, sandbox, source, kind, host, port, address, method, path, status, bytesIn,"
                                          " bytesOut, verdict, rule, reason, keyInjected, inspected, protocol, count) VALUES('2026-11-01T00:00:00.000Z',"
                                          " 1793491200, 'one', 'process', 'name', 'old.example', 443, '', 'GET', '/', 200, 10, 1, 'allowed', 'r', '', '', 1, 'https', 2)")
                            .has_value());
            }
        }
        const auto log = openLog();
        QVERIFY(log->append(denied("new.example")).has_value());
        const auto found = find({});
        QCOMPARE(found->size(), std::size_t{4});
        QCOMPARE(found->at(0).host, std::string("old.example"));
        QCOMPARE(found->at(0).durationMs, std::int64_t{0});
        Query query;
        query.host = "old.example";
        QCOMPARE(summary(query)->at(0).count, std::int64_t{6});
        QCOMPARE(summary(query)->at(0).bytesIn, std::int64_t{30});
    }

    void keysAreNeverKept_data()
    {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("secret"); // empty: nothing is cut
        QTest::newRow("query") << "/v1/x?key=planted-secret-value" << "planted";
        QTest::newRow("fragment") << "/v1/x#planted-secret-value" << "planted";
        QTest::newRow("provider") << "/proxy/sk-ant-api03-plantedplanted/x" << "planted";
        QTest::newRow("escaped") << "/proxy/sk%2Dant%2Dapi03%2Dplantedplanted" << "planted";
        QTest::newRow("github") << "/ghp_plantedplantedplantedplanted0000/repo" << "planted";
        QTest::newRow("matrix") << "/a;token=planted/b" << "planted";
        QTest::newRow("bot") << "/bot1234567:plantedAAEplanted/getMe" << "planted";
        QTest::newRow("jwt") << "/s/eyJhbGciOi.plantedplanted.sig" << "planted";
        QTest::newRow("mixed") << "/s/A9xPlantedQ7rTz3LmN8wK2vB5cD1fG6hJ4" << "Planted";
        QTest::newRow("digest") << "/v2/app/blobs/sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" << "";
        QTest::newRow("uuid") << "/jobs/550e8400-e29b-41d4-a716-446655440000" << "";
        QTest::newRow("package") << "/@anthropic-ai/claude-code/-/claude-code-2.1.329.tgz" << "";
        QTest::newRow("words") << "/tasks/disk-usage-of-the-machine?" << "";
    }

    void keysAreNeverKept()
    {
        QFETCH(QString, path);
        QFETCH(QString, secret);
        const std::string kept = redactPath(path.toStdString());
        if (secret.isEmpty()) {
            QCOMPARE(kept, path.toStdString().substr(0, path.toStdString().find('?')));
        } else {
            QVERIFY2(kept.find(secret.toStdString()) == std::string::npos, kept.c_str());
        }
    }

    void aPlantedKeyIsInNoFile()
    {
        const std::filesystem::path exported = m_file.parent_path() / "connections.jsonl";
        const std::string key = "sk-ant-api03-PLANTEDPLANTEDPLANTED0123456789";
        {
            const auto log = openLog();
            LogExport exporter;
            ExportTargets targets;
            targets.file = exported;
            exporter.setTargets(targets);
            for (const std::string& path : {"/v1/" + key, "/v1/x?key=" + key, "/v1/x;key=" + key, std::string("/control-marker")}) {
                Connection connection = request("api.example.com", path);
                connection.method = path.size() > 40 ? key : "GET";
                connection.process = key;
                connection.reason = "because of " + key;
                const auto kept = log->append(connection);
                QVERIFY(kept.has_value());
                exporter.write(*kept, "box");
            }
        }
        std::string all;
        for (const auto& entry : std::filesystem::directory_iterator(m_file.parent_path())) {
            all += *readFile(entry.path());
        }
        QVERIFY(all.find("PLANTED") == std::string::npos);
        // The search finds what is there, in the database and in the export.
        const std::size_t first = all.find("/control-marker");
        QVERIFY(first != std::string::npos);
        QVERIFY(all.find("/control-marker", first + 1) != std::string::npos);
        QVERIFY(readFile(exported)->find("\"sandboxName\":\"box\"") != std::string::npos);
    }

    void exportRotatesBySizeAndFoldsFloods()
    {
        const std::filesystem::path file = m_file.parent_path() / "out.jsonl";
        LogExport exporter;
        ExportTargets targets;
        targets.file = file;
        targets.maxFileBytes = 64 * 1024;
        targets.oldFiles = 2;
        QVERIFY(LogExport::check(targets).has_value());
        exporter.setTargets(targets);
        Connection connection = denied("line\nbreak \xff");
        connection.reason = std::string(1000, 'r');
        for (int i = 1; i <= 400; ++i) {
            connection.id = i;
            exporter.write(connection, "box");
        }
        std::int64_t last = 0;
        int lines = 0;
        for (const auto& path : {file.string() + ".2", file.string() + ".1", file.string()}) {
            const auto content = readFile(path);
            QVERIFY2(content.has_value(), path.c_str());
            QVERIFY(content->size() <= 64u * 1024);
            std::size_t from = 0;
            for (std::size_t end; (end = content->find('\n', from)) != std::string::npos; from = end + 1, ++lines) {
                const auto line = nlohmann::json::parse(content->substr(from, end - from));
                QVERIFY(last == 0 || line["id"] == last + 1); // nothing is lost at a turn
                last = line["id"];
            }
            QCOMPARE(from, content->size());
        }
        QCOMPARE(last, std::int64_t{400});
        QVERIFY(lines > 100);
        QVERIFY(!std::filesystem::exists(file.string() + ".3"));
        // Repeats: the tenth, the hundredth; and a file that somebody moved away is begun again.
        std::filesystem::remove(file);
        for (int count = 1; count <= 250; ++count) {
            connection.count = count;
            exporter.write(connection, "box");
        }
        const auto content = readFile(file);
        QCOMPARE(std::count(content->begin(), content->end(), '\n'), std::ptrdiff_t{3});
        // A link is not followed.
        std::filesystem::remove(file);
        std::filesystem::create_symlink(m_file.parent_path() / "elsewhere", file);
        connection.count = 1;
        exporter.write(connection, "box");
        QVERIFY(!std::filesystem::exists(m_file.parent_path() / "elsewhere"));
        targets.file = "relative";
        QVERIFY(!LogExport::check(targets).has_value());
    }

    void exportSpeaksSyslogAndNeverWaits()
    {
        const std::string path = (m_file.parent_path() / "log").string();
        const UniqueFd daemon(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        QCOMPARE(::bind(daemon.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        LogExport exporter;
        ExportTargets targets;
        targets.toSyslog = true;
        targets.syslogSocket = path;
        exporter.setTargets(targets);
        exporter.write(denied("a.example"), "box");
        std::string packet(65536, '\0');
        const ssize_t got = ::recv(daemon.get(), packet.data(), packet.size(), MSG_DONTWAIT);
        QVERIFY(got > 0);
        packet.resize(static_cast<std::size_t>(got));
        QVERIFY2(packet.starts_with("<12>coldframe["), packet.c_str());
        const auto line = nlohmann::json::parse(packet.substr(packet.find("]: ") + 3));
        QCOMPARE(line["host"].get<std::string>(), std::string("a.example"));
        QCOMPARE(line["sandboxName"].get<std::string>(), std::string("box"));
        for (int i = 0; i < 2000; ++i) { // nobody reads: it comes back all the same
            exporter.write(denied("a.example"), "box");
        }
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
        const auto found = find({});
        QVERIFY(found->size() <= 100 && found->size() >= 90);
        QCOMPARE(found->back().id, last);
    }

    void retentionDropsWhatIsOldOrTooMuch()
    {
        LogLimits limits;
        limits.maxBytes = 512 * 1024;
        {
            const auto log = openLog(limits);
            for (int i = 0; i < 6000; ++i) {
                QVERIFY(log->append(request("a.example", "/" + std::to_string(i))).has_value());
            }
            Query query;
            query.limit = 10000;
            const auto found = find(query);
            QVERIFY2(found->size() < 4000 && found->size() > 100, std::to_string(found->size()).c_str());
            QCOMPARE(found->back().path, std::string("/5999"));
        }
        {
            auto database = Database::open(m_file);
            QVERIFY(database->execute("UPDATE connection SET seconds=seconds-86400*91; UPDATE place SET lastSeconds=lastSeconds-86400*91").has_value());
        }
        const auto log = openLog();
        QVERIFY(find({})->empty());
        QVERIFY(summary({})->empty());
        QVERIFY(log->append(denied("a.example")).has_value());
        QCOMPARE(find({})->size(), std::size_t{1});
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

    void damageThatIsFoundLaterEndsWithTheNextStart()
    {
        std::int64_t page = 0;
        {
            const auto log = openLog();
            QVERIFY(log->append(denied("a.example")).has_value());
        }
        {
            auto database = Database::open(m_file);
            auto root = database->prepare("SELECT rootpage FROM sqlite_schema WHERE name='connection_repeat'");
            QVERIFY(root && root->step().value_or(false));
            page = root->integer(0);
        }
        std::string bytes = *readFile(m_file, 64u << 20);
        const std::size_t size = 4096;
        QVERIFY(page > 1 && bytes.size() >= static_cast<std::size_t>(page) * size);
        bytes.replace(static_cast<std::size_t>(page - 1) * size, size, size, 'x');
        QVERIFY(writeFileAtomic(m_file, bytes).has_value());
        {
            const auto opened = ConnectionLog::open(m_file);
            QVERIFY(opened && opened->note.empty()); // nothing that a start reads
            const auto appended = opened->log->append(denied("a.example"));
            QVERIFY(!appended && appended.error().code == ErrorCode::Corrupt);
        }
        const auto again = ConnectionLog::open(m_file);
        QVERIFY(again && again->note.find("damaged") != std::string::npos);
        QVERIFY(again->log->append(denied("a.example")).has_value());
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
        QCOMPARE(find({})->front().host, std::string("first.example"));
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

    Result<std::vector<Connection>> find(const Query& query) const
    {
        COLDFRAME_TRY(LogReader reader, LogReader::open(m_file));
        return reader.find(query);
    }

    Result<std::vector<Place>> summary(const Query& query) const
    {
        COLDFRAME_TRY(LogReader reader, LogReader::open(m_file));
        return reader.summary(query);
    }

    static Connection request(const std::string& host, const std::string& path)
    {
        Connection connection = denied(host);
        connection.verdict = "allowed";
        connection.method = "GET";
        connection.path = path;
        connection.inspected = true;
        return connection;
    }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::filesystem::path m_file;
};

QTEST_APPLESS_MAIN(TestAudit)
#include "test_audit.moc"
