// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <QtTest>
#include <sys/socket.h>

using namespace proxytest;
using namespace std::chrono_literals;

namespace {

const Certificate& originCa()
{
    static const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
    return ca;
}

Certificate leafFor(const std::string& name) { return makeCertificate({.name = name, .issuer = &originCa()}); }

Harness::Setup setupWith(const nlohmann::json& policy)
{
    Harness::Setup setup;
    setup.policy = policy;
    setup.trusted = {originCa().certificatePem};
    return setup;
}

std::string get(const std::string& host, const std::string& path = "/", const std::string& more = {})
{
    return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "\r\n";
}

/// A tunnel with TLS inside it; null when any of it failed.
std::unique_ptr<Wire> openTls(Harness& harness, const std::string& host, std::uint16_t port = 443, const std::string& sni = {})
{
    auto opened = harness.connect(host + ":" + std::to_string(port));
    const std::string name = sni.empty() ? host : sni;
    if (!opened.wire || !opened.wire->startTls(name, harness.caPem())) {
        return nullptr;
    }
    return std::move(opened.wire);
}

} // namespace

class ServerTest : public QObject
{
    Q_OBJECT

private slots:
    void httpsGoesThroughAndIsOnRecord()
    {
        Origin origin(leafFor("api.example.com"));
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        auto wire = openTls(harness, "api.example.com");
        QVERIFY(wire != nullptr);
        QVERIFY(wire->write(get("api.example.com", "/a?secret=1")));
        const Wire::Reply reply = wire->readReply();
        QCOMPARE(reply.status, 200);
        QCOMPARE(reply.body, std::string("hello /a?secret=1"));
        const auto event = harness.waitForConnection("api.example.com", "allowed");
        QCOMPARE(event["path"].get<std::string>(), std::string("/a"));
        QCOMPARE(event["status"].get<int>(), 200);
        QCOMPARE(event["protocol"].get<std::string>(), std::string("https"));
        QCOMPARE(event["address"].get<std::string>(), std::string("127.0.0.1"));
        QVERIFY(event["inspected"].get<bool>());
        QVERIFY(event["bytesIn"].get<int>() > 0);
        QVERIFY(event["rule"].get<std::string>().find("api.example.com") != std::string::npos);
    }

    // D.3 pitfalls 3 and 17: one name, P-256, short life.
    void pitfall_03_leafNamesExactlyOneHost()
    {
        Origin origin(leafFor("api.example.com"));
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        auto wire = openTls(harness, "api.example.com");
        QVERIFY(wire != nullptr);
        QCOMPARE(wire->peerNames(), std::string("DNS:api.example.com"));
        QVERIFY(wire->peerValidityDays() <= 90);
    }

    void plainHttpGoesThroughAlsoInAbsoluteForm()
    {
        Origin origin(std::nullopt);
        Harness harness(setupWith(policyJson("locked", {"plain.example.com"})));
        harness.route("plain.example.com:80", origin.port());
        auto opened = harness.connect("plain.example.com:80", "proxy");
        QCOMPARE(opened.status, 200);
        QVERIFY(opened.wire->write(get("plain.example.com", "http://plain.example.com/x")));
        const Wire::Reply reply = opened.wire->readReply();
        QCOMPARE(reply.body, std::string("hello /x"));
        QVERIFY(reply.head.find("Connection: close") != std::string::npos);
        QVERIFY(origin.heads().front().starts_with("GET /x HTTP/1.1\r\nHost: plain.example.com\r\n"));
    }

    void refusalIsReadableInsideTls()
    {
        Harness harness(setupWith(policyJson("locked", {})));
        auto wire = openTls(harness, "evil.example.com");
        QVERIFY(wire != nullptr);
        QVERIFY(wire->write(get("evil.example.com")));
        const Wire::Reply reply = wire->readReply();
        QCOMPARE(reply.status, 403);
        const auto json = nlohmann::json::parse(reply.body);
        QCOMPARE(json["error"].get<std::string>(), std::string("blocked_by_coldframe"));
        QCOMPARE(json["host"].get<std::string>(), std::string("evil.example.com"));
        QVERIFY(json["hint"].get<std::string>().find("Do not retry") != std::string::npos);
        QCOMPARE(harness.waitForConnection("evil.example.com", "denied")["status"].get<int>(), 403);
        QVERIFY(harness.dialled().empty()); // no look-up before the name is allowed
    }

    void refusalIsAPageForBrowsersAndSaysWhatAllowsIt()
    {
        Harness harness(setupWith(policyJson("locked", {})));
        auto wire = openTls(harness, "evil.example.com");
        QVERIFY(wire != nullptr);
        QVERIFY(wire->write("GET /<script>/ HTTP/1.1\r\nHost: evil.example.com\r\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n\r\n"));
        const Wire::Reply page = wire->readReply();
        QCOMPARE(page.status, 403);
        QVERIFY(page.head.find("Content-Type: text/html; charset=utf-8\r\n") != std::string::npos);
        QVERIFY(page.head.find("Content-Security-Policy: default-src 'none'") != std::string::npos);
        QVERIFY(page.body.starts_with("<!DOCTYPE html>"));
        QVERIFY(page.body.find("coldframe policy allow evil.example.com:443") != std::string::npos);
        QVERIFY(page.body.find("mode locked") != std::string::npos);
        QVERIFY(page.body.find("<script") == std::string::npos);
        // The connection stays, and the next request on it is a tool's.
        QVERIFY(wire->write(get("evil.example.com")));
        QVERIFY(nlohmann::json::parse(wire->readReply().body)["hint"].get<std::string>().find("coldframe policy allow") != std::string::npos);
    }

    // D.3 pitfall 1, on the wire: CONNECT, SNI and Host each in turn name somebody else.
    void pitfall_01_mismatchedNamesAreRefusedAndNothingIsDialled()
    {
        Origin origin(leafFor("good.example.com"));
        Harness harness(setupWith(policyJson("locked", {"good.example.com", "other.example.com"})));
        harness.route("good.example.com:443", origin.port());
        harness.route("other.example.com:443", origin.port());
        auto sni = openTls(harness, "good.example.com", 443, "other.example.com");
        QVERIFY(sni != nullptr);
        QVERIFY(sni->write(get("good.example.com")));
        QCOMPARE(sni->readReply().status, 403);
        auto host = openTls(harness, "good.example.com");
        QVERIFY(host->write(get("other.example.com")));
        QCOMPARE(host->readReply().status, 421);
        auto target = openTls(harness, "good.example.com");
        QVERIFY(target->write(get("good.example.com", "https://other.example.com/")));
        QCOMPARE(target->readReply().status, 421);
        QVERIFY(harness.dialled().empty());
        auto control = openTls(harness, "good.example.com");
        QVERIFY(control->write(get("good.example.com")));
        QCOMPARE(control->readReply().status, 200);
    }

    // D.3 pitfall 2: every request of a connection is judged, by the policy in force then.
    void pitfall_02_everyRequestIsChecked()
    {
        Origin origin(leafFor("api.example.com"));
        auto policy = policyJson("locked", {"api.example.com"});
        policy["rules"].push_back({{"id", "d"}, {"action", "deny"}, {"pattern", "api.example.com"}, {"path", "/admin/**"},
                                   {"scope", "sandbox"}, {"origin", "user"}});
        Harness harness(setupWith(policy));
        harness.route("api.example.com:443", origin.port());
        auto wire = openTls(harness, "api.example.com");
        QVERIFY(wire->write(get("api.example.com", "/a")));
        QCOMPARE(wire->readReply().status, 200);
        QVERIFY(wire->write(get("api.example.com", "/admin/x")));
        QCOMPARE(wire->readReply().status, 403);
        QVERIFY(wire->write(get("api.example.com", "//admin/x")));
        QCOMPARE(wire->readReply().status, 403);
        QVERIFY(wire->write(get("api.example.com", "/b")));
        QCOMPARE(wire->readReply().status, 200);
        harness.sendPolicy(policyJson("locked", {}));
        int status = 200;
        for (int i = 0; i < 500 && status == 200; ++i) {
            QVERIFY(wire->write(get("api.example.com", "/c")));
            status = wire->readReply().status;
        }
        QCOMPARE(status, 403);
    }

    void upstreamConnectionIsReusedForTheSamePlaceOnly()
    {
        Origin origin(leafFor("api.example.com"));
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        for (int i = 0; i < 3; ++i) {
            auto wire = openTls(harness, "api.example.com");
            QVERIFY(wire->write(get("api.example.com")));
            QCOMPARE(wire->readReply().status, 200);
        }
        QCOMPARE(harness.dialled().size(), std::size_t{1});
        QCOMPARE(origin.connectionCount(), std::size_t{1});
    }

    // D.3 pitfalls 6 and 20.
    void pitfall_06_upgradesAndExpectationsAreLimited()
    {
        Origin origin(leafFor("api.example.com"));
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        const auto status = [&](const std::string& request) {
            auto wire = openTls(harness, "api.example.com");
            return wire && wire->write(request) ? wire->readReply().status : -1;
        };
        QCOMPARE(status(get("api.example.com", "/", "Connection: upgrade\r\nUpgrade: foo\r\n")), 501);
        QCOMPARE(status("TRACE / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"), 405);
        QCOMPARE(status("CONNECT x.example.com:443 HTTP/1.1\r\nHost: api.example.com\r\n\r\n"), 400 + 5);
        QCOMPARE(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
        QCOMPARE(status(get("api.example.com", "/", "Connection: upgrade\r\nUpgrade: h2c, foo\r\n")), 501);
        QVERIFY(origin.heads().empty());
        // An offer of HTTP/2 is passed over, and the origin knows nothing of it.
        QCOMPARE(status(get("api.example.com", "/", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")), 200);
        QCOMPARE(origin.heads().size(), std::size_t{1});
        QVERIFY2(!QByteArray::fromStdString(origin.heads()[0]).toLower().contains("upgrade"), origin.heads()[0].c_str());
        QVERIFY(!QByteArray::fromStdString(origin.heads()[0]).toLower().contains("http2-settings"));
        // A refused expectation is answered before any body; an allowed one brings the body through.
        auto denied = openTls(harness, "no.example.com");
        QVERIFY(denied->write("POST / HTTP/1.1\r\nHost: no.example.com\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
        QCOMPARE(denied->readReply().status, 403);
        auto allowed = openTls(harness, "api.example.com");
        QVERIFY(allowed->write("POST /p HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
        QCOMPARE(allowed->readReply().status, 100);
        QVERIFY(allowed->write("12345"));
        QCOMPARE(allowed->readReply().body, std::string("hello /p"));
    }

    void bodiesArriveWholeInBothFramings()
    {
        std::vector<std::string> bodies;
        Origin origin(leafFor("api.example.com"), [&bodies](Wire& wire, Origin& self) {
            while (true) {
                const std::string request = readRequest(wire, self);
                if (request.empty()) {
                    return;
                }
                const std::string body = request.substr(request.find("\r\n\r\n") + 4);
                bodies.push_back(body);
                wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n");
            }
        });
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        auto wire = openTls(harness, "api.example.com");
        QVERIFY(wire->write("POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 300000\r\n\r\n" + std::string(300000, 'x')));
        QCOMPARE(wire->readReply().body, std::string("abcdefg"));
        QVERIFY(wire->write("POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n"
                            "0\r\n\r\n"));
        QCOMPARE(wire->readReply().body, std::string("abcdefg"));
        QCOMPARE(bodies.size(), std::size_t{2});
        QCOMPARE(bodies[0].size(), std::size_t{300000});
        QCOMPARE(bodies[1], std::string("hello world"));
    }

    void streamingReplyArrivesPieceByPiece()
    {
        std::atomic<int> read{0};
        Origin origin(leafFor("api.example.com"), [&read](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 5; ++i) {
                // The next event is not even written before the client has had the last.
                const auto deadline = std::chrono::steady_clock::now() + 5s;
                while (read < i && std::chrono::steady_clock::now() < deadline) {
                    std::this_thread::yield();
                }
                wire.write("a\r\ndata: xx\n\n\r\n");
            }
            wire.write("0\r\n\r\n");
        });
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        auto wire = openTls(harness, "api.example.com");
        QVERIFY(wire->write(get("api.example.com")));
        QVERIFY(wire->readHead().starts_with("HTTP/1.1 200"));
        const auto start = std::chrono::steady_clock::now();
        for (int i = 1; i <= 5; ++i) {
            QCOMPARE(wire->readExactly(15), std::string("a\r\ndata: xx\n\n\r\n"));
            read = i;
        }
        QCOMPARE(wire->readExactly(5), std::string("0\r\n\r\n"));
        QVERIFY(std::chrono::steady_clock::now() - start < 4s);
    }

    void hundredMegabytesGoThrough()
    {
        const std::string block(1u << 20, 'd');
        Origin origin(leafFor("api.example.com"), [&block](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
            for (int i = 0; i < 100; ++i) {
                wire.write(block);
            }
        });
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        auto wire = openTls(harness, "api.example.com");
        QVERIFY(wire->write(get("api.example.com")));
        QVERIFY(wire->readHead().starts_with("HTTP/1.1 200"));
        std::size_t total = 0;
        while (total < 104857600) {
            const std::string piece = wire->readSome();
            if (piece.empty()) {
                break;
            }
            total += piece.size();
        }
        QCOMPARE(total, std::size_t{104857600});
    }

    void webSocketIsRelayedBothWays()
    {
        Origin origin(leafFor("ws.example.com"), [](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: z\r\n\r\n");
            wire.write("first");
            wire.write("echo:" + wire.readExactly(4));
        });
        Harness harness(setupWith(policyJson("locked", {"ws.example.com"})));
        harness.route("ws.example.com:443", origin.port());
        auto wire = openTls(harness, "ws.example.com");
        QVERIFY(wire->write(get("ws.example.com", "/s", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n")));
        const std::string head = wire->readHead();
        QVERIFY(head.starts_with("HTTP/1.1 101"));
        QVERIFY(head.find("Sec-WebSocket-Accept: z") != std::string::npos);
        QCOMPARE(wire->readExactly(5), std::string("first"));
        QVERIFY(wire->write("ping"));
        QCOMPARE(wire->readExactly(9), std::string("echo:ping"));
        QVERIFY(wire->isEnded());
        QCOMPARE(harness.waitForConnection("ws.example.com", "allowed")["status"].get<int>(), 101);
    }

    // D.3 pitfall 5: what a server may not do to a client.
    void pitfall_05_brokenRepliesDoNotPass_data()
    {
        QTest::addColumn<QByteArray>("reply");
        QTest::addColumn<int>("status");
        QTest::newRow("control") << QByteArray("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") << 200;
        QTest::newRow("interim first") << QByteArray("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") << 103;
        QTest::newRow("two lengths") << QByteArray("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok") << 502;
        QTest::newRow("length and chunked")
            << QByteArray("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok") << 502;
        QTest::newRow("unasked switch") << QByteArray("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n") << 502;
        QTest::newRow("garbage") << QByteArray("SSH-2.0-x\r\n\r\n") << 502;
        QTest::newRow("nothing") << QByteArray() << 502;
        QTest::newRow("line break in value") << QByteArray("HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n") << 502;
    }
    void pitfall_05_brokenRepliesDoNotPass()
    {
        QFETCH(QByteArray, reply);
        QFETCH(int, status);
        Origin origin(std::nullopt, [&reply](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write(reply.toStdString());
        });
        Harness harness(setupWith(policyJson("locked", {"plain.example.com"})));
        harness.route("plain.example.com:80", origin.port());
        auto opened = harness.connect("plain.example.com:80");
        QVERIFY(opened.wire->write(get("plain.example.com")));
        QCOMPARE(opened.wire->readReply().status, status);
    }

    void truncatedReplyIsNotPassedOffAsWhole()
    {
        Origin origin(std::nullopt, [](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        });
        Harness harness(setupWith(policyJson("locked", {"plain.example.com"})));
        harness.route("plain.example.com:80", origin.port());
        auto opened = harness.connect("plain.example.com:80");
        QVERIFY(opened.wire->write(get("plain.example.com")));
        QVERIFY(!opened.wire->readReply().complete);
        QVERIFY(opened.wire->isEnded());
        QVERIFY(!harness.waitForConnection("plain.example.com", "error").empty());
    }

    // D.3 pitfall 4, on the wire: the smuggled second request never reaches the origin.
    void pitfall_04_smuggledRequestNeverReachesTheOrigin()
    {
        Origin origin(std::nullopt);
        Harness harness(setupWith(policyJson("locked", {"plain.example.com"})));
        harness.route("plain.example.com:80", origin.port());
        const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: plain.example.com\r\n\r\n";
        const std::vector<std::string> attempts = {
            "POST / HTTP/1.1\r\nHost: plain.example.com\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: plain.example.com\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: plain.example.com\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
            "GET / HTTP/1.1\nHost: plain.example.com\n\n",
            "\r\nGET / HTTP/1.1\r\nHost: plain.example.com\r\n\r\n",
            "get\t/ HTTP/1.1\r\nHost: plain.example.com\r\n\r\n"};
        for (const std::string& attempt : attempts) {
            auto opened = harness.connect("plain.example.com:80");
            QVERIFY(opened.wire->write(attempt + smuggled));
            const int status = opened.wire->readReply().status;
            QVERIFY2(status >= 400, attempt.c_str());
            QVERIFY(opened.wire->isEnded());
        }
        for (const std::string& head : origin.heads()) {
            QVERIFY(head.find("smuggled") == std::string::npos);
        }
        auto control = harness.connect("plain.example.com:80");
        QVERIFY(control.wire->write(get("plain.example.com") + smuggled));
        QCOMPARE(control.wire->readReply().status, 200);
        QCOMPARE(control.wire->readReply().body, std::string("hello /smuggled"));
    }

    // D.3 pitfall 15: the client sees why, and no request goes out.
    void pitfall_15_upstreamCertificateIsAlwaysVerified_data()
    {
        QTest::addColumn<int>("kind");
        QTest::addColumn<int>("status");
        QTest::newRow("control") << 0 << 200;
        QTest::newRow("wrong host") << 1 << 502;
        QTest::newRow("expired") << 2 << 502;
        QTest::newRow("self-signed") << 3 << 502;
        QTest::newRow("unknown CA") << 4 << 502;
    }
    void pitfall_15_upstreamCertificateIsAlwaysVerified()
    {
        QFETCH(int, kind);
        QFETCH(int, status);
        const Certificate stranger = makeCertificate({.name = "Stranger", .isCa = true});
        const std::vector<CertificateSpec> specs = {{.name = "api.example.com", .issuer = &originCa()},
                                                    {.name = "other.example.com", .issuer = &originCa()},
                                                    {.name = "api.example.com", .issuer = &originCa(), .notAfterSeconds = -60},
                                                    {.name = "api.example.com"},
                                                    {.name = "api.example.com", .issuer = &stranger}};
        Origin origin(makeCertificate(specs[static_cast<std::size_t>(kind)]));
        Harness harness(setupWith(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        auto wire = openTls(harness, "api.example.com");
        QVERIFY(wire->write(get("api.example.com")));
        const Wire::Reply reply = wire->readReply();
        QCOMPARE(reply.status, status);
        QCOMPARE(origin.heads().size(), status == 200 ? std::size_t{1} : std::size_t{0});
        if (status != 200) {
            QVERIFY(reply.body.find("certificate") != std::string::npos);
        }
    }

    void dialRefusalIsA403AndDialFailureA502()
    {
        Harness harness(setupWith(policyJson("locked", {"*.example.com"})));
        harness.refuse("rebind.example.com:80", {"address check", "it leads to a private address"});
        auto refused = harness.connect("rebind.example.com:80");
        QVERIFY(refused.wire->write(get("rebind.example.com")));
        const Wire::Reply reply = refused.wire->readReply();
        QCOMPARE(reply.status, 403);
        QVERIFY(reply.body.find("private address") != std::string::npos);
        QVERIFY(!harness.waitForConnection("rebind.example.com", "denied").empty());
        auto failed = harness.connect("nowhere.example.com:80");
        QVERIFY(failed.wire->write(get("nowhere.example.com")));
        QCOMPARE(failed.wire->readReply().status, 502);
    }

    void bypassHostIsTunnelledUninspected()
    {
        Origin origin(leafFor("pinned.example.com"));
        auto policy = policyJson("locked", {"pinned.example.com"});
        policy["bypassHosts"] = {"pinned.example.com"};
        Harness harness(setupWith(policy));
        harness.route("pinned.example.com:443", origin.port());
        auto opened = harness.connect("pinned.example.com:443");
        // The certificate seen is the origin's own.
        QVERIFY(opened.wire->startTls("pinned.example.com", originCa().certificatePem));
        QVERIFY(opened.wire->write(get("pinned.example.com")));
        QCOMPARE(opened.wire->readReply().status, 200);
        opened.wire->endWriting();
        opened.wire->close();
        const auto event = harness.waitForConnection("pinned.example.com", "allowed");
        QVERIFY(!event["inspected"].get<bool>());
    }
};

QTEST_GUILESS_MAIN(ServerTest)
#include "server_test.moc"
