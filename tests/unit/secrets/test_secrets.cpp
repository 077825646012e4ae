// SPDX-License-Identifier: Apache-2.0
#include "secrets/key_index.h"
#include "secrets/secret_service.h"

#include "base/file.h"

#include <QTemporaryDir>
#include <QtTest>
#include <optional>

using namespace coldframe;
using namespace coldframe::secrets;

namespace {

/// Waits for a callback with the event loop running.
template <typename T, typename Start> std::optional<T> await(Start start)
{
    const auto slot = std::make_shared<std::optional<T>>();
    start([slot](T value) { slot->emplace(std::move(value)); });
    QDeadlineTimer deadline(20000);
    while (!slot->has_value() && !deadline.hasExpired()) {
        QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents | QEventLoop::AllEvents, 50);
    }
    return std::move(*slot);
}

Result<void> setKey(KeyStore& store, const std::string& service, std::string_view key)
{
    auto result = await<Result<void>>([&](auto done) { store.set(service, SecretBuffer(key), done); });
    return result ? *result : fail(ErrorCode::Timeout, "no callback");
}

Result<SecretBuffer> getKey(KeyStore& store, const std::string& service)
{
    auto result = await<Result<SecretBuffer>>([&](auto done) { store.get(service, done); });
    return result ? std::move(*result) : Result<SecretBuffer>(fail(ErrorCode::Timeout, "no callback"));
}

Result<void> removeKey(KeyStore& store, const std::string& service)
{
    auto result = await<Result<void>>([&](auto done) { store.remove(service, done); });
    return result ? *result : fail(ErrorCode::Timeout, "no callback");
}

std::vector<std::string> listed(KeyStore& store)
{
    std::vector<std::string> names;
    auto result = await<Result<std::vector<StoredKey>>>([&](auto done) { store.list(done); });
    if (result && *result) {
        for (const StoredKey& key : **result) {
            names.push_back(key.service);
        }
    }
    return names;
}

bool mode(const char* name)
{
    return qgetenv("COLDFRAME_TEST_KEYRING") == name;
}

/// Is this text in any file below the folder?
bool anyFileContains(const std::filesystem::path& folder, const std::string& text)
{
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file() && readFile(entry.path()).value_or("").find(text) != std::string::npos) {
            return true;
        }
    }
    return false;
}

constexpr const char* kKey = "sk-ant-api03-test\xff\x01-key";

} // namespace

class TestSecrets : public QObject
{
    Q_OBJECT

private slots:
    void init()
    {
        m_home = std::make_unique<QTemporaryDir>();
        m_folder = m_home->path().toStdString();
    }

    void initTestCase() { QVERIFY2(mode("unlocked") || mode("locked") || mode("none"), "run it through with_keyring.sh"); }

    void storesReadsListsAndRemoves()
    {
        if (!mode("unlocked")) {
            QSKIP("needs an unlocked keyring");
        }
        const auto store = makeKeychainStore(m_folder);
        const auto status = await<KeyStoreStatus>([&](auto done) { store->status(done); });
        QVERIFY(status && status->available && !status->locked);
        QCOMPARE(status->backend, std::string("secret-service"));
        QCOMPARE(getKey(*store, "anthropic").error().code, ErrorCode::NotFound);

        const auto stored = setKey(*store, "anthropic", kKey);
        QVERIFY2(stored.has_value(), stored ? "" : (stored.error().message + stored.error().detail).c_str());
        QVERIFY(setKey(*store, "openai", "second").has_value());
        const auto read = getKey(*store, "anthropic");
        QVERIFY2(read.has_value(), read ? "" : read.error().message.c_str());
        QCOMPARE(read->view(), std::string_view(kKey));
        QVERIFY(listed(*store) == (std::vector<std::string>{"anthropic", "openai"}));

        QVERIFY(setKey(*store, "anthropic", "replaced").has_value());
        QCOMPARE(getKey(*store, "anthropic")->view(), std::string_view("replaced"));

        QVERIFY(removeKey(*store, "anthropic").has_value());
        QCOMPARE(getKey(*store, "anthropic").error().code, ErrorCode::NotFound);
        QVERIFY(listed(*store) == (std::vector<std::string>{"openai"}));
        QCOMPARE(removeKey(*store, "anthropic").error().code, ErrorCode::NotFound);
        QCOMPARE(setKey(*store, "anthropic", "").error().code, ErrorCode::InvalidArgument);
        QVERIFY(removeKey(*store, "openai").has_value());
    }

    void hazard_20_theBackendOfTheFirstWriteStays()
    {
        if (!mode("unlocked")) {
            QSKIP("needs an unlocked keyring");
        }
        {
            const auto store = makeKeychainStore(m_folder);
            QVERIFY(setKey(*store, "anthropic", kKey).has_value());
            QCOMPARE(loadKeyIndex(m_folder)->backend, std::string("secret-service"));
            QVERIFY(!anyFileContains(m_folder, "sk-ant")); // names only
        }
        // Another log-in, whose variables claim another desktop.
        qputenv("XDG_CURRENT_DESKTOP", "KDE");
        qputenv("KDE_SESSION_VERSION", "5");
        const auto store = makeKeychainStore(m_folder);
        const auto read = getKey(*store, "anthropic");
        QVERIFY2(read.has_value(), read ? "" : read.error().message.c_str());
        QCOMPARE(read->view(), std::string_view(kKey));
        QVERIFY(removeKey(*store, "anthropic").has_value());
    }

    void hazard_20_aLockedKeyringIsSaidNotPrompted()
    {
        if (!mode("locked")) {
            QSKIP("needs a locked keyring");
        }
        QVERIFY(probeKeychain("secret-service") == KeychainState::Locked);
        const auto store = makeKeychainStore(m_folder);
        QElapsedTimer time;
        time.start();
        for (const auto& result : {setKey(*store, "anthropic", kKey), removeKey(*store, "anthropic")}) {
            QVERIFY(!result);
            QCOMPARE(result.error().code, ErrorCode::Unavailable);
            QVERIFY2(result.error().message.find("locked") != std::string::npos, result.error().message.c_str());
        }
        QCOMPARE(getKey(*store, "anthropic").error().code, ErrorCode::Unavailable);
        QVERIFY(time.elapsed() < 10000);
        const auto status = await<KeyStoreStatus>([&](auto done) { store->status(done); });
        QVERIFY(status && status->available && status->locked && !status->message.empty());
        QVERIFY(!anyFileContains(m_folder, "sk-ant"));
    }

    void withoutABusNothingIsStoredAndItIsSaid()
    {
        if (!mode("none")) {
            QSKIP("needs to be without a session bus");
        }
        const auto store = makeKeychainStore(m_folder);
        const auto stored = setKey(*store, "anthropic", kKey);
        QVERIFY(!stored);
        QCOMPARE(stored.error().code, ErrorCode::Unavailable);
        QVERIFY2(stored.error().message.find("No keychain is running") != std::string::npos, stored.error().message.c_str());
        const auto status = await<KeyStoreStatus>([&](auto done) { store->status(done); });
        QVERIFY(status && !status->available);
        QCOMPARE(status->backend, std::string("none"));
        QVERIFY(listed(*store).empty());
        QVERIFY(!anyFileContains(qEnvironmentVariable("HOME").toStdString(), "sk-ant"));
        QVERIFY(!anyFileContains(m_folder, "sk-ant"));
    }

    void aDamagedIndexIsSaid()
    {
        QVERIFY(writeFileAtomic(m_folder / "keys.json", "{\"version\":1").has_value());
        QCOMPARE(loadKeyIndex(m_folder).error().code, ErrorCode::Corrupt);
        QVERIFY(saveKeyIndex(m_folder, {"kwallet", {{"openai", "openai", "2026-01-01T00:00:00.000Z"}}}).has_value());
        const auto index = loadKeyIndex(m_folder);
        QCOMPARE(index->backend, std::string("kwallet"));
        QCOMPARE(index->keys.at(0).service, std::string("openai"));
    }

private:
    std::unique_ptr<QTemporaryDir> m_home;
    std::filesystem::path m_folder;
};

QTEST_GUILESS_MAIN(TestSecrets)
#include "test_secrets.moc"
