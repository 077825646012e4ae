// SPDX-License-Identifier: Apache-2.0
// Messages, frames and paths as text; no sockets.
#include "api/engine_start.h"
#include "api/path_encoding.h"
#include "api/protocol.h"
#include "base/exec_frames.h"

#include <QTest>
#include <algorithm>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::api;

class ProtocolTest : public QObject
{
    Q_OBJECT

private slots:
    void parseRequest_judgesLines_data()
    {
        QTest::addColumn<QByteArray>("line");
        QTest::addColumn<int>("kind");
        QTest::addColumn<int>("code"); // of the error answer, 0 = none
        const int request = static_cast<int>(ParsedRequest::Kind::Request);
        const int notification = static_cast<int>(ParsedRequest::Kind::Notification);
        const int malformed = static_cast<int>(ParsedRequest::Kind::Malformed);
        QTest::newRow("request") << QByteArray(R"({"jsonrpc":"2.0","id":7,"method":"a.b","params":{"x":1}})") << request << 0;
        QTest::newRow("text id") << QByteArray(R"({"jsonrpc":"2.0","id":"q","method":"a"})") << request << 0;
        QTest::newRow("notification") << QByteArray(R"({"jsonrpc":"2.0","method":"cancel"})") << notification << 0;
        QTest::newRow("no json") << QByteArray("GET / HTTP/1.1") << malformed << kParseError;
        QTest::newRow("half") << QByteArray(R"({"jsonrpc":"2.0",)") << malformed << kParseError;
        QTest::newRow("too deep") << QByteArray(200000, '[') << malformed << kParseError;
        QTest::newRow("deep and closed") << QByteArray(100, '[') + QByteArray(100, ']') << malformed << kParseError;
        QTest::newRow("batch") << QByteArray("[]") << malformed << kInvalidRequest;
        QTest::newRow("number") << QByteArray("5") << malformed << kInvalidRequest;
        QTest::newRow("no version") << QByteArray(R"({"id":1,"method":"a"})") << malformed << kInvalidRequest;
        QTest::newRow("null id") << QByteArray(R"({"jsonrpc":"2.0","id":null,"method":"a"})") << malformed << kInvalidRequest;
        QTest::newRow("fraction id") << QByteArray(R"({"jsonrpc":"2.0","id":1.5,"method":"a"})") << malformed << kInvalidRequest;
        QTest::newRow("no method") << QByteArray(R"({"jsonrpc":"2.0","id":1})") << malformed << kInvalidRequest;
        QTest::newRow("array params") << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"a","params":[1]})") << malformed << kInvalidParams;
    }
    void parseRequest_judgesLines()
    {
        QFETCH(QByteArray, line);
        QFETCH(int, kind);
        QFETCH(int, code);
        const ParsedRequest parsed = parseRequest({line.constData(), static_cast<std::size_t>(line.size())});
        QCOMPARE(static_cast<int>(parsed.kind), kind);
        if (code != 0) {
            const auto answer = nlohmann::json::parse(parsed.answer);
            QCOMPARE(answer["error"]["code"].get<int>(), code);
            QCOMPARE(parsed.answer.back(), '\n');
            QCOMPARE(std::count(parsed.answer.begin(), parsed.answer.end(), '\n'), std::ptrdiff_t{1});
        }
    }

    void errors_keepTheirCodeAndDetailOverTheWire()
    {
        const Error error{ErrorCode::NoSpace, "The disk is full.", "ENOSPC"};
        const ParsedMessage message = parseMessage(errorLine("3", error));
        QVERIFY(message.kind == ParsedMessage::Kind::Answer);
        QCOMPARE(message.id.value(), std::int64_t{3});
        QVERIFY(!message.body);
        QVERIFY(message.body.error().code == ErrorCode::NoSpace);
        QCOMPARE(message.body.error().message, error.message);
        QCOMPARE(message.body.error().detail, error.detail);
        const Error decoded = decodeFailure(encodeFailure(error));
        QVERIFY(decoded.code == error.code);
        QCOMPARE(decoded.message, error.message);
    }

    void textThatIsNotUtf8_neverBreaksALine()
    {
        const std::string line = resultLine("1", {{"name", "a\xff\n b"}});
        QCOMPARE(std::count(line.begin(), line.end(), '\n'), std::ptrdiff_t{1});
        QVERIFY(parseMessage(line).kind == ParsedMessage::Kind::Answer);
    }

    void lineSplitter_isIndependentOfChunking()
    {
        const std::string stream = "one\r\ntwo\n\nfour\n";
        for (std::size_t chunk = 1; chunk <= stream.size(); ++chunk) {
            LineSplitter splitter(8);
            std::vector<std::string> lines;
            for (std::size_t at = 0; at < stream.size(); at += chunk) {
                splitter.feed(std::string_view(stream).substr(at, chunk));
                for (;;) {
                    const auto line = splitter.next();
                    QVERIFY(line.has_value());
                    if (!line->has_value()) {
                        break;
                    }
                    lines.push_back(**line);
                }
            }
            QCOMPARE(lines, (std::vector<std::string>{"one", "two", "", "four"}));
        }
    }

    void lineSplitter_failsForGoodOnAnOverlongLine()
    {
        LineSplitter splitter(8);
        splitter.feed("123456789");
        QVERIFY(!splitter.next());
        splitter.feed("\nok\n");
        QVERIFY(!splitter.next());
        LineSplitter atLimit(8);
        atLimit.feed("12345678\n");
        QVERIFY(atLimit.next()->has_value());
    }

    void paths_surviveEveryByte()
    {
        std::string all = "/";
        for (int byte = 1; byte < 256; ++byte) {
            all.push_back(static_cast<char>(byte));
        }
        const std::string encoded = encodePath(all);
        QVERIFY(QString::fromUtf8(encoded.c_str()).toUtf8() == QByteArray::fromStdString(encoded));
        QCOMPARE(decodePath(encoded).value(), all);
        QCOMPARE(encodePath("/h/50%/ä"), std::string("/h/50%25/ä"));
        QCOMPARE(encodePath("/\xe4"), std::string("/%E4"));
    }

    void paths_refuseBrokenEscapesAndNul()
    {
        for (const char* bad : {"/a%", "/a%2", "/a%zz", "/a%00"}) {
            QVERIFY2(!decodePath(bad), bad);
        }
    }

    void execFrames_areIndependentOfChunking()
    {
        std::string stream = encodeExecFrame(ExecFrameType::Stdin, "hello") + encodeResize(40, 120) +
                             encodeExecFrame(ExecFrameType::StdinEnd, {}) + encodeExit(-1, 9);
        for (std::size_t chunk = 1; chunk <= stream.size(); ++chunk) {
            ExecFrameDecoder decoder;
            std::vector<ExecFrame> frames;
            for (std::size_t at = 0; at < stream.size(); at += chunk) {
                decoder.feed(std::string_view(stream).substr(at, chunk));
                for (;;) {
                    auto frame = decoder.next();
                    QVERIFY(frame.has_value());
                    if (!frame->has_value()) {
                        break;
                    }
                    frames.push_back(std::move(**frame));
                }
            }
            QCOMPARE(frames.size(), std::size_t{4});
            QCOMPARE(frames[0].payload, std::string("hello"));
            QCOMPARE(decodeResize(frames[1].payload)->columns, 120);
            QCOMPARE(decodeExit(frames[3].payload)->exitCode, -1);
            QCOMPARE(decodeExit(frames[3].payload)->signal, 9);
        }
    }

    void execFrames_cutLongPayloadsAndRefuseLongerOnes()
    {
        const std::string big(kMaxExecPayload * 2 + 5, 'x');
        ExecFrameDecoder decoder;
        decoder.feed(encodeExecFrame(ExecFrameType::Stdout, big));
        std::string joined;
        for (int frames = 0; frames < 3; ++frames) {
            joined += (*decoder.next())->payload;
        }
        QCOMPARE(joined, big);
        ExecFrameDecoder hostile;
        hostile.feed(std::string("\x10\x00\x01\x00\x01", 5)); // one byte over 64 KiB
        QVERIFY(!hostile.next());
        hostile.feed(encodeExit(0, 0));
        QVERIFY2(!hostile.next(), "the error sticks");
    }

    void execFrames_refuseUnknownTypesAndOddPayloads()
    {
        ExecFrameDecoder decoder;
        decoder.feed("\x07");
        QVERIFY(!decoder.next());
        QVERIFY(!decodeResize("abc"));
        QVERIFY(!decodeResize(std::string("\0\0\0\x50", 4)));
        QVERIFY(!decodeResize(std::string("\x04\0\0\x50", 4))); // 1024 rows
        QVERIFY(!decodeExit("1234567"));
    }

    void engineEnvironment_carriesNoKeys()
    {
        const char* const environment[] = {"HOME=/h", "ANTHROPIC_API_KEY=sk", "XDG_RUNTIME_DIR=/r", "GITHUB_TOKEN=t",
                                           "COLDFRAME_LOG=debug", "LD_PRELOAD=/x.so", "LC_ALL=C", nullptr};
        QCOMPARE(engineEnvironment(environment),
                 (std::vector<std::string>{"HOME=/h", "XDG_RUNTIME_DIR=/r", "COLDFRAME_LOG=debug", "LC_ALL=C"}));
    }
};

QTEST_GUILESS_MAIN(ProtocolTest)
#include "protocol_test.moc"
