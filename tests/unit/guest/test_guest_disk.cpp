// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/root_disk.h"
#include "guest/agent/seed_device.h"

#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <cerrno>
#include <fcntl.h>
#include <fstream>

using namespace coldframe::guest;

class TestGuestDisk : public QObject
{
    Q_OBJECT

private:
    QTemporaryDir m_folder;

    /// A file system made by the real mkfs.
    QString make(const QString& name, qint64 bytes, const QStringList& more)
    {
        QFile file(m_folder.filePath(name));
        if (!file.open(QIODevice::WriteOnly) || !file.resize(bytes)) {
            return {};
        }
        file.close();
        qputenv("PATH", qgetenv("PATH") + ":/usr/sbin:/sbin");
        return QProcess::execute("mkfs.ext4", QStringList{"-q", "-F"} + more + QStringList{file.fileName()}) == 0 ? file.fileName()
                                                                                                                  : QString();
    }

private slots:
    void theSeedDiskIsKnownByItsSerial()
    {
        const std::filesystem::path classes = m_folder.filePath("class").toStdString();
        const std::filesystem::path devices = m_folder.filePath("dev").toStdString();
        std::filesystem::create_directories(devices);
        const auto add = [&](const char* name, const char* serial) {
            std::filesystem::create_directories(classes / name);
            std::ofstream(classes / name / "serial") << serial;
            std::ofstream(devices / name) << name;
        };
        QVERIFY(!openSeedDevice(classes, devices));
        add("vda", "coldframe-root\n");
        add("vdb", "seed-not\n");
        std::filesystem::create_directories(classes / "loop0");
        QVERIFY(!openSeedDevice(classes, devices));
        add("vdc", "seed\n");
        QVERIFY(isSeedDevice(classes / "vdc") && !isSeedDevice(classes / "vdb") && !isSeedDevice(classes / "loop0"));
        const coldframe::UniqueFd disk = openSeedDevice(classes, devices);
        if (!disk && errno == EINVAL) {
            QSKIP("no direct I/O on the folder for temporary files");
        }
        QVERIFY(disk);
        QCOMPARE(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(disk.get())).filename(), std::filesystem::path("vdc"));
        QVERIFY((::fcntl(disk.get(), F_GETFL) & (O_ACCMODE | O_DIRECT)) == O_DIRECT);
    }

    void readsWhatMkfsWrote()
    {
        const QString plain = make("plain", qint64{64} << 20, {"-b", "4096", "-L", "COLDFRAME_ROOT"});
        const auto superblock = readExtSuperblock(plain.toStdString());
        QVERIFY(superblock);
        QCOMPARE(superblock->label, std::string("COLDFRAME_ROOT"));
        QCOMPARE(superblock->blockSize, std::uint64_t{4096});
        QCOMPARE(superblock->blocks, std::uint64_t{16384});
        QCOMPARE(superblock->blocksPerGroup, std::uint64_t{32768});
        const QString small = make("small", qint64{16} << 20, {"-b", "1024", "-O", "^64bit", "-L", "sixteen-letters!"});
        const auto other = readExtSuperblock(small.toStdString());
        QVERIFY(other);
        QCOMPARE(other->label, std::string("sixteen-letters!"));
        QCOMPARE(other->blocks, std::uint64_t{16384});
        QCOMPARE(other->blockSize, std::uint64_t{1024});
    }

    void otherBytesAreNoSuperblock()
    {
        QVERIFY(!parseExtSuperblock(""));
        QVERIFY(!parseExtSuperblock(std::string(kExtSuperblockBytes, '\0')));
        std::string wrong(kExtSuperblockBytes, '\xFF');
        wrong[0x38] = '\x53';
        wrong[0x39] = '\xEF';
        QVERIFY(!parseExtSuperblock(wrong)); // a block size beyond any
        QVERIFY(!readExtSuperblock(m_folder.filePath("none").toStdString()));
    }

    void growsOnlyWhenAGroupFits()
    {
        const ExtSuperblock forty{"", 4096, 10485760, 32768};
        const std::uint64_t gib = std::uint64_t{1} << 30;
        QVERIFY(!grownBlocks(forty, 40 * gib));
        QVERIFY(!grownBlocks(forty, 20 * gib));
        QVERIFY(!grownBlocks(forty, 40 * gib + (gib >> 4)));
        QCOMPARE(grownBlocks(forty, 60 * gib), std::optional<std::uint64_t>(15728640));
        QCOMPARE(grownBlocks(forty, 40 * gib + (gib >> 3)), std::optional<std::uint64_t>(10518528));
    }
};

QTEST_GUILESS_MAIN(TestGuestDisk)
#include "test_guest_disk.moc"
