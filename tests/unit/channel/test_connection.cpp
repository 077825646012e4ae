// SPDX-License-Identifier: Apache-2.0
#include "unit/channel/channel_pair.h"

#include <QtTest>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

using namespace coldframe;
using namespace coldframe::channel;
using namespace std::chrono_literals;

namespace {

std::span<const std::uint8_t> bytesOf(std::string_view text)
{
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

asio::awaitable<void> writeAndFinish(StreamPtr stream, std::string data)
{
    const auto written = co_await stream->write(bytesOf(data));
    if (written) {
        stream->finish();
    }
}

/// Sends `data` and reads the echo; empty on any failure.
asio::awaitable<std::string> roundTrip(asio::io_context& io, Connection& connection, std::string data)
{
    auto stream = connection.open(postTo("/echo"));
    if (!stream) {
        co_return std::string();
    }
    asio::co_spawn(io, writeAndFinish(*stream, std::move(data)), asio::detached);
    const auto headers = co_await (*stream)->responseHeaders();
    if (!headers || headers->at(":status") != "200") {
        co_return std::string();
    }
    const auto body = co_await readBody(**stream, 1 << 20);
    co_return body ? *body : std::string();
}

asio::awaitable<void> countEcho(asio::io_context& io, Connection& connection, std::string data, int& right, int& done)
{
    const std::string answer = co_await roundTrip(io, connection, data);
    right += answer == data ? 1 : 0;
    ++done;
}

asio::awaitable<void> sendMuch(StreamPtr stream, std::size_t total)
{
    const std::string chunk(100'000, 'x');
    for (std::size_t sent = 0; sent < total;) {
        const auto part = std::string_view(chunk).substr(0, std::min(chunk.size(), total - sent));
        const auto written = co_await stream->write(bytesOf(part));
        if (!written) {
            co_return;
        }
        sent += part.size();
    }
    stream->finish();
}

asio::awaitable<void> countBytes(StreamPtr stream, std::size_t& received, bool& ended)
{
    std::vector<std::uint8_t> buffer(64 * 1024);
    for (;;) {
        const auto count = co_await stream->read(buffer);
        if (!count) {
            co_return;
        }
        if (*count == 0) {
            ended = true;
            co_return;
        }
        received += *count;
    }
}

asio::awaitable<Result<std::size_t>> readSome(StreamPtr stream)
{
    std::vector<std::uint8_t> buffer(1024);
    auto count = co_await stream->read(buffer);
    co_return count;
}

asio::awaitable<Result<Headers>> waitResponse(StreamPtr stream)
{
    auto headers = co_await stream->responseHeaders();
    co_return headers;
}

} // namespace

class TestConnection : public QObject
{
    Q_OBJECT

private slots:
    void connectCarriesAuthorityAndBothDirectionsEndSeparately();
    void aRequestWithoutBodyGetsItsAnswer();
    void manyStreamsEchoAtOnce();
    void floodsInBothDirectionsDoNotDeadlock();
    void hazard_15_aStalledReaderHoldsUpOnlyItsOwnStream();
    void hazard_15_twoThousandRapidResetsLeaveTheSessionAlive();
    void hazard_15_streamsBeyondTheLimitAreRefusedNotTheSession();
    void hazard_15_theStreamThatHoardsIsResetAtTheCap();
    void resetReachesTheOtherSideWithItsCode();
    void aFinishedAnswerSurvivesDroppingTheStream();
    void aDroppedStreamIsReset();
    void oversizeHeadersCostOnlyTheirStream();
    void hazard_03_aNewHostOnTheSamePortGetsAFreshSession();
    void hazard_03_aNewGuestEndsTheHostsSession();
    void hazard_03_noEchoIsATimeout();
    void hazard_03_anEchoAfterTheTimeoutIsTheSession();
    void hazard_03_aPortWithoutHostIsNeitherAnEndNorSpunOn();
    void hazard_03_garbageEndsTheSessionAndAnotherFollows();
    void endOfSocketMakesEverythingUnavailable();
};

void TestConnection::connectCarriesAuthorityAndBothDirectionsEndSeparately()
{
    ChannelPair pair(Role::Server); // "net": the guest opens streams
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    const auto opened = pair.guest->open(connectTo("example.org:443"));
    QVERIFY(opened);
    const auto accepted = pair.run(pair.host->accept());
    QVERIFY(accepted && accepted->has_value());
    const StreamPtr server = **accepted;
    QCOMPARE(server->peerHeaders(), connectTo("example.org:443"));
    QVERIFY(server->respond({{":status", "200"}, {"x-coldframe-rule", "r1"}}));
    const auto headers = pair.run(waitResponse(*opened));
    QVERIFY(headers && headers->has_value());
    QCOMPARE((*headers)->at("x-coldframe-rule"), std::string("r1"));

    asio::co_spawn(pair.io, writeAndFinish(*opened, "question"), asio::detached);
    const auto question = pair.run(readBody(*server, 100));
    QVERIFY(question && question->has_value());
    QCOMPARE(**question, std::string("question"));
    // The guest's direction has ended; the other still carries.
    asio::co_spawn(pair.io, writeAndFinish(server, "answer"), asio::detached);
    const auto answer = pair.run(readBody(**opened, 100));
    QVERIFY(answer && answer->has_value());
    QCOMPARE(**answer, std::string("answer"));
    QVERIFY(!(*opened)->resetCode());
}

void TestConnection::aRequestWithoutBodyGetsItsAnswer()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    const auto opened =
        pair.host->open({{":method", "GET"}, {":scheme", "http"}, {":path", "/status"}, {":authority", "guest"}}, true);
    QVERIFY(opened);
    const auto accepted = pair.run(pair.guest->accept());
    QVERIFY(accepted && accepted->has_value());
    const auto body = pair.run(readBody(***accepted, 10));
    QVERIFY(body && body->has_value());
    QCOMPARE(**body, std::string());
    QVERIFY((**accepted)->respond({{":status", "404"}}, true));
    const auto headers = pair.run(waitResponse(*opened));
    QVERIFY(headers && headers->has_value());
    QCOMPARE((*headers)->at(":status"), std::string("404"));
    const auto nothing = pair.run(readSome(*opened));
    QVERIFY(nothing && nothing->has_value());
    QCOMPARE(**nothing, std::size_t{0});
}

void TestConnection::manyStreamsEchoAtOnce()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.guest, log, &echoStream), asio::detached);
    QVERIFY(pair.establish());
    int right = 0;
    int done = 0;
    for (int i = 0; i < 200; ++i) {
        std::string data(20'000, static_cast<char>('a' + i % 26));
        data += std::to_string(i);
        asio::co_spawn(pair.io, countEcho(pair.io, *pair.host, std::move(data), right, done), asio::detached);
    }
    QVERIFY(pair.runUntil([&] { return done == 200; }));
    QCOMPARE(right, 200);
    QCOMPARE(log->accepted, 200);
}

void TestConnection::floodsInBothDirectionsDoNotDeadlock()
{
    constexpr std::size_t kTotal = 50'000'000;
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    const auto opened = pair.host->open(postTo("/flood"));
    QVERIFY(opened);
    const auto accepted = pair.run(pair.guest->accept());
    QVERIFY(accepted && accepted->has_value());
    QVERIFY((**accepted)->respond({{":status", "200"}}));
    std::size_t atGuest = 0;
    std::size_t atHost = 0;
    bool guestEnded = false;
    bool hostEnded = false;
    asio::co_spawn(pair.io, sendMuch(*opened, kTotal), asio::detached);
    asio::co_spawn(pair.io, sendMuch(**accepted, kTotal), asio::detached);
    asio::co_spawn(pair.io, countBytes(**accepted, atGuest, guestEnded), asio::detached);
    asio::co_spawn(pair.io, countBytes(*opened, atHost, hostEnded), asio::detached);
    QVERIFY(pair.runUntil([&] { return guestEnded && hostEnded; }, 60s));
    QCOMPARE(atGuest, kTotal);
    QCOMPARE(atHost, kTotal);
}

void TestConnection::hazard_15_aStalledReaderHoldsUpOnlyItsOwnStream()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    const auto stalled = pair.host->open(postTo("/stalled"));
    QVERIFY(stalled);
    const auto accepted = pair.run(pair.guest->accept());
    QVERIFY(accepted && accepted->has_value());
    const StreamPtr unread = **accepted; // nobody reads it
    bool written = false;
    const auto writer = [](StreamPtr stream, bool& flag) -> asio::awaitable<void> {
        const std::string much(1'000'000, 's');
        const auto result = co_await stream->write(bytesOf(much));
        flag = result.has_value();
    };
    asio::co_spawn(pair.io, writer(*stalled, written), asio::detached);

    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.guest, log, &echoStream), asio::detached);
    const std::string data(300'000, 'd');
    const auto echo = pair.run(roundTrip(pair.io, *pair.host, data));
    QVERIFY(echo);
    QCOMPARE(*echo, data);
    QVERIFY2(!written, "the writer of a stalled stream waits: one window, not a million bytes");

    // Reading lets the same writer go on.
    std::size_t received = 0;
    bool ended = false;
    asio::co_spawn(pair.io, countBytes(unread, received, ended), asio::detached);
    QVERIFY(pair.runUntil([&] { return written && received == 1'000'000; }));
}

void TestConnection::hazard_15_twoThousandRapidResetsLeaveTheSessionAlive()
{
    ChannelPair pair(Role::Server);
    pair.startHost();
    pair.startGuest();
    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.host, log, &echoStream), asio::detached);
    QVERIFY(pair.establish());
    // Each stream reaches the host before it is reset: in batches, so that none is cancelled unsent.
    for (int batch = 0; batch < 40; ++batch) {
        std::vector<StreamPtr> streams;
        const int before = log->accepted;
        for (int i = 0; i < 50; ++i) {
            const auto opened = pair.guest->open(connectTo("example.org:80"));
            QVERIFY(opened);
            streams.push_back(*opened);
        }
        QVERIFY(pair.runUntil([&] { return log->accepted == before + 50; }));
        for (const auto& stream : streams) {
            stream->reset(8);
        }
    }
    QCOMPARE(log->accepted, 2000);
    const auto echo = pair.run(roundTrip(pair.io, *pair.guest, "still here"));
    QVERIFY(echo);
    QCOMPARE(*echo, std::string("still here"));
    QCOMPARE(log->sessionsEnded, 0);
    QCOMPARE(pair.guest->sessionNumber(), std::uint64_t{1});
}

void TestConnection::hazard_15_streamsBeyondTheLimitAreRefusedNotTheSession()
{
    ChannelPair pair(Role::Server);
    pair.hostOptions.maxBufferedBytes = 100'000;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    // Two streams that nobody reads fill the cap.
    std::vector<StreamPtr> held;
    for (int i = 0; i < 2; ++i) {
        const auto opened = pair.guest->open(connectTo("hoard.example:1"));
        QVERIFY(opened);
        held.push_back(*opened);
        asio::co_spawn(pair.io, writeAndFinish(*opened, std::string(60'000, 'h')), asio::detached);
        const auto accepted = pair.run(pair.host->accept());
        QVERIFY(accepted && accepted->has_value());
        held.push_back(**accepted);
    }
    // The host has everything once this much later stream is answered by a refusal.
    std::optional<ErrorCode> refusal;
    for (int attempt = 0; attempt < 100 && !refusal; ++attempt) {
        const auto late = pair.guest->open(connectTo("late.example:1"));
        QVERIFY(late);
        const auto headers = pair.run(waitResponse(*late), 50ms);
        if (headers && !headers->has_value()) {
            refusal = headers->error().code;
            QCOMPARE((*late)->resetCode(), std::optional<std::uint32_t>(7));
        }
    }
    QVERIFY(refusal);
    QCOMPARE(*refusal, ErrorCode::Busy);
    // What was held is intact, and the session takes streams again once it is read.
    const auto body = pair.run(readBody(*held[1], 100'000));
    QVERIFY(body && body->has_value());
    QCOMPARE((*body)->size(), std::size_t{60'000});
    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.host, log, &echoStream), asio::detached);
    const auto echo = pair.run(roundTrip(pair.io, *pair.guest, "again"));
    QVERIFY(echo);
    QCOMPARE(*echo, std::string("again"));
}

void TestConnection::hazard_15_theStreamThatHoardsIsResetAtTheCap()
{
    ChannelPair pair(Role::Server);
    pair.hostOptions.maxBufferedBytes = 50'000; // reset beyond 100,000
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    std::vector<StreamPtr> clients;
    std::vector<StreamPtr> servers;
    for (const std::size_t size : {std::size_t{30'000}, std::size_t{40'000}, std::size_t{60'000}}) {
        const auto opened = pair.guest->open(connectTo("hoard.example:1"));
        QVERIFY(opened);
        clients.push_back(*opened);
        const auto accepted = pair.run(pair.host->accept());
        QVERIFY(accepted && accepted->has_value());
        servers.push_back(**accepted);
        Q_UNUSED(size)
    }
    asio::co_spawn(pair.io, writeAndFinish(clients[0], std::string(30'000, 'a')), asio::detached);
    asio::co_spawn(pair.io, writeAndFinish(clients[1], std::string(40'000, 'b')), asio::detached);
    asio::co_spawn(pair.io, writeAndFinish(clients[2], std::string(60'000, 'c')), asio::detached);
    QVERIFY(pair.runUntil([&] {
        return clients[0]->resetCode() || clients[1]->resetCode() || clients[2]->resetCode();
    }));
    QCOMPARE(clients[2]->resetCode() ? clients[2]->resetCode() : clients[1]->resetCode(),
             std::optional<std::uint32_t>(11));
    const auto small = pair.run(readBody(*servers[0], 100'000));
    QVERIFY(small && small->has_value());
    QCOMPARE((*small)->size(), std::size_t{30'000});
    QVERIFY(pair.host->isAlive());
}

void TestConnection::resetReachesTheOtherSideWithItsCode()
{
    ChannelPair pair(Role::Server);
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    const auto opened = pair.guest->open(connectTo("example.org:80"));
    QVERIFY(opened);
    const auto accepted = pair.run(pair.host->accept());
    QVERIFY(accepted && accepted->has_value());
    QVERIFY((**accepted)->respond({{":status", "200"}}));
    (**accepted)->reset(10);
    const auto result = pair.run(readSome(*opened));
    QVERIFY(result && !result->has_value());
    QCOMPARE(result->error().code, ErrorCode::Closed);
    QCOMPARE((*opened)->resetCode(), std::optional<std::uint32_t>(10));
    const auto other = pair.guest->open(connectTo("example.org:81"));
    QVERIFY(other);
}

void TestConnection::aFinishedAnswerSurvivesDroppingTheStream()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    const auto opened = pair.host->open(postTo("/early")); // its body stays open
    QVERIFY(opened);
    {
        auto accepted = pair.run(pair.guest->accept());
        QVERIFY(accepted && accepted->has_value());
        QVERIFY((**accepted)->respond({{":status", "200"}}));
        const auto writer = [](StreamPtr stream) -> asio::awaitable<int> {
            const std::string text = "done";
            const auto result = co_await stream->write(bytesOf(text));
            stream->finish();
            co_return result ? 1 : 0;
        };
        const auto wrote = pair.run(writer(**accepted));
        QVERIFY(wrote);
        QCOMPARE(*wrote, 1);
    }
    const auto body = pair.run(readBody(**opened, 100));
    QVERIFY(body && body->has_value());
    QCOMPARE(**body, std::string("done"));
}

void TestConnection::aDroppedStreamIsReset()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    auto opened = pair.host->open(postTo("/dropped"));
    QVERIFY(opened);
    const auto accepted = pair.run(pair.guest->accept());
    QVERIFY(accepted && accepted->has_value());
    opened->reset();
    const auto result = pair.run(readSome(**accepted));
    QVERIFY(result && !result->has_value());
    QCOMPARE((**accepted)->resetCode(), std::optional<std::uint32_t>(8));
}

void TestConnection::oversizeHeadersCostOnlyTheirStream()
{
    ChannelPair pair(Role::Server);
    pair.hostOptions.maxHeaderBytes = 4096;
    pair.startHost();
    pair.startGuest();
    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.host, log, &echoStream), asio::detached);
    QVERIFY(pair.establish());
    Headers headers = connectTo("example.org:80");
    headers["x-much"] = std::string(8000, 'x');
    const auto opened = pair.guest->open(headers);
    QVERIFY(opened);
    const auto answer = pair.run(waitResponse(*opened));
    QVERIFY(answer && !answer->has_value());
    QCOMPARE(log->accepted, 0);
    const auto echo = pair.run(roundTrip(pair.io, *pair.guest, "fine"));
    QVERIFY(echo);
    QCOMPARE(*echo, std::string("fine"));
    QVERIFY(!pair.guest->open({{":method", "CONNECT"}, {":authority", "a\nb"}}));
}

void TestConnection::hazard_03_aNewHostOnTheSamePortGetsAFreshSession()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.guest, log, &echoStream), asio::detached);
    QVERIFY(pair.establish());
    // Traffic in both directions, cut in the middle of records: the guest sees no hang-up.
    const auto cut = pair.host->open(postTo("/cut"));
    QVERIFY(cut);
    asio::co_spawn(pair.io, sendMuch(*cut, 10'000'000), asio::detached);
    std::size_t received = 0;
    bool ended = false;
    asio::co_spawn(pair.io, countBytes(*cut, received, ended), asio::detached);
    QVERIFY(pair.runUntil([&] { return received > 1'000'000; }));
    pair.host.reset();
    QVERIFY(pair.guest->isAlive());

    pair.startHost();
    QVERIFY(pair.establish());
    QVERIFY(pair.runUntil([&] { return log->sessionsEnded == 1; }));
    QCOMPARE(pair.guest->sessionNumber(), std::uint64_t{2});
    const auto echo = pair.run(roundTrip(pair.io, *pair.host, "second life"));
    QVERIFY(echo);
    QCOMPARE(*echo, std::string("second life"));
    QVERIFY(!ended);
    const auto stale = pair.run(readSome(*cut));
    QVERIFY(stale && (!stale->has_value() || **stale > 0)); // never a clean end
}

void TestConnection::hazard_03_aNewGuestEndsTheHostsSession()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    const auto waiting = pair.host->open(postTo("/long"));
    QVERIFY(waiting);
    const auto accepted = pair.run(pair.guest->accept());
    QVERIFY(accepted && accepted->has_value());
    pair.guest.reset();
    QVERIFY(pair.host->isAlive());
    pair.startGuest();
    const auto error = pair.run(pair.host->closed());
    QVERIFY(error);
    QCOMPARE(error->code, ErrorCode::Closed);
    const auto result = pair.run(waitResponse(*waiting));
    QVERIFY(result && !result->has_value());

    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.guest, log, &echoStream), asio::detached);
    QVERIFY(pair.establish());
    const auto echo = pair.run(roundTrip(pair.io, *pair.host, "new guest"));
    QVERIFY(echo);
    QCOMPARE(*echo, std::string("new guest"));
}

void TestConnection::hazard_03_noEchoIsATimeout()
{
    ChannelPair pair;
    pair.hostOptions.helloTimeout = 300ms;
    pair.startHost();
    const auto late = pair.run(pair.host->establish());
    QVERIFY(late && !late->has_value());
    QCOMPARE(late->error().code, ErrorCode::Timeout);
    QVERIFY(!pair.host->isAlive());
    // Control: the same connection works as soon as a guest is there.
    pair.startGuest();
    QVERIFY(pair.establish());
    QVERIFY(pair.host->isAlive());
}

void TestConnection::hazard_03_anEchoAfterTheTimeoutIsTheSession()
{
    // A guest that boots slowly echoes when the host's call has given up. A server that then calls establish() again and
    // accepts must not see an end, else it asks for a session after session for ever.
    ChannelPair pair(Role::Server);
    pair.hostOptions.helloTimeout = 300ms;
    pair.startHost();
    const auto late = pair.run(pair.host->establish());
    QVERIFY(late && !late->has_value());
    pair.startGuest();
    QVERIFY(pair.runUntil([&] { return pair.host->isAlive() && pair.guest->isAlive(); }));
    const auto session = pair.host->sessionNumber();
    const auto again = pair.run(pair.host->establish());
    QVERIFY(again && again->has_value());
    QCOMPARE(pair.host->sessionNumber(), session);
    // A call when that session has been reported asks for another one, and no end of the old one is left to be accepted.
    const auto replaced = pair.run(pair.host->establish());
    QVERIFY(replaced && replaced->has_value());
    QVERIFY(pair.host->sessionNumber() > session);
    QVERIFY(pair.runUntil([&] { return pair.guest->isAlive(); }));
    auto stream = pair.guest->open({{":method", "CONNECT"}, {":authority", "a.example:1"}});
    QVERIFY(stream.has_value());
    const auto accepted = pair.run(pair.host->accept());
    QVERIFY(accepted && accepted->has_value());
}

void TestConnection::hazard_03_aPortWithoutHostIsNeitherAnEndNorSpunOn()
{
    // A terminal whose other side left behaves as a virtio port without a host: poll says readable and hung up,
    // read gives 0. A control-D in line mode gives single reads of 0.
    int master = -1;
    int slave = -1;
    QCOMPARE(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    termios mode{};
    QCOMPARE(::tcgetattr(slave, &mode), 0);
    mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    mode.c_oflag = 0;
    QCOMPARE(::tcsetattr(slave, TCSANOW, &mode), 0);
    QCOMPARE(::write(master, "\x04\x04\x04", 3), ssize_t{3});

    ChannelPair pair;
    pair.guest = makeConnection(pair.io, ::dup(slave), pair.guestOptions);
    // The control-Ds are read as ends of file by now, or soon.
    QVERIFY(pair.runUntil([&] {
        int waiting = 0;
        ::ioctl(slave, FIONREAD, &waiting);
        return waiting == 0;
    }));
    termios raw = mode;
    ::cfmakeraw(&raw);
    QCOMPARE(::tcsetattr(slave, TCSANOW, &raw), 0);
    pair.host = makeConnection(pair.io, ::dup(master), pair.hostOptions);
    QVERIFY(pair.establish());

    // Now nobody is attached: the session stays (only a HELLO ends it) and the loop sleeps.
    pair.host.reset();
    ::close(master);
    pair.runUntil([] { return false; }, 100ms);
    // Each turn of the loop is a handler or 20 ms of nothing: at most 50 idle ones and a few attempts to read.
    int turns = 0;
    pair.runUntil(
        [&turns] {
            ++turns;
            return false;
        },
        1000ms);
    QVERIFY2(turns < 200, qPrintable(QString("%1 turns of the loop in 1 s").arg(turns)));
    QVERIFY(pair.guest->isAlive());
    ::close(slave);
}

void TestConnection::hazard_03_garbageEndsTheSessionAndAnotherFollows()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    const auto log = std::make_shared<ServerLog>();
    asio::co_spawn(pair.io, serve(pair.io, *pair.guest, log, &echoStream), asio::detached);
    QVERIFY(pair.establish());
    const std::string echoed = pair.run(roundTrip(pair.io, *pair.host, "one")).value_or("");
    QCOMPARE(echoed, std::string("one"));
    QCOMPARE(::write(pair.ends[0], "garbage", 7), ssize_t{7});
    // The guest drops the session and says so; the host learns of it without a time limit.
    const auto error = pair.run(pair.host->closed());
    QVERIFY(error);
    QCOMPARE(log->sessionsEnded, 1);
    QVERIFY(!pair.guest->isAlive());
    QVERIFY(pair.establish());
    const std::string again = pair.run(roundTrip(pair.io, *pair.host, "two")).value_or("");
    QCOMPARE(again, std::string("two"));
}

void TestConnection::endOfSocketMakesEverythingUnavailable()
{
    ChannelPair pair;
    pair.startHost();
    pair.startGuest();
    QVERIFY(pair.establish());
    ::shutdown(pair.ends[1], SHUT_RDWR);
    const auto error = pair.run(pair.host->closed());
    QVERIFY(error);
    QCOMPARE(error->code, ErrorCode::Unavailable);
    const auto again = pair.run(pair.host->establish());
    QVERIFY(again && !again->has_value());
    QCOMPARE(again->error().code, ErrorCode::Unavailable);
    const auto accepted = pair.run(pair.guest->accept());
    QVERIFY(accepted && !accepted->has_value());
    QCOMPARE(accepted->error().code, ErrorCode::Unavailable);
    QVERIFY(!pair.host->open(postTo("/x")));
}

QTEST_GUILESS_MAIN(TestConnection)
#include "test_connection.moc"
