// SPDX-License-Identifier: Apache-2.0
// What must never happen to the user's files.
#include "two_sides.h"

#include <QTest>
#include <sys/stat.h>

using namespace coldframe::sync;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

void fill(const fs::path& root, int count)
{
    for (int i = 0; i < count; ++i) {
        put(root / ("file-" + std::to_string(i)), "content " + std::to_string(i));
    }
}

} // namespace

class TestSyncSafety : public QObject
{
    Q_OBJECT

private slots:
    void ancestorIsDroppedOnReset()
    {
        TwoSides sides;
        fill(sides.host, 10);
        sides.connect("disk-1", "g1");
        QVERIFY(sides.flush());
        sides.restartHost();
        fs::remove_all(sides.guest); // reset: a new, empty disk
        sides.connect("disk-2", "g2");
        QVERIFY(sides.flush());
        QCOMPARE(listing(sides.host).size(), 10u);
        QCOMPARE(listing(sides.guest), listing(sides.host));
    }

    void sameDiskAndGenerationKeepsDeletions()
    {
        // The control to the two tests around it: here a missing file is a deletion.
        TwoSides sides;
        fill(sides.host, 10);
        sides.connect("disk-1", "g1");
        QVERIFY(sides.flush());
        sides.restartHost();
        fs::remove(sides.guest / "file-3");
        sides.connect("disk-1", "g1");
        QVERIFY(sides.flush());
        QVERIFY(!isThere(sides.host / "file-3"));
        QCOMPARE(listing(sides.host).size(), 9u);
    }

    void hazard_01_uncleanGuestStopNeverDeletesAndKeepsTheHostsCopy()
    {
        TwoSides sides;
        fill(sides.host, 10);
        sides.connect("disk-1", "g1");
        QVERIFY(sides.flush());
        sides.restartHost();
        fs::remove(sides.guest / "file-3"); // lost in the crash
        put(sides.guest / "file-4", "");    // truncated by the crash
        put(sides.host / "file-5", "edited on the host meanwhile");
        sides.connect("disk-1", "g2-after-unclean-stop");
        QVERIFY(sides.flush());
        QCOMPARE(get(sides.host / "file-3"), std::string("content 3"));
        QCOMPARE(get(sides.guest / "file-3"), std::string("content 3"));
        QCOMPARE(get(sides.host / "file-4"), std::string("content 4"));
        QCOMPARE(get(sides.guest / "file-5"), std::string("edited on the host meanwhile"));
        const auto status = sides.session->status();
        QVERIFY(sides.hasNote(status.conflicts, "file-4"));
        QCOMPARE(status.conflictCount, 1u);
        QVERIFY(sides.session->resolve("file-4", Resolution::KeepHost));
        QVERIFY(waitUntil([&] { return get(sides.guest / "file-4") == "content 4"; }));
        QVERIFY(sides.flush());
        QCOMPARE(sides.session->status().conflictCount, 0u);
    }

    void hazard_01_ancestorIsNotSavedBeforeTheGuestFlushed()
    {
        TwoSides sides;
        sides.connect();
        QVERIFY(sides.flush());
        const std::string before = get(sides.base / "state/ancestor");
        put(sides.guest / "young", "not yet on the guest's disk");
        QVERIFY(waitUntil([&] { return isThere(sides.host / "young"); }));
        QCOMPARE(get(sides.base / "state/ancestor"), before);
        QVERIFY(sides.flush());
        QVERIFY(get(sides.base / "state/ancestor") != before);
    }

    void damagedAncestorMergesWithoutDeleting()
    {
        TwoSides sides;
        fill(sides.host, 5);
        sides.connect();
        QVERIFY(sides.flush());
        sides.restartHost();
        std::string state = get(sides.base / "state/ancestor");
        state[state.size() / 2] = static_cast<char>(state[state.size() / 2] ^ 1);
        put(sides.base / "state/ancestor", state);
        fs::remove(sides.guest / "file-1");
        fs::remove(sides.host / "file-2");
        sides.connect();
        QVERIFY(sides.flush());
        QCOMPARE(listing(sides.host).size(), 5u);
        QCOMPARE(listing(sides.guest), listing(sides.host));
    }

    void emptiedHostRootPausesUntilAccepted()
    {
        TwoSides sides;
        put(sides.host / "only", "one");
        sides.connect();
        QVERIFY(sides.flush());
        fs::remove(sides.host / "only");
        QVERIFY(waitUntil([&] { return sides.session->status().pause == PauseKind::RootEmptied; }));
        QVERIFY(!sides.session->flush(200ms));
        QVERIFY(isThere(sides.guest / "only"));
        QVERIFY(!sides.session->resume(Accept::Root));
        QVERIFY(sides.session->resume(Accept::Deletions));
        QVERIFY(waitUntil([&] { return !isThere(sides.guest / "only"); }));
    }

    void removedAndReplacedHostRootPauses()
    {
        TwoSides sides;
        fill(sides.host, 4);
        sides.connect();
        QVERIFY(sides.flush());
        fs::rename(sides.host, sides.base / "away");
        QVERIFY(waitUntil([&] { return sides.session->status().pause == PauseKind::RootGone; }));
        QCOMPARE(listing(sides.guest).size(), 4u);
        fs::create_directories(sides.host);
        put(sides.host / "other", "another folder");
        QVERIFY(waitUntil([&] { return sides.session->status().pause == PauseKind::RootReplaced; }));
        QCOMPARE(listing(sides.guest).size(), 4u);
        QVERIFY(!isThere(sides.guest / "other"));
        // Put back, it goes on by itself and nothing was lost.
        fs::remove_all(sides.host);
        fs::rename(sides.base / "away", sides.host);
        QVERIFY(waitUntil([&] { return sides.session->status().state == SyncState::InStep; }));
        QCOMPARE(listing(sides.host).size(), 4u);
        QCOMPARE(listing(sides.guest), listing(sides.host));
    }

    void rootReplacedWhileTheEngineWasDownPauses()
    {
        TwoSides sides;
        fill(sides.host, 4);
        sides.connect();
        QVERIFY(sides.flush());
        sides.restartHost();
        fs::rename(sides.host, sides.base / "away");
        fs::create_directories(sides.host);
        sides.connect();
        QVERIFY(waitUntil([&] { return sides.session->status().pause == PauseKind::RootReplaced; }));
        QCOMPARE(listing(sides.guest).size(), 4u);
        QVERIFY(sides.session->resume(Accept::Root));
        QVERIFY(sides.flush());
        QCOMPARE(listing(sides.host).size(), 4u); // merged, not emptied
    }

    void massDeletionInTheGuestPausesAndIsRecoverableWhenAccepted()
    {
        TwoSides sides;
        fill(sides.host, 80);
        sides.connect();
        QVERIFY(sides.flush());
        for (int i = 0; i < 60; ++i) {
            fs::remove(sides.guest / ("file-" + std::to_string(i)));
        }
        QVERIFY(waitUntil([&] { return sides.session->status().pause == PauseKind::MassDeletion; }));
        QVERIFY(listing(sides.host).size() > 20u);
        QVERIFY(sides.session->resume(Accept::Deletions));
        QVERIFY(waitUntil([&] { return listing(sides.host).size() == 20u; }));
        QVERIFY(sides.flush());
        QCOMPARE(sides.session->trash()->size(), 60u);
    }

    void movingAFolderIsNoMassDeletion()
    {
        TwoSides sides;
        fill(sides.host / "src", 80);
        sides.connect();
        QVERIFY(sides.flush());
        fs::rename(sides.guest / "src", sides.guest / "lib");
        QVERIFY(waitUntil([&] { return isThere(sides.host / "lib/file-79") && !isThere(sides.host / "src"); }));
        QVERIFY(sides.flush());
        QCOMPARE(listing(sides.guest), listing(sides.host));
    }

    void replacedAndDeletedHostFilesComeBackFromTheTrash()
    {
        TwoSides sides;
        put(sides.host / "a/edited", "the user's words");
        put(sides.host / "a/gone", "more of them");
        put(sides.host / "stays", "x");
        ::chmod((sides.host / "a/edited").c_str(), 0600);
        sides.connect();
        QVERIFY(sides.flush());
        put(sides.guest / "a/edited", "overwritten");
        fs::remove(sides.guest / "a/gone");
        QVERIFY(waitUntil([&] { return get(sides.host / "a/edited") == "overwritten" && !isThere(sides.host / "a/gone"); }));
        struct stat info {};
        QCOMPARE(::stat((sides.host / "a/edited").c_str(), &info), 0);
        QCOMPARE(info.st_mode & 0777, 0600u);
        sides.restartHost(); // the index alone must be enough
        sides.openSession();
        const auto entries = sides.session->trash();
        QVERIFY(entries);
        QCOMPARE(entries->size(), 2u);
        for (const TrashEntry& entry : *entries) {
            QVERIFY(sides.session->restore(entry.id));
        }
        QCOMPARE(get(sides.host / "a/edited"), std::string("the user's words"));
        QCOMPARE(get(sides.host / "a/gone"), std::string("more of them"));
        QCOMPARE(sides.session->trash()->size(), 3u); // "overwritten" was kept too
    }

    void bothChangedIsAConflictAndBothStay()
    {
        TwoSides sides;
        put(sides.host / "f", "base");
        sides.connect();
        QVERIFY(sides.flush());
        sides.disconnect();
        put(sides.host / "f", "host's");
        put(sides.guest / "f", "guest's");
        sides.connect();
        QVERIFY(sides.flush());
        QVERIFY(sides.hasNote(sides.session->status().conflicts, "f"));
        QCOMPARE(get(sides.host / "f"), std::string("host's"));
        QCOMPARE(get(sides.guest / "f"), std::string("guest's"));
        QVERIFY(sides.session->resolve("f", Resolution::TakeGuest));
        QVERIFY(waitUntil([&] { return get(sides.host / "f") == "guest's"; }));
    }

    void readOnlyRootTakesNothingFromTheGuest()
    {
        TwoSides sides;
        sides.readOnly = true;
        put(sides.host / "f", "base");
        sides.connect();
        QVERIFY(sides.flush());
        put(sides.guest / "f", "guest's");
        put(sides.guest / "new", "guest's");
        put(sides.host / "other", "host's");
        QVERIFY(waitUntil([&] { return sides.session->status().heldCount == 2 && isThere(sides.guest / "other"); }));
        QCOMPARE(get(sides.host / "f"), std::string("base"));
        QVERIFY(!isThere(sides.host / "new"));
    }

    void linksThatLeaveTheRootAreListedAndNotTakenOver()
    {
        TwoSides sides;
        sides.connect();
        QVERIFY(sides.flush());
        fs::create_symlink("/etc/passwd", sides.guest / "absolute");
        fs::create_symlink("../outside", sides.guest / "up");
        fs::create_symlink("inside", sides.guest / "fine");
        QVERIFY(waitUntil([&] { return isThere(sides.host / "fine"); }));
        QVERIFY(sides.flush());
        const auto status = sides.session->status();
        QVERIFY(sides.hasNote(status.problems, "absolute") && sides.hasNote(status.problems, "up"));
        QVERIFY(!isThere(sides.host / "absolute") && !isThere(sides.host / "up"));
    }

    void socketsAndPipesAreLeftAlone()
    {
        TwoSides sides;
        put(sides.host / "d/file", "x");
        QCOMPARE(::mkfifo((sides.host / "d/pipe").c_str(), 0600), 0);
        sides.connect();
        QVERIFY(sides.flush());
        QVERIFY(isThere(sides.guest / "d/file") && !isThere(sides.guest / "d/pipe"));
        put(sides.host / "keep", "x");
        QVERIFY(sides.flush());
        fs::remove_all(sides.guest / "d");
        QVERIFY(waitUntil([&] { return !isThere(sides.host / "d/file"); }));
        QVERIFY(isThere(sides.host / "d/pipe"));
    }

    void sameFolderInTwoSandboxes()
    {
        TwoSides first;
        TwoSides second;
        second.host = first.host;
        put(first.host / "shared", "1");
        first.connect("disk-a", "g");
        second.connect("disk-b", "g");
        QVERIFY(first.flush() && second.flush());
        put(first.guest / "from-first", "f");
        QVERIFY(waitUntil([&] { return get(second.guest / "from-first") == "f"; }));
        put(second.guest / "shared", "changed by the second");
        QVERIFY(waitUntil([&] { return get(first.guest / "shared") == "changed by the second"; }));
        second.disconnect();
    }

    void hazard_11_nothingComesBackBeforeTheGuestIsComplete()
    {
        // A first copy that was cut: the guest's half-made files must not win over the host's.
        TwoSides sides;
        fill(sides.host, 5);
        sides.connect("disk-1", "g1");
        QVERIFY(sides.flush());
        sides.restartHost();
        TwoSides fresh;
        fill(fresh.host, 5);
        fresh.openSession();
        int pair[2];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        // A guest that dies right after its scan.
        fresh.session->start(coldframe::UniqueFd(pair[0]), {"disk-9", "g1"});
        std::thread dying([&] {
            const std::string hello("\0\0\0\x04\x02\0\x01\x01", 8);
            const std::string scanEnd("\0\0\0\x03\x05\x01\0", 7);
            (void)!::write(pair[1], hello.data(), hello.size());
            (void)!::write(pair[1], scanEnd.data(), scanEnd.size());
            char buffer[4096];
            ssize_t total = 0;
            while (total < 200) {
                const ssize_t got = ::read(pair[1], buffer, sizeof buffer);
                if (got <= 0) {
                    break;
                }
                total += got;
            }
            ::close(pair[1]);
        });
        dying.join();
        QVERIFY(waitUntil([&] { return isThere(fresh.base / "state/ancestor"); }));
        fresh.restartHost();
        put(fresh.guest / "file-2", ""); // created, its content never reached the disk
        fresh.connect("disk-9", "g2");
        QVERIFY(fresh.flush());
        QCOMPARE(get(fresh.host / "file-2"), std::string("content 2"));
        QCOMPARE(get(fresh.guest / "file-2"), std::string("content 2"));
        QCOMPARE(fresh.session->status().conflictCount, 0u);
    }
};

QTEST_GUILESS_MAIN(TestSyncSafety)
#include "test_sync_safety.moc"
