// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "guest/agent/encoding.h"
#include "guest/agent/java_trust.h"
#include "guest/agent/oci_runtime.h"

#include <QCryptographicHash>
#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::guest;
namespace fs = std::filesystem;

namespace {

std::string pemOf(const std::string& der)
{
    return "-----BEGIN CERTIFICATE-----\n" + encodeBase64(der) + "\n-----END CERTIFICATE-----\n";
}

/// Java's check of a whole store, by another implementation of SHA-1.
bool isWhole(const std::string& store)
{
    QByteArray text;
    for (const char letter : std::string("changeit")) {
        text.append('\0').append(letter);
    }
    text += "Mighty Aphrodite";
    text += QByteArray::fromStdString(store.substr(0, store.size() - 20));
    return QCryptographicHash::hash(text, QCryptographicHash::Sha1) == QByteArray::fromStdString(store.substr(store.size() - 20));
}

std::string run(const QString& program, const QStringList& arguments)
{
    QProcess process;
    process.setProcessChannelMode(QProcess::MergedChannels);
    process.start(program, arguments);
    process.closeWriteChannel();
    process.waitForFinished(60000);
    return process.readAll().toStdString();
}

fs::path folderWith(const QTemporaryDir& folder, const std::vector<std::string>& files)
{
    const fs::path root = folder.path().toStdString();
    for (const std::string& file : files) {
        if (!makeFolders((root / file).parent_path(), 0755) || !writeFileAtomic(root / file, "another format", 0644)) {
            qFatal("%s", file.c_str());
        }
    }
    return root;
}

} // namespace

class TestGuestJavaTrust : public QObject
{
    Q_OBJECT

private slots:
    void storesOfAnySizeAreWhole()
    {
        std::string pem;
        for (int size = 1; size < 200; ++size) { // every length that the digest's padding can meet
            pem += pemOf(std::string(static_cast<std::size_t>(size), 'c'));
            QVERIFY2(isWhole(javaStore(pem, "", 1)), std::to_string(size).c_str());
        }
        QVERIFY(isWhole(javaStore("", "", 0)));
    }

    void entriesOfOthersStayAndOursAreRenewed()
    {
        const std::string others = [] { // as keytool would have written it: an entry of another name
            std::string store = javaStore(pemOf("their own certificate"), "", 7);
            return store.replace(store.find("coldframe-0"), 11, "their-entry");
        }();
        const std::string first = javaStore(pemOf("authority one"), others, 1);
        QVERIFY(isWhole(first));
        QVERIFY(first.find("their-entry") != std::string::npos && first.find("their own certificate") != std::string::npos);
        const std::string second = javaStore(pemOf("authority two"), first, 1);
        QVERIFY(second.find("their own certificate") != std::string::npos && second.find("authority two") != std::string::npos);
        QVERIFY(second.find("authority one") == std::string::npos);
        QCOMPARE(javaStore(pemOf("authority two"), second, 1), second);
        QCOMPARE(javaStore(pemOf("x") + pemOf("x"), "", 1), javaStore(pemOf("x"), "", 1));
    }

    void whatIsNoStoreIsNotRead()
    {
        const std::string plain = javaStore(pemOf("one"), "", 1);
        const std::string store = javaStore(pemOf("two"), "", 1);
        for (std::size_t size = 0; size < store.size(); ++size) {
            QCOMPARE(javaStore(pemOf("one"), store.substr(0, size), 1), plain);
        }
        std::string many = store;
        many[8] = '\xff'; // says that it has four thousand million entries
        QCOMPARE(javaStore(pemOf("one"), many, 1), plain);
    }

    void runtimesAreFoundWhereTheyAre()
    {
        QTemporaryDir folder;
        const fs::path root = folderWith(folder, {"etc/ssl/certs/java/cacerts", "usr/lib/jvm/java-21/lib/security/other", "usr/lib/jvm/java-8/jre/lib/security/cacerts",
                                                  "opt/java/openjdk/lib/security/cacerts", "opt/graal/lib/security/cacerts", "home/agent/.jdks/x/lib/security/cacerts",
                                                  "srv/lib/security/cacerts"});
        // As Debian has it: a link to the system's store, and one to the folder.
        QCOMPARE(::symlink("/etc/ssl/certs/java/cacerts", (root / "usr/lib/jvm/java-21/lib/security/cacerts").c_str()), 0);
        QCOMPARE(::symlink("java-8", (root / "usr/lib/jvm/default").c_str()), 0);
        QVERIFY(makeFolders(root / "opt/evil/lib/security"));
        QCOMPARE(::symlink("../../../../../../../../../etc/passwd", (root / "opt/evil/lib/security/cacerts").c_str()), 0);
        const std::vector<std::string> expected{"etc/ssl/certs/java/cacerts", "usr/lib/jvm/java-8/jre/lib/security/cacerts", "opt/graal/lib/security/cacerts",
                                                "opt/java/openjdk/lib/security/cacerts", "home/agent/.jdks/x/lib/security/cacerts"};
        const std::vector<std::string> found = findJavaStores(root);
        QVERIFY2(found == expected, nlohmann::json(found).dump().c_str());
    }

    void aSandboxesRuntimesTrustItsAuthority()
    {
        QTemporaryDir folder;
        const fs::path root = folderWith(folder, {"opt/java/openjdk/lib/security/cacerts"});
        const fs::path store = root / "opt/java/openjdk/lib/security/cacerts";
        QVERIFY(makeFolders(root / "etc/ssl/certs"));
        QVERIFY(writeFileAtomic(root / "etc/ssl/certs/ca-certificates.crt", pemOf("authority one")));
        JavaTrust trust(root);
        QVERIFY(trust.install());
        const std::string made = readFile(store).value();
        QVERIFY(isWhole(made) && made.find("authority one") != std::string::npos);
        QCOMPARE(readFile(store.string() + ".before-coldframe").value(), std::string("another format"));
        // A second runtime, and another bundle.
        QVERIFY(makeFolders(root / "usr/lib/jvm/new/lib/security"));
        QVERIFY(writeFileAtomic(root / "usr/lib/jvm/new/lib/security/cacerts", "x"));
        QVERIFY(trust.install());
        QVERIFY(readFile(root / "usr/lib/jvm/new/lib/security/cacerts").value().find("authority one") != std::string::npos);
        QCOMPARE(readFile(store).value(), made);
        QVERIFY(writeFileAtomic(root / "etc/ssl/certs/ca-certificates.crt", pemOf("the second authority")));
        QVERIFY(trust.install());
        QVERIFY(readFile(store).value().find("the second authority") != std::string::npos);
        QCOMPARE(readFile(store.string() + ".before-coldframe").value(), std::string("another format"));
    }

    void containersWithARuntimeGetTheStore()
    {
        QTemporaryDir folder;
        const fs::path bundle = folderWith(folder, {"rootfs/opt/java/openjdk/lib/security/cacerts"});
        const std::string config = R"({"root":{"path":"rootfs"},"process":{"env":[]},"mounts":[]})";
        const auto edited = nlohmann::json::parse(withTrust(config, bundle).value());
        QCOMPARE(edited["mounts"].size(), 1u);
        QCOMPARE(edited["mounts"][0]["destination"].get<std::string>(), std::string("/opt/java/openjdk/lib/security/cacerts"));
        QCOMPARE(edited["mounts"][0]["source"].get<std::string>(), std::string(kContainerJavaStore));
        QVERIFY(nlohmann::json::parse(withTrust(edited.dump(), bundle).value()) == edited);
    }

    // Java's own reader and writer, where this machine has them.
    void keytoolTakesItForItsOwn()
    {
        const QString keytool = QStandardPaths::findExecutable("keytool");
        if (keytool.isEmpty()) {
            QSKIP("there is no Java on this machine");
        }
        QTemporaryDir folder;
        const std::string key = folder.filePath("key").toStdString();
        const std::string pem = folder.filePath("ca.pem").toStdString();
        run("openssl", {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Seen by Java", "-keyout",
                        key.c_str(), "-out", pem.c_str()});
        const std::string bundle = readFile("/etc/ssl/certs/ca-certificates.crt").value_or("") + "\n" + readFile(pem).value();
        const QString store = folder.filePath("cacerts");
        QVERIFY(writeFileAtomic(store.toStdString(), javaStore(bundle, "", 1700000000000)));
        const std::string listed = run(keytool, {"-list", "-v", "-keystore", store, "-storepass", "changeit"});
        QVERIFY2(listed.find("Seen by Java") != std::string::npos && listed.find("tampered") == std::string::npos, listed.substr(0, 2000).c_str());
        const std::string added = run(keytool, {"-importcert", "-noprompt", "-alias", "mine", "-file", pem.c_str(), "-keystore", store, "-storepass", "changeit"});
        QVERIFY2(added.find("was added") != std::string::npos, added.c_str());
        const std::string renewed = javaStore("", readFile(store.toStdString()).value(), 0);
        QVERIFY(isWhole(renewed) && renewed.find("mine") != std::string::npos && renewed.size() < 2000);
    }
};

QTEST_GUILESS_MAIN(TestGuestJavaTrust)
#include "test_guest_java_trust.moc"
