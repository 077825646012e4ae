// SPDX-License-Identifier: Apache-2.0
#include "harness.h"
#include "proxy/websocket_frames.h"

#include <QtTest>

using namespace proxytest;
using namespace std::chrono_literals;

namespace {

const std::string kHost = "ws.example.com";
const std::string kKey = "sk-real-key-9f8e7d6c5b4a";
const std::string kSentinel = "sk-proxy-managed-0123456789abcdef";

const Certificate& originCa()
{
    static const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
    return ca;
}

/// RFC 6455, section 5.2.
std::string frame(int first, const std::string& payload, bool masked)
{
    std::string result(1, static_cast<char>(first));
    const int mask = masked ? 0x80 : 0;
    if (payload.size() < 126) {
        result += static_cast<char>(static_cast<int>(payload.size()) | mask);
    } else if (payload.size() < 65536) {
        result += {static_cast<char>(126 | mask), static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size() & 255)};
    } else {
        result += static_cast<char>(127 | mask);
        for (int shift = 56; shift >= 0; shift -= 8) {
            result += static_cast<char>(payload.size() >> shift & 255);
        }
    }
    if (!masked) {
        return result + payload;
    }
    const std::string key = "\x11\x9a\x37\x5c";
    result += key;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        result += static_cast<char>(payload[i] ^ key[i % 4]);
    }
    return result;
}

Harness::Setup setupWithKey()
{
    Harness::Setup setup;
    setup.policy = policyJson("locked", {kHost, "other.example.com"});
    setup.trusted = {originCa().certificatePem};
    setup.services = {{{"name", "acme"}, {"hosts", {kHost}}, {"header", "authorization"}, {"format", "Bearer {key}"}, {"sentinel", kSentinel}}};
    return setup;
}

std::unique_ptr<Wire> openSocket(Harness& harness, const std::string& host, std::string* head)
{
    auto opened = harness.connect(host + ":443");
    if (!opened.wire || !opened.wire->startTls(host, harness.caPem())
        || !opened.wire->write("GET /s HTTP/1.1\r\nHost: " + host
                               + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n"
                                 "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")) {
        return nullptr;
    }
    *head = opened.wire->readHead();
    return std::move(opened.wire);
}

/// Accepts with the extensions it was asked for, sends `frames` with a pause between, then waits for the client's end.
Origin::Handler socketOrigin(std::vector<std::string> frames, std::string* received = nullptr)
{
    return [frames = std::move(frames), received](Wire& wire, Origin& self) {
        const std::string request = readRequest(wire, self);
        const bool deflate = request.find("permessage-deflate") != std::string::npos;
        wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: z\r\n"
                   + std::string(deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "") + "\r\n");
        for (const std::string& piece : frames) {
            wire.write(piece);
            std::this_thread::sleep_for(30ms); // so that the pieces are reads of their own
        }
        for (std::string piece = wire.readSome(); !piece.empty(); piece = wire.readSome()) {
            if (received) {
                *received += piece;
            }
        }
    };
}

} // namespace

class WebSocketTest : public QObject
{
    Q_OBJECT

private slots:
    void framesAreTakenApartHoweverTheyArrive()
    {
        const std::string large(70000, 'l');
        const std::string stream = frame(0x01, "Hel", true) + frame(0x89, "ping", true) + frame(0x80, "lo", true)
                                   + frame(0x82, std::string(300, 'm'), true) + frame(0x82, "", false) + frame(0x82, large, true);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, stream.size()}) {
            coldframe::proxy::WebSocketFrames frames;
            std::string data;
            std::string control;
            for (std::size_t at = 0; at < stream.size(); at += piece) {
                QVERIFY(frames.feed(std::string_view(stream).substr(at, piece), data, control));
            }
            QCOMPARE(data, "Hello" + std::string(300, 'm') + large);
            QCOMPARE(control, std::string("ping"));
        }
    }

    void whatIsNoFrameIsSaid()
    {
        for (const std::string& bad : {std::string("\x83\x01x", 3), std::string("\x8b\x01x", 3), std::string("\x89\x7e\x01\x00", 4),
                                       std::string("\x82\x7f\x80\0\0\0\0\0\0\0", 10)}) {
            coldframe::proxy::WebSocketFrames frames;
            std::string data;
            std::string control;
            QVERIFY(!frames.feed(bad, data, control));
        }
    }

    void compressionIsAgreedOnWhereNoKeyIs()
    {
        std::string received;
        Origin origin(makeCertificate({.name = kHost, .issuer = &originCa()}), socketOrigin({frame(0xc1, "\xf2\x48\xcd\x01", false)}, &received));
        Harness harness(setupWithKey());
        harness.route(kHost + ":443", origin.port());
        std::string head;
        const auto wire = openSocket(harness, kHost, &head);
        QVERIFY(wire && head.find("permessage-deflate") != std::string::npos);
        QCOMPARE(wire->readExactly(6), frame(0xc1, "\xf2\x48\xcd\x01", false));
        QVERIFY(wire->write(frame(0x88, "", true)));
        wire->close();
        QCOMPARE(harness.waitForConnection(kHost, "allowed")["status"].get<int>(), 101);
    }

    void keysInFramesDoNotPass()
    {
        // Over the bound of two frames, with a ping between, so that no text of the stream is the key.
        Origin origin(makeCertificate({.name = kHost, .issuer = &originCa()}),
                      socketOrigin({frame(0x01, "hello", false), frame(0x01, "key " + kKey.substr(0, 10), false), frame(0x89, "", false),
                                    frame(0x80, kKey.substr(10) + " end", false)}));
        Harness harness(setupWithKey());
        harness.route(kHost + ":443", origin.port());
        harness.sendKey("acme", kKey);
        std::string head;
        std::unique_ptr<Wire> wire;
        QVERIFY(QTest::qWaitFor([&] {
            wire = openSocket(harness, kHost, &head);
            return origin.heads().back().find(kKey) != std::string::npos;
        }, 10000));
        QVERIFY(head.starts_with("HTTP/1.1 101") && head.find("permessage-deflate") == std::string::npos);
        std::string all;
        for (std::string piece = wire->readSome(); !piece.empty(); piece = wire->readSome()) {
            all += piece;
        }
        QVERIFY(all.starts_with(frame(0x01, "hello", false)));
        QVERIFY(all.find(kKey.substr(10)) == std::string::npos);
        QVERIFY(!harness.waitForMessage([](const nlohmann::json& message) {
            return message["type"] == "alert" && message["code"] == "key-in-reply";
        }).is_null());
    }

    void aStrangerCannotSpellTheKeyFromWhatWaits()
    {
        const std::string guess = frame(0x82, "the key begins with " + kKey.substr(0, 12), false);
        for (const std::string& host : {std::string("other.example.com"), kHost}) {
            Origin origin(makeCertificate({.name = host, .issuer = &originCa()}), socketOrigin({guess}));
            Harness harness(setupWithKey());
            harness.sendKey("acme", kKey);
            // The key has arrived when it is put on.
            Origin counting(makeCertificate({.name = kHost, .issuer = &originCa()}), socketOrigin({}));
            harness.route(kHost + ":443", counting.port());
            std::string head;
            QVERIFY(QTest::qWaitFor([&] {
                const auto probe = openSocket(harness, kHost, &head);
                return counting.heads().back().find(kKey) != std::string::npos;
            }, 10000));
            harness.route(host + ":443", origin.port());
            const auto wire = openSocket(harness, host, &head);
            QVERIFY(wire && head.starts_with("HTTP/1.1 101"));
            QCOMPARE(wire->readExactly(guess.size() - 12), guess.substr(0, guess.size() - 12));
            // The control: from the key's own service it waits.
            QCOMPARE(wire->arrivesWithin(500ms), host != kHost);
        }
    }

    void placeholdersDoNotLeaveBelowTheMask()
    {
        std::string received;
        Origin origin(makeCertificate({.name = "other.example.com", .issuer = &originCa()}), socketOrigin({}, &received));
        Harness harness(setupWithKey());
        harness.route("other.example.com:443", origin.port());
        std::string head;
        const auto wire = openSocket(harness, "other.example.com", &head);
        QVERIFY(wire && wire->write(frame(0x81, "fine", true)));
        QVERIFY(wire->write(frame(0x01, "token=" + kSentinel.substr(0, 25), true) + frame(0x80, kSentinel.substr(25), true)));
        QVERIFY(wire->isEnded());
        const auto event = harness.waitForConnection("other.example.com", "denied");
        QVERIFY(event["reason"].get<std::string>().find("placeholder") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(WebSocketTest)
#include "websocket_test.moc"
