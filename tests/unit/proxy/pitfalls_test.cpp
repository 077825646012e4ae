// SPDX-License-Identifier: Apache-2.0
// The pitfalls of an intercepting proxy against the real coldframe-proxy and coldframe-dial. Each attack is also made without
// them, or with the one guard opened by the user's rule, and then it works: so it would be seen here if it did.
#include "harness.h"

#include <QtTest>
#include <arpa/inet.h>
#include <cstring>
#include <ifaddrs.h>
#include <netdb.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace proxytest;
using coldframe::UniqueFd;

namespace {

const Certificate& originCa()
{
    static const Certificate ca = makeCertificate({.name = "Origin CA", .isCa = true});
    return ca;
}

Certificate leafFor(const std::string& name) { return makeCertificate({.name = name, .issuer = &originCa()}); }

Harness::Setup realProcesses(nlohmann::json policy)
{
    Harness::Setup setup;
    setup.command = PROXY_COMMAND;
    setup.dialCommand = DIAL_COMMAND;
    setup.policy = std::move(policy);
    setup.trusted = {originCa().certificatePem};
    return setup;
}

std::string get(const std::string& host, const std::string& path = "/", const std::string& more = {})
{
    return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "\r\n";
}

std::string literalAuthority(const std::string& address, std::uint16_t port)
{
    return (address.find(':') != std::string::npos ? "[" + address + "]:" : address + ":") + std::to_string(port);
}

/// The status of one plain request through the proxy; that of the CONNECT where it was refused already.
int plainStatus(Harness& harness, const std::string& authority, const std::string& host)
{
    auto opened = harness.connect(authority);
    if (!opened.wire) {
        return opened.status;
    }
    return opened.wire->write(get(host)) ? opened.wire->readReply().status : -1;
}

/// A server on any address of this computer that counts who comes.
class Listener
{
public:
    Listener(int family, const std::string& address) : m_fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_storage storage{};
        socklen_t length = 0;
        if (family == AF_INET) {
            auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage);
            v4->sin_family = AF_INET;
            ::inet_pton(AF_INET, address.c_str(), &v4->sin_addr);
            length = sizeof *v4;
        } else {
            auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage);
            v6->sin6_family = AF_INET6;
            ::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr);
            length = sizeof *v6;
        }
        m_isGood = ::bind(m_fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0 && ::listen(m_fd.get(), 16) == 0
                   && ::getsockname(m_fd.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0;
        m_port = ntohs(family == AF_INET ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                                         : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
    }
    bool isGood() const { return m_isGood; }
    std::uint16_t port() const { return m_port; }
    bool wasReached(int milliseconds) const
    {
        pollfd entry{m_fd.get(), POLLIN, 0};
        if (::poll(&entry, 1, milliseconds) != 1) {
            return false;
        }
        const UniqueFd accepted(::accept4(m_fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
        return static_cast<bool>(accepted);
    }

private:
    UniqueFd m_fd;
    std::uint16_t m_port = 0;
    bool m_isGood = false;
};

UniqueFd connectLoopback(std::uint16_t port)
{
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(port);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0 ? std::move(fd) : UniqueFd();
}

/// What a program without the proxy does with a host: the C library reads it and connects.
bool connectsDirectly(const std::string& host, std::uint16_t port)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const std::string service = std::to_string(port);
    if (::getaddrinfo(host.c_str(), service.c_str(), &hints, &list) != 0) {
        return false;
    }
    bool connected = false;
    for (const addrinfo* entry = list; entry && !connected; entry = entry->ai_next) {
        const UniqueFd fd(::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        connected = fd && ::connect(fd.get(), entry->ai_addr, entry->ai_addrlen) == 0;
    }
    ::freeaddrinfo(list);
    return connected;
}

struct OwnAddress
{
    int family = AF_INET;
    std::string text;
};

/// An address of this computer other than loopback and link-local.
std::vector<OwnAddress> ownAddresses()
{
    std::vector<OwnAddress> result;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return result;
    }
    for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
        if (!entry->ifa_addr || (entry->ifa_flags & IFF_LOOPBACK) != 0) {
            continue;
        }
        const int family = entry->ifa_addr->sa_family;
        char text[INET6_ADDRSTRLEN] = {};
        if (family == AF_INET) {
            ::inet_ntop(family, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, text, sizeof text);
        } else if (family == AF_INET6) {
            ::inet_ntop(family, &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr, text, sizeof text);
        }
        const std::string address = text;
        if (!address.empty() && !address.starts_with("fe80") && !address.starts_with("169.254.")) {
            result.push_back({family, address});
        }
    }
    ::freeifaddrs(list);
    return result;
}

} // namespace

class PitfallsTest : public QObject
{
    Q_OBJECT

private slots:
    void pitfall_01_everyPlaceThatNamesADestinationMustAgree_data()
    {
        QTest::addColumn<QString>("sni");
        QTest::addColumn<QString>("request");
        QTest::addColumn<int>("status");
        const auto row = [](const char* name, const char* sni, const std::string& request, int status) {
            QTest::newRow(name) << QString::fromLatin1(sni) << QString::fromStdString(request) << status;
        };
        const std::string good = "good.example.com";
        const std::string other = "other.example.com";
        row("control", "good.example.com", get(good), 200);
        row("SNI", "other.example.com", get(good), 403);
        row("SNI and Host", "other.example.com", get(other), 403);
        row("Host", "good.example.com", get(other), 421);
        row("Host with another port", "good.example.com", get(good + ":8443"), 421);
        row("Host with user information", "good.example.com", get(good + "@" + other), 400);
        row("Host as a list", "good.example.com", get(good + ", " + other), 400);
        row("two Hosts", "good.example.com", get(good, "/", "Host: " + other + "\r\n"), 400);
        row("two equal Hosts", "good.example.com", get(good, "/", "Host: " + good + "\r\n"), 400);
        row("no Host", "good.example.com", "GET / HTTP/1.1\r\n\r\n", 400);
        row("absolute target", "good.example.com", get(good, "https://" + other + "/"), 421);
        row("absolute target of another scheme", "good.example.com", get(good, "http://" + good + "/"), 400);
        row("absolute target, right, but Host not", "good.example.com", get(other, "https://" + good + "/"), 421);
        row("absolute target with user information", "good.example.com", get(good, "https://" + good + "@" + other + "/"), 400);
        row("target without a slash", "good.example.com", get(good, other + "/"), 400);
    }
    void pitfall_01_everyPlaceThatNamesADestinationMustAgree()
    {
        QFETCH(QString, sni);
        QFETCH(QString, request);
        QFETCH(int, status);
        Origin good(leafFor("good.example.com"));
        Origin other(leafFor("other.example.com"));
        auto policy = policyJson("locked", {"good.example.com", "other.example.com"});
        addMapping(policy, "good.example.com", 443, good.port());
        addMapping(policy, "other.example.com", 443, other.port());
        Harness harness(realProcesses(policy));
        auto opened = harness.connect("good.example.com:443");
        QVERIFY2(opened.wire->startTls(sni.toStdString(), harness.caPem()), opened.wire->problem().c_str());
        QVERIFY(opened.wire->write(request.toStdString()));
        QCOMPARE(opened.wire->readReply().status, status);
        QCOMPARE(good.connectionCount(), status == 200 ? std::size_t{1} : std::size_t{0});
        QCOMPARE(other.connectionCount(), std::size_t{0});
        if (status != 200) {
            QVERIFY(!harness.waitForConnection("good.example.com", "denied").empty());
        }
        // The control: a server behind the same name answers it without asking what else it names.
        Wire direct(connectLoopback(good.port()));
        QVERIFY2(direct.startTls(sni.toStdString(), originCa().certificatePem, "http/1.1", "good.example.com"), direct.problem().c_str());
        QVERIFY(direct.write(request.toStdString()));
        QCOMPARE(direct.readReply().status, 200);
    }

    void pitfall_02_keepAliveIsNoWayToAnotherHost()
    {
        Origin shared(std::nullopt); // one server for both names, as a CDN is
        auto policy = policyJson("locked", {"a.example.com", "b.example.com"});
        addMapping(policy, "a.example.com", 80, shared.port());
        addMapping(policy, "b.example.com", 80, shared.port());
        Harness harness(realProcesses(policy));
        auto opened = harness.connect("a.example.com:80");
        QVERIFY(opened.wire->write(get("a.example.com", "/1")));
        QCOMPARE(opened.wire->readReply().status, 200);
        QVERIFY(opened.wire->write(get("evil.example.com", "/2")));
        QCOMPARE(opened.wire->readReply().status, 421);
        // Neither is a connection upstream shared between names that lead to the same place.
        for (const char* host : {"a.example.com", "b.example.com", "a.example.com", "b.example.com"}) {
            QCOMPARE(plainStatus(harness, std::string(host) + ":80", host), 200);
        }
        QCOMPARE(shared.connectionCount(), std::size_t{2});
        for (const std::string& head : shared.heads()) {
            QVERIFY(head.find("evil") == std::string::npos);
        }
        // The control: without the proxy the second request of a connection reaches whatever it names.
        Wire direct(connectLoopback(shared.port()));
        QVERIFY(direct.write(get("a.example.com", "/1") + get("evil.example.com", "/2")));
        QCOMPARE(direct.readReply().body, std::string("hello /1"));
        QCOMPARE(direct.readReply().body, std::string("hello /2"));
    }

    void pitfall_02_redirectsAreTheClientsToFollow()
    {
        Origin origin(std::nullopt, [](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write("HTTP/1.1 302 Found\r\nLocation: http://evil.example.com/\r\nContent-Length: 0\r\n\r\n");
        });
        Origin evil(std::nullopt);
        auto policy = policyJson("locked", {"a.example.com"});
        addMapping(policy, "a.example.com", 80, origin.port());
        addMapping(policy, "evil.example.com", 80, evil.port());
        Harness harness(realProcesses(policy));
        auto opened = harness.connect("a.example.com:80");
        QVERIFY(opened.wire->write(get("a.example.com")));
        const Wire::Reply reply = opened.wire->readReply();
        QCOMPARE(reply.status, 302);
        QVERIFY(reply.head.find("Location: http://evil.example.com/") != std::string::npos);
        QCOMPARE(plainStatus(harness, "evil.example.com:80", "evil.example.com"), 403);
        QCOMPARE(evil.connectionCount(), std::size_t{0});
        policy["rules"].push_back({{"id", "e"}, {"action", "allow"}, {"pattern", "evil.example.com"}, {"scope", "sandbox"},
                                   {"origin", "user"}});
        harness.sendPolicy(policy); // the control: with a rule for it, the client gets there
        QTRY_COMPARE(plainStatus(harness, "evil.example.com:80", "evil.example.com"), 200);
    }

    // More bytes than the reply has are the reply to nothing: the next request must not be answered with them.
    void pitfall_05_bytesBehindAReplyAreNoSecondReply()
    {
        const std::string smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nPWNED";
        const auto poison = [&smuggled](Wire& wire, Origin& self) {
            while (!readRequest(wire, self).empty()) {
                wire.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + smuggled);
            }
        };
        Origin origin(std::nullopt, poison);
        auto policy = policyJson("locked", {"a.example.com"});
        addMapping(policy, "a.example.com", 80, origin.port());
        Harness harness(realProcesses(policy));
        auto opened = harness.connect("a.example.com:80");
        for (int i = 0; i < 3; ++i) {
            QVERIFY(opened.wire->write(get("a.example.com")));
            QCOMPARE(opened.wire->readReply().body, std::string("ok"));
        }
        Wire direct(connectLoopback(origin.port())); // the control: the client of such a server believes it
        QVERIFY(direct.write(get("a.example.com")));
        QCOMPARE(direct.readReply().body, std::string("ok"));
        QVERIFY(direct.write(get("a.example.com")));
        QCOMPARE(direct.readReply().body, std::string("PWNED"));
    }

    void pitfall_05_bodiesWhereNoneMayBeAreCutOff()
    {
        for (const std::string& status : {std::string("204 No Content"), std::string("304 Not Modified"), std::string("HEAD")}) {
            const bool isHead = status == "HEAD";
            Origin origin(std::nullopt, [&](Wire& wire, Origin& self) {
                readRequest(wire, self);
                wire.write("HTTP/1.1 " + (isHead ? std::string("200 OK") : status) + "\r\nContent-Length: 5\r\n\r\nPWNED");
            });
            auto policy = policyJson("locked", {"a.example.com"});
            addMapping(policy, "a.example.com", 80, origin.port());
            Harness harness(realProcesses(policy));
            auto opened = harness.connect("a.example.com:80");
            const std::string request = (isHead ? "HEAD" : "GET") + std::string(" / HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n");
            QVERIFY(opened.wire->write(request));
            const std::string head = opened.wire->readHead();
            QVERIFY(head.starts_with("HTTP/1.1 " + (isHead ? std::string("200") : status.substr(0, 3))));
            QCOMPARE(opened.wire->readSome(), std::string());
            Wire direct(connectLoopback(origin.port())); // the control: it is there to be read
            QVERIFY(direct.write(request));
            direct.readHead();
            QCOMPARE(direct.readExactly(5), std::string("PWNED"));
        }
    }

    void pitfall_06_webSocketsAreJudgedLikeRequests()
    {
        Origin origin(std::nullopt, [](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            self.note("after: " + wire.readExactly(4));
            wire.write("seen");
        });
        auto policy = policyJson("locked", {"ws.example.com"});
        policy["rules"].push_back({{"id", "d"}, {"action", "deny"}, {"pattern", "ws.example.com"}, {"path", "/private/**"},
                                   {"scope", "sandbox"}, {"origin", "user"}});
        addMapping(policy, "ws.example.com", 80, origin.port());
        addMapping(policy, "other.example.com", 80, origin.port());
        Harness harness(realProcesses(policy));
        const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                    "Sec-WebSocket-Version: 13\r\n";
        const auto attempt = [&](const std::string& authority, const std::string& request) {
            auto opened = harness.connect(authority);
            return opened.wire->write(request) ? opened.wire->readReply().status : -1;
        };
        QCOMPARE(attempt("other.example.com:80", get("other.example.com", "/s", upgrade)), 403);
        QCOMPARE(attempt("ws.example.com:80", get("other.example.com", "/s", upgrade)), 421);
        QCOMPARE(attempt("ws.example.com:80", get("ws.example.com", "/private/s", upgrade)), 403);
        QCOMPARE(origin.connectionCount(), std::size_t{0});
        auto opened = harness.connect("ws.example.com:80"); // the control
        QVERIFY(opened.wire->write(get("ws.example.com", "/s", upgrade)));
        QVERIFY(opened.wire->readHead().starts_with("HTTP/1.1 101"));
        QVERIFY(opened.wire->write("ping"));
        QCOMPARE(opened.wire->readExactly(4), std::string("seen"));
    }

    // A name of the host's own files, as a rebinding name is one of the attacker's: allowed, and leading to this computer.
    void pitfall_07_allowedNameThatLeadsInside()
    {
        const Listener server(AF_INET, "127.0.0.1");
        char name[256] = {};
        QCOMPARE(::gethostname(name, sizeof name - 1), 0);
        std::vector<std::string> names{"localhost.localdomain", "ip6-localhost", name};
        std::erase_if(names, [&](const std::string& candidate) { return !connectsDirectly(candidate, server.port()); });
        while (server.wasReached(0)) {
        }
        Origin mapped(std::nullopt);
        auto policy = policyJson("open", {});
        addMapping(policy, "control.example.com", 80, mapped.port());
        Harness harness(realProcesses(policy));
        for (const std::string& candidate : names) {
            const std::string authority = candidate + ":" + std::to_string(server.port());
            QVERIFY2(plainStatus(harness, authority, authority) >= 400, candidate.c_str());
            QVERIFY(!harness.waitForConnection(QString::fromStdString(candidate).toLower().toStdString(), "denied").empty());
        }
        QVERIFY(!server.wasReached(200));
        QCOMPARE(plainStatus(harness, "control.example.com:80", "control.example.com"), 200);
    }

    void pitfall_08_addressesInEverySpelling_data()
    {
        QTest::addColumn<QString>("authority");
        const char* const hosts[] = {
            // loopback, as people and libraries write it
            "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.0.0.2", "127.255.255.254", "2130706433", "017700000001",
            "0x7f000001", "0x7F.0.0.1", "0x7f.1", "0177.0.0.1", "0177.0.0.01", "127.0.0.01", "127.0.0.0x1", "00127.0.0.1",
            "127.000.000.001", "4294967297", "127.0.0.1%00.example.com", "127.0.0.1%2eexample.com", "127。0。0。1", "127．0．0．1",
            "１２７.0.0.1", "①②⑦.0.0.1", " 127.0.0.1", "127.0.0.1 ", "127.0.0.1\t", "user@127.0.0.1", "a.example.com@127.0.0.1",
            "127.0.0.1#a.example.com", "127.0.0.1/a", "127.0.0.1?a", "127.0.0.1\\a", "localhost", "LOCALHOST", "LocalHost.",
            "a.localhost", "localhost6", "host.docker.internal", "gateway.docker.internal", "HOST.docker.internal.",
            "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::0:1]", "[::1%lo]", "[::1%25lo]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
            "[::FFFF:7F00:0001]", "[::127.0.0.1]", "[::7f00:1]", "[::ffff:0:127.0.0.1]", "[::ffff:0:7f00:1]",
            "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::127.0.0.1]", "[64:ff9b:1:ffff::7f00:1]", "[2002:7f00:1::]",
            "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[2001:0:0:0:0:0:80ff:fffe]", "[2001:db8::5efe:127.0.0.1]", "[2001:db8::200:5efe:7f00:1]",
            "[fe80::5efe:7f00:1]", "::1", "::ffff:127.0.0.1", "[::1", "::1]", "[127.0.0.1]", "[]", "[::1]x",
            // "this network", which Linux takes for loopback
            "0", "0.0.0.0", "0.0", "0x0", "00", "0.0.0.1", "0.1.2.3", "[::]", "[::0]", "[::ffff:0.0.0.0]", "[64:ff9b::0.0.0.0]",
            // metadata
            "169.254.169.254", "169.254.43518", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe",
            "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]",
            "[fd20:ce::254]", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
            "[::169.254.169.254]", "[::ffff:0:169.254.169.254]",
            // private, link-local and the like
            "10.0.0.1", "10.1", "0x0a000001", "012.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "3232235521",
            "169.254.1.1", "100.64.0.1", "100.127.255.254", "192.0.0.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "224.0.0.1",
            "239.255.255.250", "240.0.0.1", "255.255.255.255", "[::ffff:10.0.0.1]", "[64:ff9b::10.0.0.1]", "[64:ff9b::c0a8:1]",
            "[2002:a00:1::]", "[2002:c0a8:1::1]", "[2001:0:0:0:0:0:f5ff:fffe]", "[fe80::1]", "[fe80::1%eth0]", "[fe80::1%25eth0]",
            "[fec0::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[ff0e::1]", "[2001:2::1]", "[2001:10::1]", "[100::1]", "[1::1]",
            "[4000::1]", "[::a00:1]",
            // names that are none
            "", ".", "..", "a..b", "-a.example.com", "a-.example.com", "a_b .example.com", "xn--.example.com", "exämple.com",
            "a.example.com\r\nHost:b", "a.example.com:80", "a.1", "a.0x1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.256", "*", "*.example.com",
            "%31%32%37.0.0.1", "a%00b", "unix:/run/user/1000/bus", "/run/libvirt/libvirt-sock"};
        int number = 0;
        for (const char* host : hosts) {
            QTest::newRow(("spelling " + std::to_string(++number)).c_str()) << QString::fromUtf8(host);
        }
    }
    void pitfall_08_addressesInEverySpelling()
    {
        // One pair of processes for all rows: each row has a target of its own.
        static const Listener v4(AF_INET, "0.0.0.0");
        static const Listener v6(AF_INET6, "::1");
        static Harness harness(realProcesses(policyJson("open", {})));
        QFETCH(QString, authority);
        const std::string host = authority.toStdString();
        for (const std::uint16_t port : {v4.port(), v6.port()}) {
            const std::string target = host + ":" + std::to_string(port);
            // A control character in the name already fails as a header value: the guest's own library refuses to send it.
            auto opened = harness.connect(target);
            if (opened.wire) {
                QVERIFY(opened.wire->write(get(target)));
                const Wire::Reply reply = opened.wire->readReply();
                // 502: there is no such name here.
                QVERIFY2(reply.status == 400 || reply.status == 403 || reply.status == 421 || reply.status == 502, (target + " " + std::to_string(reply.status)).c_str());
            } else {
                QVERIFY2(opened.status != 200, target.c_str());
            }
        }
        QVERIFY2(!v4.wasReached(0) && !v6.wasReached(0), host.c_str());
    }

    // The control of the list above: what a C library makes of the odd ones.
    void pitfall_08_spellingsThatReachLoopbackWithoutTheProxy()
    {
        const Listener server(AF_INET, "0.0.0.0");
        QVERIFY(server.isGood());
        std::size_t reached = 0;
        for (const char* host : {"127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0x7f.1", "0177.0.0.1",
                                 "127.0.0.01", "127.000.000.001", "0", "0.0.0.0", "localhost", "LOCALHOST", "::ffff:127.0.0.1",
                                 "::ffff:7f00:1", "127.0.0.0x1"}) {
            reached += connectsDirectly(host, server.port()) && server.wasReached(2000) ? 1 : 0;
        }
        QVERIFY2(reached >= 14, std::to_string(reached).c_str());
        // And through the proxy with a rule for it: the very same target.
        auto policy = policyJson("open", {"localhost:" + std::to_string(server.port())});
        Harness harness(realProcesses(policy));
        auto opened = harness.connect("127.0.0.1:" + std::to_string(server.port()));
        QVERIFY(opened.wire->write(get("127.0.0.1:" + std::to_string(server.port()))));
        QVERIFY(server.wasReached(10000));
    }

    // "localhost:PORT" opens one port of the host, by host.docker.internal too, and nothing else of it.
    void pitfall_10_oneServiceOfTheHostAndNoOther()
    {
        Origin wanted(std::nullopt);
        Origin secret(std::nullopt);
        const Listener other(AF_INET, "127.0.0.2");
        const std::string port = std::to_string(wanted.port());
        const std::vector<std::string> names{"host.docker.internal", "gateway.docker.internal", "localhost", "127.0.0.1"};
        Harness harness(realProcesses(policyJson("open", {})));
        for (const std::string& name : names) {
            QCOMPARE(plainStatus(harness, name + ":" + port, name + ":" + port), 403);
        }
        QCOMPARE(wanted.connectionCount(), std::size_t{0});
        harness.sendPolicy(policyJson("open", {"localhost:" + port}));
        QTRY_COMPARE(plainStatus(harness, "host.docker.internal:" + port, "host.docker.internal:" + port), 200);
        for (const std::string& name : names) {
            QCOMPARE(plainStatus(harness, name + ":" + port, name + ":" + port), 200);
            const std::string secretPlace = name + ":" + std::to_string(secret.port());
            QCOMPARE(plainStatus(harness, secretPlace, secretPlace), 403);
        }
        const std::string otherPlace = "127.0.0.2:" + std::to_string(other.port());
        harness.sendPolicy(policyJson("open", {"localhost:" + std::to_string(other.port())}));
        QTRY_COMPARE(plainStatus(harness, "127.0.0.1:" + port, "127.0.0.1:" + port), 403);
        QCOMPARE(plainStatus(harness, otherPlace, otherPlace), 403);
        QVERIFY(!other.wasReached(100));
        QCOMPARE(secret.connectionCount(), std::size_t{0});
    }

    // The host's services answer on its other addresses as well, and those may be public ones.
    void pitfall_10_ownAddressesAreTheHostToo()
    {
        const std::vector<OwnAddress> addresses = ownAddresses();
        if (addresses.empty()) {
            QSKIP("this computer has no address but loopback");
        }
        for (const OwnAddress& own : addresses) {
            const Listener server(own.family, own.text);
            QVERIFY2(server.isGood(), own.text.c_str());
            const std::string authority = literalAuthority(own.text, server.port());
            // Also where the user opened the network that the address lies in.
            const std::string network = own.family == AF_INET ? own.text.substr(0, own.text.rfind('.')) + ".0/24"
                                        : own.text.starts_with("f") ? std::string("fc00::/7") : std::string("2000::/3");
            Harness harness(realProcesses(policyJson("open", {network})));
            QCOMPARE(plainStatus(harness, authority, authority), 403);
            QVERIFY(harness.waitForConnection(own.text, "denied")["reason"].get<std::string>().find("own computer") != std::string::npos);
            QVERIFY(!server.wasReached(100));
            harness.sendPolicy(policyJson("open", {authority})); // the control: a rule that names it
            bool reached = false;
            for (int i = 0; i < 100 && !reached; ++i) {
                auto opened = harness.connect(authority);
                reached = opened.wire && opened.wire->write(get(authority)) && server.wasReached(100);
            }
            QVERIFY2(reached, own.text.c_str());
        }
    }

    // An encrypted inner name cannot be seen: the outer one is what counts, for the decision and for what goes out.
    void pitfall_16_encryptedClientHelloGoesByItsOuterName()
    {
        Origin good(leafFor("good.example.com"));
        auto policy = policyJson("locked", {"good.example.com"});
        addMapping(policy, "good.example.com", 443, good.port());
        Harness harness(realProcesses(policy));
        auto fronted = harness.connect("good.example.com:443");
        fronted.wire->greaseEch();
        QVERIFY(fronted.wire->startTls("cover.example.net", harness.caPem()));
        QVERIFY(fronted.wire->write(get("good.example.com")));
        QCOMPARE(fronted.wire->readReply().status, 403);
        QCOMPARE(good.connectionCount(), std::size_t{0});
        auto plain = harness.connect("good.example.com:443"); // the control: ended here, so that its inner name goes nowhere
        plain.wire->greaseEch();
        QVERIFY2(plain.wire->startTls("good.example.com", harness.caPem()), plain.wire->problem().c_str());
        QVERIFY(plain.wire->write(get("good.example.com")));
        QCOMPARE(plain.wire->readReply().status, 200);
        Wire direct(connectLoopback(good.port())); // without the proxy any cover name does
        direct.greaseEch();
        QVERIFY(direct.startTls("cover.example.net", originCa().certificatePem, "http/1.1", "good.example.com"));
    }

    void pitfall_16_clientsAreNotLedToQuic()
    {
        const std::string offer = "HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 2\r\n\r\nok";
        Origin origin(std::nullopt, [&offer](Wire& wire, Origin& self) {
            readRequest(wire, self);
            wire.write(offer);
        });
        auto policy = policyJson("locked", {"a.example.com"});
        addMapping(policy, "a.example.com", 80, origin.port());
        Harness harness(realProcesses(policy));
        auto opened = harness.connect("a.example.com:80");
        QVERIFY(opened.wire->write(get("a.example.com")));
        const Wire::Reply reply = opened.wire->readReply();
        QCOMPARE(reply.body, std::string("ok"));
        QVERIFY(reply.head.find("Alt-Svc") == std::string::npos);
        QCOMPARE(harness.postReport(R"({"refused":[{"protocol":"udp","host":"192.0.2.1","port":443,"count":3,"source":"process"}]})"), 200);
        QCOMPARE(harness.waitForConnection("192.0.2.1", "denied")["protocol"].get<std::string>(), std::string("udp"));
        Wire direct(connectLoopback(origin.port())); // the control: the offer is made
        QVERIFY(direct.write(get("a.example.com")));
        QVERIFY(direct.readReply().head.find("Alt-Svc") != std::string::npos);
    }

    // What a sandbox sends is never a setting of its proxy.
    void pitfall_18_nothingTheGuestSendsConfiguresTheProxy()
    {
        Origin origin(std::nullopt);
        auto policy = policyJson("locked", {"a.example.com"});
        addMapping(policy, "a.example.com", 80, origin.port());
        Harness harness(realProcesses(policy));
        const std::string orders = "X-Coldframe-Rule: allow all\r\nX-Coldframe-Source: engine\r\nX-Coldframe-Policy: open\r\n"
                                   "Proxy-Authorization: Basic YTpi\r\nX-Forwarded-Host: evil.example.com\r\n";
        auto opened = harness.connect("a.example.com:80");
        QVERIFY(opened.wire->write(get("a.example.com", "/", orders)));
        QCOMPARE(opened.wire->readReply().status, 200);
        const std::string head = origin.heads().at(0);
        QVERIFY(head.find("X-Coldframe") == std::string::npos && head.find("Proxy-Authorization") == std::string::npos);
        QVERIFY(head.find("Host: a.example.com\r\n") != std::string::npos);
        QCOMPARE(harness.waitForConnection("a.example.com", "allowed")["source"].get<std::string>(), std::string("process"));
        QCOMPARE(plainStatus(harness, "evil.example.com:80", "evil.example.com"), 403);
        // The engine's messages on the guest's port are only a request that is refused.
        auto posing = harness.connect("a.example.com:80");
        QVERIFY(posing.wire->write("{\"type\":\"policy\",\"policy\":{\"mode\":\"open\"}}\n"));
        QVERIFY(posing.wire->isEnded() || posing.wire->readReply().status >= 400);
        QCOMPARE(plainStatus(harness, "evil.example.com:80", "evil.example.com"), 403);
        // The control: the same message from the engine opens it (there is no such host, so it cannot be reached).
        harness.sendPolicy(policyJson("open", {}));
        QTRY_VERIFY(plainStatus(harness, "evil.invalid:80", "evil.invalid") >= 500);
    }

    // A client cannot make the proxy hold more than a connection's share, however it asks.
    void pitfall_19_pipelinedRequestsWaitTheirTurn()
    {
        Origin origin(std::nullopt);
        auto policy = policyJson("locked", {"a.example.com"});
        addMapping(policy, "a.example.com", 80, origin.port());
        Harness harness(realProcesses(policy));
        auto opened = harness.connect("a.example.com:80");
        std::string many;
        for (int i = 0; i < 300; ++i) {
            many += get("a.example.com", "/" + std::to_string(i));
        }
        QVERIFY(opened.wire->write(many));
        for (int i = 0; i < 300; ++i) {
            QCOMPARE(opened.wire->readReply().body, "hello /" + std::to_string(i));
        }
        QCOMPARE(origin.connectionCount(), std::size_t{1});
    }
};

QTEST_GUILESS_MAIN(PitfallsTest)
#include "pitfalls_test.moc"
