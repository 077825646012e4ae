// SPDX-License-Identifier: Apache-2.0
#include "dial/dialler.h"

#include <QtTest>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "dial_peer.h"

using namespace coldframe;
using namespace coldframe::policy;

namespace {

class FakeResolver : public dial::Resolver
{
public:
    FakeResolver(asio::io_context& io, std::atomic<int>& asked) : m_io(io), m_asked(asked) {}

    void resolve(const std::string& host, Done done) override
    {
        ++m_asked;
        if (host == "silent.example") {
            return;
        }
        std::vector<IpAddress> addresses;
        if (host == "rebind.example" || host == "mixed.example") {
            addresses.push_back(*parseIp("127.0.0.1"));
        }
        if (host == "sixtofour.example") {
            addresses.push_back(*parseIp("2002:7f00:1::"));
        }
        if (host == "intranet.example") {
            addresses.push_back(*parseIp("127.0.0.1"));
        }
        asio::post(m_io, [done = std::move(done), addresses] {
            if (addresses.empty()) {
                done(fail(ErrorCode::NotFound, "The name could not be found."));
            } else {
                done(addresses);
            }
        });
    }

private:
    asio::io_context& m_io;
    std::atomic<int>& m_asked;
};

/// A dialler in a thread, with the engine's and the proxy's ends here.
class Bench
{
public:
    explicit Bench(const PolicySet* policy, dial::DialLimits limits = {})
    {
        auto [engineHere, engineThere] = socketPair(SOCK_STREAM);
        auto [proxyHere, proxyThere] = socketPair(SOCK_SEQPACKET);
        engine = std::move(engineHere);
        proxy = std::move(proxyHere);
        if (policy) {
            tell("setup", *policy);
        }
        m_dialler = std::make_unique<dial::Dialler>(m_io, std::move(engineThere), std::move(proxyThere),
                                                    std::make_unique<FakeResolver>(m_io, asked), limits,
                                                    [this] { hasFinished = true; });
        m_dialler->start();
        m_thread = std::thread([this] { m_io.run(); });
    }

    ~Bench()
    {
        m_io.stop();
        m_thread.join();
    }

    void tell(const char* type, const PolicySet& policy)
    {
        const std::string line = policyLine(type, policy);
        if (::send(engine.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
            qFatal("the engine's line was not sent");
        }
    }

    DialReply dial(const std::string& host, std::uint16_t port)
    {
        sendRequest(proxy.get(), "7", host, port);
        auto reply = takeReply(proxy.get());
        return reply ? std::move(*reply) : DialReply{{{"reason", "no reply"}}, {}};
    }

    UniqueFd engine;
    UniqueFd proxy;
    std::atomic<int> asked{0};
    std::atomic<bool> hasFinished{false};

private:
    asio::io_context m_io{1};
    asio::executor_work_guard<asio::io_context::executor_type> m_work{m_io.get_executor()};
    std::unique_ptr<dial::Dialler> m_dialler;
    std::thread m_thread;
};

PolicySet openPolicy(const std::vector<std::string>& allow = {})
{
    PolicySet policy;
    policy.mode = Mode::Open;
    for (const std::string& pattern : allow) {
        policy.rules.push_back(allowRule(pattern));
    }
    return policy;
}

} // namespace

class TestDial : public QObject
{
    Q_OBJECT

private slots:
    void loopbackNeedsARule()
    {
        const LoopbackServer server;
        {
            const PolicySet open = openPolicy();
            Bench bench(&open);
            for (const char* host : {"127.0.0.1", "localhost", "host.docker.internal", "::1", "::ffff:127.0.0.1"}) {
                const DialReply reply = bench.dial(host, server.port());
                QVERIFY2(!reply.ok(), host);
                QVERIFY(!reply.socket.isValid());
                QVERIFY2(reply.reason().find("localhost:" + std::to_string(server.port())) != std::string::npos,
                         reply.reason().c_str());
            }
            QVERIFY(!server.wasReached(100));
        }
        // The control: the same with the rule.
        const PolicySet allowed = openPolicy({"localhost:" + std::to_string(server.port())});
        Bench bench(&allowed);
        for (const char* host : {"127.0.0.1", "host.docker.internal"}) {
            const DialReply reply = bench.dial(host, server.port());
            QVERIFY2(reply.ok(), reply.reason().c_str());
            QCOMPARE(reply.json["id"], nlohmann::json("7"));
            QCOMPARE(reply.json["address"], nlohmann::json("127.0.0.1:" + std::to_string(server.port())));
            QVERIFY(server.talksTo(reply.socket.get()));
        }
    }

    void hazard_06_theDialledDecisionIsMadeAgain()
    {
        // The proxy is taken over and asks for what the policy forbids: no connection, no look-up of the name.
        const LoopbackServer server;
        const std::uint16_t port = server.port();
        PolicySet locked;
        locked.mode = Mode::Locked;
        locked.rules.push_back(allowRule("intranet.example"));
        locked.rules.push_back(allowRule("127.0.0.1:" + std::to_string(port)));
        Bench bench(&locked);
        const DialReply refused = bench.dial("rebind.example", port);
        QVERIFY(!refused.ok());
        QVERIFY(refused.reason().find("ask the user") != std::string::npos);
        QCOMPARE(refused.json["rule"], nlohmann::json("mode locked"));
        QCOMPARE(bench.asked.load(), 0);
        const DialReply allowed = bench.dial("intranet.example", port);
        QVERIFY2(allowed.ok(), allowed.reason().c_str());
        QCOMPARE(bench.asked.load(), 1);
        QVERIFY(server.talksTo(allowed.socket.get()));
    }

    void rebindingNameIsRefused()
    {
        const LoopbackServer server;
        // Even beside a localhost rule for that very port, which is meant for localhost only.
        const PolicySet policy = openPolicy({"rebind.example", "localhost:" + std::to_string(server.port())});
        Bench bench(&policy);
        for (const char* host : {"rebind.example", "sixtofour.example"}) {
            const DialReply reply = bench.dial(host, server.port());
            QVERIFY2(!reply.ok(), host);
            QVERIFY2(reply.reason().find("address") != std::string::npos, reply.reason().c_str());
        }
        QCOMPARE(bench.asked.load(), 2);
        QVERIFY(!server.wasReached(100));
        QVERIFY(bench.dial("localhost", server.port()).ok()); // control
    }

    void mappingSkipsResolutionForItsPairOnly()
    {
        const LoopbackServer server;
        PolicySet policy;
        policy.mode = Mode::Locked;
        policy.rules.push_back(allowRule("api.example.com"));
        policy.hostMappings.push_back({"api.example.com", "127.0.0.1", 443, server.port()});
        policy.hostMappings.push_back({"closed.example.com", "127.0.0.1", 443, server.port()});
        Bench bench(&policy);
        const DialReply reply = bench.dial("api.example.com", 443);
        QVERIFY2(reply.ok(), reply.reason().c_str());
        QVERIFY(server.talksTo(reply.socket.get()));
        QCOMPARE(bench.asked.load(), 0);
        QVERIFY(!bench.dial("api.example.com", 80).ok());
        QCOMPARE(bench.asked.load(), 1);
        QVERIFY(!bench.dial("closed.example.com", 443).ok());
        QVERIFY(!bench.dial("127.0.0.1", server.port()).ok());
    }

    void withoutPolicyNothingConnects()
    {
        const LoopbackServer server;
        Bench bench(nullptr);
        QVERIFY(!bench.dial("127.0.0.1", server.port()).ok());
        const PolicySet policy = openPolicy({"localhost:" + std::to_string(server.port())});
        bench.tell("setup", policy); // control
        QVERIFY(bench.dial("127.0.0.1", server.port()).ok());
    }

    void approvalWrittenBeforeTheAnswerCounts()
    {
        const LoopbackServer server;
        PolicySet asking;
        asking.mode = Mode::Balanced;
        asking.canAsk = true;
        asking.rules.push_back(allowRule("127.0.0.0/8"));
        Bench bench(&asking);
        for (int i = 0; i < 20; ++i) {
            bench.tell("policy", asking);
            QVERIFY(!bench.dial("intranet.example", server.port()).ok()); // asking is not a yes
            PolicySet approved = asking;
            approved.rules.push_back(allowRule("intranet.example"));
            bench.tell("policy", approved);
            const DialReply reply = bench.dial("intranet.example", server.port());
            QVERIFY2(reply.ok(), reply.reason().c_str());
        }
    }

    void unreadablePolicyClosesEverything()
    {
        const LoopbackServer server;
        const PolicySet policy = openPolicy({"localhost:" + std::to_string(server.port())});
        Bench bench(&policy);
        QVERIFY(bench.dial("127.0.0.1", server.port()).ok());
        const std::string broken = "{\"type\":\"policy\",\"policy\":{\"mode\":\"ajar\"}}\n";
        QVERIFY(::send(bench.engine.get(), broken.data(), broken.size(), 0) > 0);
        QVERIFY(!bench.dial("127.0.0.1", server.port()).ok());
    }

    void hazard_07_livesAsLongAsTheProxy()
    {
        const LoopbackServer server;
        const PolicySet policy = openPolicy({"localhost:" + std::to_string(server.port())});
        Bench bench(&policy);
        QVERIFY(bench.dial("127.0.0.1", server.port()).ok());
        bench.engine.reset();
        QVERIFY(bench.dial("127.0.0.1", server.port()).ok());
        QVERIFY(!bench.hasFinished);
        bench.proxy.reset();
        QTRY_VERIFY(bench.hasFinished);
    }

    void ratesAndParallelConnectionsAreCapped()
    {
        const PolicySet policy = openPolicy();
        dial::DialLimits limits;
        limits.maxPending = 2;
        Bench bench(&policy, limits);
        sendRequest(bench.proxy.get(), "1", "silent.example", 443);
        sendRequest(bench.proxy.get(), "2", "silent.example", 443);
        const DialReply third = bench.dial("silent.example", 443);
        QVERIFY(!third.ok());
        QCOMPARE(third.json["rule"], nlohmann::json("connection limit"));

        dial::DialLimits slow;
        slow.perSecond = 0;
        slow.burst = 3;
        Bench slowBench(&policy, slow);
        for (int i = 0; i < 3; ++i) {
            QVERIFY(slowBench.dial("10.0.0.1", 443).json["rule"] != nlohmann::json("connection limit"));
        }
        QCOMPARE(slowBench.dial("10.0.0.1", 443).json["rule"], nlohmann::json("connection limit"));
    }

    void silentResolverTimesOut()
    {
        const PolicySet policy = openPolicy();
        dial::DialLimits limits;
        limits.resolveTimeout = std::chrono::milliseconds(50);
        Bench bench(&policy, limits);
        const DialReply reply = bench.dial("silent.example", 443);
        QVERIFY(!reply.ok());
        QVERIFY(reply.reason().find("in time") != std::string::npos);
    }

    void brokenPacketsAreIgnored()
    {
        const PolicySet policy = openPolicy();
        Bench bench(&policy);
        const std::string deep(4000, '[');
        for (const std::string& packet : {std::string("x"), std::string("{}"), std::string("{\"id\":{},\"host\":\"a\",\"port\":1}"), deep,
                                          std::string(9000, 'y'), std::string("{\"id\":1,\"host\":\"a\",\"port\":65536}")}) {
            QVERIFY(::send(bench.proxy.get(), packet.data(), packet.size(), 0) > 0);
        }
        const DialReply reply = bench.dial("a..b", 443); // still alive, and this one is refused politely
        QVERIFY(!reply.ok());
        QCOMPARE(reply.json["id"], nlohmann::json("7"));
    }
};

QTEST_GUILESS_MAIN(TestDial)
#include "test_dial.moc"
