// SPDX-License-Identifier: Apache-2.0
// The corpus of tests/redteam/smuggling through the proxy: whatever a client sends, the origin gets what was judged and nothing
// else, in a form that can be read in one way only. The control, that real servers read the cases differently, is readings.py.
// The same for what HTTP/2 can say and HTTP/1 cannot; there the control is a bridge that writes down what it is told.
#include "harness.h"

#include <QRegularExpression>
#include <QtTest>
#include <fstream>
#include <map>
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

using Fields = std::vector<std::pair<std::string, std::string>>;

const std::string kNext = "GET /smuggled HTTP/1.1\r\nHost: victim.example\r\n\r\n";

/// One request of HTTP/2 to a server of HTTP/1.
struct Downgrade
{
    enum class Kind { Honest, Smuggles, Contradicts };
    std::string name;
    Kind kind;
    Fields head; ///< a pseudo field replaces the usual one of its name, unless it is marked with a "+" to stand beside it
    std::string body{};
};

std::vector<Downgrade> downgrades()
{
    using enum Downgrade::Kind;
    const std::string line = "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: victim.example";
    return {
        {"plain", Honest, {}},
        {"body without a length", Honest, {{":method", "POST"}}, "hello"},
        {"body with its length", Honest, {{":method", "POST"}, {"content-length", "5"}}, "hello"},
        {"body that looks like a request", Honest, {{":method", "POST"}}, kNext},
        {"value with separators", Honest, {{"x", "a;b=\"c\", (d) <e>"}}},
        {"length of nothing, and a body", Smuggles, {{":method", "POST"}, {"content-length", "0"}}, kNext},
        {"length in capitals", Smuggles, {{":method", "POST"}, {"Content-Length", "0"}}, kNext},
        {"two lengths", Smuggles, {{":method", "POST"}, {"content-length", "0"}, {"content-length", std::to_string(kNext.size())}}, kNext},
        {"length and a list of lengths", Smuggles, {{":method", "POST"}, {"content-length", "0, " + std::to_string(kNext.size())}}, kNext},
        {"chunked", Smuggles, {{":method", "POST"}, {"transfer-encoding", "chunked"}}, "0\r\n\r\n" + kNext},
        {"chunked in capitals", Smuggles, {{":method", "POST"}, {"Transfer-Encoding", "chunked"}}, "0\r\n\r\n" + kNext},
        {"chunked and a length", Smuggles, {{":method", "POST"}, {"transfer-encoding", "chunked"}, {"content-length", std::to_string(kNext.size() + 5)}}, "0\r\n\r\n" + kNext},
        {"colon in a name", Smuggles, {{":method", "POST"}, {"content-length:0", "x"}}, kNext},
        {"line break in a name", Smuggles, {{"x: y" + line + "\r\nx", "z"}}},
        {"line break in a value", Smuggles, {{"x", "y" + line}}},
        {"line feeds in a value", Smuggles, {{"x", "y\n\nGET /smuggled HTTP/1.1\nHost: victim.example"}}},
        {"length after a line break in a value", Smuggles, {{":method", "POST"}, {"x", "y\r\ncontent-length: 0"}}, kNext},
        {"chunked after a line feed in a value", Smuggles, {{":method", "POST"}, {"x", "y\ntransfer-encoding: chunked"}}, "0\r\n\r\n" + kNext},
        {"line break in the path", Smuggles, {{":path", "/a HTTP/1.1\r\nHost: victim.example\r\n\r\nGET /smuggled"}}},
        {"line break in the method", Smuggles, {{":method", "GET /a HTTP/1.1\r\nHost: victim.example\r\n\r\nGET /smuggled HTTP/1.1\r\nx: y\r\n\r\nGET"}}},
        {"space in the method", Smuggles, {{":method", "GET /smuggled?"}}},
        {"line break in the authority", Smuggles, {{":authority", "victim.example" + line}}},
        {"path twice", Smuggles, {{"+:path", "/smuggled"}}},
        {"path behind the fields", Smuggles, {{"x", "y"}, {"+:path", "/smuggled"}}},
        {"absolute path", Contradicts, {{":path", "https://other.example/a"}}},
        {"path with a space", Contradicts, {{":path", "/a b"}}},
        {"host beside the authority", Contradicts, {{"host", "other.example"}}},
        {"two hosts", Contradicts, {{"host", "victim.example"}, {"host", "other.example"}}},
        {"authority twice", Contradicts, {{"+:authority", "other.example"}}},
        {"user in the authority", Contradicts, {{":authority", "other.example@victim.example"}}},
        {"method twice", Contradicts, {{"+:method", "DELETE"}}},
        {"length that no body has", Contradicts, {{":method", "POST"}, {"content-length", "500"}}, "A"},
        {"connection", Contradicts, {{"connection", "close, content-length"}}},
        {"upgrade", Contradicts, {{"connection", "upgrade"}, {"upgrade", "websocket"}}},
    };
}

/// The whole head, in its order.
Fields headOf(const Downgrade& given)
{
    Fields head = {{":method", "GET"}, {":scheme", "https"}, {":authority", "victim.example"}, {":path", "/a"}};
    for (const auto& [name, value] : given.head) {
        const auto usual = std::find_if(head.begin(), head.end(), [&name = name](const auto& field) { return field.first == name; });
        if (name.starts_with(":") && usual != head.end()) {
            usual->second = value;
        } else {
            head.emplace_back(name.starts_with("+") ? name.substr(1) : name, value);
        }
    }
    return head;
}

/// What a bridge writes that believes what it is told: the last of each pseudo field, every other field as it is.
std::string naively(const Downgrade& given)
{
    std::map<std::string, std::string> pseudo;
    std::string fields;
    bool hasFraming = false;
    for (const auto& [name, value] : headOf(given)) {
        if (name.starts_with(":")) {
            pseudo[name] = value;
        } else {
            fields += name + ": " + value + "\r\n";
            hasFraming = hasFraming || name == "content-length" || name == "transfer-encoding";
        }
    }
    if (!hasFraming && !given.body.empty()) {
        fields += "content-length: " + std::to_string(given.body.size()) + "\r\n";
    }
    return pseudo[":method"] + " " + pseudo[":path"] + " HTTP/1.1\r\nhost: " + pseudo[":authority"] + "\r\n" + fields + "\r\n" + given.body;
}

/// The targets that a forgiving server finds: lines end with a line feed, the first length counts, chunked goes before it.
QStringList readForgivingly(const std::string& text)
{
    QStringList targets;
    QByteArray rest = QByteArray::fromStdString(text).replace("\r\n", "\n");
    while (!rest.isEmpty()) {
        const qsizetype end = rest.indexOf("\n\n");
        const QList<QByteArray> lines = rest.left(end < 0 ? rest.size() : end).split('\n');
        rest = end < 0 ? QByteArray() : rest.mid(end + 2);
        targets << QString::fromLatin1(lines.front().split(' ').value(1));
        qsizetype length = -1;
        bool chunked = false;
        for (const QByteArray& line : lines.mid(1)) {
            const QByteArray name = line.left(line.indexOf(':')).trimmed().toLower();
            if (name == "content-length" && length < 0) {
                length = std::strtoll(line.mid(line.indexOf(':') + 1).trimmed().constData(), nullptr, 10);
            }
            chunked = chunked || (name == "transfer-encoding" && line.toLower().contains("chunked"));
        }
        if (chunked) {
            length = rest.startsWith("0\n\n") ? 3 : rest.size();
        }
        rest = rest.mid(std::max<qsizetype>(length, 0));
    }
    return targets;
}

std::string frameOf(int type, int flags, const std::string& payload)
{
    std::string frame;
    for (const std::size_t byte : {payload.size() >> 16, payload.size() >> 8, payload.size(), static_cast<std::size_t>(type), static_cast<std::size_t>(flags),
                                   std::size_t{0}, std::size_t{0}, std::size_t{0}, std::size_t{1}}) {
        frame.push_back(static_cast<char>(byte & 255));
    }
    return frame + payload;
}

/// As a client with no manners sends it (RFC 7541, section 6.2.2: nothing compressed).
std::string framesOf(const Downgrade& given)
{
    std::string block;
    const auto put = [&block](const std::string& text) {
        // RFC 7541, section 5.1: a number of more than seven bits goes on in a second byte.
        if (text.size() < 127) {
            block.push_back(static_cast<char>(text.size()));
        } else {
            block.push_back('\x7f');
            block.push_back(static_cast<char>(text.size() - 127));
        }
        block += text;
    };
    for (const auto& [name, value] : headOf(given)) {
        block.push_back('\0');
        put(name);
        put(value);
    }
    static const std::string preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33);
    const std::string head = frameOf(1, given.body.empty() ? 5 : 4, block);
    return preface + head + (given.body.empty() ? std::string() : frameOf(0, 1, given.body));
}

/// Reads strictly and remembers; answers each whole request and ends the connection.
Origin::Handler recordingOrigin(Record& record)
{
    return [&record](Wire& wire, Origin&) {
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
    };
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
        Origin origin(std::nullopt, recordingOrigin(record));
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

    void pitfall_04_whatOnlyHttp2CanSayIsNotWrittenDown()
    {
        const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
        Record record;
        Origin origin(makeCertificate({.name = "victim.example", .issuer = &ca}), recordingOrigin(record), "http/1.1");
        Harness::Setup setup;
        setup.policy = policy();
        setup.trusted = {ca.certificatePem};
        Harness harness(setup);
        harness.route("victim.example:443", origin.port());
        const auto arrived = [&record] {
            std::size_t count = 0;
            const std::lock_guard lock(record.mutex);
            for (const auto& reader : record.connections) {
                count += static_cast<std::size_t>(std::count_if(reader->seen.begin(), reader->seen.end(), [](const Seen& seen) { return seen.isComplete; }));
            }
            return count;
        };
        const auto judged = [&harness] {
            return harness.connections("victim.example", "allowed").size() + harness.connections("victim.example", "denied").size()
                   + harness.connections("victim.example", "error").size();
        };
        for (const Downgrade& given : downgrades()) {
            // The control: written down as it is, it is another request, or says two things.
            const bool smuggles = !readForgivingly(naively(given)).filter(QRegularExpression("^/smuggled")).isEmpty();
            QVERIFY2(smuggles == (given.kind == Downgrade::Kind::Smuggles), given.name.c_str());

            const std::size_t before = arrived();
            const std::size_t judgedBefore = judged();
            auto opened = harness.connect("victim.example:443");
            QVERIFY(opened.wire && opened.wire->startTls("victim.example", harness.caPem(), "h2"));
            QVERIFY(opened.wire->write(framesOf(given)));
            QVERIFY2(waitUntil([&] { return judged() > judgedBefore; }, std::chrono::seconds(10)), (given.name + ": not on record").c_str());
            opened.wire->close();
            if (given.kind == Downgrade::Kind::Honest) {
                QVERIFY2(waitUntil([&] { return arrived() == before + 1; }, std::chrono::seconds(10)), given.name.c_str());
            }
            const std::lock_guard lock(record.mutex);
            for (const auto& reader : record.connections) {
                QVERIFY2(reader->problem.isEmpty(), (given.name + ": " + reader->problem.toStdString()).c_str());
                for (const Seen& seen : reader->seen) {
                    QVERIFY2(seen.target == "/a" && (seen.method == "GET" || seen.method == "POST"), (given.name + ": " + seen.target.toStdString()).c_str());
                }
            }
        }
        // Nothing but the honest ones arrived whole, now that all are over.
        const auto all = downgrades();
        QCOMPARE(arrived(), static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const Downgrade& one) { return one.kind == Downgrade::Kind::Honest; })));
    }
};

QTEST_GUILESS_MAIN(SmugglingTest)
#include "smuggling_test.moc"
