// SPDX-License-Identifier: Apache-2.0
#include "engine/logins.h"

#include "base/file.h"
#include "engine/catalog_adapter.h"
#include "engine/key_ring.h"
#include "fake_keychain.h"

#include <QTemporaryDir>
#include <QtTest>
#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <deque>
#include <future>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::engine;
using nlohmann::json;

namespace {

constexpr std::int64_t kNow = 1800000000;
const std::string kEntry = "claude-login";

agents::LoginDefinition definition()
{
    agents::LoginDefinition login;
    login.tokenHost = "auth.example.com";
    login.tokenPath = "/oauth/token";
    login.clientId = "client-1";
    login.file = ".agent/credentials.json";
    return login;
}

agents::LoginTokens tokens(const std::string& number, std::int64_t expiresAt)
{
    return {SecretBuffer("access-" + number), SecretBuffer("refresh-" + number), expiresAt, {"inference"}, {{"subscription", "max"}}};
}

/// The server's side: takes each refresh token once, as those that rotate them do.
struct Server
{
    int valid = 1; ///< number of the refresh token that is taken
    int asked = 0;
    int most = 0;
    int underWay = 0;
    std::deque<int> statuses; ///< instead of an honest answer; 0: none comes
    std::vector<std::string> seen;
    std::function<void()> whileAsked;
};

struct World
{
    QTemporaryDir folder;
    asio::io_context io;
    FakeKeychain keychain;
    Server server;
    agents::LoginDefinition login = definition();
    std::int64_t now = kNow;
    std::vector<std::string> notices;
    int changes = 0;
    std::unique_ptr<Logins> logins = make();

    std::filesystem::path file() const { return std::filesystem::path(folder.path().toStdString()) / "logins.json"; }

    asio::awaitable<Result<TokenReply>> exchange(TokenRequest request)
    {
        ++server.asked;
        server.most = std::max(server.most, ++server.underWay);
        server.seen.emplace_back(request.body.view());
        const json body = json::parse(request.body.view());
        asio::steady_timer pause(io, std::chrono::milliseconds(20)); // others get a turn, as during a real request
        co_await pause.async_wait(asio::use_awaitable);
        --server.underWay;
        if (server.whileAsked) {
            server.whileAsked();
        }
        int status = 200;
        if (!server.statuses.empty()) {
            status = server.statuses.front();
            server.statuses.pop_front();
        }
        if (status == 0) {
            co_return fail(ErrorCode::Unavailable, "no answer");
        }
        if (status == 200 && body.at("refresh_token") != "refresh-" + std::to_string(server.valid)) {
            co_return TokenReply{400, SecretBuffer("{\"error\":\"invalid_grant\"}")};
        }
        if (status != 200) {
            co_return TokenReply{status, SecretBuffer("{\"error\":\"invalid_grant\"}")};
        }
        const std::string number = std::to_string(++server.valid);
        co_return TokenReply{200, SecretBuffer(json{{"access_token", "access-" + number},
                                                    {"refresh_token", "refresh-" + number},
                                                    {"expires_in", 28800},
                                                    {"token_type", "Bearer"}}
                                                   .dump())};
    }

    std::unique_ptr<Logins> make()
    {
        auto made = std::make_unique<Logins>(Logins::Outside{
            io, keychain, [this](std::string entry, SecretBuffer key) { return keychain.store(std::move(entry), std::move(key)); },
            [this](std::string entry) { return keychain.remove(std::move(entry)); },
            [this](const std::string&) { return &login; }, [this](TokenRequest request) { return exchange(std::move(request)); },
            [this] { return now; }, [this](const std::string& notice) { notices.push_back(notice); }, [this] { ++changes; }, file()});
        if (!made->load()) {
            qFatal("the list cannot be read");
        }
        return made;
    }

    /// As a new engine over the same keychain and file.
    void restart()
    {
        logins.reset();
        logins = make();
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

    /// Everything that was started comes to its end; timers of minutes stay.
    bool settle(const std::function<bool()>& condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        io.restart();
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            io.run_one_for(std::chrono::milliseconds(20));
        }
        return condition();
    }

    std::string key()
    {
        Result<SecretBuffer> key = run(logins->key(kEntry));
        return key ? std::string(key->view()) : "error " + std::string(errorCodeName(key.error().code));
    }

    void add(std::int64_t expiresAt)
    {
        if (!run(logins->add(kEntry, tokens("1", expiresAt)))) {
            qFatal("it cannot be stored");
        }
    }
    std::string storedRefresh()
    {
        const auto stored = agents::tokensFromSecret(keychain.keys[kEntry]);
        return stored ? std::string(stored->refresh.view()) : std::string("none");
    }
};

} // namespace

class TestLogins : public QObject
{
    Q_OBJECT

private slots:
    void accessTokenIsTheKeyAndNothingSecretIsInTheList()
    {
        World w;
        w.add(kNow + 28800);
        QCOMPARE(w.key(), std::string("access-1"));
        QCOMPARE(w.server.asked, 0);
        const std::string list = readFile(w.file(), 65536).value_or("");
        QVERIFY(list.find("claude-login") != std::string::npos && list.find("subscription") != std::string::npos);
        QVERIFY2(list.find("access-1") == std::string::npos && list.find("refresh-1") == std::string::npos, list.c_str());
        w.restart();
        QCOMPARE(w.key(), std::string("access-1"));
        w.keychain.keys["other"] = "plain-key";
        QCOMPARE(w.run(w.logins->key("other"))->view(), std::string_view("plain-key"));
    }

    void hazard_05_oneRefreshServesAllWhoAskAtOnce()
    {
        World w;
        w.add(kNow - 10);
        std::vector<std::future<Result<SecretBuffer>>> all;
        for (int i = 0; i < 5; ++i) {
            all.push_back(asio::co_spawn(w.io, w.logins->key(kEntry), asio::use_future));
        }
        for (auto& one : all) {
            QVERIFY(w.settle([&] { return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
            QCOMPARE(one.get()->view(), std::string_view("access-2"));
        }
        QCOMPARE(w.server.asked, 1);
        QCOMPARE(w.server.most, 1);
        QCOMPARE(w.storedRefresh(), std::string("refresh-2"));
        QVERIFY(w.changes > 0); // sandboxes that run are given the new one
        // The next one in its turn uses the new refresh token, which the server takes.
        w.now += 28800;
        QCOMPARE(w.key(), std::string("access-3"));
        QCOMPARE(json::parse(w.server.seen.back()).at("refresh_token").get<std::string>(), std::string("refresh-2"));
    }

    void minutesBeforeItsEndItIsRefreshedWhileTheOldOneServes()
    {
        World w;
        w.add(kNow + 3600);
        QCOMPARE(w.key(), std::string("access-1"));
        w.now += 3600 - 301;
        QCOMPARE(w.key(), std::string("access-1"));
        QCOMPARE(w.server.asked, 0);
        w.now += 2;
        QCOMPARE(w.key(), std::string("access-1")); // nobody waits for the server
        QVERIFY(w.settle([&] { return w.server.valid == 2 && w.changes > 0; }));
        QCOMPARE(w.key(), std::string("access-2"));
        QCOMPARE(w.server.asked, 1);
    }

    void hazard_05_newRefreshTokenIsInTheKeychainBeforeAnythingIsUsed()
    {
        World w;
        w.add(kNow - 10);
        w.server.whileAsked = [&] { w.keychain.isLocked = true; }; // locked between the request and its reply
        QCOMPARE(w.key(), std::string("access-1"));                // the old one, whatever it is good for
        QCOMPARE(w.server.valid, 2);
        QCOMPARE(w.storedRefresh(), std::string("refresh-1"));
        w.server.whileAsked = {};
        w.now += 31;
        QCOMPARE(w.key(), std::string("access-1"));
        QCOMPARE(w.server.asked, 1); // what the server gave is kept in memory; the old token is not sent again
        w.keychain.isLocked = false;
        w.now += 1801;
        QCOMPARE(w.key(), std::string("access-2"));
        QCOMPARE(w.server.asked, 1);
        QCOMPARE(w.storedRefresh(), std::string("refresh-2"));
    }

    void hazard_05_lockedKeychainMeansNoRefresh()
    {
        World w;
        w.add(kNow - 10);
        w.keychain.isLocked = true;
        QCOMPARE(w.key(), std::string("error unavailable"));
        QCOMPARE(w.server.asked, 0);
        w.keychain.isLocked = false;
        w.now += 61;
        QCOMPARE(w.key(), std::string("access-2"));
    }

    void refusalEndsItOnceAndIsSaidOnce()
    {
        World w;
        w.add(kNow - 10);
        w.server.valid = 7; // somebody else refreshed it
        QCOMPARE(w.key(), std::string("error not_found"));
        QCOMPARE(w.notices.size(), std::size_t{1});
        QVERIFY2(w.notices[0].find("coldframe keys login claude-login") != std::string::npos, w.notices[0].c_str());
        for (int i = 0; i < 5; ++i) {
            w.now += 4000;
            QCOMPARE(w.key(), std::string("error not_found"));
        }
        w.restart();
        QCOMPARE(w.key(), std::string("error not_found"));
        QCOMPARE(w.server.asked, 1); // never a loop
        QCOMPARE(w.notices.size(), std::size_t{1});
        w.server.valid = 1;
        w.add(kNow + 90000); // logged in again
        QCOMPARE(w.key(), std::string("access-1"));
    }

    void withoutAnAnswerItIsTriedAgainMoreAndMoreRarely()
    {
        World w;
        w.add(kNow - 10);
        w.server.statuses = {0, 500, 429, 0, 0};
        QCOMPARE(w.key(), std::string("access-1"));
        QCOMPARE(w.key(), std::string("access-1"));
        QCOMPARE(w.server.asked, 1); // not at once again
        std::vector<int> pauses;
        for (int second = 0; w.server.asked < 6 && second < 4000; second += 10) {
            const int before = w.server.asked;
            w.now += 10;
            (void)w.key();
            if (w.server.asked > before) {
                pauses.push_back(second);
            }
        }
        QCOMPARE(w.server.asked, 6);
        QVERIFY(pauses[4] - pauses[3] > pauses[1] - pauses[0]);
        QCOMPARE(w.key(), std::string("access-2"));
        QCOMPARE(w.notices.size(), std::size_t{1}); // that it does not work for now
    }

    void refusedAccessTokenIsRefreshedOnceInAWhile()
    {
        World w;
        w.add(kNow + 28800);
        QCOMPARE(w.key(), std::string("access-1"));
        w.logins->refused(kEntry);
        w.logins->refused(kEntry);
        QVERIFY(w.settle([&] { return w.server.valid == 2 && w.changes > 0; }));
        QCOMPARE(w.key(), std::string("access-2"));
        for (int i = 0; i < 20; ++i) { // a guest that brings 401s about
            w.now += 20;
            w.logins->refused(kEntry);
            (void)w.key();
        }
        QCOMPARE(w.server.asked, 1);
        w.now += 601;
        w.logins->refused(kEntry);
        QVERIFY(w.settle([&] { return w.server.valid == 3 && w.key() == "access-3"; }));
    }

    void hazard_05_crashDuringARefreshIsSurvivedOrSaid()
    {
        // Before the server saw it: the next engine's refresh works.
        World w;
        w.add(kNow - 10);
        w.server.statuses = {0};
        QCOMPARE(w.key(), std::string("access-1"));
        w.restart();
        QCOMPARE(w.key(), std::string("access-2"));
        QVERIFY(w.notices.empty());
        // After it: the new tokens went with the engine; the user is told why.
        w.now += 28800;
        w.server.whileAsked = [&] { w.keychain.isLocked = true; };
        (void)w.key();
        QCOMPARE(w.server.valid, 3);
        w.server.whileAsked = {};
        w.keychain.isLocked = false;
        w.restart();
        QCOMPARE(w.key(), std::string("error not_found"));
        QCOMPARE(w.notices.size(), std::size_t{1});
        QVERIFY2(w.notices[0].find("ended in the middle") != std::string::npos, w.notices[0].c_str());
    }

    void fileOfALogInThatIsGoneIsEmptied()
    {
        auto catalog = agents::Catalog::load(COLDFRAME_AGENT_RESOURCES);
        QVERIFY(catalog.has_value());
        const CatalogAdapter adapter(std::move(*catalog), "/nowhere");
        SandboxRecord record;
        record.agent = "claude";
        record.sentinels = adapter.newSentinels();
        const auto file = [&](const LoginsInside& logins) {
            std::string content = "none";
            const Result<AgentPlan> plan = adapter.plan(record, logins);
            for (const SeedFile& seed : plan->files) {
                content = seed.path == "/home/agent/.claude/.credentials.json" ? seed.content : content;
            }
            return content;
        };
        QCOMPARE(file({}), std::string("none"));
        QVERIFY(file({{"anthropic-oauth", {}}}).find("proxy-managed") != std::string::npos);
        record.loginFiles = {"anthropic-oauth"};
        QCOMPARE(file({}), std::string("{}\n"));
        record.agent = "codex"; // its file is written anew anyway, with the other form of logging in
        record.loginFiles = {"chatgpt"};
        int count = 0;
        const Result<AgentPlan> plan = adapter.plan(record, {});
        for (const SeedFile& seed : plan->files) {
            count += seed.path == "/home/agent/.codex/auth.json" ? 1 : 0;
        }
        QCOMPARE(count, 1);
    }

    void removalAndReplacementWinOverARefreshUnderWay()
    {
        World w;
        w.add(kNow - 10);
        auto asked = asio::co_spawn(w.io, w.logins->key(kEntry), asio::use_future);
        QVERIFY(w.settle([&] { return w.server.underWay == 1; }));
        QVERIFY(w.run(w.logins->remove(kEntry)).has_value());
        QVERIFY(w.keychain.keys.empty()); // and what the refresh brought is not stored behind it
        QVERIFY(w.settle([&] { return asked.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
        (void)asked.get();
        QVERIFY(w.keychain.keys.empty());
        QCOMPARE(w.key(), std::string("error not_found"));
        w.server.valid = 1;
        w.add(kNow - 10);
        QVERIFY(w.run(w.logins->storeKey(kEntry, SecretBuffer("plain"))).has_value());
        QCOMPARE(w.key(), std::string("plain"));
        QVERIFY(w.logins->all().empty());
    }
};

QTEST_GUILESS_MAIN(TestLogins)
#include "test_logins.moc"
