// SPDX-License-Identifier: Apache-2.0
#include "proxy/http1_parser.h"
#include "proxy/http1_serialise.h"

#include <QtTest>

using namespace coldframe::proxy;

namespace {

/// The status the parser refuses with; 0 = accepted.
int requestStatus(const std::string& text)
{
    HeadScanner scanner;
    const auto end = scanner.scan(text);
    if (!end) {
        return end.error().status;
    }
    if (!*end) {
        return -1;
    }
    const auto request = parseRequestHead(std::string_view(text).substr(0, **end));
    return request ? 0 : request.error().status;
}

int responseStatus(const std::string& text, const std::string& method = "GET")
{
    const auto response = parseResponseHead(text, method);
    return response ? 0 : response.error().status;
}

struct Body
{
    std::string text;
    bool done = false;
    bool failed = false;
    HeaderList trailers;
};

/// Decodes with the input cut into pieces of `piece` bytes.
Body decode(Framing framing, std::uint64_t length, const std::string& input, std::size_t piece)
{
    BodyDecoder decoder(framing, length);
    Body body;
    std::string pending;
    std::size_t fed = 0;
    while (!decoder.isDone()) {
        const auto step = decoder.next(pending);
        if (!step) {
            body.failed = true;
            return body;
        }
        body.text.append(step->data);
        const std::size_t consumed = step->consumed;
        pending.erase(0, consumed);
        if (consumed == 0 && !step->done) {
            if (fed == input.size()) {
                break;
            }
            pending.append(input.substr(fed, piece));
            fed += std::min(piece, input.size() - fed);
        }
    }
    body.done = decoder.isDone();
    body.trailers = decoder.trailers();
    return body;
}

} // namespace

class Http1Test : public QObject
{
    Q_OBJECT

private slots:
    void plainRequestIsParsed()
    {
        const auto request = parseRequestHead("POST /v1/messages?beta=1 HTTP/1.1\r\nHost: a.example\r\nX-Two:  b c \r\n"
                                              "Content-Length: 12\r\n\r\n");
        QVERIFY(request.has_value());
        QCOMPARE(request->method, std::string("POST"));
        QCOMPARE(request->target, std::string("/v1/messages?beta=1"));
        QCOMPARE(*request->headers.find("x-two"), std::string("b c"));
        QVERIFY(request->framing == Framing::Length);
        QCOMPARE(request->contentLength, std::uint64_t{12});
        QVERIFY(request->keepAlive);
    }

    // D.3 pitfall 4: whatever two parsers could read in two ways. The control is the same request without the fault.
    void pitfall_04_smuggledRequestsAreRefused_data()
    {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<int>("status");
        const auto row = [](const char* name, const char* headers, int status) {
            QTest::newRow(name) << QByteArray("POST / HTTP/1.1\r\nHost: a\r\n") + headers + "\r\n" << status;
        };
        row("control: length", "Content-Length: 3\r\n", 0);
        row("control: chunked", "Transfer-Encoding: chunked\r\n", 0);
        row("length and chunked", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400);
        row("two lengths", "Content-Length: 3\r\nContent-Length: 4\r\n", 400);
        row("two equal lengths", "Content-Length: 3\r\nContent-Length: 3\r\n", 400);
        row("length list", "Content-Length: 3, 3\r\n", 400);
        row("signed length", "Content-Length: +3\r\n", 400);
        row("negative length", "Content-Length: -1\r\n", 400);
        row("hexadecimal length", "Content-Length: 0x3\r\n", 400);
        row("underscored length", "Content-Length: 1_0\r\n", 400);
        row("empty length", "Content-Length:\r\n", 400);
        row("huge length", "Content-Length: 99999999999999999999\r\n", 400);
        row("gzip then chunked", "Transfer-Encoding: gzip, chunked\r\n", 400);
        row("chunked then identity", "Transfer-Encoding: chunked, identity\r\n", 400);
        row("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400);
        row("chunked with vertical tab", "Transfer-Encoding: \x0b" "chunked\r\n", 400);
        row("quoted chunked", "Transfer-Encoding: \"chunked\"\r\n", 400);
        row("space before colon", "Transfer-Encoding : chunked\r\n", 400);
        row("tab before colon", "Content-Length\t: 3\r\n", 400);
        row("obs-fold", "X-A: b\r\n c\r\n", 400);
        row("first field folded", " X-A: b\r\n", 400);
        row("no colon", "X-A\r\n", 400);
        row("empty name", ": b\r\n", 400);
        row("control in name", "X\x01: b\r\n", 400);
        row("delete in value", "X: a\x7f\r\n", 400);
        row("bare CR in value", "X: a\rY: b\r\n", 400);
        row("connection names host", "Connection: host\r\n", 400);
        row("connection names length", "Connection: close, content-length\r\n", 400);
        row("bare LF", "X: a\nY: b\r\n", 400);
        QTest::newRow("NUL in value") << QByteArray("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 35) << 400;
        QTest::newRow("chunked in 1.0")
            << QByteArray("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") << 400;
        QTest::newRow("two spaces") << QByteArray("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") << 400;
        QTest::newRow("space in target") << QByteArray("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n") << 400;
        QTest::newRow("fragment") << QByteArray("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n") << 400;
        QTest::newRow("backslash") << QByteArray("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n") << 400;
        QTest::newRow("version 1.2") << QByteArray("GET / HTTP/1.2\r\nHost: a\r\n\r\n") << 505;
        QTest::newRow("version 2.0") << QByteArray("PRI * HTTP/2.0\r\n\r\n") << 505;
        QTest::newRow("lower-case version") << QByteArray("GET / http/1.1\r\nHost: a\r\n\r\n") << 505;
        QTest::newRow("no version") << QByteArray("GET /\r\n\r\n") << 400;
        QTest::newRow("leading empty line") << QByteArray("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") << 400;
        QTest::newRow("LF line ends") << QByteArray("GET / HTTP/1.1\nHost: a\n\n") << 400;
        QTest::newRow("bad method") << QByteArray("G(T / HTTP/1.1\r\nHost: a\r\n\r\n") << 400;
    }
    void pitfall_04_smuggledRequestsAreRefused()
    {
        QFETCH(QByteArray, text);
        QFETCH(int, status);
        QCOMPARE(requestStatus(text.toStdString()), status);
    }

    void pitfall_04_smuggledChunksAreRefused_data()
    {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<bool>("good");
        QTest::newRow("control") << QByteArray("3\r\nabc\r\n0\r\n\r\n") << true;
        QTest::newRow("control: extension") << QByteArray("3;a=b\r\nabc\r\n0\r\n\r\n") << true;
        QTest::newRow("prefix") << QByteArray("0x3\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("plus") << QByteArray("+3\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("minus") << QByteArray("-3\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("underscore") << QByteArray("0_3\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("leading space") << QByteArray(" 3\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("trailing space") << QByteArray("3 \r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("bare LF after size") << QByteArray("3\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("bare LF after data") << QByteArray("3\r\nabc\n0\r\n\r\n") << false;
        QTest::newRow("CR in extension") << QByteArray("3;a\rb\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("empty extension") << QByteArray("3;\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("longer than said") << QByteArray("3\r\nabcd\r\n0\r\n\r\n") << false;
        QTest::newRow("overflow") << QByteArray("fffffffffffffffff3\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("empty size") << QByteArray("\r\nabc\r\n0\r\n\r\n") << false;
        QTest::newRow("bad trailer") << QByteArray("3\r\nabc\r\n0\r\nX : y\r\n\r\n") << false;
        QTest::newRow("long size line") << QByteArray("3;a=") + QByteArray(5000, 'x') + "\r\nabc\r\n0\r\n\r\n" << false;
    }
    void pitfall_04_smuggledChunksAreRefused()
    {
        QFETCH(QByteArray, text);
        QFETCH(bool, good);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{10000}}) {
            const Body body = decode(Framing::Chunked, 0, text.toStdString(), piece);
            QCOMPARE(body.done && !body.failed, good);
            if (good) {
                QCOMPARE(body.text, std::string("abc"));
            }
        }
    }

    void trailersArriveButNotThoseThatSteer()
    {
        const Body body = decode(Framing::Chunked, 0,
                                 "0\r\ngrpc-status: 0\r\nContent-Length: 3\r\nAuthorization: x\r\n\r\n", 5);
        QVERIFY(body.done);
        QCOMPARE(*body.trailers.find("grpc-status"), std::string("0"));
        QVERIFY(body.trailers.find("content-length") == nullptr);
        QVERIFY(body.trailers.find("authorization") == nullptr);
    }

    void truncatedBodiesAreNoticed()
    {
        BodyDecoder length(Framing::Length, 5);
        QVERIFY(length.next("abc").has_value());
        QVERIFY(!length.endOfInput().has_value());
        BodyDecoder chunked(Framing::Chunked, 0);
        QVERIFY(chunked.next("3\r\n").has_value());
        QVERIFY(!chunked.endOfInput().has_value());
        BodyDecoder untilClose(Framing::UntilClose, 0);
        QVERIFY(untilClose.next("abc").has_value());
        QVERIFY(untilClose.endOfInput().has_value());
        QVERIFY(untilClose.isDone());
    }

    // D.3 pitfall 5: replies have their own traps.
    void pitfall_05_replyFraming()
    {
        const std::string length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        QVERIFY(parseResponseHead(length, "GET")->framing == Framing::Length);
        QVERIFY(parseResponseHead(length, "HEAD")->framing == Framing::None);
        QVERIFY(parseResponseHead("HTTP/1.1 204 No Content\r\n\r\n", "GET")->framing == Framing::None);
        QVERIFY(parseResponseHead("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET")->framing == Framing::None);
        QVERIFY(parseResponseHead("HTTP/1.1 100 Continue\r\n\r\n", "POST")->framing == Framing::None);
        const auto close = parseResponseHead("HTTP/1.1 200 OK\r\n\r\n", "GET");
        QVERIFY(close->framing == Framing::UntilClose);
        QVERIFY(!close->keepAlive);
        QCOMPARE(responseStatus("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 502);
        QCOMPARE(responseStatus("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), 502);
        QCOMPARE(responseStatus("HTTP/1.1 20 OK\r\n\r\n"), 502);
        QCOMPARE(responseStatus("HTTP/1.1 2000 OK\r\n\r\n"), 502);
        QCOMPARE(responseStatus("HTTP/1.1 999 OK\r\n\r\n"), 502);
        QCOMPARE(responseStatus("HTTP/2 200\r\n\r\n"), 502);
        QCOMPARE(responseStatus("ICY 200 OK\r\n\r\n"), 502);
        QCOMPARE(responseStatus("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"), 502);
        QCOMPARE(responseStatus("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 0);
    }

    // D.3 pitfall 19: sizes are bounded however the bytes come.
    void pitfall_19_headsAreBounded()
    {
        std::string endless = "GET / HTTP/1.1\r\n";
        HeadScanner scanner;
        int status = 0;
        while (endless.size() < 200000 && status == 0) {
            endless += "X-A: " + std::string(1000, 'a') + "\r\n";
            const auto end = scanner.scan(endless);
            status = end ? 0 : end.error().status;
        }
        QCOMPARE(status, 431);
        QVERIFY(endless.size() < 80000);

        std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
        for (int i = 0; i < 200; ++i) {
            many += "X: y\r\n";
        }
        QCOMPARE(requestStatus(many + "\r\n"), 431);
        QCOMPARE(requestStatus("GET /" + std::string(40000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
        QCOMPARE(requestStatus("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(66000, 'a') + "\r\n\r\n"), 431);
    }

    // D.3 pitfall 20: what is expected is known before the body.
    void pitfall_20_expectations()
    {
        const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: ";
        QVERIFY(parseRequestHead(head + "100-continue\r\n\r\n")->expectContinue);
        QCOMPARE(requestStatus(head + "something\r\n\r\n"), 417);
        QCOMPARE(requestStatus(head + "100-continue\r\nExpect: 100-continue\r\n\r\n"), 417);
    }

    void requestIsSerialisedAnew()
    {
        auto request = parseRequestHead("POST /a HTTP/1.1\r\nHost: A.example:443\r\nTransfer-Encoding: Chunked\r\n"
                                        "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\n"
                                        "X-Coldframe-Source: x\r\nAccept: */*\r\n\r\n");
        QVERIFY(request.has_value());
        removeHopByHop(request->headers);
        QCOMPARE(serialiseRequest(*request, "/a", "a.example", ""),
                 std::string("POST /a HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n\r\n"));
    }

    void replyIsSerialisedForTheClient()
    {
        const auto unframed = parseResponseHead("HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nX: y\r\n\r\n", "GET");
        const ResponseFraming modern = chooseFraming(*unframed, 1, true);
        QCOMPARE(serialiseResponse(*unframed, modern),
                 std::string("HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"));
        const ResponseFraming old = chooseFraming(*unframed, 0, true);
        QCOMPARE(serialiseResponse(*unframed, old), std::string("HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\n"));
        const auto head = parseResponseHead("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD");
        QVERIFY(serialiseResponse(*head, chooseFraming(*head, 1, true)).find("Content-Length: 7\r\n") != std::string::npos);
        std::string chunks;
        appendChunk(chunks, "abc");
        appendChunk(chunks, "");
        appendLastChunk(chunks, HeaderList());
        QCOMPARE(chunks, std::string("3\r\nabc\r\n0\r\n\r\n"));
    }
};

QTEST_GUILESS_MAIN(Http1Test)
#include "http1_test.moc"
