// SPDX-License-Identifier: Apache-2.0
// HTTP/2 through the whole proxy, both legs, with clients and origins that are HTTP/2 codecs over TLS.
#include "http2_peer.h"

#include <QtTest>

using namespace proxytest;
using namespace coldframe::proxy;
using namespace std::chrono_literals;

namespace {

const std::string kHost = "api.example.com";

const Certificate& originCa()
{
    static const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
    return ca;
}

Certificate leaf() { return makeCertificate({.name = kHost, .issuer = &originCa()}); }

Harness::Setup setupWith(const nlohmann::json& policy)
{
    Harness::Setup setup;
    setup.policy = policy;
    setup.trusted = {originCa().certificatePem};
    return setup;
}

using Serve = std::function<void(Http2Peer&, const Http2StreamPtr&, Origin&)>;

/// An origin that speaks HTTP/2 only and handles one request after another.
Origin::Handler http2Origin(Serve serve)
{
    return [serve = std::move(serve)](Wire& wire, Origin& origin) {
        Http2Peer peer(wire, Http2Codec::Role::Server);
        while (const Http2StreamPtr stream = peer.accept()) {
            std::string head;
            for (const HeaderList* list : {&stream->heads[0].pseudo, &stream->heads[0].fields}) {
                for (const HeaderField& field : list->fields()) {
                    head += field.name + ": " + field.value + "\n";
                }
            }
            origin.note(head);
            serve(peer, stream, origin);
        }
    };
}

void hello(Http2Peer& peer, const Http2StreamPtr& stream, Origin&)
{
    peer.until([&] { return stream->peerEnded || stream->isClosed; });
    const std::string body = "hello " + *stream->heads[0].pseudo.find(":path") + " " + peer.take(stream);
    peer.respond(stream, 200, {{"content-type", "text/plain"}, {"alt-svc", "h3=\":443\""}}, body, {{"x-sum", "7"}});
}

struct Client
{
    explicit Client(Harness& harness, const std::string& alpn = "h2", const std::string& sni = kHost)
    {
        auto opened = harness.connect(kHost + ":443");
        if (opened.wire && opened.wire->startTls(sni, harness.caPem(), alpn)) {
            wire = std::move(opened.wire);
            peer = std::make_unique<Http2Peer>(*wire, Http2Codec::Role::Client);
        }
    }
    std::unique_ptr<Wire> wire;
    std::unique_ptr<Http2Peer> peer;
};

const nlohmann::json kService = {{{"name", "acme"}, {"hosts", {kHost}}, {"header", "x-api-key"},
                                  {"sentinel", "sk-proxy-managed-0123456789abcdef"}}};
const std::string kKey = "sk-real-key-9f8e7d6c5b4a";

} // namespace

class Http2ServerTest : public QObject
{
    Q_OBJECT

private slots:
    void bothLegsSpeakHttp2AndShareOneConnection()
    {
        Origin origin(leaf(), http2Origin(hello), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness, "h2,http/1.1");
        QVERIFY(client.peer != nullptr);
        QCOMPARE(client.wire->alpn(), std::string("h2"));
        const auto one = client.peer->request("GET", kHost, "/one?q=1", false, {{"x-a", "1"}, {"cookie", "a=1"}, {"cookie", "b=2"}});
        const auto two = client.peer->request("POST", kHost, "/two", true, {{"te", "trailers"}});
        client.peer->send(two, "data", true);
        const Http2Peer::Reply first = client.peer->finish(one);
        QCOMPARE(first.status, 200);
        QCOMPARE(first.body, std::string("hello /one?q=1 "));
        QVERIFY(!first.headers.find("alt-svc"));
        QCOMPARE(*first.trailers.find("x-sum"), std::string("7"));
        const Http2Peer::Reply second = client.peer->finish(two);
        QCOMPARE(second.body, std::string("hello /two data"));
        QCOMPARE(origin.connectionCount(), std::size_t{1});
        const auto heads = origin.heads();
        QCOMPARE(heads.size(), std::size_t{2});
        const std::string both = heads[0] + heads[1];
        QVERIFY(both.find("cookie: a=1; b=2\n") != std::string::npos);
        QVERIFY(both.find("te: trailers\n") != std::string::npos);
        QVERIFY(both.find(":authority: " + kHost + "\n") != std::string::npos);
        QVERIFY(both.find("\nhost:") == std::string::npos);
        const auto event = harness.waitForConnection(kHost, "allowed");
        QCOMPARE(event["status"].get<int>(), 200);
        QCOMPARE(event["protocol"].get<std::string>(), std::string("https"));
        QVERIFY(event["bytesIn"].get<int>() > 0);
    }

    // gRPC without TLS to a service of one's own is the common case.
    void priorKnowledgeWithoutTls()
    {
        Origin origin(std::nullopt, http2Origin(hello));
        Harness::Setup setup = setupWith(policyJson("locked", {kHost}));
        setup.services = kService;
        Harness harness(setup);
        harness.sendKey("acme", kKey);
        harness.route(kHost + ":80", origin.port());
        auto opened = harness.connect(kHost + ":80");
        QVERIFY(opened.wire != nullptr);
        Http2Peer peer(*opened.wire, Http2Codec::Role::Client);
        peer.scheme = "http";
        const auto one = peer.request("GET", kHost, "/one");
        const auto two = peer.request("POST", kHost, "/two", true);
        peer.send(two, "data", true);
        QCOMPARE(peer.finish(one).body, std::string("hello /one "));
        const Http2Peer::Reply second = peer.finish(two);
        QCOMPARE(second.body, std::string("hello /two data"));
        QCOMPARE(*second.trailers.find("x-sum"), std::string("7"));
        const auto heads = origin.heads();
        QCOMPARE(heads.size(), std::size_t{2});
        QVERIFY(heads[0].find(":scheme: http\n") != std::string::npos);
        QVERIFY((heads[0] + heads[1]).find(kKey) == std::string::npos); // no key leaves without TLS
        QCOMPARE(origin.connectionCount(), std::size_t{1});
        QCOMPARE(harness.waitForConnection(kHost, "allowed")["protocol"].get<std::string>(), std::string("http"));
        // It is judged like any other request: another authority, another scheme, a host that no rule names.
        QCOMPARE(peer.finish(peer.request("GET", "other.example.com", "/")).status, 421);
        peer.scheme = "https";
        QCOMPARE(peer.finish(peer.request("GET", kHost, "/")).status, 400);
        QCOMPARE(origin.heads().size(), std::size_t{2});
        auto denied = harness.connect("other.example.com:80");
        Http2Peer stranger(*denied.wire, Http2Codec::Role::Client);
        stranger.scheme = "http";
        QCOMPARE(stranger.finish(stranger.request("GET", "other.example.com", "/")).status, 403);
    }

    void http1OriginIsBridged()
    {
        Origin origin(leaf());
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        for (int i = 0; i < 3; ++i) {
            const auto stream = client.peer->request("POST", kHost, "/n" + std::to_string(i), true);
            client.peer->send(stream, "some", false);
            client.peer->send(stream, "thing", true);
            const Http2Peer::Reply reply = client.peer->finish(stream);
            QCOMPARE(reply.status, 200);
            QCOMPARE(reply.body, "hello /n" + std::to_string(i));
            QCOMPARE(*reply.headers.find("content-length"), std::string("9"));
        }
        QCOMPARE(origin.connectionCount(), std::size_t{1}); // kept and used again
        QVERIFY(origin.heads()[0].find("Transfer-Encoding: chunked") != std::string::npos);
        const auto head = client.peer->request("HEAD", kHost, "/h");
        QVERIFY(head != nullptr);
    }

    void grpcNeedsHttp2AndSaysSo()
    {
        Origin origin(leaf());
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        for (int i = 0; i < 2; ++i) {
            const auto call = client.peer->request("POST", kHost, "/pkg.Service/Call", true,
                                                   {{"content-type", "application/grpc"}, {"te", "trailers"}});
            client.peer->send(call, std::string("\0\0\0\0\0", 5), true);
            const Http2Peer::Reply reply = client.peer->finish(call);
            QCOMPARE(reply.status, 200);
            QCOMPARE(*reply.headers.find("grpc-status"), std::string("14"));
            QVERIFY(reply.headers.find("grpc-message")->find("HTTP/1.1") != std::string::npos);
        }
        QVERIFY(origin.heads().empty());
        // A refusal by policy is readable for gRPC too.
        harness.sendPolicy(policyJson("locked", {}));
        QVERIFY(QTest::qWaitFor([&] {
            const auto denied = client.peer->request("POST", kHost, "/x", true, {{"content-type", "application/grpc+proto"}});
            client.peer->send(denied, "", true);
            const Http2Peer::Reply reply = client.peer->finish(denied);
            return reply.headers.find("grpc-status") && *reply.headers.find("grpc-status") == "7";
        }, 10000));
    }

    void callsInBothDirectionsAtATimeAreNotBuffered()
    {
        // Each message is answered before the next is sent: any buffering on the way would stand still.
        Origin origin(leaf(), http2Origin([](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            (void)peer.codec().respond(stream, 200, fields({{"content-type", "application/grpc"}}), false);
            while (peer.until([&] { return !stream->inbound().empty() || stream->peerEnded || stream->isClosed; })) {
                const std::string data = peer.take(stream);
                if (data.empty()) {
                    break;
                }
                peer.send(stream, "re:" + data, false);
            }
            stream->endTrailers = fields({{"grpc-status", "0"}});
            peer.send(stream, "", true);
        }), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        const auto call = client.peer->request("POST", kHost, "/pkg.Service/Chat", true, {{"content-type", "application/grpc"}, {"te", "trailers"}});
        for (int i = 0; i < 20; ++i) {
            const std::string message = "m" + std::to_string(i);
            client.peer->send(call, message, false);
            std::string answer;
            QVERIFY(client.peer->until([&] {
                answer += client.peer->take(call);
                return answer.size() >= message.size() + 3 || call->isClosed;
            }));
            QCOMPARE(answer, "re:" + message);
        }
        client.peer->send(call, "", true);
        const Http2Peer::Reply reply = client.peer->finish(call);
        QCOMPARE(reply.status, 200);
        QCOMPARE(*reply.trailers.find("grpc-status"), std::string("0"));
    }

    void interimRepliesAndExpectPass()
    {
        Origin origin(leaf(), http2Origin([](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            (void)peer.codec().respond(stream, 103, fields({{"link", "</a>"}}), false);
            (void)peer.codec().respond(stream, 100, {}, false);
            peer.until([&] { return stream->peerEnded; });
            peer.respond(stream, 200, {}, "got " + peer.take(stream));
        }), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        const auto stream = client.peer->request("PUT", kHost, "/e", true, {{"expect", "100-continue"}, {"content-length", "4"}});
        QVERIFY(client.peer->until([&] { return stream->heads.size() >= 2; }));
        client.peer->send(stream, "body", true);
        const Http2Peer::Reply reply = client.peer->finish(stream);
        QCOMPARE(reply.interim, (std::vector<int>{103, 100}));
        QCOMPARE(reply.body, std::string("got body"));
        QVERIFY(origin.heads()[0].find("expect: 100-continue") != std::string::npos);
    }

    void cancellationReachesTheOrigin()
    {
        std::atomic<std::uint32_t> code{0};
        Origin origin(leaf(), http2Origin([&code](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            peer.until([&] { return stream->isClosed; });
            code = stream->errorCode;
        }), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        const auto stream = client.peer->request("POST", kHost, "/wait", true);
        QVERIFY(QTest::qWaitFor([&] { return !origin.heads().empty(); }, 10000));
        client.peer->codec().reset(stream, kH2Cancel);
        client.peer->flush();
        QVERIFY(QTest::qWaitFor([&] { return code == kH2Cancel; }, 10000));
        const auto event = harness.waitForConnection(kHost, "error");
        QVERIFY(event["reason"].get<std::string>().find("gave the request up") != std::string::npos);
    }

    void brokenRepliesReachTheClientAsBroken()
    {
        Origin origin(leaf(), http2Origin([](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            (void)peer.codec().respond(stream, 200, {}, false);
            peer.send(stream, "half", false);
            peer.until([&] { return stream->unsent() == 0; });
            peer.codec().reset(stream, kH2InternalError);
            peer.flush();
        }), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        const auto stream = client.peer->request("GET", kHost, "/broken");
        const Http2Peer::Reply reply = client.peer->finish(stream);
        QVERIFY(!reply.complete);
        QVERIFY(reply.error != kH2NoError);
    }

    void refusedStreamsGoAgainAndEarlyRepliesCount()
    {
        std::atomic<int> turns{0};
        Origin origin(leaf(), http2Origin([&turns](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            if (++turns == 1) {
                peer.codec().reset(stream, kH2RefusedStream);
                peer.flush();
                return;
            }
            peer.respond(stream, 413, {}, "enough"); // before the body has come
            peer.until([&] { return stream->unsent() == 0; });
            peer.codec().reset(stream, kH2NoError);
            peer.flush();
        }), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        const auto get = client.peer->request("GET", kHost, "/again");
        QCOMPARE(client.peer->finish(get).status, 413);
        const auto upload = client.peer->request("POST", kHost, "/up", true);
        client.peer->send(upload, std::string(100, 'x'), false);
        const Http2Peer::Reply reply = client.peer->finish(upload);
        QCOMPARE(reply.status, 413);
        QCOMPARE(reply.body, std::string("enough"));
        QVERIFY(reply.complete);
    }

    // D.3 pitfall 3: a connection is for one name.
    void pitfall03_anotherAuthorityIs421()
    {
        Origin origin(leaf(), http2Origin(hello), "h2");
        Harness harness(setupWith(policyJson("open", {})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        QCOMPARE(client.peer->finish(client.peer->request("GET", "other.example.com", "/")).status, 421);
        QCOMPARE(client.peer->finish(client.peer->request("GET", kHost, "/ok")).status, 200); // the control
        QCOMPARE(origin.heads().size(), std::size_t{1});
        Client fronted(harness, "h2", "other.example.com");
        QVERIFY(fronted.peer != nullptr);
        QCOMPARE(fronted.peer->finish(fronted.peer->request("GET", kHost, "/")).status, 403);
        QCOMPARE(origin.heads().size(), std::size_t{1});
    }

    // Every request on a connection is judged by the rules of its own moment.
    void eachStreamIsJudgedAnew()
    {
        Origin origin(leaf(), http2Origin(hello), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        QCOMPARE(client.peer->finish(client.peer->request("GET", kHost, "/a")).status, 200);
        harness.sendPolicy(policyJson("locked", {}));
        QVERIFY(QTest::qWaitFor([&] { return client.peer->finish(client.peer->request("GET", kHost, "/b")).status == 403; }, 10000));
        QCOMPARE(client.peer->finish(client.peer->request("GET", kHost, "/../c")).status, 400);
        QCOMPARE(client.peer->finish(client.peer->request("TRACE", kHost, "/c")).status, 405);
    }

    void keysAreSetAndNeverComeBack()
    {
        std::string echo;
        std::mutex mutex;
        Origin origin(leaf(), http2Origin([&](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            peer.until([&] { return stream->peerEnded || stream->isClosed; });
            const std::string path = *stream->heads[0].pseudo.find(":path");
            const std::string* key = stream->heads[0].fields.find("x-api-key");
            {
                const std::lock_guard lock(mutex);
                echo = key ? *key : "none";
            }
            if (path == "/trailer") {
                peer.respond(stream, 200, {}, "fine", {{"x-echo", key ? *key : ""}});
            } else if (path == "/split") {
                (void)peer.codec().respond(stream, 200, {}, false);
                peer.send(stream, "key: " + kKey.substr(0, 9), false);
                peer.until([&] { return stream->unsent() == 0; });
                std::this_thread::sleep_for(50ms); // so that the two halves are two reads
                peer.send(stream, kKey.substr(9), true);
            } else {
                peer.respond(stream, 200, {{"x-echo", path == "/head" && key ? *key : ""}}, path == "/body" && key ? *key : "fine");
            }
        }), "h2");
        Harness::Setup setup = setupWith(policyJson("locked", {kHost}));
        setup.services = kService;
        Harness harness(setup);
        harness.route(kHost + ":443", origin.port());
        harness.sendKey("acme", kKey);
        Client client(harness);
        QVERIFY(QTest::qWaitFor([&] {
            const auto reply = client.peer->finish(client.peer->request("GET", kHost, "/", false, {{"x-api-key", "sk-proxy-managed-0123456789abcdef"}}));
            const std::lock_guard lock(mutex);
            return reply.status == 200 && echo == kKey;
        }, 10000));
        for (const char* path : {"/body", "/head", "/trailer", "/split"}) {
            const auto reply = client.peer->finish(client.peer->request("GET", kHost, path));
            // In a plain body the key is overwritten; anywhere else the reply is cut.
            QVERIFY2(reply.complete == (path == std::string("/body") || path == std::string("/split")), path);
            QVERIFY2(reply.body.find(kKey) == std::string::npos, path);
            QVERIFY2(!reply.trailers.find("x-echo"), path);
        }
        QVERIFY(!harness.waitForMessage([](const nlohmann::json& message) {
            return message["type"] == "alert" && message["code"] == "key-in-reply";
        }).is_null());
        QCOMPARE(client.peer->finish(client.peer->request("GET", kHost, "/good")).status, 200); // the connection lives on
    }

    void largeBodiesFlowBothWays()
    {
        constexpr std::size_t kSize = 12u << 20;
        Origin origin(leaf(), http2Origin([](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            std::size_t total = 0;
            while (!stream->peerEnded && peer.until([&] { return !stream->inbound().empty() || stream->peerEnded || stream->isClosed; })) {
                total += peer.take(stream).size();
                if (stream->isClosed) {
                    return;
                }
            }
            total += peer.take(stream).size();
            peer.respond(stream, 200, {{"x-total", std::to_string(total)}}, std::string(kSize, 'd'));
        }), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        const auto stream = client.peer->request("POST", kHost, "/big", true);
        client.peer->send(stream, std::string(kSize, 'u'), true);
        const Http2Peer::Reply reply = client.peer->finish(stream);
        QCOMPARE(*reply.headers.find("x-total"), std::to_string(kSize));
        QCOMPARE(reply.body.size(), kSize);
        QVERIFY(reply.complete);
    }

    void anUnreadReplyDoesNotHoldUpTheOthers()
    {
        Origin origin(leaf(), http2Origin([](Http2Peer& peer, const Http2StreamPtr& stream, Origin&) {
            const bool big = *stream->heads[0].pseudo.find(":path") == "/big";
            peer.respond(stream, 200, {}, big ? std::string(4u << 20, 'b') : std::string("small"));
        }), "h2");
        Harness harness(setupWith(policyJson("locked", {kHost})));
        harness.route(kHost + ":443", origin.port());
        Client client(harness);
        const auto big = client.peer->request("GET", kHost, "/big");
        QVERIFY(client.peer->until([&] { return big->inbound().size() >= 512 * 1024; })); // its window is full, and nobody reads
        for (int i = 0; i < 5; ++i) {
            QCOMPARE(client.peer->finish(client.peer->request("GET", kHost, "/small")).body, std::string("small"));
        }
        QCOMPARE(client.peer->finish(big).body.size(), std::size_t{4} << 20);
    }

    void aConnectionThatSaysNothingEnds()
    {
        Harness::Setup setup = setupWith(policyJson("locked", {kHost}));
        setup.limits.idleBetweenRequests = 100ms;
        setup.limits.head = 300ms;
        Harness harness(setup);
        Client quiet(harness);
        QVERIFY(quiet.peer != nullptr);
        QVERIFY(!quiet.peer->until([] { return false; })); // GOAWAY, then the end
        Client trickles(harness);
        QVERIFY(trickles.wire->write(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
                                                 "\0\0\x01\x01\x01\0\0\0\x01\x82", 43)));
        QVERIFY(trickles.wire->isEnded());
    }
};

QTEST_GUILESS_MAIN(Http2ServerTest)
#include "http2_server_test.moc"
