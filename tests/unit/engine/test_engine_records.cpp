// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "engine/certificate_authority.h"
#include "engine/sandbox_record.h"
#include "engine/settings.h"

#include <QtTest>
#include <fstream>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

using namespace coldframe;
using namespace coldframe::engine;
namespace fs = std::filesystem;

namespace {

SandboxRecord sample(const std::string& id = "0011223344556677")
{
    SandboxRecord record;
    record.id = id;
    record.name = "claude-project";
    record.agent = "claude";
    record.uuid = "00000000-0000-4000-8000-000000000000";
    record.workspaces = {{fs::path("/srv/new\nline \xff'\""), true}, {"/srv/b", false}};
    record.agentArguments = {"--continue", "a b"};
    record.mode = policy::Mode::Locked;
    policy::Rule rule;
    rule.id = "aa";
    rule.action = policy::Action::Allow;
    rule.pattern = "*.example.com:8443";
    rule.scope = policy::Scope::Sandbox;
    rule.origin = "flag";
    record.rules = {rule};
    record.createdAt = "2026-11-21T00:00:00.000Z";
    record.sentinels = {{"anthropic", "sk-ant-proxy-managed-00"}};
    record.generation = "g";
    record.diskId = "d";
    record.imageId = "base-1";
    record.cleanStop = false;
    return record;
}

} // namespace

class TestEngineRecords : public QObject
{
    Q_OBJECT

private slots:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }

    void recordsComeBackAsTheyWere()
    {
        const SandboxRecord before = sample();
        const auto after = recordFromJson(recordToJson(before));
        QVERIFY2(after.has_value(), after ? "" : after.error().detail.c_str());
        QCOMPARE(after->workspaces, before.workspaces);
        QCOMPARE(after->agentArguments, before.agentArguments);
        QCOMPARE(after->rules.at(0).pattern, before.rules.at(0).pattern);
        QCOMPARE(after->mode, before.mode);
        QCOMPARE(after->sentinels, before.sentinels);
        QCOMPARE(after->cleanStop, false);
    }

    void damagedRecordsAreNamedAndLeftAlone()
    {
        const fs::path root = m_folder->path().toStdString();
        const RecordStore store(root);
        QVERIFY(store.save(sample()).has_value());
        fs::create_directories(root / "ffff");
        std::ofstream(root / "ffff/state.json") << "{\"version\":1,";
        std::vector<std::string> problems;
        const auto records = store.loadAll(problems);
        QCOMPARE(records.size(), std::size_t(1));
        QCOMPARE(problems.size(), std::size_t(1));
        QVERIFY(problems[0].find("ffff") != std::string::npos);
        QVERIFY(fs::exists(root / "ffff/state.json"));
    }

    void interruptedCreateAndRemoveAreCleared()
    {
        const fs::path root = m_folder->path().toStdString();
        const RecordStore store(root);
        fs::create_directories(root / "half-created/sync");
        std::ofstream(root / "half-created/disk.qcow2") << "x";
        QVERIFY(store.save(sample()).has_value());
        std::ofstream(store.folderOf(sample().id) / "removed") << "";
        std::vector<std::string> problems;
        QCOMPARE(store.loadAll(problems).size(), std::size_t(0));
        QVERIFY(problems.empty());
        QVERIFY(!fs::exists(root / "half-created"));
        QVERIFY(!fs::exists(store.folderOf(sample().id)));
    }

    void aMemoryIsOfUseOnlyWithItsDiskAsItWas()
    {
        const RecordStore store(m_folder->path().toStdString());
        SandboxRecord record = sample();
        const auto disk = store.diskOf(record.id, record.diskId);
        QVERIFY(store.save(record));
        QVERIFY(!store.hasMemory(record));
        std::ofstream(disk) << "disk";
        std::ofstream(store.memoryOf(record.id)) << "memory";
        std::ofstream(store.folderOf(record.id) / "memory.new") << "half";
        QVERIFY(!store.hasMemory(record)); // no pause wrote its stamp
        record.pausedDisk = diskStamp(disk);
        QVERIFY(store.hasMemory(record));
        QVERIFY(store.save(record));
        std::vector<std::string> problems;
        QVERIFY(store.hasMemory(store.loadAll(problems).at(0)));
        QVERIFY(!fs::exists(store.folderOf(record.id) / "memory.new"));
        std::ofstream(disk, std::ios::app) << "!";
        QVERIFY(!store.hasMemory(record));
        record.pausedDisk = stampUntilReboot(disk);
        QVERIFY(store.hasMemory(record));
        record.pausedDisk.back() ^= 1; // another boot of the host
        QVERIFY(!store.hasMemory(record));
        record.pausedDisk.clear();
        QVERIFY(store.save(record));
        QCOMPARE(store.loadAll(problems).size(), 1u);
        QVERIFY(!fs::exists(store.memoryOf(record.id)));
    }

    void aDiskOfBeforeDisksHadIdsIsKept()
    {
        const RecordStore store(m_folder->path().toStdString());
        const SandboxRecord record = sample();
        QVERIFY(store.save(record));
        std::ofstream(store.folderOf(record.id) / "disk.qcow2") << "work";
        std::vector<std::string> problems;
        QCOMPARE(store.loadAll(problems).size(), 1u);
        QCOMPARE(*readFile(store.diskOf(record.id, record.diskId)), std::string("work"));
    }

    void namesAreChecked()
    {
        for (const char* good : {"a", "claude-x", "A.b_c-9"}) {
            QVERIFY2(checkSandboxName(good).has_value(), good);
        }
        for (const char* bad : {"", "-x", ".x", "a b", "a/b", "ä", "a\nb", "../x"}) {
            QVERIFY2(!checkSandboxName(bad).has_value(), bad);
        }
        QVERIFY(!checkSandboxName(std::string(64, 'a')).has_value());
    }

    void defaultNamesAreValidAndFree()
    {
        QCOMPARE(defaultSandboxName("claude", "/srv/my project", {}), std::string("claude-my-project"));
        QCOMPARE(defaultSandboxName("claude", "/srv/x", {"claude-x", "claude-x-2"}), std::string("claude-x-3"));
        QVERIFY(checkSandboxName(defaultSandboxName("claude", std::string("/srv/") + std::string(200, 'z'), {})).has_value());
    }

    void authorityIsACertificateAuthorityAndItsKeyIsPrivate()
    {
        const fs::path folder = m_folder->path().toStdString();
        const auto made = loadOrMakeCertificateAuthority(folder, "one");
        QVERIFY(made.has_value());
        struct stat info {};
        QCOMPARE(::stat((folder / "ca.key").c_str(), &info), 0);
        QCOMPARE(info.st_mode & 0777, mode_t(0600));
        BIO* bio = BIO_new_mem_buf(made->certificatePem.data(), static_cast<int>(made->certificatePem.size()));
        X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
        QVERIFY(certificate != nullptr);
        QCOMPARE(X509_check_ca(certificate), 1);
        QCOMPARE(X509_get_pathlen(certificate), 0L);
        QCOMPARE(X509_verify(certificate, X509_get0_pubkey(certificate)), 1);
        X509_free(certificate);
        BIO_free(bio);
        // The same again, and another sandbox's is another.
        QCOMPARE(loadOrMakeCertificateAuthority(folder, "one")->certificatePem, made->certificatePem);
        QVERIFY(makeCertificateAuthority("one")->certificatePem != made->certificatePem);
    }

    void settingsNameWhatIsWrong()
    {
        const Settings base;
        QVERIFY(settingsFromJson(R"({"acceleration":"emulate"})", base).has_value());
        for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
                 {R"({"acceleration":"fast"})", "acceleration"},
                 {R"({"colour":"red"})", "colour"},
                 {R"({"hostMappings":[{"name":"x.example","address":"nowhere"}]})", "nowhere"},
                 {R"({"upstreamCaFiles":["/absent.pem"]})", "/absent.pem"},
                 {R"({"defaultMode":"shut"})", "shut"},
                 {"{", "understood"}}) {
            const auto result = settingsFromJson(text, base);
            QVERIFY2(!result, text.c_str());
            QVERIFY2((result.error().message + result.error().detail).find(says) != std::string::npos, result.error().message.c_str());
        }
    }

    void settingsAreKept()
    {
        const fs::path file = fs::path(m_folder->path().toStdString()) / "config/settings.json";
        QCOMPARE(loadSettings(file)->acceleration, std::string("auto"));
        Settings settings;
        settings.acceleration = "emulate";
        settings.hostMappings = {{"api.example.com", "127.0.0.1", 443, 8443}};
        QVERIFY(saveSettings(file, settings).has_value());
        const auto loaded = loadSettings(file);
        QCOMPARE(loaded->acceleration, std::string("emulate"));
        QCOMPARE(loaded->hostMappings.at(0).targetPort, std::uint16_t(8443));
        std::ofstream(file) << "garbage";
        QVERIFY(!loadSettings(file));
        QCOMPARE(*readFile(file), std::string("garbage")); // never overwritten silently
    }

private:
    std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_APPLESS_MAIN(TestEngineRecords)
#include "test_engine_records.moc"
