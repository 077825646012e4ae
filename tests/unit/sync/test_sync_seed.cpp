// SPDX-License-Identifier: Apache-2.0
// The seed disk: what goes by it, that it is right, and that nobody can make either end do something else with it.
#include "two_sides.h"

#include "sync/protocol.h"
#include "sync/remote.h"

#include <QTest>
#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace coldframe;
using namespace coldframe::sync;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// Different everywhere, so that bytes in a wrong place show.
std::string content(std::size_t size, unsigned salt)
{
    std::string bytes(size, '\0');
    std::uint32_t state = 2654435761u * (salt + 1);
    for (char& byte : bytes) {
        state = state * 1664525u + 1013904223u;
        byte = static_cast<char>(state >> 24);
    }
    return bytes;
}

/// Bytes of content that the host's file system keeps for it.
long long kept(const fs::path& path)
{
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    long long sum = 0;
    for (off_t at = 0; (at = ::lseek(file.get(), at, SEEK_DATA)) >= 0;) {
        const off_t end = ::lseek(file.get(), at, SEEK_HOLE);
        sum += end - at;
        at = end;
    }
    return file && errno == ENXIO ? sum : -1;
}

std::string message(MessageType type, const std::string& payload)
{
    Writer out;
    out.u32(static_cast<std::uint32_t>(payload.size() + 1));
    out.u8(static_cast<std::uint8_t>(type));
    return out.data() + payload;
}

std::string helloReply(std::uint64_t seedBytes)
{
    Writer out;
    out.u16(kProtocolVersion);
    out.u8(1);
    out.u64(seedBytes);
    return message(MessageType::HelloReply, out.data());
}

Operation newFile(const std::string& path, const std::string& bytes)
{
    return {path, {}, {Kind::File, false, bytes.size(), digestOf(bytes), {}}, 0};
}

/// One apply() of one file against a guest that says `answers` whatever it is asked.
Result<std::vector<OperationResult>> applyAgainst(const std::string& answers, const fs::path& seedFile, const std::string& bytes,
                                                  std::uint64_t& bySeed)
{
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        qFatal("socketpair");
    }
    const UniqueFd ours(pair[0]);
    const UniqueFd theirs(pair[1]);
    if (::send(theirs.get(), answers.data(), answers.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(answers.size())) {
        qFatal("send");
    }
    Remote remote(ours.get(), {}, 300ms);
    remote.useSeedDisk(SeedDisk::open(seedFile).value_or(nullptr));
    COLDFRAME_CHECK(remote.handshake());
    auto results = remote.apply({newFile("f", bytes)}, 0, 1, [&](const Operation&, const auto& send, Result<void>& sent) {
        for (std::size_t at = 0; at < bytes.size() && sent; at += 100'000) {
            sent = send(std::string_view(bytes).substr(at, 100'000));
        }
        return sent.has_value();
    });
    bySeed = remote.bytesBySeedDisk();
    return results;
}

/// What an endpoint answers to one file that lies at that place of the disk; the last message's type.
MessageType askEndpoint(const fs::path& seedFile, std::uint64_t offset, std::uint32_t length, const std::string& bytes)
{
    TwoSides sides;
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        qFatal("socketpair");
    }
    const UniqueFd ours(pair[0]);
    std::thread endpoint([&, theirs = pair[1]] {
        const UniqueFd device(::open(seedFile.c_str(), O_RDONLY | O_CLOEXEC));
        EndpointOptions options;
        options.seedDevice = device.get();
        runEndpoint(theirs, sides.guest, options);
        ::close(theirs);
    });
    MessageStream stream(ours.get(), 10s);
    Writer hello;
    hello.u32(kProtocolMagic);
    hello.u16(kProtocolVersion);
    (void)stream.send(MessageType::Hello, hello.data());
    Writer apply;
    apply.u32(0);
    const Operation operation = newFile("f", bytes);
    apply.bytes(operation.path);
    apply.entry(operation.before);
    apply.entry(operation.after);
    apply.u64(0);
    (void)stream.send(MessageType::Apply, apply.data());
    Writer seed;
    seed.u64(offset);
    seed.u32(length);
    (void)stream.send(MessageType::ApplySeed, seed.data());
    (void)stream.send(MessageType::ApplyContentEnd, {});
    (void)stream.send(MessageType::Commit, {});
    MessageType last = MessageType::Hello;
    for (auto answer = stream.receive(); answer; answer = stream.receive()) {
        last = answer->type;
        if (last == MessageType::ResultsEnd) {
            if (get(sides.guest / "f") != bytes) {
                last = MessageType::Hello; // answered, but not right
            }
            break;
        }
    }
    ::shutdown(ours.get(), SHUT_RDWR);
    endpoint.join();
    return last;
}

} // namespace

class TestSyncSeed : public QObject
{
    Q_OBJECT

private slots:
    void largeFilesGoByTheDiskAndArriveWhole()
    {
        TwoSides sides;
        const std::size_t sizes[] = {kSeedFileBytes, kSeedFileBytes + 1, 5'000'003, 3 * kSeedPieceBytes, 2 * kSeedWindowBytes + 77};
        std::uint64_t large = 0;
        for (std::size_t i = 0; i < std::size(sizes); ++i) {
            put(sides.host / "deep/er" / std::to_string(i), content(sizes[i], static_cast<unsigned>(i)));
            large += sizes[i];
        }
        put(sides.host / "small", content(kSeedFileBytes - 1, 99));
        fs::permissions(sides.host / "deep/er/2", fs::perms::owner_all);
        sides.giveSeedDisk();
        sides.connect();
        QVERIFY(sides.flush(60s));
        QVERIFY(listing(sides.guest) == listing(sides.host));
        QCOMPARE(sides.session->status().bytesBySeedDisk, large);
        QVERIFY(kept(sides.guestSeed) == 0);

        put(sides.host / "deep/er/2", content(4'000'000, 7)); // another version of a file goes that way too
        QVERIFY(sides.flush(60s));
        QVERIFY(listing(sides.guest) == listing(sides.host));
        QCOMPARE(sides.session->status().bytesBySeedDisk, large + 4'000'000);
        QVERIFY(kept(sides.guestSeed) == 0);
    }

    void withoutADiskTheSameGoesByTheStream()
    {
        TwoSides sides;
        put(sides.host / "large", content(5'000'003, 1));
        sides.connect();
        QVERIFY(sides.flush(60s));
        QVERIFY(listing(sides.guest) == listing(sides.host));
        QCOMPARE(sides.session->status().bytesBySeedDisk, std::uint64_t{0});
    }

    void onlyOneEndHasADisk()
    {
        for (const bool host : {true, false}) {
            TwoSides sides;
            put(sides.host / "large", content(1'000'003, 1));
            sides.giveSeedDisk();
            host ? sides.guestSeed.clear() : sides.seedDisk.reset();
            sides.connect();
            QVERIFY(sides.flush(60s));
            QVERIFY(listing(sides.guest) == listing(sides.host));
            QCOMPARE(sides.session->status().bytesBySeedDisk, std::uint64_t{0});
        }
    }

    void whatIsKeptOutOfTheSandboxIsNotOnTheDisk()
    {
        TwoSides sides;
        const std::string open = content(1'000'000, 1);
        put(sides.host / ".netrc", content(1'000'000, 2));
        put(sides.host / "notes", content(200'000, 3) + "THE-KEY");
        put(sides.host / "open", open);
        sides.isStoredKey = [](std::string_view text) { return text.find("THE-KEY") != text.npos; };
        sides.giveSeedDisk();
        sides.connect();
        QVERIFY(sides.flush(60s));
        QCOMPARE(sides.session->status().bytesBySeedDisk, std::uint64_t{open.size()}); // each byte that was written there
        QVERIFY(get(sides.guest / "open") == open);
        QVERIFY(!isThere(sides.guest / ".netrc") && !isThere(sides.guest / "notes"));
    }

    void readOnlyWorkspacesAndSeveralAtOnceUseIt()
    {
        TwoSides first;
        TwoSides second;
        put(first.host / "a", content(20'000'000, 1));
        put(second.host / "b", content(20'000'000, 2));
        first.giveSeedDisk();
        second.seedDisk = first.seedDisk; // two workspaces of one sandbox
        second.guestSeed = first.guestSeed;
        second.readOnly = true;
        first.connect();
        second.connect();
        QVERIFY(first.flush(60s) && second.flush(60s));
        QVERIFY(listing(first.guest) == listing(first.host));
        QVERIFY(listing(second.guest) == listing(second.host));
        QCOMPARE(first.session->status().bytesBySeedDisk, std::uint64_t{20'000'000});
        QCOMPARE(second.session->status().bytesBySeedDisk, std::uint64_t{20'000'000});
    }

    void aDiskThatShowsOtherBytesIsFoundOutAndDoneWithout()
    {
        TwoSides sides;
        for (int i = 0; i < 12; ++i) {
            put(sides.host / std::to_string(i), content(300'000, static_cast<unsigned>(i)));
        }
        sides.giveSeedDisk();
        sides.guestSeed = sides.base / "another.raw";
        QVERIFY(makeSeedDisk(sides.guestSeed));
        sides.connect();
        QVERIFY(sides.flush(60s));
        QVERIFY(listing(sides.guest) == listing(sides.host));
        QVERIFY(sides.session->status().bytesBySeedDisk >= 300'000); // the control: it was tried
        QVERIFY(sides.session->status().problems.empty());
    }

    void aHostWithoutRoomGoesOnByTheStream()
    {
        TwoSides sides;
        put(sides.host / "large", content(500'000, 1));
        sides.giveSeedDisk();
        struct rlimit before {};
        ::getrlimit(RLIMIT_FSIZE, &before);
        const auto handler = ::signal(SIGXFSZ, SIG_IGN);
        struct rlimit tight = before;
        tight.rlim_cur = 700'000; // the first piece lies behind it
        QVERIFY(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
        sides.connect();
        const bool done = sides.flush(60s);
        ::setrlimit(RLIMIT_FSIZE, &before);
        ::signal(SIGXFSZ, handler);
        QVERIFY(done);
        QVERIFY(listing(sides.guest) == listing(sides.host));
        QCOMPARE(sides.session->status().bytesBySeedDisk, std::uint64_t{0});
    }

    void windowsAreApartAndGivenBackEmpty()
    {
        TwoSides sides;
        sides.giveSeedDisk();
        std::vector<SeedWindow> windows;
        std::set<std::uint64_t> places;
        for (;;) {
            auto window = sides.seedDisk->take();
            if (!window) {
                break;
            }
            for (std::uint32_t place = 0; place < kSeedPlaces; ++place) {
                const std::uint64_t offset = window->offsetOf(place);
                QVERIFY(offset % kSeedAlignment == 0 && offset >= kSeedPieceBytes && offset + 2 * kSeedPieceBytes <= kSeedDiskBytes);
                QVERIFY(places.insert(offset).second);
                QCOMPARE(offset % kSeedPieceBytes, std::uint64_t{0});
            }
            QVERIFY(window->write(0, 0, content(kSeedPieceBytes, 1)));
            QVERIFY(!window->write(0, 1, content(kSeedPieceBytes, 1)));
            windows.push_back(std::move(*window));
        }
        QCOMPARE(windows.size(), std::size_t{kSeedWindows});
        QVERIFY(kept(sides.guestSeed) >= kSeedWindows * std::int64_t{kSeedPieceBytes});
        windows.clear();
        QVERIFY(kept(sides.guestSeed) == 0);
        QVERIFY(sides.seedDisk->take().has_value());
    }

    void whatAnEndedEngineLeftIsGoneAtTheNextOpening()
    {
        TwoSides sides;
        sides.giveSeedDisk();
        const std::string left = content(100'000, 1);
        {
            const UniqueFd file(::open(sides.guestSeed.c_str(), O_WRONLY | O_CLOEXEC));
            QVERIFY(::pwrite(file.get(), left.data(), left.size(), 9'000'000) == static_cast<ssize_t>(left.size()));
        }
        QVERIFY(kept(sides.guestSeed) > 0);
        const auto again = SeedDisk::open(sides.guestSeed);
        QVERIFY(again.has_value());
        QVERIFY(kept(sides.guestSeed) == 0);
        QCOMPARE(fs::file_size(sides.guestSeed), std::uintmax_t{kSeedDiskBytes});
        // Neither a link in its place nor another file is taken for it.
        put(sides.base / "victim", "mine");
        fs::create_symlink("victim", sides.base / "link");
        QVERIFY(!SeedDisk::open(sides.base / "link") && !SeedDisk::open(sides.base / "victim") && !SeedDisk::open(sides.base / "none"));
        QVERIFY(makeSeedDisk(sides.base / "link"));
        QCOMPARE(get(sides.base / "victim"), std::string("mine"));
        QVERIFY((fs::status(sides.base / "link").permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
    }

    void hostileGuestAnswersEndTheConnection()
    {
        TwoSides sides;
        sides.giveSeedDisk();
        const std::string bytes = content(2'500'000, 1); // three pieces
        const std::string taken = message(MessageType::SeedTaken, {});
        Writer done;
        done.u32(0);
        done.u8(0);
        done.bytes("");
        const std::string results = message(MessageType::Results, done.data()) + message(MessageType::ResultsEnd, {});
        const std::string hello = helloReply(kSeedDiskBytes);
        std::uint64_t bySeed = 0;
        const auto ask = [&](const std::string& answers) { return applyAgainst(answers, sides.guestSeed, bytes, bySeed); };
        // The control.
        const auto right = ask(hello + taken + taken + taken + results);
        QVERIFY(right && right->at(0).outcome == Outcome::Done);
        QCOMPARE(bySeed, std::uint64_t{bytes.size()});
        QVERIFY(!ask(hello + taken + taken + taken + taken + results));
        QVERIFY(!ask(hello + taken + taken + results));
        QVERIFY(!ask(hello + results));
        QVERIFY(!ask(hello + message(MessageType::SeedTaken, "x") + taken + taken + results));
        const auto silent = ask(hello + taken);
        QVERIFY(!silent && silent.error().code == ErrorCode::Timeout);
        // A guest that says to have another disk gets nothing by it, and may not take anything.
        const auto askForLittle = [&](const std::string& answers) {
            return applyAgainst(answers, sides.guestSeed, content(kSeedFileBytes, 2), bySeed); // a socket takes it in unread
        };
        QVERIFY(askForLittle(hello + taken + results) && bySeed == kSeedFileBytes);
        for (const std::uint64_t size : {std::uint64_t{0}, kSeedDiskBytes - 1, kSeedDiskBytes + 1, ~std::uint64_t{0}}) {
            const auto other = askForLittle(helloReply(size) + results);
            QVERIFY(other && bySeed == 0);
            QVERIFY(!askForLittle(helloReply(size) + taken + results));
        }
        QVERIFY(kept(sides.guestSeed) == 0);
    }

    void aGuestThatNeverTakesIsGivenNoMoreThanTheWindow()
    {
        TwoSides sides;
        sides.giveSeedDisk();
        std::uint64_t bySeed = 0;
        const auto answer = applyAgainst(helloReply(kSeedDiskBytes), sides.guestSeed, content(kSeedWindowBytes + 5'000'000, 1), bySeed);
        QVERIFY(!answer && answer.error().code == ErrorCode::Timeout);
        QVERIFY(kept(sides.guestSeed) == 0);
    }

    void placesOutsideTheDiskAreRefused_data()
    {
        QTest::addColumn<quint64>("offset");
        QTest::addColumn<quint32>("length");
        QTest::addColumn<bool>("good");
        QTest::newRow("right (the control)") << quint64{kSeedPieceBytes} << quint32{500'000} << true;
        QTest::newRow("beyond the end") << quint64{kSeedDiskBytes} << quint32{500'000} << false;
        QTest::newRow("over the end") << quint64{kSeedDiskBytes - 4096} << quint32{500'000} << false;
        QTest::newRow("overflow") << ~quint64{4095} << quint32{500'000} << false;
        QTest::newRow("not aligned") << quint64{kSeedPieceBytes + 512} << quint32{500'000} << false;
        QTest::newRow("nothing") << quint64{kSeedPieceBytes} << quint32{0} << false;
        QTest::newRow("too long") << quint64{kSeedPieceBytes} << quint32{kSeedPieceBytes + 1} << false;
        QTest::newRow("much too long") << quint64{kSeedPieceBytes} << ~quint32{0} << false;
    }
    void placesOutsideTheDiskAreRefused()
    {
        QFETCH(quint64, offset);
        QFETCH(quint32, length);
        QFETCH(bool, good);
        TwoSides sides;
        sides.giveSeedDisk();
        const std::string bytes = content(500'000, 1);
        {
            const UniqueFd file(::open(sides.guestSeed.c_str(), O_WRONLY | O_CLOEXEC));
            QVERIFY(::pwrite(file.get(), bytes.data(), bytes.size(), kSeedPieceBytes) == static_cast<ssize_t>(bytes.size()));
        }
        QVERIFY(askEndpoint(sides.guestSeed, offset, length, bytes) == (good ? MessageType::ResultsEnd : MessageType::Failed));
    }

    void aGuestWithoutADiskRefusesAnyPlace()
    {
        QVERIFY(askEndpoint("/nonexistent", kSeedPieceBytes, 1000, content(1000, 1)) == MessageType::Failed);
    }
};

QTEST_GUILESS_MAIN(TestSyncSeed)
#include "test_sync_seed.moc"
