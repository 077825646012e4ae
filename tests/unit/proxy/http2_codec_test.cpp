// SPDX-License-Identifier: Apache-2.0
// HTTP/2 without a connection: two codecs that talk to each other, and frames written by hand.
#include "proxy/http2_connection.h"
#include "proxy/http2_serve.h"
#include "proxy/http2_server_leg.h"

#include <QtTest>

using namespace coldframe::proxy;

namespace {

HeaderList fields(const std::vector<std::pair<std::string, std::string>>& list)
{
    HeaderList result;
    for (const auto& [name, value] : list) {
        result.add(name, value);
    }
    return result;
}

const HeaderList kGet = fields({{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}});
const std::string kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33);

std::string frame(int type, int flags, int stream, const std::string& payload)
{
    const auto byte = [](std::size_t value) { return static_cast<char>(value & 255); };
    const auto id = static_cast<std::size_t>(stream);
    return std::string{byte(payload.size() >> 16), byte(payload.size() >> 8), byte(payload.size()), byte(static_cast<std::size_t>(type)),
                       byte(static_cast<std::size_t>(flags)), byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
           + payload;
}

/// A header section without compression (RFC 7541, section 6.2.2).
std::string block(const std::vector<std::pair<std::string, std::string>>& list)
{
    std::string result;
    for (const auto& [name, value] : list) {
        result += std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
    }
    return result;
}

std::vector<std::pair<std::string, std::string>> getWith(const std::vector<std::pair<std::string, std::string>>& more)
{
    std::vector<std::pair<std::string, std::string>> all = {
        {":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

struct Server
{
    explicit Server(Http2Limits limits = {})
        : codec(Http2Codec::Role::Server, limits,
                {.request = [this](Http2StreamPtr stream) { requests.push_back(std::move(stream)); },
                 .broken = [this](const std::string&) { ++broken; },
                 .outputWanted = {}})
    {
        ok = codec.feed(kPreface).has_value();
    }
    bool feed(const std::string& bytes)
    {
        ok = ok && codec.feed(bytes).has_value();
        std::string out;
        (void)codec.produce(out, 1u << 20);
        sent += out;
        return ok && !codec.isOver();
    }
    std::vector<Http2StreamPtr> requests;
    int broken = 0;
    bool ok = false;
    std::string sent;
    Http2Codec codec;
};

struct Pair
{
    explicit Pair(Http2Limits serverLimits = {}, Http2Limits clientLimits = {})
        : server(Http2Codec::Role::Server, serverLimits,
                 {.request = [this](Http2StreamPtr stream) { requests.push_back(std::move(stream)); }, .broken = {}, .outputWanted = {}}),
          client(Http2Codec::Role::Client, clientLimits, {})
    {
    }
    void talk()
    {
        for (bool moved = true; moved;) {
            std::string there;
            std::string back;
            (void)client.produce(there, 1u << 20);
            (void)server.feed(there);
            (void)server.produce(back, 1u << 20);
            (void)client.feed(back);
            moved = !there.empty() || !back.empty();
        }
    }
    std::vector<Http2StreamPtr> requests;
    Http2Codec server;
    Http2Codec client;
};

} // namespace

class Http2CodecTest : public QObject
{
    Q_OBJECT

private slots:
    void requestReplyAndTrailersBothWays()
    {
        Pair pair;
        auto sent = pair.client.request(fields({{":method", "POST"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/p"}}),
                                        fields({{"X-One", "1"}, {"set-cookie", "a"}, {"set-cookie", "b"}}), true, true);
        QVERIFY(sent.has_value());
        (*sent)->outgoing = "body";
        (*sent)->isEnding = true;
        (*sent)->endTrailers = fields({{"x-sum", "7"}});
        pair.client.resume(*sent);
        pair.talk();
        QCOMPARE(pair.requests.size(), std::size_t{1});
        const Http2StreamPtr stream = pair.requests[0];
        QCOMPARE(*stream->heads[0].pseudo.find(":path"), std::string("/p"));
        QCOMPARE(*stream->heads[0].fields.find("x-one"), std::string("1"));
        QCOMPARE(stream->heads[0].fields.count("set-cookie"), std::size_t{2}); // fields are not joined
        QCOMPARE(std::string(stream->inbound()), std::string("body"));
        QVERIFY(stream->peerEnded);
        QCOMPARE(*stream->trailers.find("x-sum"), std::string("7"));
        QVERIFY(pair.server.respond(stream, 103, fields({{"link", "</a>"}}), false).has_value());
        QVERIFY(pair.server.respond(stream, 200, fields({{"content-type", "t"}}), false).has_value());
        stream->outgoing = "reply";
        stream->isEnding = true;
        stream->endTrailers = fields({{"grpc-status", "0"}});
        pair.server.resume(stream);
        pair.talk();
        QCOMPARE((*sent)->heads.size(), std::size_t{2});
        QCOMPARE(*(*sent)->heads[0].pseudo.find(":status"), std::string("103"));
        QCOMPARE(std::string((*sent)->inbound()), std::string("reply"));
        QCOMPARE(*(*sent)->trailers.find("grpc-status"), std::string("0"));
        QVERIFY((*sent)->isClosed && !(*sent)->wasReset);
    }

    void slowReaderStopsTheSender()
    {
        Http2Limits limits;
        limits.streamWindow = 64 * 1024;
        limits.connectionWindow = 128 * 1024;
        limits.maxBuffered = 100 * 1024;
        Pair pair(limits);
        std::vector<Http2StreamPtr> streams;
        for (int i = 0; i < 4; ++i) {
            auto sent = pair.client.request(kGet, {}, true, false);
            (*sent)->outgoing.assign(300 * 1024, 'x');
            pair.client.resume(*sent);
            streams.push_back(*sent);
        }
        pair.talk();
        // Nobody reads: what is held is bounded for each stream and over all.
        QVERIFY(pair.server.buffered() <= 256 * 1024);
        for (const Http2StreamPtr& stream : pair.requests) {
            QVERIFY(stream->inbound().size() <= 64 * 1024);
        }
        std::size_t total = 0;
        for (int round = 0; round < 200; ++round) {
            for (const Http2StreamPtr& stream : pair.requests) {
                total += stream->inbound().size();
                pair.server.consume(stream, stream->inbound().size());
            }
            pair.talk();
        }
        QCOMPARE(total, std::size_t{4} * 300 * 1024);
        QCOMPARE(pair.server.buffered(), std::size_t{0});
    }

    void resetAndGoawayReachTheOtherSide()
    {
        Pair pair;
        auto first = pair.client.request(kGet, {}, true, false);
        auto second = pair.client.request(kGet, {}, true, false);
        pair.talk();
        QCOMPARE(pair.requests.size(), std::size_t{2});
        pair.client.reset(*first, kH2Cancel);
        pair.talk();
        QVERIFY(pair.requests[0]->isClosed && pair.requests[0]->wasReset);
        QCOMPARE(pair.requests[0]->errorCode, kH2Cancel);
        QVERIFY(!pair.requests[1]->isClosed);
        pair.server.shutDown(kH2NoError);
        pair.talk();
        QVERIFY(!pair.client.hasRoom());
        QVERIFY(pair.server.respond(pair.requests[1], 200, {}, true).has_value()); // what was begun is carried out
        pair.talk();
        QVERIFY((*second)->isHeadComplete && (*second)->peerEnded);
    }

    void hazard_15_malformedRequestsAreRefused_data()
    {
        QTest::addColumn<QByteArray>("headers");
        QTest::addColumn<int>("flags");
        const auto row = [](const char* name, const std::vector<std::pair<std::string, std::string>>& list, int flags = 5) {
            const std::string text = block(list);
            QTest::newRow(name) << QByteArray(text.data(), static_cast<qsizetype>(text.size())) << flags;
        };
        row("connection", getWith({{"connection", "close"}}));
        row("transfer-encoding", getWith({{"transfer-encoding", "chunked"}}));
        row("upgrade", getWith({{"upgrade", "h2c"}}));
        row("keep-alive", getWith({{"keep-alive", "1"}}));
        row("proxy-connection", getWith({{"proxy-connection", "x"}}));
        row("te other than trailers", getWith({{"te", "gzip"}}));
        row("upper case", getWith({{"X-Upper", "1"}}));
        row("pseudo after field", {{":method", "GET"}, {"a", "b"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}});
        row("pseudo twice", getWith({{":path", "/b"}}));
        row("unknown pseudo", getWith({{":odd", "1"}}));
        row("status in a request", getWith({{":status", "200"}}));
        row("protocol", {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}});
        row("no path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}});
        row("empty path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", ""}});
        row("length without body", getWith({{"content-length", "5"}}));
        row("two lengths", getWith({{"content-length", "0"}, {"content-length", "1"}}));
        row("length no number", getWith({{"content-length", "+1"}}));
        row("line break in a value", getWith({{"a", "b\r\nc: d"}}));
        row("nul in a value", getWith({{"a", std::string("b\0c", 3)}}));
        row("space in a name", getWith({{"a b", "c"}}));
        row("colon in a name", getWith({{"a:b", "c"}}));
        row("scheme http", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}});
        row("space in the path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/ HTTP/1.1"}});
        row("absolute path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "https://b.example/"}});
        row("space in the method", {{":method", "GET /x"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}});
        row("host that differs", getWith({{"host", "b.example"}}));
        row("two hosts", getWith({{"host", "a.example"}, {"host", "a.example"}}));
        row("connect", {{":method", "CONNECT"}, {":authority", "a.example:443"}});
        row("expect", getWith({{"expect", "the-unexpected"}}));
    }
    void hazard_15_malformedRequestsAreRefused()
    {
        QFETCH(QByteArray, headers);
        QFETCH(int, flags);
        Server server;
        server.feed(frame(1, flags, 1, headers.toStdString()));
        const bool taken = server.requests.size() == 1 && !server.requests[0]->isClosed && requestFrom(*server.requests[0]);
        QVERIFY(!taken);
        // The control: the same connection, unless it was ended for this, takes a good one.
        if (server.feed(frame(1, 5, 3, block(getWith({{"te", "trailers"}, {"cookie", "a=1"}, {"cookie", "b=2"}}))))) {
            const auto good = requestFrom(*server.requests.back());
            QVERIFY(good.has_value());
            QCOMPARE(*good->headers.find("cookie"), std::string("a=1; b=2"));
        }
    }

    void contentLengthIsHeldToTheBody()
    {
        Server server;
        server.feed(frame(1, 4, 1, block(getWith({{"content-length", "3"}}))));
        server.feed(frame(0, 1, 1, "toolong"));
        QVERIFY(server.requests.empty() || server.requests[0]->wasReset);
        server.feed(frame(1, 4, 3, block(getWith({{"content-length", "3"}}))));
        server.feed(frame(0, 1, 3, "fit"));
        QVERIFY(!server.requests.back()->wasReset);
    }

    void hazard_15_floodsEndTheConnection()
    {
        Server resets; // rapid reset
        int opened = 0;
        const std::string good = block(getWith({}));
        for (int id = 1; id < 40000 && resets.feed(frame(1, 5, id, good) + frame(3, 0, id, std::string("\0\0\0\x08", 4))); id += 2) {
            ++opened;
        }
        QVERIFY2(opened < 5000, std::to_string(opened).c_str());

        Server settings;
        int count = 0;
        std::string many;
        for (int i = 0; i < 5000; ++i) {
            many += frame(4, 0, 0, "");
        }
        QVERIFY(!settings.feed(many)); // none of the answers was read
        Server pings;
        many.clear();
        for (int i = 0; i < 5000; ++i) {
            many += frame(6, 0, 0, "12345678");
        }
        QVERIFY(!pings.feed(many));

        Server continuations;
        bool alive = continuations.feed(frame(1, 1, 1, good));
        while (alive && ++count < 10000) {
            alive = continuations.feed(frame(9, 0, 1, block({{"a", std::string(100, 'b')}})));
        }
        QVERIFY(count < 2000);
        QVERIFY(continuations.requests.empty());
    }

    void largeHeadersAndManyStreamsAreBounded()
    {
        Server server;
        std::vector<std::pair<std::string, std::string>> many;
        for (int i = 0; i < 140; ++i) {
            many.emplace_back("x" + std::to_string(i), "v");
        }
        server.feed(frame(1, 5, 1, block(getWith(many))));
        QCOMPARE(server.requests.size(), std::size_t{1});
        const auto request = requestFrom(*server.requests[0]);
        QVERIFY(!request);
        QCOMPARE(request.error().status, 431);
        int taken = 0;
        for (int id = 3; id < 600; id += 2) {
            server.feed(frame(1, 4, id, block(getWith({}))));
            taken = static_cast<int>(server.codec.streamCount());
        }
        QVERIFY(taken <= 101);
    }

    void repliesAreRead()
    {
        Http2Head head;
        head.pseudo = fields({{":status", "200"}});
        QCOMPARE(responseFrom(head, "GET", false)->framing, Framing::Chunked);
        QCOMPARE(responseFrom(head, "GET", true)->framing, Framing::None);
        head.fields = fields({{"content-length", "5"}});
        QCOMPARE(responseFrom(head, "GET", false)->framing, Framing::Length);
        QCOMPARE(responseFrom(head, "HEAD", true)->framing, Framing::None);
        QCOMPARE(responseFrom(head, "HEAD", true)->contentLength, std::uint64_t{5});
        for (const char* bad : {"", "20", "2000", "abc", "101", "-20"}) {
            head.pseudo = fields({{":status", bad}});
            QVERIFY(!responseFrom(head, "GET", false));
        }
        const HeaderList clean = cleanTrailers(fields({{"grpc-status", "0"}, {"content-length", "1"}, {"authorization", "x"}, {"host", "b"}}));
        QCOMPARE(clean.fields().size(), std::size_t{1});
    }
};

QTEST_GUILESS_MAIN(Http2CodecTest)
#include "http2_codec_test.moc"
