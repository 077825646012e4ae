// SPDX-License-Identifier: Apache-2.0
#include "channel/pump.h"
#include "unit/channel/channel_pair.h"

#include <QtTest>

#include <fcntl.h>

using namespace coldframe;
using namespace coldframe::channel;

namespace {

struct Outcome
{
    bool isDone = false;
    PumpTotals totals;
};

asio::awaitable<void> pumpAndTell(asio::io_context& io, StreamPtr stream, int fd, Outcome& outcome)
{
    asio::posix::stream_descriptor descriptor(io, fd);
    outcome.totals = co_await pump(*stream, descriptor);
    outcome.isDone = true;
}

/// Writes and reads the plain end of a pumped socket without blocking.
std::string readAvailable(int fd, bool& atEnd)
{
    std::string text;
    char buffer[65536];
    for (;;) {
        const ssize_t count = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (count <= 0) {
            atEnd = count == 0;
            return text;
        }
        text.append(buffer, static_cast<std::size_t>(count));
    }
}

} // namespace

/// socket A – pump – channel – pump – socket B: the two plain ends behave as one connection.
class TestPump : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void cleanup();
    void bytesAndHalfClosesGoBothWays();
    void aResetEndsBothPumps();
    void aVanishedReaderResetsTheStream();

private:
    std::unique_ptr<ChannelPair> m_pair;
    StreamPtr m_client;
    StreamPtr m_server;
    int m_a[2] = {-1, -1};
    int m_b[2] = {-1, -1};
    Outcome m_left;
    Outcome m_right;
};

void TestPump::init()
{
    m_pair = std::make_unique<ChannelPair>(Role::Server);
    m_pair->startHost();
    m_pair->startGuest();
    QVERIFY(m_pair->establish());
    const auto opened = m_pair->guest->open(connectTo("example.org:80"));
    QVERIFY(opened);
    m_client = *opened;
    const auto accepted = m_pair->run(m_pair->host->accept());
    QVERIFY(accepted && accepted->has_value());
    m_server = **accepted;
    QVERIFY(m_server->respond({{":status", "200"}}));
    QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM, 0, m_a), 0);
    QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM, 0, m_b), 0);
    m_left = {};
    m_right = {};
    asio::co_spawn(m_pair->io, pumpAndTell(m_pair->io, m_client, m_a[1], m_left), asio::detached);
    asio::co_spawn(m_pair->io, pumpAndTell(m_pair->io, m_server, m_b[1], m_right), asio::detached);
}

void TestPump::cleanup()
{
    ::close(m_a[0]);
    ::close(m_b[0]);
    m_client.reset();
    m_server.reset();
    m_pair.reset();
}

void TestPump::bytesAndHalfClosesGoBothWays()
{
    std::string question(1'000'000, 'q');
    question += "end";
    std::string_view unsent = question;
    std::string atB;
    bool bEnded = false;
    QVERIFY(m_pair->runUntil([&] {
        const ssize_t count = unsent.empty() ? 0 : ::send(m_a[0], unsent.data(), unsent.size(), MSG_DONTWAIT);
        unsent.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
        atB += readAvailable(m_b[0], bEnded);
        return atB.size() == question.size();
    }));
    QVERIFY(atB == question);
    QVERIFY(!bEnded);
    ::shutdown(m_a[0], SHUT_WR);
    QVERIFY(m_pair->runUntil([&] {
        readAvailable(m_b[0], bEnded);
        return bEnded;
    }));
    // One direction has ended, the other has not.
    QVERIFY(!m_left.isDone && !m_right.isDone);
    QCOMPARE(::send(m_b[0], "answer", 6, 0), ssize_t{6});
    ::shutdown(m_b[0], SHUT_WR);
    std::string atA;
    bool aEnded = false;
    QVERIFY(m_pair->runUntil([&] {
        atA += readAvailable(m_a[0], aEnded);
        return aEnded && m_left.isDone && m_right.isDone;
    }));
    QCOMPARE(atA, std::string("answer"));
    QVERIFY(m_left.totals.isClean && m_right.totals.isClean);
    QCOMPARE(m_left.totals.toStream, std::uint64_t{question.size()});
    QCOMPARE(m_left.totals.fromStream, std::uint64_t{6});
    QCOMPARE(m_right.totals.fromStream, std::uint64_t{question.size()});
}

void TestPump::aResetEndsBothPumps()
{
    m_client->reset(10);
    QVERIFY(m_pair->runUntil([&] { return m_left.isDone && m_right.isDone; }));
    QVERIFY(!m_left.totals.isClean && !m_right.totals.isClean);
    QCOMPARE(m_server->resetCode(), std::optional<std::uint32_t>(10));
    bool ended = false;
    readAvailable(m_b[0], ended);
    QVERIFY(ended);
}

void TestPump::aVanishedReaderResetsTheStream()
{
    ::close(m_b[0]); // FIN towards A; what A still sends has no reader
    m_b[0] = -1;
    QVERIFY(m_pair->runUntil([&] {
        [[maybe_unused]] const auto sent = ::send(m_a[0], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        return m_left.isDone && m_right.isDone;
    }));
    QVERIFY(!m_right.totals.isClean);
    QCOMPARE(m_client->resetCode(), std::optional<std::uint32_t>(10));
    QVERIFY(m_pair->host->isAlive());
}

QTEST_GUILESS_MAIN(TestPump)
#include "test_pump.moc"
