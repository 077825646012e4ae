// SPDX-License-Identifier: Apache-2.0
// The corpus of tests/redteam/smuggling through the proxy: whatever a client sends, the origin gets what was judged and nothing
// else, in a form that can be read in one way only. The control, that real servers read the cases differently, is readings.py.
#include "harness.h"

#include <QRegularExpression>
#include <QtTest>
#include <fstream>
#include <mutex>

using namespace proxytest;

namespace {

/// One request as a strict reader finds it in the bytes; written for this test, so that a mistake of the proxy's parser is not shared.
struct Seen
{
    QByteArray method;
    QByteArray target;
    bool isComplete = false;
};

struct StrictReader
{
    QByteArray buffer;
    std::vector<Seen> seen;
    QString problem;

    void fail(const char* what, const QByteArray& where) { problem = QString::fromLatin1(what) + ": " + QString::fromLatin1(where.left(300)); }

    /// Takes as many requests as there are; how many of them were new and whole.
    int read()
    {
        int whole = 0;
        while (problem.isEmpty()) {
            const qsizetype end = buffer.indexOf("\r\n\r\n");
            if (end < 0) {
                break;
            }
            static const QRegularExpression line("^([A-Za-z!#$%&'*+.^_`|~-]+) (/[!-~]*|\\*) HTTP/1\\.1$");
            static const QRegularExpression field("^([A-Za-z0-9!#$%&'*+.^_`|~-]+): ([\\t -~\\x{80}-\\x{ff}]*)$");
            const QList<QByteArray> lines = splitLines(buffer.left(end));
            const auto request = line.match(QString::fromLatin1(lines.front()));
            if (!request.hasMatch()) {
                fail("no plain request line", lines.front());
                break;
            }
            qint64 length = -1;
            int hosts = 0;
            int codings = 0;
            for (const QByteArray& text : lines.mid(1)) {
                const auto match = field.match(QString::fromLatin1(text));
                const QString name = match.captured(1).toLower();
                const QString value = match.captured(2);
                if (!match.hasMatch()) {
                    fail("no plain field", text);
                } else if (name == "host") {
                    hosts += value == "victim.example" ? 1 : 100;
                } else if (name == "content-length") {
                    static const QRegularExpression digits("^(0|[1-9][0-9]*)$");
                    if (length >= 0 || !digits.match(value).hasMatch()) {
                        fail("a length that is not plain", text);
                    }
                    length = value.toLongLong();
                } else if (name == "transfer-encoding") {
                    codings += value == "chunked" ? 1 : 100;
                }
            }
            if (hosts != 1 || codings > 1 || (codings == 1 && length >= 0)) {
                fail("not one host and one framing", buffer.left(end));
            }
            if (!problem.isEmpty()) {
                break;
            }
            const qsizetype bodyEnd = codings == 1 ? chunkedEnd(end + 4) : end + 4 + std::max<qint64>(length, 0);
            seen.resize(std::max(seen.size(), m_whole + 1));
            seen[m_whole] = {request.captured(1).toLatin1(), request.captured(2).toLatin1(), false};
            if (bodyEnd < 0 || bodyEnd > buffer.size()) {
                break;
            }
            seen[m_whole].isComplete = true;
            ++m_whole;
            ++whole;
            buffer.remove(0, bodyEnd);
        }
        return whole;
    }

private:
    static QList<QByteArray> splitLines(const QByteArray& head)
    {
        QList<QByteArray> lines;
        qsizetype from = 0;
        for (qsizetype at; (at = head.indexOf("\r\n", from)) >= 0; from = at + 2) {
            lines.push_back(head.mid(from, at - from));
        }
        lines.push_back(head.mid(from));
        return lines;
    }

    /// -1 = more bytes are needed, or there is a problem.
    qsizetype chunkedEnd(qsizetype at)
    {
        while (true) {
            const qsizetype end = buffer.indexOf("\r\n", at);
            if (end < 0) {
                return -1;
            }
            static const QRegularExpression hexadecimal("^[0-9a-f]{1,8}$");
            const QByteArray size = buffer.mid(at, end - at);
            if (!hexadecimal.match(QString::fromLatin1(size)).hasMatch()) {
                fail("no plain chunk size", size);
                return -1;
            }
            const qsizetype count = size.toLongLong(nullptr, 16);
            at = end + 2;
            if (count == 0) {
                break;
            }
            if (buffer.size() < at + count + 2) {
                return -1;
            }
            if (buffer.mid(at + count, 2) != "\r\n") {
                fail("a chunk without its end", buffer.mid(at));
                return -1;
            }
            at += count + 2;
        }
        while (true) { // trailers
            const qsizetype end = buffer.indexOf("\r\n", at);
            if (end < 0) {
                return -1;
            }
            if (end == at) {
                return end + 2;
            }
            const QByteArray name = buffer.mid(at, end - at).toLower();
            for (const char* forbidden : {"content-length", "transfer-encoding", "host", "authorization"}) {
                if (name.startsWith(forbidden)) {
                    fail("a trailer that steers", name);
                }
            }
            at = end + 2;
        }
    }

    std::size_t m_whole = 0;
};

/// Everything the origin saw, by connection.
struct Record
{
    std::mutex mutex;
    std::vector<std::shared_ptr<StrictReader>> connections;
};

nlohmann::json policy()
{
    auto policy = policyJson("locked", {"victim.example"});
    policy["rules"].push_back({{"id", "d"}, {"action", "deny"}, {"pattern", "victim.example"}, {"path", "/smuggled**"},
                               {"scope", "sandbox"}, {"origin", "user"}});
    return policy;
}

std::vector<nlohmann::json> readCases()
{
    std::ifstream file(SMUGGLING_CASES);
    std::vector<nlohmann::json> cases;
    for (std::string line; std::getline(file, line);) {
        cases.push_back(nlohmann::json::parse(line));
    }
    return cases;
}

bool waitUntil(const std::function<bool()>& condition, std::chrono::seconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1)); // polls with a deadline
    }
    return true;
}

} // namespace

class SmugglingTest : public QObject
{
    Q_OBJECT

private slots:
    void pitfall_04_originsGetWhatWasJudgedAndNothingElse()
    {
        const std::vector<nlohmann::json> cases = readCases();
        QVERIFY(cases.size() >= 300);
        Record record;
        Origin origin(std::nullopt, [&record](Wire& wire, Origin&) {
            const auto reader = std::make_shared<StrictReader>();
            {
                const std::lock_guard lock(record.mutex);
                record.connections.push_back(reader);
            }
            for (std::string data = wire.readSome(); !data.empty(); data = wire.readSome()) {
                int whole = 0;
                {
                    const std::lock_guard lock(record.mutex);
                    reader->buffer.append(data.data(), static_cast<qsizetype>(data.size()));
                    whole = reader->read();
                    if (!reader->problem.isEmpty()) {
                        return;
                    }
                }
                for (int i = 0; i < whole; ++i) {
                    wire.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
                }
            }
        });
        Harness::Setup setup;
        setup.policy = policy();
        Harness harness(setup);
        harness.route("victim.example:80", origin.port());

        std::size_t reachedBefore = 0;
        std::size_t judgedBefore = 0;
        int refusals = 0;
        int passes = 0;
        for (const nlohmann::json& entry : cases) {
            const std::string name = entry["name"].get<std::string>();
            const QByteArray bytes = QString::fromStdString(entry["send"].get<std::string>()).toLatin1();
            auto opened = harness.connect("victim.example:80");
            QVERIFY2(opened.wire != nullptr, name.c_str());
            opened.wire->write(std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
            opened.wire->endWriting();
            std::string replies;
            for (std::string data = opened.wire->readSome(); !data.empty(); data = opened.wire->readSome()) {
                replies += data;
            }
            opened.wire->close();

            // What the proxy judged and let go, in its own words, against what arrived.
            std::vector<std::pair<std::string, std::string>> arrived;
            const auto collect = [&] {
                arrived.clear();
                const std::lock_guard lock(record.mutex);
                for (const auto& reader : record.connections) {
                    for (const Seen& seen : reader->seen) {
                        if (seen.isComplete) {
                            arrived.emplace_back(seen.method.toStdString(), seen.target.toStdString());
                        }
                    }
                }
            };
            std::vector<nlohmann::json> judged;
            const bool settled = waitUntil([&] {
                collect();
                judged = harness.connections("victim.example", "allowed");
                return judged.size() == arrived.size();
            }, std::chrono::seconds(10));
            QVERIFY2(settled, (name + ": " + std::to_string(judged.size() - judgedBefore) + " judged, "
                               + std::to_string(arrived.size() - reachedBefore) + " arrived; replies: " + replies).c_str());
            for (std::size_t i = reachedBefore; i < arrived.size(); ++i) {
                const std::string path = arrived[i].second.substr(0, arrived[i].second.find('?'));
                QCOMPARE(arrived[i].first, judged[i]["method"].get<std::string>());
                QCOMPARE(path, judged[i]["path"].get<std::string>());
            }
            {
                const std::lock_guard lock(record.mutex);
                for (const auto& reader : record.connections) {
                    QVERIFY2(reader->problem.isEmpty(), (name + ": " + reader->problem.toStdString()).c_str());
                    for (const Seen& seen : reader->seen) {
                        QVERIFY2(!seen.target.startsWith("/smuggled"), name.c_str());
                    }
                }
            }
            if (qEnvironmentVariableIsSet("SMUGGLING_SHOWS")) {
                qInfo("%s: %d arrived; %s", name.c_str(), static_cast<int>(arrived.size() - reachedBefore), replies.substr(0, 80).c_str());
            }
            passes += arrived.size() > reachedBefore ? 1 : 0;
            refusals += replies.find("HTTP/1.1 4") != std::string::npos || replies.find("HTTP/1.1 5") != std::string::npos ? 1 : 0;
            if (name.starts_with("control: ") && name != "control: denied") {
                QVERIFY2(arrived.size() > reachedBefore && replies.find("HTTP/1.1 4") == std::string::npos, (name + replies).c_str());
            }
            reachedBefore = arrived.size();
            judgedBefore = judged.size();
        }
        qInfo("%d cases: something of %d reached the origin, %d were refused in part or whole", static_cast<int>(cases.size()), passes, refusals);
        QVERIFY(passes >= 10 && refusals >= 300);
    }
};

QTEST_GUILESS_MAIN(SmugglingTest)
#include "smuggling_test.moc"
