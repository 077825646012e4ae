// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <QtTest>
#include <fstream>
#include <sstream>

using namespace proxytest;
using namespace std::chrono_literals;

namespace {

std::string get(const std::string& host, const std::string& path = "/")
{
    return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

std::string statusLine(int pid, const std::string& name)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with(name + ":")) {
            return line.substr(name.size() + 1);
        }
    }
    return {};
}

int statusOf(Harness& harness, const std::string& host, std::uint16_t port = 80)
{
    auto opened = harness.connect(host + ":" + std::to_string(port));
    if (!opened.wire) {
        return opened.status;
    }
    return opened.wire->write(get(host)) ? opened.wire->readReply().status : -1;
}

bool waitUntil(const std::function<bool()>& condition)
{
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(5ms); // polls with a deadline
    }
    return true;
}

std::string adoptLine(const std::string& cookie, int version)
{
    return nlohmann::json({{"type", "adopt"}, {"cookie", cookie}, {"version", version}}).dump() + "\n";
}

/// Talks for a server that speaks first.
void greeter(Wire& wire, Origin& origin)
{
    wire.write("220 ready\r\n");
    const std::string line = wire.readExactly(6);
    origin.note(line);
    wire.write("250 " + line);
}

} // namespace

class ProcessTest : public QObject
{
    Q_OBJECT

private slots:
    // The real executable, behind its filter, does its whole work; the kernel says that the filter is in force.
    void hazard_06_realProxyWorksBehindItsFilter()
    {
        const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
        Origin origin(makeCertificate({.name = "api.example.com", .issuer = &ca}));
        Harness::Setup setup;
        setup.command = PROXY_COMMAND;
        setup.policy = policyJson("locked", {"api.example.com"});
        setup.trusted = {ca.certificatePem};
        Harness harness(setup);
        QVERIFY(harness.processId() > 0);
        QCOMPARE(std::stoi(statusLine(harness.processId(), "Seccomp")), 2);
        QCOMPARE(std::stoi(statusLine(harness.processId(), "NoNewPrivs")), 1);
        harness.route("api.example.com:443", origin.port());
        for (int i = 0; i < 20; ++i) {
            auto opened = harness.connect("api.example.com:443");
            QVERIFY(opened.wire != nullptr);
            QVERIFY2(opened.wire->startTls("api.example.com", harness.caPem()), opened.wire->problem().c_str());
            QVERIFY(opened.wire->write(get("api.example.com", "/n")));
            QCOMPARE(opened.wire->readReply().body, std::string("hello /n"));
        }
        const auto event = harness.waitForConnection("api.example.com", "allowed");
        QCOMPARE(event["sandbox"].get<std::string>(), std::string("s1"));
        const std::string resident = statusLine(harness.processId(), "VmRSS");
        qInfo("resident after 20 TLS connections: %s", resident.c_str());
        // A restarted engine takes over while the filter is on: accept works, nothing new is opened.
        harness.dropEngine();
        nlohmann::json answer;
        QVERIFY(waitUntil([&] {
            answer = harness.adopt(adoptLine(Harness::cookie(), 1));
            return answer.is_object() && answer["type"] == "adopted";
        }));
        harness.sendToEngineSide("{\"type\":\"shutdown\"}\n");
        QCOMPARE(harness.exitCode(10s), 0);
    }

    void badSetupIsSaidAndEndsTheProcess()
    {
        Harness::Setup setup;
        setup.command = PROXY_COMMAND;
        setup.start = false;
        Harness harness(setup);
        harness.sendToEngineSide(nlohmann::json({{"type", "setup"}, {"sandbox", "s"}, {"caCertificatePem", "x"}, {"caKeyPem", "y"},
                                                 {"policy", policyJson("locked", {})}, {"cookie", "c"}}).dump() + "\n");
        QCOMPARE(harness.exitCode(10s), 1);
        QVERIFY(!harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "problem"; }).is_null());
    }

    void hazard_07_proxyGoesOnAloneAndAskingMeansNo()
    {
        Origin origin(std::nullopt);
        Harness::Setup setup;
        setup.policy = policyJson("balanced", {"allowed.example.com"}, {}, true);
        Harness harness(setup);
        harness.route("allowed.example.com:80", origin.port());
        harness.route("unknown.example.com:80", origin.port());
        // The control: with an engine that says yes, the unknown host is reached.
        std::thread user([&harness] {
            const auto ask = harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "ask"; });
            if (ask.is_object()) {
                harness.sendToEngineSide(
                    nlohmann::json({{"type", "answer"}, {"id", ask["id"]}, {"verdict", "allow"}}).dump() + "\n");
            }
        });
        const int asked = statusOf(harness, "unknown.example.com");
        user.join();
        QCOMPARE(asked, 200);
        harness.dropEngine();
        QVERIFY(waitUntil([&] { return statusOf(harness, "unknown.example.com") == 403; }));
        QCOMPARE(statusOf(harness, "allowed.example.com"), 200);
    }

    void askedConnectionWaitsWhileOthersGoOn()
    {
        Origin origin(std::nullopt);
        Harness::Setup setup;
        setup.policy = policyJson("balanced", {"allowed.example.com"}, {}, true);
        Harness harness(setup);
        harness.route("allowed.example.com:80", origin.port());
        auto held = harness.connect("unknown.example.com:80");
        QVERIFY(held.wire->write(get("unknown.example.com", "/p?q=1")));
        const auto ask = harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "ask"; });
        QCOMPARE(ask["host"].get<std::string>(), std::string("unknown.example.com"));
        QCOMPARE(ask["path"].get<std::string>(), std::string("/p"));
        QCOMPARE(statusOf(harness, "allowed.example.com"), 200);
        harness.sendToEngineSide(nlohmann::json({{"type", "answer"}, {"id", ask["id"]}, {"verdict", "deny"}}).dump() + "\n");
        QCOMPARE(held.wire->readReply().status, 403);
    }

    void hazard_07_fullAuditBufferStopsNewConnections()
    {
        Origin origin(std::nullopt);
        Harness::Setup setup;
        setup.policy = policyJson("locked", {"allowed.example.com"});
        setup.limits.maxBufferedEvents = 5;
        Harness harness(setup);
        harness.route("allowed.example.com:80", origin.port());
        harness.dropEngine();
        int served = 0;
        int status = 200;
        for (int i = 0; i < 40 && status == 200; ++i) {
            status = statusOf(harness, "allowed.example.com");
            served += status == 200 ? 1 : 0;
        }
        QCOMPARE(status, 503);
        QVERIFY(served >= 1 && served <= 12);
        // Nothing is lost: the next engine gets what was kept, and connections go on.
        const auto answer = harness.adopt(adoptLine(Harness::cookie(), 1));
        QCOMPARE(answer["type"].get<std::string>(), std::string("adopted"));
        QVERIFY(answer["buffered"].get<int>() >= 5);
        QVERIFY(waitUntil([&] { return harness.countMessages("connection") >= static_cast<std::size_t>(served); }));
        QVERIFY(waitUntil([&] { return statusOf(harness, "allowed.example.com") == 200; }));
    }

    void hazard_07_onlyTheRightEngineTakesOver()
    {
        Harness::Setup setup;
        setup.policy = policyJson("locked", {});
        Harness harness(setup);
        QCOMPARE(harness.adopt(adoptLine("00000000000000000000000000000000", 1))["code"].get<std::string>(), std::string("not_allowed"));
        QCOMPARE(harness.adopt(adoptLine("", 1))["code"].get<std::string>(), std::string("not_allowed"));
        QCOMPARE(harness.adopt(adoptLine(Harness::cookie(), 2))["code"].get<std::string>(), std::string("protocol"));
        QCOMPARE(harness.adopt("garbage\n")["code"].get<std::string>(), std::string("not_allowed"));
        QCOMPARE(harness.adopt(adoptLine(Harness::cookie(), 1))["type"].get<std::string>(), std::string("adopted"));
    }

    void hazard_07_aloneTooLongItLeaves()
    {
        Harness::Setup setup;
        setup.policy = policyJson("locked", {});
        setup.limits.alone = 200ms;
        Harness harness(setup);
        QCOMPARE(harness.exitCode(400ms), -1);
        harness.dropEngine();
        QCOMPARE(harness.exitCode(10s), 0);
    }

    void serverFirstProtocolNeedsARuleWithAPort()
    {
        Origin origin(std::nullopt, greeter);
        Harness::Setup setup;
        setup.policy = policyJson("open", {"mail.example.com:25"});
        setup.limits.silence = 50ms;
        setup.limits.firstByte = 300ms;
        Harness harness(setup);
        harness.route("mail.example.com:25", origin.port());
        harness.route("other.example.com:25", origin.port());
        auto allowed = harness.connect("mail.example.com:25");
        QCOMPARE(allowed.wire->readExactly(11), std::string("220 ready\r\n"));
        QVERIFY(allowed.wire->write("EHLO a"));
        QCOMPARE(allowed.wire->readExactly(10), std::string("250 EHLO a"));
        QVERIFY(allowed.wire->isEnded());
        allowed.wire->close();
        QCOMPARE(harness.waitForConnection("mail.example.com", "allowed")["protocol"].get<std::string>(), std::string("tcp"));
        auto denied = harness.connect("other.example.com:25");
        QVERIFY(denied.wire->isEnded());
        QVERIFY(!harness.waitForConnection("other.example.com", "denied").empty());
        for (const std::string& place : harness.dialled()) {
            QVERIFY(place != "other.example.com:25");
        }
    }

    // Waiting in silence does not make HTTP or TLS a raw tunnel.
    void silenceIsNoWayPastInspection()
    {
        Origin origin(std::nullopt);
        Harness::Setup setup;
        setup.policy = policyJson("locked", {"web.example.com:8080"});
        setup.limits.silence = 20ms;
        Harness harness(setup);
        harness.route("web.example.com:8080", origin.port());
        auto opened = harness.connect("web.example.com:8080");
        QVERIFY(waitUntil([&] { return !harness.dialled().empty(); })); // the silence was noticed
        QVERIFY(opened.wire->write("GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n"));
        QCOMPARE(opened.wire->readReply().status, 421);
        QVERIFY(origin.heads().empty());
    }

    void clientFirstRawTcpIsTunnelledByRule()
    {
        Origin origin(std::nullopt, [](Wire& wire, Origin&) {
            while (true) {
                const std::string data = wire.readSome();
                if (data.empty() || !wire.write(data)) {
                    return;
                }
            }
        });
        Harness::Setup setup;
        setup.policy = policyJson("locked", {"git.example.com:22", "nogit.example.com"});
        Harness harness(setup);
        harness.route("git.example.com:22", origin.port());
        auto opened = harness.connect("git.example.com:22");
        const std::string hello = "SSH-2.0-test\r\n";
        QVERIFY(opened.wire->write(hello));
        QCOMPARE(opened.wire->readExactly(hello.size()), hello);
        opened.wire->endWriting();
        QVERIFY(opened.wire->isEnded());
        const auto event = harness.waitForConnection("git.example.com", "allowed");
        QCOMPARE(event["bytesOut"].get<std::size_t>(), hello.size());
        QCOMPARE(event["bytesIn"].get<std::size_t>(), hello.size());
        auto denied = harness.connect("nogit.example.com:22");
        QVERIFY(denied.wire->write(hello));
        QVERIFY(denied.wire->isEnded());
        QVERIFY(!harness.waitForConnection("nogit.example.com", "denied").empty());
    }

    void connectionsAndSlowHeadsAreLimited()
    {
        Harness::Setup setup;
        setup.policy = policyJson("locked", {"a.example.com"});
        setup.limits.maxConnections = 3;
        setup.limits.head = 200ms;
        Harness harness(setup);
        std::vector<Harness::Opened> open;
        for (int i = 0; i < 3; ++i) {
            open.push_back(harness.connect("a.example.com:80"));
            QCOMPARE(open.back().status, 200);
        }
        QCOMPARE(harness.connect("a.example.com:80").status, 503);
        // D.3 pitfall 19: a head that trickles is cut off, and its place is free again.
        QVERIFY(open[0].wire->write("GET / HT"));
        QVERIFY(open[0].wire->isEnded());
        QVERIFY(waitUntil([&] { return harness.connect("a.example.com:80").status == 200; }));
    }

    void guestReportBecomesLogLines()
    {
        Harness::Setup setup;
        setup.policy = policyJson("locked", {});
        Harness harness(setup);
        QCOMPARE(harness.postReport(R"({"refused":[{"protocol":"udp","host":"8.8.8.8","port":53,"count":7,"source":"container"}]})"), 200);
        const auto event = harness.waitForConnection("8.8.8.8", "denied");
        QCOMPARE(event["protocol"].get<std::string>(), std::string("udp"));
        QCOMPARE(event["count"].get<int>(), 7);
        QCOMPARE(event["source"].get<std::string>(), std::string("container"));
        QCOMPARE(harness.postReport("nonsense"), 400);
        QCOMPARE(harness.postReport(std::string(300000, 'x')), 400);
    }

    // D.3 pitfalls 8 and 9.
    void pitfall_09_oddAndBareAddressesAreRefused()
    {
        Harness::Setup setup;
        setup.policy = policyJson("open", {});
        Harness harness(setup);
        for (const char* authority : {"0x7f000001:80", "127.1:80", "a.example.com:0", "a.example.com"}) {
            QCOMPARE(harness.connect(authority).status, 403);
        }
        // Newer nghttp2 ends such a stream itself (RFC 9113 8.3.1), without an answer.
        const int withUser = harness.connect("user@a.example.com:80").status;
        QVERIFY2(withUser == 403 || withUser == 0, std::to_string(withUser).c_str());
        auto bare = harness.connect("192.0.2.7:443", "literal");
        QVERIFY(bare.wire->startTls("", harness.caPem(), "http/1.1", "192.0.2.7"));
        QVERIFY(bare.wire->write(get("192.0.2.7")));
        QCOMPARE(bare.wire->readReply().status, 403);
        QVERIFY(harness.dialled().empty());
    }
};

QTEST_GUILESS_MAIN(ProcessTest)
#include "process_test.moc"
