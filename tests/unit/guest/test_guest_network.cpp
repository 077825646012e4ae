// SPDX-License-Identifier: Apache-2.0
#include "channel/connection.h"
#include "guest/agent/event.h"
#include "guest/agent/links.h"
#include "guest/agent/name_service.h"
#include "guest/agent/redirect.h"
#include "guest/agent/refusals.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <arpa/inet.h>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::guest;

namespace {

/// The other end of the net port: allows what begins with "allow" or is a literal, refuses the rest, keeps
/// records.
struct FakeHost
{
    std::mutex mutex;
    std::vector<std::string> connects;
    std::string reports;
};

asio::awaitable<void> serveOne(FakeHost& host, channel::StreamPtr stream)
{
    channel::Headers headers = stream->peerHeaders();
    channel::Headers answer;
    if (headers[":method"] == "POST") {
        auto body = co_await channel::readBody(*stream, 1 << 20);
        {
            std::lock_guard lock(host.mutex);
            host.reports += body.value_or("");
        }
        answer[":status"] = "200";
        (void)stream->respond(answer, true);
        co_return;
    }
    const std::string authority = headers[":authority"];
    {
        std::lock_guard lock(host.mutex);
        host.connects.push_back(headers["x-coldframe-kind"] + " " + authority + " " +
                                headers["x-coldframe-source"]);
    }
    const bool allowed =
        authority.starts_with("allow") || authority.starts_with("93.") || authority.starts_with("[");
    answer[":status"] = allowed ? "200" : "403";
    (void)stream->respond(answer);
    const std::string text = (allowed ? "hello " : "blocked ") + authority;
    (void)co_await stream->write(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    stream->finish();
    std::string rest(4096, '\0');
    for (;;) { // until the sandbox's side ends too
        auto got =
            co_await stream->read(std::span(reinterpret_cast<std::uint8_t*>(rest.data()), rest.size()));
        if (!got || *got == 0) {
            break;
        }
    }
}

asio::awaitable<void> serveHost(asio::io_context& io, FakeHost& host, channel::Connection& connection)
{
    (void)co_await connection.establish();
    for (;;) {
        auto stream = co_await connection.accept();
        if (!stream) {
            co_return;
        }
        asio::co_spawn(io, serveOne(host, *stream), asio::detached);
    }
}

asio::awaitable<void> serveGuest(channel::Connection& connection)
{
    (void)co_await connection.establish();
}

struct sockaddr_in at(const char* address, unsigned short port)
{
    struct sockaddr_in out
    {
    };
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    ::inet_pton(AF_INET, address, &out.sin_addr);
    return out;
}

void limit(int socket)
{
    const struct timeval time
    {
        5, 0
    };
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

/// What a program reads from there, or the error's name.
std::string fetch(const struct sockaddr* to, socklen_t size)
{
    const UniqueFd socket(::socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    limit(socket.get());
    if (::connect(socket.get(), to, size) != 0) {
        return std::string("connect: ") + ::strerrorname_np(errno);
    }
    std::string all;
    char buffer[512];
    for (;;) {
        const ssize_t got = ::read(socket.get(), buffer, sizeof buffer);
        if (got < 0) {
            return std::string("read: ") + ::strerrorname_np(errno);
        }
        if (got == 0) {
            return all;
        }
        all.append(buffer, static_cast<std::size_t>(got));
    }
}

std::string fetch(const char* address, unsigned short port)
{
    const struct sockaddr_in to = at(address, port);
    return fetch(reinterpret_cast<const struct sockaddr*>(&to), sizeof to);
}

/// Asks a name server of the world, which is the agent. The address, or the reply's code.
std::string ask(const char* server, const std::string& name)
{
    std::string packet("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
    std::size_t begin = 0;
    while (begin <= name.size()) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        packet += static_cast<char>(end - begin);
        packet += name.substr(begin, end - begin);
        begin = end + 1;
    }
    packet += std::string("\0\0\1\0\1", 5);
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    limit(socket.get());
    const struct sockaddr_in to = at(server, 53);
    // Connected, so that only a reply from the very server asked is taken.
    if (::connect(socket.get(), reinterpret_cast<const struct sockaddr*>(&to), sizeof to) != 0 ||
        ::send(socket.get(), packet.data(), packet.size(), 0) < 0) {
        return ::strerrorname_np(errno);
    }
    char reply[512];
    const ssize_t got = ::recv(socket.get(), reply, sizeof reply, 0);
    if (got < 12) {
        return "no reply";
    }
    if ((reply[3] & 15) != 0 || reply[7] == 0) {
        return "code " + std::to_string(reply[3] & 15);
    }
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, reply + got - 4, text, sizeof text);
}

} // namespace

class TestGuestNetwork : public QObject
{
    Q_OBJECT

    QTemporaryDir m_folder;
    asio::io_context m_io;
    FakeHost m_host;
    std::unique_ptr<channel::Connection> m_hostEnd;
    std::unique_ptr<channel::Connection> m_guestEnd;
    std::optional<NameMap> m_names;
    std::optional<Redirect> m_redirect;
    std::optional<Refusals> m_refusals;
    std::thread m_thread;

    bool sawConnect(const std::string& line)
    {
        std::lock_guard lock(m_host.mutex);
        return std::find(m_host.connects.begin(), m_host.connects.end(), line) != m_host.connects.end();
    }
    std::string reports()
    {
        std::lock_guard lock(m_host.mutex);
        return m_host.reports;
    }

private slots:
    void initTestCase()
    {
        if (::geteuid() != 0 || ::access("/usr/sbin/nft", X_OK) != 0) {
            QSKIP("needs root and nft: a network namespace with redirect rules is made");
        }
        if (::unshare(CLONE_NEWNET) != 0) {
            QSKIP("this machine gives no network namespace");
        }
        // A dummy needs a module that not every test machine has; a pair of veth ends stands in for it.
        QCOMPARE(
            ::system("ip link set lo up && ip link add cf0 type veth peer name cf0p && ip link set cf0p up"),
            0);
        QVERIFY(makeLink());
        const auto rules = applyFirewall(firewallRules(15001, 15053));
        QVERIFY2(rules, rules ? "" : rules.error().detail.c_str());
        int ends[2];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        channel::Options host;
        host.role = channel::Role::Server;
        channel::Options guest;
        guest.side = channel::Side::Guest;
        guest.role = channel::Role::Client;
        m_hostEnd = channel::makeConnection(m_io, ends[0], host);
        m_guestEnd = channel::makeConnection(m_io, ends[1], guest);
        m_names = NameMap::open(m_folder.path().toStdString() + "/names").value();
        m_redirect.emplace(m_io, m_guestEnd.get(), *m_names);
        m_refusals.emplace(m_io, m_guestEnd.get(), *m_names);
        QVERIFY(startNameService(m_io, *m_names, 15053));
        QVERIFY(m_redirect->startTransparent(15001));
        QVERIFY(m_redirect->startProxy({asio::ip::address_v4(kHostAddress), kProxyPort}));
        QVERIFY(m_refusals->start());
        asio::co_spawn(m_io, serveGuest(*m_guestEnd), asio::detached);
        asio::co_spawn(m_io, serveHost(m_io, m_host, *m_hostEnd), asio::detached);
        m_thread = std::thread([this] { m_io.run(); });
        QTRY_VERIFY_WITH_TIMEOUT(m_guestEnd->isAlive(), 5000);
    }

    void cleanupTestCase()
    {
        m_io.stop();
        if (m_thread.joinable()) {
            m_thread.join();
        }
    }

    void hazard_16_everyNameServerIsTheAgent()
    {
        const std::string address = ask("198.18.0.1", "allow.example.com");
        QVERIFY2(address.starts_with("198.18."), address.c_str());
        QCOMPARE(ask("8.8.8.8", "allow.example.com"), address);
        QCOMPARE(ask("9.9.9.9", "printer.local"), std::string("code 3"));
        QCOMPARE(ask("198.18.0.1", "host.docker.internal"), std::string("198.18.0.2"));
    }

    void namesAndLiteralsReachTheHostAsThemselves()
    {
        const std::string address = ask("198.18.0.1", "allow.example.com");
        QCOMPARE(fetch(address.c_str(), 443), std::string("hello allow.example.com:443"));
        QVERIFY(sawConnect("name allow.example.com:443 process"));
        QCOMPARE(fetch("93.184.216.34", 80), std::string("hello 93.184.216.34:80"));
        QVERIFY(sawConnect("literal 93.184.216.34:80 process"));
        QCOMPARE(fetch("198.18.0.2", 8000), std::string("read: ECONNRESET")); // refused by the fake host
        QVERIFY(sawConnect("name host.docker.internal:8000 process"));
    }

    void hazard_16_ipv6IsJudgedToo()
    {
        struct sockaddr_in6 to
        {
        };
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(443);
        ::inet_pton(AF_INET6, "2001:db8::7", &to.sin6_addr);
        QCOMPARE(fetch(reinterpret_cast<const struct sockaddr*>(&to), sizeof to),
                 std::string("hello [2001:db8::7]:443"));
        QVERIFY(sawConnect("literal [2001:db8::7]:443 process"));
    }

    void aRefusalIsAReset()
    {
        const std::string address = ask("198.18.0.1", "deny.example.com");
        QCOMPARE(fetch(address.c_str(), 443), std::string("read: ECONNRESET"));
        QVERIFY(sawConnect("name deny.example.com:443 process"));
        // An address that no name has is nobody's: the host is not even asked.
        QCOMPARE(fetch("198.19.200.200", 443), std::string("read: ECONNRESET"));
        QVERIFY(!sawConnect("literal 198.19.200.200:443 process"));
    }

    void localConnectionsStayLocal()
    {
        const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const struct sockaddr_in here = at("127.0.0.1", 8099);
        QCOMPARE(::bind(server.get(), reinterpret_cast<const struct sockaddr*>(&here), sizeof here), 0);
        QCOMPARE(::listen(server.get(), 1), 0);
        std::thread answerer([&] {
            const UniqueFd client(::accept(server.get(), nullptr, nullptr));
            (void)!::write(client.get(), "local", 5);
        });
        const std::string got = fetch("127.0.0.1", 8099);
        answerer.join();
        QCOMPARE(got, std::string("local"));
        QCOMPARE(fetch("127.0.0.1", 8098), std::string("connect: ECONNREFUSED"));
        // The redirect's own port, reached without being redirected, leads nowhere.
        QCOMPARE(fetch("127.0.0.1", 15001), std::string("read: ECONNRESET"));
    }

    void hazard_16_udpIsRefusedAndOnRecord()
    {
        const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const struct sockaddr_in to = at("203.0.113.9", 4433);
        ::sendto(socket.get(), "x", 1, 0, reinterpret_cast<const struct sockaddr*>(&to), sizeof to);
        QTRY_VERIFY_WITH_TIMEOUT(reports().find("\"host\":\"203.0.113.9\"") != std::string::npos, 10000);
        QVERIFY(reports().find("\"port\":4433") != std::string::npos);
        QVERIFY(reports().find("\"protocol\":\"udp\"") != std::string::npos);
    }

    void theExplicitProxyAnswers()
    {
        const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        limit(socket.get());
        const struct sockaddr_in to = at("198.18.0.2", kProxyPort);
        QCOMPARE(::connect(socket.get(), reinterpret_cast<const struct sockaddr*>(&to), sizeof to), 0);
        const std::string request =
            "CONNECT deny.example.com:443 HTTP/1.1\r\nHost: deny.example.com:443\r\n\r\n";
        QVERIFY(::write(socket.get(), request.data(), request.size()) > 0);
        std::string all;
        char buffer[512];
        for (ssize_t got = 0; (got = ::read(socket.get(), buffer, sizeof buffer)) > 0;) {
            all.append(buffer, static_cast<std::size_t>(got));
        }
        QVERIFY2(all.starts_with("HTTP/1.1 403 ") && all.ends_with("blocked deny.example.com:443"),
                 all.c_str());
        QVERIFY(sawConnect("proxy deny.example.com:443 process"));
    }

    void withoutAHostEverythingIsRefusedAtOnce()
    {
        const std::string address = ask("198.18.0.1", "allow.example.com");
        asio::post(m_io, [this] { m_hostEnd->close(); });
        QTRY_VERIFY_WITH_TIMEOUT(!m_guestEnd->isAlive(), 5000);
        const auto begin = std::chrono::steady_clock::now();
        QCOMPARE(fetch(address.c_str(), 443), std::string("read: ECONNRESET"));
        QVERIFY(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
    }
};

QTEST_GUILESS_MAIN(TestGuestNetwork)
#include "test_guest_network.moc"
