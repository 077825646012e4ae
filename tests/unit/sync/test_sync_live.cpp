// SPDX-License-Identifier: Apache-2.0
// Two folders and a socket between them: what a user sees of sync.
#include "two_sides.h"

#include <QTest>
#include <atomic>
#include <sys/stat.h>

using namespace coldframe::sync;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class TestSyncLive : public QObject
{
    Q_OBJECT

private slots:
    void firstCopyBringsEverythingIntoAnEmptyGuest()
    {
        TwoSides sides;
        put(sides.host / "README", "hello");
        put(sides.host / "src/deep/er/main.c", "int main;");
        put(sides.host / "run.sh", "#!/bin/sh\n");
        fs::permissions(sides.host / "run.sh", fs::perms::owner_all);
        fs::create_directories(sides.host / "empty");
        fs::create_symlink("README", sides.host / "link");
        put(sides.host / "big", std::string(3 << 20, 'x'));
        sides.connect();
        QVERIFY(sides.flush());
        QVERIFY(sides.session->status().workspaceComplete);
        QCOMPARE(sides.session->status().state, SyncState::InStep);
        QCOMPARE(listing(sides.guest), listing(sides.host));
        QVERIFY(listing(sides.guest).size() >= 9);
    }

    /// Well before the look at everything that comes once a minute; how soon is for bench and stories, on a machine of their own.
    void changesTravelBothWaysByThemselves()
    {
        TwoSides sides;
        put(sides.host / "a", "1");
        sides.connect();
        QVERIFY(sides.flush());
        put(sides.host / "from-host", "h");
        QVERIFY(waitUntil([&] { return get(sides.guest / "from-host") == "h"; }));
        put(sides.guest / "new/dir/from-guest", "g");
        QVERIFY(waitUntil([&] { return get(sides.host / "new/dir/from-guest") == "g"; }));
        put(sides.guest / "a", "22");
        QVERIFY(waitUntil([&] { return get(sides.host / "a") == "22"; }));
        put(sides.host / "a", "333");
        QVERIFY(waitUntil([&] { return get(sides.guest / "a") == "333"; }));
        fs::permissions(sides.guest / "a", fs::perms::owner_all);
        QVERIFY(waitUntil([&] { return (fs::status(sides.host / "a").permissions() & fs::perms::owner_exec) != fs::perms::none; }));
        fs::create_symlink("a", sides.guest / "link");
        QVERIFY(waitUntil([&] { return fs::is_symlink(sides.host / "link"); }));
        fs::remove(sides.guest / "from-host");
        QVERIFY(waitUntil([&] { return !isThere(sides.host / "from-host"); }));
        fs::remove_all(sides.host / "new");
        QVERIFY(waitUntil([&] { return !isThere(sides.guest / "new"); }));
        fs::create_directory(sides.guest / "folder");
        fs::rename(sides.guest / "a", sides.guest / "folder/moved");
        QVERIFY(waitUntil([&] { return get(sides.host / "folder/moved") == "333" && !isThere(sides.host / "a"); }));
        QVERIFY(sides.flush());
        QCOMPARE(listing(sides.guest), listing(sides.host));
    }

    void namesOfAnyBytesWork()
    {
        TwoSides sides;
        const std::string odd[] = {"with space", "quo\"te'", "new\nline", "\xff\xfe non-utf8", "-dash", "back\\slash", "日本"};
        for (const auto& name : odd) {
            put(sides.host / name / ("h-" + name), name);
        }
        sides.connect();
        QVERIFY(sides.flush());
        for (const auto& name : odd) {
            put(sides.guest / name / ("g-" + name), name);
        }
        QVERIFY(sides.flush());
        QCOMPARE(listing(sides.guest), listing(sides.host));
        QCOMPARE(listing(sides.host).size(), 21u);
    }

    void aFlushThatWaitsEndsWhenItsSessionIsStopped()
    {
        TwoSides sides;
        put(sides.host / "a", "1");
        sides.connect();
        QVERIFY(sides.flush());
        sides.session->stop();
        // Somebody who took the guest's place and says nothing: the flush has nothing to end it but stop().
        int silent[2];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, silent), 0);
        const coldframe::UniqueFd guest(silent[1]);
        sides.session->start(coldframe::UniqueFd(silent[0]), {"disk", "generation"});
        std::atomic<bool> isOver = false;
        coldframe::Result<void> outcome;
        std::thread flusher([&] {
            outcome = sides.session->flush(60s);
            isOver = true;
        });
        QTest::qWait(50);
        const bool waited = !isOver;
        const auto begun = std::chrono::steady_clock::now();
        sides.session->stop();
        flusher.join();
        QVERIFY(waited);
        QVERIFY(!outcome.has_value());
        QCOMPARE(outcome.error().code, coldframe::ErrorCode::Unavailable);
        QVERIFY(std::chrono::steady_clock::now() - begun < 30s);
    }
};

QTEST_GUILESS_MAIN(TestSyncLive)
#include "test_sync_live.moc"
