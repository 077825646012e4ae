// SPDX-License-Identifier: Apache-2.0
#include "engine/key_ring.h"

#include "base/file.h"
#include "fake_keychain.h"

#include <QTemporaryDir>
#include <QtTest>
#include <asio/co_spawn.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <sys/stat.h>

using namespace coldframe;
using namespace coldframe::engine;

namespace {

struct World
{
    QTemporaryDir folder;
    asio::io_context io;
    asio::thread_pool pool{2};
    FakeKeychain keychain;
    SystemProcessRunner runner;
    KeyRing ring{io, pool, keychain, runner, path("commands.json")};

    std::filesystem::path path(const std::string& name) const { return std::filesystem::path(folder.path().toStdString()) / name; }

    std::string script(const std::string& name, const std::string& body)
    {
        (void)writeFileAtomic(path(name), "#!/bin/sh\n" + body + "\n", 0700);
        ::chmod(path(name).c_str(), 0700);
        return path(name).string();
    }

    template <typename T> T run(asio::awaitable<T> work)
    {
        auto future = asio::co_spawn(io, std::move(work), asio::use_future);
        io.restart();
        while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            io.run_one_for(std::chrono::milliseconds(50));
        }
        return future.get();
    }

    std::string key(const std::string& entry)
    {
        Result<SecretBuffer> key = run(ring.key(entry));
        return key ? std::string(key->view()) : "error " + std::string(errorCodeName(key.error().code));
    }
};

KeyCommand command(std::vector<std::string> arguments, int seconds = 3600)
{
    return {std::move(arguments), std::chrono::seconds(seconds)};
}

} // namespace

class TestKeyRing : public QObject
{
    Q_OBJECT

private slots:
    void aSandboxGetsItsOwnKeyThenItsAccounts_data()
    {
        QTest::addColumn<QStringList>("entries");
        QTest::addColumn<QString>("account");
        QTest::addColumn<QString>("chosen");
        QTest::newRow("plain") << QStringList{"openai"} << "" << "openai";
        QTest::newRow("account") << QStringList{"openai", "openai/work"} << "work" << "openai/work";
        QTest::newRow("not the account's") << QStringList{"openai", "openai/work"} << "" << "openai";
        QTest::newRow("an account without a key gets none") << QStringList{"openai"} << "work" << "";
        QTest::newRow("its own first") << QStringList{"openai", "openai/@abc", "openai/work"} << "work" << "openai/@abc";
        QTest::newRow("another sandbox's") << QStringList{"openai/@xyz"} << "" << "";
        QTest::newRow("only an account's") << QStringList{"openai/work"} << "" << "";
    }
    void aSandboxGetsItsOwnKeyThenItsAccounts()
    {
        QFETCH(QStringList, entries);
        QFETCH(QString, account);
        QFETCH(QString, chosen);
        std::vector<std::string> all;
        for (const QString& entry : entries) {
            all.push_back(entry.toStdString());
        }
        std::map<std::string, std::string> accounts;
        if (!account.isEmpty()) {
            accounts["openai"] = account.toStdString();
        }
        const auto found = chooseEntries(all, accounts, "abc");
        QCOMPARE(QString::fromStdString(found.contains("openai") ? found.at("openai") : ""), chosen);
    }

    void entryNamesAreChecked()
    {
        QCOMPARE(keyEntry("openai", "", "").value_or(""), std::string("openai"));
        QCOMPARE(keyEntry("openai", "me@example.com", "").value_or(""), std::string("openai/me@example.com"));
        QCOMPARE(keyEntry("openai", "", "abc").value_or(""), std::string("openai/@abc"));
        for (const char* bad : {"@abc", "a/b", "a b", "-x", "a\nb"}) {
            QVERIFY2(!keyEntry("openai", bad, ""), bad);
        }
        QVERIFY(!keyEntry("openai", "work", "abc"));
        QCOMPARE(parseKeyName("openai/@abc").sandbox, std::string("abc"));
        QCOMPARE(parseKeyName("openai/work").account, std::string("work"));
    }

    void aReferenceIsReadByOp()
    {
        World world;
        // A stand-in for 1Password's program: prints what the reference names, and notes how it was called.
        world.script("op", "printf '%s ' \"$@\" > '" + world.path("called").string() + "'; [ \"$3\" = op://vault/item/field ] && printf 'sk-from-op-0123456789'");
        const QByteArray before = qgetenv("PATH");
        qputenv("PATH", QByteArray::fromStdString(world.folder.path().toStdString()) + ":" + before);
        const auto set = world.run(world.ring.setCommand("openai", command({"op", "read", "--no-newline", "op://vault/item/field"})));
        const auto unknown = world.run(world.ring.setCommand("groq", command({"op", "read", "--no-newline", "op://vault/none"})));
        qputenv("PATH", before);
        QVERIFY2(set.has_value(), set ? "" : set.error().message.c_str());
        QVERIFY(!unknown && unknown.error().message.find("op ended with 1") != std::string::npos);
        QCOMPARE(world.key("openai"), std::string("sk-from-op-0123456789"));
        QCOMPARE(world.key("groq"), std::string("error not_found"));
        QCOMPARE(readFile(world.path("called"), 100).value_or(""), std::string("read --no-newline op://vault/none "));
        QVERIFY(readFile(world.path("commands.json"), 9999).value_or("").find("sk-from-op") == std::string::npos);
        // The next engine knows the command.
        KeyRing next(world.io, world.pool, world.keychain, world.runner, world.path("commands.json"));
        QVERIFY(next.load().has_value());
        QCOMPARE(next.commands().at("openai").arguments.size(), std::size_t{4});
    }

    void argumentsSeeNoShell()
    {
        World world;
        const std::string script = world.script("show", "printf '%s' \"$1\"");
        QVERIFY(world.run(world.ring.setCommand("x", command({script, "$(id); `id` \"quoted\" $HOME"}))).has_value());
        QCOMPARE(world.key("x"), std::string("$(id); `id` \"quoted\" $HOME"));
    }

    void whatIsNoKeyIsRefused_data()
    {
        QTest::addColumn<QString>("body");
        QTest::addColumn<bool>("good");
        QTest::newRow("control: a line") << "echo sk-0123456789" << true;
        QTest::newRow("nothing") << "true" << false;
        QTest::newRow("two lines") << "echo a; echo b" << false;
        QTest::newRow("failed") << "echo sk-0123456789; exit 3" << false;
        QTest::newRow("too much") << "head -c 200000 /dev/zero | tr '\\0' k" << false;
        QTest::newRow("a zero byte") << "printf 'a\\0b'" << false;
        QTest::newRow("killed") << "kill -9 $$" << false;
    }
    void whatIsNoKeyIsRefused()
    {
        QFETCH(QString, body);
        QFETCH(bool, good);
        World world;
        const auto set = world.run(world.ring.setCommand("x", command({world.script("run", body.toStdString())})));
        QCOMPARE(set.has_value(), good);
        QCOMPARE(world.ring.commands().size(), std::size_t(good ? 1 : 0));
        if (!good) {
            QVERIFY(set.error().message.find("sk-0123456789") == std::string::npos);
        }
        QVERIFY(!world.run(world.ring.setCommand("x", command({"/no/such/program"}))).has_value());
        QVERIFY(!world.run(world.ring.setCommand("x", command({world.script("run", "echo k"), "y"}, 0))).has_value()); // too short a life
    }

    void aKeyIsAskedForAnewWhenItsLifetimeIsOver()
    {
        World world;
        const std::string counted = "n=$(cat '" + world.path("n").string() + "' 2>/dev/null || echo 0); n=$((n+1)); echo $n > '" + world.path("n").string() + "'; echo key-number-$n";
        const std::string script = world.script("count", counted);
        int changes = 0;
        world.ring.onExpiry([&changes] { ++changes; });
        QVERIFY(world.run(world.ring.setCommand("x", command({script}, 1))).has_value());
        QCOMPARE(world.key("x"), std::string("key-number-1"));
        QCOMPARE(world.key("x"), std::string("key-number-1")); // not asked again
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (changes == 0 && std::chrono::steady_clock::now() < deadline) {
            world.io.restart();
            world.io.run_one_for(std::chrono::milliseconds(200));
        }
        QCOMPARE(changes, 1);
        QCOMPARE(world.key("x"), std::string("key-number-2"));
        // One that fails then is gone, not kept beyond its time.
        world.script("count", "exit 1");
        while (changes == 1 && std::chrono::steady_clock::now() < deadline + std::chrono::seconds(30)) {
            world.io.restart();
            world.io.run_one_for(std::chrono::milliseconds(200));
        }
        QCOMPARE(world.key("x"), std::string("error not_found"));
    }

    void keychainAndCommandsStandSideBySide()
    {
        World world;
        world.keychain.keys = {{"anthropic", "from-the-keychain"}, {"openai/work", "of-the-account"}};
        QVERIFY(world.run(world.ring.setCommand("groq", command({world.script("k", "echo from-a-command")}))).has_value());
        const auto entries = world.run(world.ring.storedServices());
        QVERIFY(entries && entries->size() == 3);
        QCOMPARE(world.key("anthropic"), std::string("from-the-keychain"));
        QCOMPARE(world.key("openai/work"), std::string("of-the-account"));
        world.keychain.isLocked = true;
        QCOMPARE(world.key("anthropic"), std::string("error unavailable"));
        QCOMPARE(world.key("groq"), std::string("from-a-command"));
        QVERIFY(world.ring.removeCommand("groq").value_or(false));
        QVERIFY(!world.ring.removeCommand("groq").value_or(true));
        QCOMPARE(world.run(world.ring.storedServices())->size(), std::size_t{2});
    }

    void aDamagedListIsNamed()
    {
        World world;
        QVERIFY(world.ring.load().has_value()); // none yet
        QVERIFY(writeFileAtomic(world.path("commands.json"), "{\"commands\":[{}]}").has_value());
        const auto loaded = world.ring.load();
        QVERIFY(!loaded && loaded.error().message.find("commands.json") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestKeyRing)
#include "test_key_ring.moc"
