// SPDX-License-Identifier: Apache-2.0
// Token endpoints of log-ins: what a sandbox asks of them, and that no token ever comes in.
#include "harness.h"
#include "proxy/token_endpoint.h"

#include <QtTest>
#include <atomic>

using namespace proxytest;
using namespace std::chrono_literals;
using coldframe::proxy::readTokenAsk;

namespace {

const std::string kAccess = "sk-ant-oat01-real-access-0123456789abcdef";
const std::string kRefresh = "sk-ant-ort01-real-refresh-0123456789abcdef";
const std::string kRandom = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const std::string kSentinel = "sk-ant-oat01-proxy-managed-" + kRandom;
const std::string kRefreshSentinel = "sk-ant-ort01-proxy-managed-" + kRandom;
const std::string kHost = "auth.example.com";

const Certificate& originCa()
{
    static const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
    return ca;
}

Harness::Setup setupWith(bool guarded)
{
    nlohmann::json service{{"name", "claude-login"},
                           {"hosts", {"api.example.com"}},
                           {"header", "authorization"},
                           {"format", "Bearer {key}"},
                           {"strip", {"authorization", "x-api-key"}},
                           {"sentinel", kSentinel}};
    if (guarded) {
        service["login"] = {{"places", {{{"host", kHost}, {"path", "/oauth/token"}}}},
                            {"command", "coldframe keys login claude"},
                            {"refresh", kRefreshSentinel},
                            {"idToken", "e30.e30.proxy-managed-" + kRandom},
                            {"scope", "inference profile"}};
    }
    Harness::Setup setup;
    setup.command = PROXY_COMMAND;
    setup.policy = policyJson("locked", {"*.example.com"});
    setup.trusted = {originCa().certificatePem};
    setup.services = nlohmann::json::array({service});
    return setup;
}

/// A token endpoint that gives everybody real tokens.
void giveTokens(Wire& wire, Origin& origin)
{
    while (!readRequest(wire, origin).empty()) {
        const std::string body = nlohmann::json{{"access_token", kAccess}, {"refresh_token", kRefresh}, {"expires_in", 3600}}.dump();
        wire.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
}

void refuseEverybody(Wire& wire, Origin& origin)
{
    while (!readRequest(wire, origin).empty()) {
        wire.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}");
    }
}

std::string post(const std::string& path, const std::string& body, const std::string& host = kHost)
{
    return "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Wire::Reply ask(Harness& harness, const std::string& request, const std::string& host = kHost)
{
    auto opened = harness.connect(host + ":443");
    if (!opened.wire || !opened.wire->startTls(host, harness.caPem()) || !opened.wire->write(request)) {
        return {};
    }
    return opened.wire->readReply();
}

std::string refreshAsk(const std::string& token)
{
    return nlohmann::json{{"grant_type", "refresh_token"}, {"refresh_token", token}, {"client_id", "c"}}.dump();
}

} // namespace

class TokensTest : public QObject
{
    Q_OBJECT

private slots:
    void bodiesAreUnderstoodInBothForms()
    {
        QCOMPARE(readTokenAsk("grant_type=refresh_token&refresh_token=a%2Bb+c").refreshToken, std::string("a+b c"));
        QCOMPARE(readTokenAsk("  {\"grant_type\":\"refresh_token\",\"refresh_token\":\"x\"}").refreshToken, std::string("x"));
        QCOMPARE(readTokenAsk("grant_type=authorization_code&code=1").grantType, std::string("authorization_code"));
        // What two parsers could read in two ways, and what none can, asks for nothing.
        for (const char* body : {"", "{", "[1]", "{\"grant_type\":1}", "{\"grant_type\":\"refresh_token\",\"grant_type\":\"authorization_code\"}",
                                 "grant_type=refresh_token&grant_type=authorization_code", "grant_type=refresh_token&refresh_token=a&refresh_token=b",
                                 "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"a\",\"refresh_token\":\"b\"}"}) {
            QVERIFY2(readTokenAsk(body).grantType.empty(), body);
        }
    }

    void control_withoutTheGuardRealTokensComeIn()
    {
        Origin tokens(makeCertificate({.name = kHost, .issuer = &originCa()}), giveTokens);
        Harness harness(setupWith(false));
        harness.route(kHost + ":443", tokens.port());
        const auto reply = ask(harness, post("/oauth/token", "grant_type=authorization_code&code=1"));
        QCOMPARE(reply.status, 200);
        QVERIFY(reply.body.find(kAccess) != std::string::npos && reply.body.find(kRefresh) != std::string::npos);
    }

    void hazard_05_logInInsideIsRefusedAndReachesNobody()
    {
        Origin tokens(makeCertificate({.name = kHost, .issuer = &originCa()}), giveTokens);
        Harness harness(setupWith(true));
        harness.sendKey("claude-login", kAccess);
        harness.route(kHost + ":443", tokens.port());
        const std::string code = "grant_type=authorization_code&code=1&code_verifier=2";
        for (const std::string& request :
             {post("/oauth/token", code), post("/oauth/token", "{\"grant_type\":\"authorization_code\",\"code\":\"1\"}"), post("/oauth/token/", code),
              post("/oauth/token?x=1", code), post("/OAuth/Token", code), post("/oauth%2ftoken", code), post("//oauth/token", code),
              post("/oauth/%74oken", code), post("/oauth/token", refreshAsk("sk-ant-ort01-of-the-guest-itself")),
              post("/oauth/token", refreshAsk(kRefreshSentinel + "x")), post("/oauth/token", "grant_type=client_credentials"),
              post("/oauth/token", "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"" + kRefreshSentinel + "\",\"grant_type\":\"authorization_code\"}"),
              post("/oauth/token", std::string(100000, 'a')), "GET /oauth/token?grant_type=authorization_code&code=1 HTTP/1.1\r\nHost: " + kHost + "\r\n\r\n"}) {
            const auto reply = ask(harness, request);
            QVERIFY2(reply.status == 403 || reply.status == 400, (request.substr(0, 300) + std::to_string(reply.status)).c_str());
            QVERIFY(reply.body.find("real") == std::string::npos);
        }
        QVERIFY(tokens.heads().empty());
        const auto reply = ask(harness, post("/oauth/token", code));
        QVERIFY2(reply.body.find("coldframe keys login claude") != std::string::npos, reply.body.c_str());
        const auto alert = harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "alert"; });
        QCOMPARE(alert["code"].get<std::string>(), std::string("token-minting"));
        // The rest of that host is as free as any other.
        QCOMPARE(ask(harness, post("/oauth/hello", "x")).status, 200);
    }

    void hazard_05_refreshOfTheStandInIsAnsweredWithStandIns()
    {
        Origin tokens(makeCertificate({.name = kHost, .issuer = &originCa()}), giveTokens);
        Harness harness(setupWith(true));
        harness.route(kHost + ":443", tokens.port());
        // Without a log-in on this computer the client is told to ask its user for one.
        const auto over = ask(harness, post("/oauth/token", refreshAsk(kRefreshSentinel)));
        QCOMPARE(over.status, 400);
        QCOMPARE(nlohmann::json::parse(over.body).at("error").get<std::string>(), std::string("invalid_grant"));
        harness.sendKey("claude-login", kAccess);
        for (const std::string& body : {refreshAsk(kRefreshSentinel), "grant_type=refresh_token&client_id=c&refresh_token=" + kRefreshSentinel}) {
            Wire::Reply reply;
            QTRY_VERIFY_WITH_TIMEOUT((reply = ask(harness, post("/oauth/token", body))).status == 200, 10000); // the key is on its way
            const nlohmann::json given = nlohmann::json::parse(reply.body);
            QCOMPARE(given.at("access_token").get<std::string>(), kSentinel);
            QCOMPARE(given.at("refresh_token").get<std::string>(), kRefreshSentinel);
            QVERIFY(given.at("expires_in").get<int>() > 86400);
            QVERIFY(given.contains("id_token"));
        }
        QVERIFY(tokens.heads().empty());
    }

    void standInForTheRefreshTokenIsBlockedElsewhere()
    {
        Origin other(makeCertificate({.name = "other.example.com", .issuer = &originCa()}));
        Harness harness(setupWith(true));
        harness.sendKey("claude-login", kAccess);
        harness.route("other.example.com:443", other.port());
        QCOMPARE(ask(harness, post("/x", refreshAsk(kRefreshSentinel), "other.example.com"), "other.example.com").status, 403);
        QCOMPARE(ask(harness, post("/x", "ordinary", "other.example.com"), "other.example.com").status, 200);
    }

    void refusedTokenIsToldOnceAndTheRefreshWaitsForTheNewOne()
    {
        Origin api(makeCertificate({.name = "api.example.com", .issuer = &originCa()}), refuseEverybody);
        Harness harness(setupWith(true));
        harness.route("api.example.com:443", api.port());
        harness.sendKey("claude-login", kAccess);
        const std::string request = "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer " + kSentinel + "\r\n\r\n";
        QTRY_VERIFY_WITH_TIMEOUT(ask(harness, request, "api.example.com").status == 401, 10000);
        QCOMPARE(ask(harness, request, "api.example.com").status, 401);
        const auto told = harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "refused-key"; });
        QCOMPARE(told["service"].get<std::string>(), std::string("claude-login"));
        QCOMPARE(harness.countMessages("refused-key"), std::size_t{1});
        QVERIFY(api.heads().back().find("Bearer " + kAccess) != std::string::npos);
        // The engine refreshes meanwhile; the client's own refresh is answered when that is done.
        std::atomic<bool> isSent = false;
        bool wasEarly = false;
        std::thread client([&] {
            const auto reply = ask(harness, post("/oauth/token", refreshAsk(kRefreshSentinel)));
            wasEarly = reply.status != 200 || !isSent;
        });
        std::this_thread::sleep_for(300ms); // long enough for an answer that does not wait
        isSent = true;
        harness.sendKey("claude-login", kAccess + "-second");
        client.join();
        QVERIFY(!wasEarly);
        QCOMPARE(ask(harness, request, "api.example.com").status, 401);
        QVERIFY(api.heads().back().find(kAccess + "-second") != std::string::npos);
        QTRY_COMPARE_WITH_TIMEOUT(harness.countMessages("refused-key"), std::size_t{2}, 10000);
    }
};

QTEST_GUILESS_MAIN(TokensTest)
#include "tokens_test.moc"
