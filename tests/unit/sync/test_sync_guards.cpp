// SPDX-License-Identifier: Apache-2.0
// What the host executes by itself, what holds keys, and paths that try to leave the root.
#include "two_sides.h"

#include "sync/git_config.h"
#include "sync/guards.h"
#include "sync/replica.h"

#include <QTest>
#include <atomic>

using namespace coldframe::sync;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class TestSyncGuards : public QObject
{
    Q_OBJECT

private slots:
    void hazard_09_gitHooksAndConfigFromTheGuestNeverLand()
    {
        TwoSides sides;
        put(sides.host / ".git/HEAD", "ref: refs/heads/main\n");
        put(sides.host / ".git/config", "[core]\n\tbare = false\n");
        put(sides.host / ".git/objects/aa/bb", "object");
        put(sides.host / ".git/refs/heads/main", "1");
        sides.connect();
        QVERIFY(sides.flush());
        const std::string hostConfig = get(sides.host / ".git/config");
        put(sides.guest / ".git/hooks/pre-commit", "#!/bin/sh\nevil");
        put(sides.guest / ".git/config", "[core]\n\tfsmonitor = evil\n");
        put(sides.guest / "sub/.git/hooks/post-checkout", "evil");
        put(sides.guest / "sub/.GIT/hooks/post-checkout", "evil");
        put(sides.guest / "worktree/.git", "gitdir: ../bare");
        put(sides.guest / ".git/refs/heads/feature", "2"); // the control: ordinary git data does land
        QVERIFY(waitUntil([&] { return isThere(sides.host / ".git/refs/heads/feature"); }));
        QVERIFY(sides.flush());
        QVERIFY(!isThere(sides.host / ".git/hooks"));
        QVERIFY(!isThere(sides.host / "sub/.git/hooks") && !isThere(sides.host / "sub/.GIT/hooks"));
        QVERIFY(!isThere(sides.host / "worktree/.git"));
        QCOMPARE(get(sides.host / ".git/config"), hostConfig);
        const auto status = sides.session->status();
        QVERIFY(sides.hasNote(status.held, ".git/hooks/pre-commit"));
        QVERIFY(sides.hasNote(status.held, ".git/config"));
        QCOMPARE(status.state, SyncState::Held);
    }

    void hazard_09_embeddedBareRepositoryIsHeldEvenInPieces()
    {
        TwoSides sides;
        sides.connect();
        QVERIFY(sides.flush());
        put(sides.guest / "docs/config", "[core]\n\tfsmonitor = evil\n");
        put(sides.guest / "docs/HEAD", "ref: refs/heads/main\n");
        fs::create_directories(sides.guest / "docs/objects");
        QVERIFY(waitUntil([&] { return isThere(sides.host / "docs/objects"); }));
        fs::create_directories(sides.guest / "docs/Refs/heads"); // the piece that would make it a repository
        put(sides.guest / "marker", "x");
        QVERIFY(waitUntil([&] { return isThere(sides.host / "marker"); }));
        QVERIFY(sides.flush());
        QVERIFY(!isThere(sides.host / "docs/Refs"));
        QVERIFY(sides.hasNote(sides.session->status().held, "docs/Refs"));
    }

    void hazard_09_listedPathsAndLinksInTheirPlaceAreHeld()
    {
        const Entry file{Kind::File, false, 1, {}, {}};
        const Entry link{Kind::Symlink, false, 0, {}, "x"};
        for (const char* path : {".envrc", "a/b/.envrc", ".vscode/tasks.json", ".claude/settings.json", "x/.MCP.json",
                                 ".cargo/config.toml", ".venv/bin/python", ".git/objects/info/alternates",
                                 ".git/modules/m/config", ".git/rebase-merge/git-rebase-todo", "x/commondir"}) {
            QVERIFY2(!guardReason(path, file, {}).empty(), path);
        }
        for (const char* path : {"src/main.c", ".vscode/notes.txt", ".git/refs/heads/config", ".git/objects/aa/bb", ".git/HEAD",
                                 "envrc", "config", "hooks/x"}) {
            QVERIFY2(guardReason(path, file, {}).empty(), path);
        }
        QVERIFY(!guardReason(".vscode", link, {}).empty());
        QVERIFY(!guardReason(".git", link, {}).empty());
        QVERIFY(!guardReason("tools/hooks/pre-push", file, {"tools/hooks"}).empty());
        QVERIFY(!guardReason("tools", link, {"tools/hooks"}).empty());
        const auto named = pathsNamedByGit("[core]\n hooksPath = .husky/_\n[alias]\n x = \"!/w/run.sh now\"\n", "/w",
                                           [](const std::string& path) { return path == "run.sh"; });
        QCOMPARE(named, (std::vector<std::string>{".husky/_", "run.sh"}));
    }

    void hazard_04_gitConfigInTheGuestIsRenderedWithoutCredentials()
    {
        TwoSides sides;
        put(sides.host / ".git/HEAD", "ref: refs/heads/main\n");
        put(sides.host / ".git/objects/x", "x");
        put(sides.host / ".git/config",
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tsshCommand = secret-command\n"
            "[remote \"origin\"]\n\turl = https://user:MARKER-TOKEN@host.example/r.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
            "[http \"https://host.example/\"]\n\textraheader = AUTHORIZATION: MARKER-HEADER\n"
            "[user]\n\tname = \"A \\\"B\\\" C\"\n\temail = a@b.example\n[credential]\n\thelper = MARKER-HELPER\n");
        sides.connect();
        QVERIFY(sides.flush());
        const std::string config = get(sides.guest / ".git/config");
        QVERIFY(config.find("https://host.example/r.git") != std::string::npos);
        QVERIFY(config.find("A \\\"B\\\" C") != std::string::npos);
        for (const char* secret : {"MARKER", "secret-command", "user:", "extraheader"}) {
            QVERIFY2(config.find(secret) == std::string::npos, secret);
        }
        QVERIFY(get(sides.host / ".git/config").find("MARKER-TOKEN") != std::string::npos);
    }

    void hazard_04_filesWithKeysNeverEnter()
    {
        TwoSides sides;
        sides.isStoredKey = [](std::string_view text) { return text.find("STORED-KEY") != std::string_view::npos; };
        put(sides.host / ".netrc", "machine x password y");
        put(sides.host / "pkg/.npmrc", "//registry.example/:_authToken=abc");
        put(sides.host / "plain/.npmrc", "save-exact=true");
        put(sides.host / "notes.txt", "my key is STORED-KEY");
        put(sides.host / "conf.py", "KEY = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'");
        put(sides.host / "lexer.py", "PREFIX = 'ghp_'");
        sides.connect();
        QVERIFY(sides.flush());
        QVERIFY(isThere(sides.guest / "plain/.npmrc") && isThere(sides.guest / "lexer.py"));
        for (const char* path : {".netrc", "pkg/.npmrc", "notes.txt", "conf.py"}) {
            QVERIFY2(!isThere(sides.guest / path), path);
            QVERIFY2(sides.hasNote(sides.session->status().problems, path), path);
        }
    }

    void hazard_10_nothingMovesInARepositoryWhileGitHoldsALock()
    {
        TwoSides sides;
        put(sides.host / ".git/HEAD", "1");
        put(sides.host / ".git/refs/heads/main", "1");
        put(sides.host / ".git/index", "host index");
        sides.connect();
        QVERIFY(sides.flush());
        QCOMPARE(get(sides.guest / ".git/index"), std::string("host index"));
        put(sides.guest / ".git/index.lock", "");
        put(sides.guest / ".git/refs/heads/main", "22");
        put(sides.guest / "ordinary", "x");
        QVERIFY(waitUntil([&] { return isThere(sides.host / "ordinary"); }));
        QCOMPARE(get(sides.host / ".git/refs/heads/main"), std::string("1"));
        put(sides.guest / ".git/index", "guest index");
        fs::remove(sides.guest / ".git/index.lock");
        QVERIFY(waitUntil([&] { return get(sides.host / ".git/refs/heads/main") == "22"; }));
        QVERIFY(sides.flush());
        QVERIFY(!isThere(sides.host / ".git/index.lock"));
        QCOMPARE(get(sides.host / ".git/index"), std::string("host index"));
    }

    void hazard_10_refsComeAfterTheirObjects()
    {
        std::vector<Operation> operations;
        for (const char* path : {".git/HEAD", ".git/refs/heads/main", ".git/packed-refs", ".git/objects/aa/bb", "src/x"}) {
            operations.push_back({path, {}, {Kind::File, false, 1, {}, {}}, 0});
        }
        orderForGit(operations);
        std::vector<std::string> order;
        for (const Operation& operation : operations) {
            order.push_back(operation.path);
        }
        QCOMPARE(order, (std::vector<std::string>{".git/objects/aa/bb", "src/x", ".git/packed-refs", ".git/refs/heads/main", ".git/HEAD"}));
    }

    void portableLinks()
    {
        QVERIFY(isPortableLink("a/b/l", "../../c"));
        QVERIFY(isPortableLink("l", "dir/file"));
        QVERIFY(!isPortableLink("l", "../x"));
        QVERIFY(!isPortableLink("a/l", "../../x"));
        QVERIFY(!isPortableLink("l", "/etc"));
        QVERIFY(!isPortableLink("l", ""));
        QVERIFY(!isPortableLink("l", "dir/../../x"));
        QVERIFY(!isPortableLink("l", "link/../x")); // ".." after a link may leave
    }

    void symlinkSwappedIntoThePathDoesNotLeadOutside_data()
    {
        QTest::addColumn<bool>("guarded");
        QTest::newRow("guard on") << true;
        QTest::newRow("control: guard off, the attack succeeds") << false;
    }

    void symlinkSwappedIntoThePathDoesNotLeadOutside()
    {
        QFETCH(bool, guarded);
        TwoSides sides;
        fs::create_directories(sides.base / "outside");
        put(sides.host / "dir/present", "x");
        ReplicaOptions options;
        options.root = sides.host;
        options.stagingFolder = sides.base / "staging";
        options.followLinksForTest = !guarded;
        auto replica = Replica::open(options);
        QVERIFY(replica);
        QVERIFY((*replica)->scanner().scan(true));
        std::atomic<bool> done = false;
        std::thread attacker([&] {
            while (!done) {
                std::error_code ignored;
                fs::rename(sides.host / "dir", sides.base / "real", ignored);
                fs::create_directory_symlink(sides.base / "outside", sides.host / "dir", ignored);
                std::this_thread::yield();
                fs::remove(sides.host / "dir", ignored);
                fs::rename(sides.base / "real", sides.host / "dir", ignored);
            }
        });
        int landed = 0;
        bool escaped = false;
        const auto until = std::chrono::steady_clock::now() + 4s;
        for (int i = 0; std::chrono::steady_clock::now() < until && (guarded ? i < 3000 : !escaped); ++i) {
            auto staged = (*replica)->stage();
            if (!staged || !staged->write("attack")) {
                continue;
            }
            Entry entry{Kind::File, false, 6, digestOf("attack"), {}};
            const auto result = (*replica)->apply({"dir/f" + std::to_string(i), {}, entry, 0}, &*staged, "test");
            landed += result.outcome == Outcome::Done ? 1 : 0;
            (*replica)->discard(*staged);
            escaped = escaped || !fs::is_empty(sides.base / "outside");
        }
        done = true;
        attacker.join();
        QCOMPARE(escaped, !guarded);
        QVERIFY(landed > 0);
    }
};

QTEST_GUILESS_MAIN(TestSyncGuards)
#include "test_sync_guards.moc"
