// SPDX-License-Identifier: Apache-2.0
#include "channel/record_layer.h"

#include <QtTest>

using namespace coldframe::channel;

namespace {

SessionId idOf(std::uint8_t value)
{
    SessionId id{};
    id.fill(value);
    return id;
}

void feed(RecordLayer& layer, std::string_view bytes)
{
    layer.feed({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// Everything that happened, one letter each: S started, E ended, or the data in brackets.
std::string drain(RecordLayer& layer)
{
    std::string story;
    while (const auto event = layer.next()) {
        if (event->kind == RecordEvent::Kind::SessionStarted) {
            story += 'S';
        } else if (event->kind == RecordEvent::Kind::SessionEnded) {
            story += 'E';
        } else {
            story += '[' + std::string(event->data.begin(), event->data.end()) + ']';
        }
    }
    return story;
}

std::string story(RecordLayer& layer, std::string_view bytes)
{
    feed(layer, bytes);
    return drain(layer);
}

std::string takeOutput(RecordLayer& layer)
{
    std::string out(layer.output());
    layer.consumeOutput(out.size());
    return out;
}

std::string record(RecordType type, std::uint8_t session, std::uint32_t sequence, std::string_view payload)
{
    std::string out;
    appendRecord(out, type, idOf(session), sequence, payload);
    return out;
}

std::string hello(std::uint8_t session) { return record(RecordType::Hello, session, 0, std::string_view("\0\1", 2)); }

/// A host and a guest that are in session `id`.
void join(RecordLayer& host, RecordLayer& guest, std::uint8_t id)
{
    host.begin(idOf(id));
    QVERIFY(story(guest, takeOutput(host)).ends_with('S'));
    QVERIFY(story(host, takeOutput(guest)).ends_with('S'));
}

} // namespace

class TestRecordLayer : public QObject
{
    Q_OBJECT

private slots:
    void aRecordLooksAsDocumented();
    void bothSidesMeetAndCarryData();
    void piecesOfOneByteAreEnough();
    void garbageBeforeHelloIsSkipped();
    void aRepeatedHelloIsEchoedWithoutANewSession();
    void hazard_03_hostRestartInTheMiddleOfARecord();
    void hazard_03_guestRestartIsToldToTheHost();
    void hazard_03_staleSessionDataIsDiscarded();
    void hazard_03_aStaleEchoDoesNotStartTheHostsSession();
    void damageEndsTheSession_data();
    void damageEndsTheSession();
    void anOversizeLengthIsNeverWaitedFor();
    void pingIsAnswered();
    void anUnreadingPeerGetsNoEndlessAnswers();
    void aGuestAcceptsOnlyItsVersion();
};

void TestRecordLayer::aRecordLooksAsDocumented()
{
    const std::string bytes = record(RecordType::Data, 0xab, 0x01020304, "hi");
    QCOMPARE(bytes.size(), kRecordHeaderBytes + 2);
    QCOMPARE(bytes.substr(0, 8), std::string("CFR1\x03\0\0\0", 8));
    QCOMPARE(bytes.substr(8, 16), std::string(16, '\xab'));
    QCOMPARE(bytes.substr(24, 8), std::string("\1\2\3\4\0\0\0\2", 8));
    QCOMPARE(bytes.substr(36), std::string("hi"));
    // Made by another implementation of XXH32.
    const QByteArray known = QByteArray::fromHex("434652310300000001010101010101010101010101010101000000010000000308802354616263");
    QCOMPARE(QByteArray::fromStdString(record(RecordType::Data, 1, 1, "abc")), known);
}

void TestRecordLayer::bothSidesMeetAndCarryData()
{
    RecordLayer host(Side::Host);
    RecordLayer guest(Side::Guest);
    join(host, guest, 1);
    host.sendData("to guest");
    host.sendData("again");
    guest.sendData("to host");
    QCOMPARE(story(guest, takeOutput(host)), std::string("[to guest][again]"));
    QCOMPARE(story(host, takeOutput(guest)), std::string("[to host]"));
}

void TestRecordLayer::piecesOfOneByteAreEnough()
{
    RecordLayer guest(Side::Guest);
    std::string told;
    for (const char byte : hello(1) + record(RecordType::Data, 1, 1, "abc")) {
        told += story(guest, std::string_view(&byte, 1));
    }
    QCOMPARE(told, std::string("S[abc]"));
}

void TestRecordLayer::garbageBeforeHelloIsSkipped()
{
    RecordLayer guest(Side::Guest);
    QCOMPARE(story(guest, "login: CFR1CFR1 half a magic CFR" + record(RecordType::Data, 9, 4, "old") + "CF" + hello(1)),
             std::string("S"));
    QCOMPARE(story(guest, record(RecordType::Data, 1, 1, "x")), std::string("[x]"));
}

void TestRecordLayer::aRepeatedHelloIsEchoedWithoutANewSession()
{
    RecordLayer guest(Side::Guest);
    QCOMPARE(story(guest, hello(1)), std::string("S"));
    const std::string echo = takeOutput(guest);
    guest.sendData("early");
    QCOMPARE(story(guest, hello(1) + hello(1)), std::string());
    RecordLayer host(Side::Host);
    host.begin(idOf(1));
    QCOMPARE(story(host, echo + takeOutput(guest)), std::string("S[early]"));
}

void TestRecordLayer::hazard_03_hostRestartInTheMiddleOfARecord()
{
    RecordLayer first(Side::Host);
    RecordLayer guest(Side::Guest);
    join(first, guest, 1);
    first.sendData(std::string(60'000, 'z'));
    const std::string cut = takeOutput(first).substr(0, 777);
    QCOMPARE(story(guest, cut), std::string());
    guest.sendData(std::string(1000, 'g')); // half of it reaches the old host
    guest.consumeOutput(500);

    RecordLayer second(Side::Host);
    second.begin(idOf(2));
    QCOMPARE(story(guest, takeOutput(second)), std::string("ES"));
    QCOMPARE(story(second, takeOutput(guest)), std::string("S"));
    second.sendData("fresh");
    QCOMPARE(story(guest, takeOutput(second)), std::string("[fresh]"));
}

void TestRecordLayer::hazard_03_guestRestartIsToldToTheHost()
{
    RecordLayer host(Side::Host);
    RecordLayer first(Side::Guest);
    join(host, first, 1);
    first.sendData(std::string(60'000, 'z'));
    QCOMPARE(story(host, takeOutput(first).substr(0, 777)), std::string());
    RecordLayer second(Side::Guest);
    QCOMPARE(story(host, takeOutput(second)), std::string("E"));
    // What the host sent meanwhile belongs to no session of the new guest.
    QCOMPARE(story(second, record(RecordType::Data, 1, 5, "late")), std::string());
    join(host, second, 2);
}

void TestRecordLayer::hazard_03_staleSessionDataIsDiscarded()
{
    RecordLayer host(Side::Host);
    host.begin(idOf(2));
    takeOutput(host);
    QCOMPARE(story(host, record(RecordType::Data, 1, 7, "stale") + record(RecordType::HelloAck, 2, 0, "") +
                             record(RecordType::Data, 1, 8, "stale") + record(RecordType::Data, 2, 1, "new")),
             std::string("S[new]"));
}

void TestRecordLayer::hazard_03_aStaleEchoDoesNotStartTheHostsSession()
{
    RecordLayer host(Side::Host);
    host.begin(idOf(2));
    QCOMPARE(story(host, record(RecordType::HelloAck, 1, 0, "") + record(RecordType::HelloAck, 0, 0, "")), std::string());
    QVERIFY(host.state() == RecordLayer::State::HelloSent);
    QCOMPARE(story(host, record(RecordType::HelloAck, 2, 0, "")), std::string("S"));
}

void TestRecordLayer::damageEndsTheSession_data()
{
    QTest::addColumn<int>("offset");
    QTest::addColumn<int>("value");
    QTest::newRow("magic") << 0 << int{'X'};
    QTest::newRow("type") << 4 << 9;
    QTest::newRow("flags") << 5 << 1;
    QTest::newRow("reserved") << 7 << 1;
    QTest::newRow("session") << 9 << 7;
    QTest::newRow("sequence") << 27 << 9;
    QTest::newRow("length") << 31 << 1;
    QTest::newRow("checksum") << 35 << -1;
    QTest::newRow("payload") << 36 << int{'X'};
}

void TestRecordLayer::damageEndsTheSession()
{
    QFETCH(int, offset);
    QFETCH(int, value);
    for (const bool atHost : {true, false}) {
        RecordLayer host(Side::Host);
        RecordLayer guest(Side::Guest);
        join(host, guest, 1);
        RecordLayer& sender = atHost ? guest : host;
        RecordLayer& receiver = atHost ? host : guest;
        sender.sendData("good");
        QCOMPARE(story(receiver, takeOutput(sender)), std::string("[good]"));
        sender.sendData("payload");
        std::string bytes = takeOutput(sender);
        char& target = bytes[static_cast<std::size_t>(offset)];
        target = value < 0 ? static_cast<char>(target ^ 1) : static_cast<char>(value);
        QCOMPARE(story(receiver, bytes), std::string("E"));
        QVERIFY(receiver.state() == RecordLayer::State::Idle);
        if (!atHost) {
            QCOMPARE(story(host, takeOutput(guest)), std::string("E")); // the guest says that it left
        }
        join(host, guest, 2);
    }
}

void TestRecordLayer::anOversizeLengthIsNeverWaitedFor()
{
    RecordLayer host(Side::Host);
    RecordLayer guest(Side::Guest);
    join(host, guest, 1);
    std::string huge = record(RecordType::Data, 1, 1, "x");
    huge[29] = 1; // 65537: no more bytes follow
    QCOMPARE(story(guest, huge), std::string("E"));
}

void TestRecordLayer::pingIsAnswered()
{
    RecordLayer host(Side::Host);
    RecordLayer guest(Side::Guest);
    join(host, guest, 1);
    host.sendPing();
    host.sendData("a");
    QCOMPARE(story(guest, takeOutput(host)), std::string("[a]"));
    guest.sendData("b");
    const std::string answer = takeOutput(guest);
    QCOMPARE(answer[4], char{5});
    QCOMPARE(story(host, answer), std::string("[b]"));
}

void TestRecordLayer::anUnreadingPeerGetsNoEndlessAnswers()
{
    RecordLayer guest(Side::Guest);
    QCOMPARE(story(guest, hello(1)), std::string("S"));
    for (std::uint32_t i = 1; i <= 10'000; ++i) {
        QCOMPARE(story(guest, record(RecordType::Ping, 1, i, "") + hello(1)), std::string());
    }
    QVERIFY(guest.output().size() < 64 * 1024);
    QVERIFY(guest.output().size() > 1024);
}

void TestRecordLayer::aGuestAcceptsOnlyItsVersion()
{
    RecordLayer guest(Side::Guest);
    QCOMPARE(story(guest, record(RecordType::Hello, 1, 0, std::string_view("\0\2", 2))), std::string());
    QCOMPARE(story(guest, hello(0)), std::string());
    QCOMPARE(story(guest, hello(1)), std::string("S"));
}

QTEST_GUILESS_MAIN(TestRecordLayer)
#include "test_record_layer.moc"
