// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <QtTest>
#include <zlib.h>

using namespace proxytest;
using namespace std::chrono_literals;

namespace {

const std::string kKey = "sk-ant-real-9876543210-zyxwvutsrq";
const std::string kSentinel = "sk-ant-api03-proxy-managed-5f3a9c0d11e2";

const Certificate& originCa()
{
    static const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
    return ca;
}

Harness::Setup keySetup()
{
    Harness::Setup setup;
    setup.policy = policyJson("locked", {"*.example.com", "api.example.com"});
    setup.trusted = {originCa().certificatePem};
    setup.services = nlohmann::json::array({{{"name", "anthropic"},
                                             {"hosts", {"api.example.com"}},
                                             {"header", "x-api-key"},
                                             {"format", "{key}"},
                                             {"strip", {"authorization", "x-api-key"}},
                                             {"sentinel", kSentinel},
                                             {"pathPrefixes", {"/v1/"}}}});
    return setup;
}

std::string get(const std::string& host, const std::string& path, const std::string& more = {})
{
    return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "\r\n";
}

/// The status of one request through a tunnel of its own.
Wire::Reply ask(Harness& harness, const std::string& host, std::uint16_t port, bool tls, const std::string& request)
{
    auto opened = harness.connect(host + ":" + std::to_string(port));
    if (!opened.wire || (tls && !opened.wire->startTls(host, harness.caPem())) || !opened.wire->write(request)) {
        return {};
    }
    return opened.wire->readReply();
}

std::string gzipped(const std::string& text)
{
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(text.size() + 200, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

bool anyHasKey(const Origin& origin)
{
    for (const std::string& head : origin.heads()) {
        if (head.find(kKey) != std::string::npos) {
            return true;
        }
    }
    return false;
}

} // namespace

class KeysTest : public QObject
{
    Q_OBJECT

private slots:
    // D.3 pitfall 11 on the wire: one way in which the key is sent, and each way in which one thing is wrong.
    void pitfall_11_keyIsSentOnVerifiedTlsToItsHostAlone()
    {
        Origin right(makeCertificate({.name = "api.example.com", .issuer = &originCa()}));
        Origin sibling(makeCertificate({.name = "other.example.com", .issuer = &originCa()}));
        Origin untrusted(makeCertificate({.name = "api.example.com"}));
        Origin plain(std::nullopt);
        const std::string sentinel = "X-Api-Key: " + kSentinel + "\r\nAuthorization: Bearer guest\r\n";
        Harness harness(keySetup());
        harness.sendKey("anthropic", kKey);

        harness.route("api.example.com:443", untrusted.port());
        QCOMPARE(ask(harness, "api.example.com", 443, true, get("api.example.com", "/v1/x", sentinel)).status, 502);
        QVERIFY(untrusted.heads().empty());

        harness.route("other.example.com:443", sibling.port());
        QCOMPARE(ask(harness, "other.example.com", 443, true, get("other.example.com", "/v1/x")).status, 200);
        QVERIFY(!sibling.heads().empty());
        QVERIFY(!anyHasKey(sibling));

        harness.route("api.example.com:8443", right.port());
        QCOMPARE(ask(harness, "api.example.com", 8443, true, get("api.example.com:8443", "/v1/x")).status, 200);
        harness.route("api.example.com:80", plain.port());
        QCOMPARE(ask(harness, "api.example.com", 80, false, get("api.example.com", "/v1/x")).status, 200);
        QVERIFY(!anyHasKey(right));
        QVERIFY(!anyHasKey(plain));
        QCOMPARE(plain.heads().size(), std::size_t{1});

        harness.route("api.example.com:443", right.port());
        QCOMPARE(ask(harness, "api.example.com", 443, true, get("api.example.com", "/v1/x", sentinel)).status, 200);
        const std::string head = right.heads().back();
        QVERIFY(head.find("x-api-key: " + kKey + "\r\n") != std::string::npos);
        QVERIFY(head.find("guest") == std::string::npos);
        QVERIFY(head.find(kSentinel) == std::string::npos);
        const auto event = harness.waitForMessage([](const nlohmann::json& message) {
            return message["type"] == "connection" && message["connection"]["keyInjected"] == "anthropic";
        });
        QVERIFY(!event.is_null());
        QVERIFY(event.dump().find(kKey) == std::string::npos);
    }

    void pitfall_12_sentinelElsewhereIsBlockedAndReported()
    {
        Origin other(makeCertificate({.name = "other.example.com", .issuer = &originCa()}));
        Origin plain(std::nullopt);
        Harness harness(keySetup());
        harness.sendKey("anthropic", kKey);
        harness.route("other.example.com:443", other.port());
        harness.route("other.example.com:80", plain.port());
        QCOMPARE(ask(harness, "other.example.com", 443, true,
                     get("other.example.com", "/", "X-Api-Key: " + kSentinel + "\r\n")).status, 403);
        QVERIFY(other.heads().empty());
        const std::string body = "{\"stolen\":\"" + kSentinel + "\"}";
        QCOMPARE(ask(harness, "other.example.com", 443, true,
                     "POST / HTTP/1.1\r\nHost: other.example.com\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body).status,
                 403);
        const auto alert = harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "alert"; });
        QCOMPARE(alert["code"].get<std::string>(), std::string("sentinel-misplaced"));
        QCOMPARE(alert["host"].get<std::string>(), std::string("other.example.com"));
        // The control: the same requests without the placeholder.
        QCOMPARE(ask(harness, "other.example.com", 443, true, get("other.example.com", "/", "X-Api-Key: mine\r\n")).status, 200);
    }

    // D.3 pitfall 13: a reply with the key, cut anywhere, does not bring it; the engine hears of it.
    void pitfall_13_keyInAReplyDoesNotArrive_data()
    {
        QTest::addColumn<int>("form");
        QTest::addColumn<bool>("leaks");
        QTest::newRow("control") << 0 << false;
        QTest::newRow("one piece") << 1 << true;
        QTest::newRow("two chunks") << 2 << true;
        QTest::newRow("header") << 3 << true;
        QTest::newRow("byte by byte") << 4 << true;
        QTest::newRow("unknown compression") << 5 << false;
        QTest::newRow("gzip") << 6 << true;
        QTest::newRow("trailer") << 7 << true;
    }
    void pitfall_13_keyInAReplyDoesNotArrive()
    {
        QFETCH(int, form);
        QFETCH(bool, leaks);
        Origin origin(makeCertificate({.name = "api.example.com", .issuer = &originCa()}), [form](Wire& wire, Origin& self) {
            readRequest(wire, self);
            const std::string text = "error: bad key " + (form == 0 ? std::string(kKey.size(), 'x') : kKey) + " given";
            const auto chunk = [](const std::string& data) {
                char size[16];
                std::snprintf(size, sizeof size, "%zx\r\n", data.size());
                return size + data + "\r\n";
            };
            const std::string chunked = "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n";
            if (form == 2) {
                wire.write(chunked + chunk(text.substr(0, 25)));
                wire.write(chunk(text.substr(25)) + "0\r\n\r\n");
            } else if (form == 3) {
                wire.write("HTTP/1.1 400 Bad Request\r\nX-Echo: " + kKey + "\r\nContent-Length: 0\r\n\r\n");
            } else if (form == 4) {
                wire.write(chunked);
                for (const char c : text) {
                    wire.write(chunk(std::string(1, c)));
                }
                wire.write("0\r\n\r\n");
            } else if (form == 5) {
                wire.write("HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nContent-Length: 4\r\n\r\nabcd");
            } else if (form == 6) {
                const std::string packed = gzipped(text);
                wire.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + std::to_string(packed.size()) + "\r\n\r\n" + packed);
            } else if (form == 7) {
                wire.write(chunked + chunk("hello") + "0\r\nX-Echo: " + kKey + "\r\n\r\n");
            } else {
                wire.write("HTTP/1.1 400 Bad Request\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
            }
        });
        Harness harness(keySetup());
        harness.sendKey("anthropic", kKey);
        harness.route("api.example.com:443", origin.port());
        auto opened = harness.connect("api.example.com:443");
        QVERIFY(opened.wire->startTls("api.example.com", harness.caPem()));
        QVERIFY(opened.wire->write(get("api.example.com", "/v1/x", "Accept-Encoding: gzip\r\nRange: bytes=0-3\r\nConnection: close\r\n")));
        std::string all;
        while (true) {
            const std::string piece = opened.wire->readSome();
            if (piece.empty()) {
                break;
            }
            all += piece;
        }
        QVERIFY(anyHasKey(origin));
        QVERIFY(origin.heads().front().find("gzip") == std::string::npos);
        QVERIFY(origin.heads().front().find("Range") == std::string::npos);
        QVERIFY(all.find(kKey.substr(8)) == std::string::npos);
        // In a plain body the key alone is missing (byte by byte: each in a chunk of its own); elsewhere the reply is cut.
        QCOMPARE(all.find("given") != std::string::npos, form == 0 || form == 1 || form == 2);
        if (form == 6) {
            QVERIFY(all.find(gzipped("error: bad key " + kKey + " given").substr(20)) == std::string::npos);
        }
        if (leaks) {
            const auto alert = harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "alert"; });
            QCOMPARE(alert["code"].get<std::string>(), std::string("key-in-reply"));
            QVERIFY(alert.dump().find(kKey) == std::string::npos);
        } else {
            QVERIFY(all.starts_with(form == 5 ? "HTTP/1.1 502" : "HTTP/1.1 400"));
            QCOMPARE(harness.countMessages("alert"), std::size_t{0});
        }
    }

    // The body of a request that AWS is to check is read before it is signed anew; S3's own digest is taken as it is.
    void awsBodiesAreSignedAndArriveWhole()
    {
        Origin origin(makeCertificate({.name = "bedrock.us-east-1.amazonaws.com", .issuer = &originCa()}));
        Harness::Setup setup = keySetup();
        setup.policy = policyJson("locked", {"bedrock.us-east-1.amazonaws.com"});
        setup.services = nlohmann::json::array({{{"name", "aws"}, {"hosts", nlohmann::json::array()}, {"hostSuffixes", {".amazonaws.com"}},
                                                 {"header", "authorization"}, {"signer", "aws-v4"}, {"strip", {"authorization"}},
                                                 {"sentinel", "AKIAPLACEHOLDER12345"}}});
        Harness harness(setup);
        harness.sendKey("aws", "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        const std::string host = "bedrock.us-east-1.amazonaws.com";
        harness.route(host + ":443", origin.port());
        const std::string fields = "Host: " + host + "\r\nX-Amz-Date: 20150830T123600Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAPLACEHOLDER12345"
                                   "/20150830/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n";
        const Wire::Reply sized = ask(harness, host, 443, true, "POST /model/x%3A0/invoke HTTP/1.1\r\n" + fields + "Content-Length: 13\r\n\r\nParam1=value1");
        QCOMPARE(sized.status, 200);
        const std::string head = origin.heads().back();
        QVERIFY2(head.find("Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=") != std::string::npos, head.c_str());
        QVERIFY(head.find("Signature=00") == std::string::npos && head.find("AKIAPLACEHOLDER") == std::string::npos);
        const std::string signature = head.substr(head.find("Signature=") + 10, 64);
        // The same body in chunks has the same digest, another body another.
        QCOMPARE(ask(harness, host, 443, true, "POST /model/x%3A0/invoke HTTP/1.1\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n6\r\nParam1\r\n7\r\n=value1\r\n0\r\n\r\n").status, 200);
        QVERIFY(origin.heads().back().find(signature) != std::string::npos);
        QCOMPARE(ask(harness, host, 443, true, "POST /model/x%3A0/invoke HTTP/1.1\r\n" + fields + "Content-Length: 13\r\n\r\nParam1=value2").status, 200);
        QVERIFY(origin.heads().back().find(signature) == std::string::npos);
        const std::string large = "POST / HTTP/1.1\r\n" + fields + "Content-Length: 9000000\r\n\r\n" + std::string(9000000, 'x');
        QCOMPARE(ask(harness, host, 443, true, large).status, 413);
    }

    void keyGivenLaterIsUsedAndOneTakenBackIsNot()
    {
        Origin origin(makeCertificate({.name = "api.example.com", .issuer = &originCa()}));
        Harness harness(keySetup());
        harness.route("api.example.com:443", origin.port());
        const std::string sentinel = "X-Api-Key: " + kSentinel + "\r\n";
        const Wire::Reply without = ask(harness, "api.example.com", 443, true, get("api.example.com", "/v1/x", sentinel));
        QCOMPARE(without.status, 403);
        QVERIFY(without.body.find("No key is stored for anthropic") != std::string::npos);
        harness.sendKey("anthropic", kKey);
        QCOMPARE(ask(harness, "api.example.com", 443, true, get("api.example.com", "/v1/x", sentinel)).status, 200);
        QVERIFY(anyHasKey(origin));
        harness.sendKey("anthropic", "");
        QCOMPARE(ask(harness, "api.example.com", 443, true, get("api.example.com", "/v1/x", sentinel)).status, 403);
        harness.sendKey("anthropic", "bad\r\nX-Evil: 1");
        QVERIFY(!harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "problem"; }).is_null());
    }
};

QTEST_GUILESS_MAIN(KeysTest)
#include "keys_test.moc"
