// SPDX-License-Identifier: Apache-2.0
// Random histories and kills: both sides converge, nothing that stood on one side only is lost, nothing leaves the root.
#include "two_sides.h"

#include <QTest>
#include <random>
#include <signal.h>
#include <sys/wait.h>

using namespace coldframe::sync;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

std::string somePath(std::mt19937& random)
{
    static const char* names[] = {"a", "b", "c", "d e", "\xf0z"};
    std::string path;
    for (auto depth = random() % 3 + 1; depth > 0; --depth) {
        path += (path.empty() ? "" : "/") + std::string(names[random() % 5]);
    }
    return path;
}

void someChange(std::mt19937& random, const fs::path& root, int serial)
{
    std::error_code ignored;
    const fs::path path = root / somePath(random);
    switch (random() % 8) {
    case 0:
        fs::remove_all(path, ignored);
        break;
    case 1:
        fs::create_directories(path, ignored);
        break;
    case 2:
        fs::rename(path, root / somePath(random), ignored);
        break;
    case 3:
        fs::create_symlink("a", path, ignored);
        break;
    case 4:
        fs::permissions(path, fs::perms::owner_exec, fs::perm_options::add | fs::perm_options::nofollow, ignored);
        break;
    default:
        fs::create_directories(path.parent_path(), ignored);
        if (!fs::is_directory(fs::symlink_status(path, ignored)) && !fs::is_symlink(fs::symlink_status(path, ignored))) {
            std::ofstream(path) << "version " << serial << std::string(random() % 3000, 'x');
        }
    }
}

} // namespace

class TestSyncHistories : public QObject
{
    Q_OBJECT

private slots:
    void randomHistoriesConverge()
    {
        for (unsigned seed = 1; seed <= 6; ++seed) {
            std::mt19937 random(seed);
            TwoSides sides;
            put(sides.host / "anchor/one", "1");
            put(sides.host / "anchor/two", "2");
            put(sides.base / "outside", "untouched");
            sides.connect();
            QVERIFY(sides.flush());
            for (int i = 0; i < 120; ++i) {
                someChange(random, random() % 2 == 0 ? sides.host : sides.guest, i);
                if (random() % 20 == 0) {
                    (void)sides.session->flush(2s);
                }
            }
            // A path that is in conflict is settled for the host, as a user would.
            const bool converged = waitUntil([&] {
                (void)sides.session->flush(2s);
                const auto status = sides.session->status();
                if (status.pause != PauseKind::None) {
                    (void)sides.session->resume(Accept::Deletions);
                }
                for (const Note& note : status.conflicts) {
                    (void)sides.session->resolve(note.path, Resolution::KeepHost);
                }
                return status.state == SyncState::InStep && listing(sides.host) == listing(sides.guest);
            });
            QVERIFY2(converged, ("seed " + std::to_string(seed) + ": " + sides.session->status().text).c_str());
            QCOMPARE(get(sides.host / "anchor/one"), std::string("1"));
            QCOMPARE(get(sides.base / "outside"), std::string("untouched"));
        }
    }

    void crashMatrix_data()
    {
        QTest::addColumn<bool>("killHost");
        QTest::newRow("host killed") << true;
        QTest::newRow("guest killed") << false;
    }

    void crashMatrix()
    {
        QFETCH(bool, killHost);
        std::mt19937 random(killHost ? 7 : 8);
        TwoSides sides;
        for (int i = 0; i < 40; ++i) {
            put(sides.host / ("h" + std::to_string(i % 5)) / ("f" + std::to_string(i)), "host " + std::to_string(i));
        }
        for (int round = 0; round < 25; ++round) {
            // Fresh edits on each side, on names of its own, so that each content exists on one side only.
            const std::string mark = std::to_string(round);
            put(sides.host / "only-host" / mark, "host " + mark);
            put(sides.guest / "only-guest" / mark, "guest " + mark);
            put(sides.guest / "h0" / "f0", "rewritten " + mark);
            int pair[2];
            QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
            const auto spawn = [&](bool isHost) {
                const pid_t child = ::fork();
                if (child == 0) {
                    ::close(pair[isHost ? 1 : 0]);
                    if (isHost) {
                        SessionOptions options;
                        options.root = sides.host;
                        options.stateFolder = sides.base / "state";
                        options.trashFolder = sides.base / "trash";
                        auto session = Session::open(std::move(options));
                        (*session)->start(coldframe::UniqueFd(pair[0]), {"disk", "g"});
                        (void)(*session)->flush(30s);
                    } else {
                        EndpointOptions options;
                        options.stagingFolder = sides.base / "guest-staging";
                        runEndpoint(pair[1], sides.guest, options);
                    }
                    ::_exit(0);
                }
                return child;
            };
            const pid_t host = spawn(true);
            const pid_t guest = spawn(false);
            ::close(pair[0]);
            ::close(pair[1]);
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000)); // the moment of the kill
            ::kill(killHost ? host : guest, SIGKILL);
            ::waitpid(killHost ? host : guest, nullptr, 0);
            ::kill(killHost ? guest : host, SIGKILL);
            ::waitpid(killHost ? guest : host, nullptr, 0);
        }
        sides.connect("disk", "g");
        const bool done = waitUntil([&] {
            (void)sides.session->flush(5s);
            const auto status = sides.session->status();
            for (const Note& note : status.conflicts) {
                (void)sides.session->resolve(note.path, Resolution::TakeGuest);
            }
            return status.state == SyncState::InStep && listing(sides.host) == listing(sides.guest);
        });
        QVERIFY2(done, sides.session->status().text.c_str());
        for (int i = 1; i < 40; ++i) {
            QCOMPARE(get(sides.host / ("h" + std::to_string(i % 5)) / ("f" + std::to_string(i))), "host " + std::to_string(i));
        }
        for (int round = 0; round < 25; ++round) {
            const std::string mark = std::to_string(round);
            QCOMPARE(get(sides.guest / "only-host" / mark), "host " + mark);
            QCOMPARE(get(sides.host / "only-guest" / mark), "guest " + mark);
        }
    }
};

QTEST_GUILESS_MAIN(TestSyncHistories)
#include "test_sync_histories.moc"
