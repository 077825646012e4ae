// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "vm/domain_xml.h"

#include <QTest>

using namespace coldframe;
using namespace coldframe::vm;

namespace {

MachineDescription sample()
{
    MachineDescription machine;
    machine.sandboxId = "0123abcd";
    machine.title = "web shop";
    machine.owner = "/home/user/.local/share/coldframe";
    machine.generation = "00ff00ff";
    machine.uuid = "45a82058-911b-4da6-ad62-6f0595095a2f";
    machine.firmware = "/usr/share/qemu/qboot.rom";
    machine.kernel = "/data/images/base-aa/vmlinuz";
    machine.initrd = "/data/images/base-aa/initrd.img";
    machine.overlay = "/data/sandboxes/0123abcd/disk.qcow2";
    machine.backingChain = {{"/data/images/base-aa/base.qcow2", DiskFormat::Qcow2, ""}};
    machine.readOnlyDisks = {{"/data/images/agent-claude-1-bb/agent.qcow2", DiskFormat::Qcow2, "coldframe-agent"},
                             {"/run/user/1000/coldframe/s/0123abcd/seed.raw", DiskFormat::Raw, kSeedSerial}};
    machine.memoryMiB = 2048;
    machine.vcpus = 4;
    machine.controlSocket = "/run/user/1000/coldframe/0123abcd.control";
    machine.bulkSocket = "/run/user/1000/coldframe/0123abcd.bulk";
    machine.netSocket = "/run/user/1000/coldframe/0123abcd.net";
    machine.consoleSocket = "/run/user/1000/coldframe/0123abcd.console";
    machine.consoleLog = "/data/sandboxes/0123abcd/console.log";
    machine.hostTscKhz = 2499998;
    machine.emulator = "/usr/bin/qemu-system-x86_64";
    return machine;
}

} // namespace

class DomainXmlTest : public QObject
{
    Q_OBJECT
private slots:
    void equalsTheGoldenFile_data()
    {
        QTest::addColumn<bool>("kvm");
        QTest::newRow("emulate.xml") << false;
        QTest::newRow("kvm.xml") << true;
    }
    void equalsTheGoldenFile()
    {
        QFETCH(bool, kvm);
        auto machine = sample();
        machine.acceleration = kvm ? Acceleration::Kvm : Acceleration::Emulate;
        const auto xml = domainXml(machine);
        QVERIFY(xml.has_value());
        const auto golden = std::filesystem::path(COLDFRAME_GOLDEN) / QTest::currentDataTag();
        if (qEnvironmentVariableIsSet("COLDFRAME_UPDATE_GOLDEN")) {
            QVERIFY(writeFileAtomic(golden, *xml, 0644).has_value());
        }
        const auto expected = readFile(golden);
        QVERIFY(expected.has_value());
        QCOMPARE(QString::fromStdString(*xml), QString::fromStdString(*expected));
    }

    void theTwoAccelerationsDifferWhereTheyMust()
    {
        auto machine = sample();
        const QString emulated = QString::fromStdString(*domainXml(machine));
        QVERIFY(emulated.contains("<vcpu>1</vcpu>"));
        QVERIFY(emulated.contains("<feature policy='disable' name='cx16'/>"));
        QVERIFY(emulated.contains("tsc_early_khz=2499998"));
        machine.acceleration = Acceleration::Kvm;
        machine.hostTscKhz = 0;
        const QString accelerated = QString::fromStdString(*domainXml(machine));
        QVERIFY(accelerated.contains("<vcpu>4</vcpu>"));
        QVERIFY(!accelerated.contains("tsc"));
        QVERIFY(!accelerated.contains("cx16"));
    }

    void memoryDoesNotEndWhereTheInitrdWouldHitTheFirmware_data()
    {
        QTest::addColumn<QByteArray>("firmware");
        QTest::addColumn<quint32>("wanted");
        QTest::addColumn<QByteArray>("given");
        QTest::newRow("qboot, 2 GiB") << QByteArray("/usr/share/qemu/qboot.rom") << 2048u << QByteArray("2048");
        QTest::newRow("QEMU's own, 2 GiB") << QByteArray() << 2048u << QByteArray("2047");
        QTest::newRow("QEMU's own, less") << QByteArray() << 2046u << QByteArray("2046");
        QTest::newRow("QEMU's own, more") << QByteArray() << 4096u << QByteArray("4096");
    }
    /// SeaBIOS, which Debian 13's QEMU takes by itself, has its tables at the end of the memory.
    void memoryDoesNotEndWhereTheInitrdWouldHitTheFirmware()
    {
        QFETCH(QByteArray, firmware);
        QFETCH(quint32, wanted);
        QFETCH(QByteArray, given);
        auto machine = sample();
        machine.firmware = firmware.toStdString();
        machine.memoryMiB = wanted;
        const QString xml = QString::fromStdString(*domainXml(machine));
        QVERIFY2(xml.contains("<memory unit='MiB'>" + given + "</memory>"), qPrintable(xml));
        QCOMPARE(xml.contains("<loader type='rom'>" + firmware + "</loader>"), !firmware.isEmpty());
        QCOMPARE(xml.contains("<loader"), !firmware.isEmpty());
    }

    void thereIsNoNetworkCard()
    {
        const QString xml = QString::fromStdString(*domainXml(sample()));
        QVERIFY(!xml.contains("<interface"));
        QVERIFY(!xml.contains("<hostdev"));
        QVERIFY(!xml.contains("<filesystem"));
        QVERIFY(!xml.contains("<graphics"));
    }

    void hazard_02_theWholeChainIsWrittenDown()
    {
        auto machine = sample();
        machine.backingChain.push_back({"/data/images/below.raw", DiskFormat::Raw, ""});
        const QString xml = QString::fromStdString(*domainXml(machine)).simplified();
        QVERIFY(xml.contains("<backingStore type='file'> <format type='qcow2'/> <source file='/data/images/base-aa/base.qcow2'/> "
                             "<backingStore type='file'> <format type='raw'/> <source file='/data/images/below.raw'/> "
                             "<backingStore/> </backingStore> </backingStore>"));
        // The agent's layer has nothing below it.
        QVERIFY(xml.contains("agent.qcow2'/> <backingStore/>"));
    }

    void hazard_19_theConsoleIsQuietAndNoFile()
    {
        const QString xml = QString::fromStdString(*domainXml(sample()));
        QVERIFY(xml.contains("quiet loglevel=1"));
        QVERIFY(!xml.contains("type='file'>\n      <source path="));
        QVERIFY(xml.contains("<serial type='unix'>"));
        QVERIFY(xml.contains("freePageReporting='on'"));
    }

    void escapesOddPaths()
    {
        auto machine = sample();
        machine.overlay = "/data/it's <a> \"b\" & ü/disk.qcow2";
        const auto xml = domainXml(machine);
        QVERIFY(xml.has_value());
        QVERIFY(xml->find("file='/data/it&apos;s &lt;a&gt; &quot;b&quot; &amp; ü/disk.qcow2'") != std::string::npos);
    }

    void refusesWhatXmlOrLibvirtCannotHold_data()
    {
        QTest::addColumn<QByteArray>("path");
        QTest::newRow("newline") << QByteArray("/data/a\nb");
        QTest::newRow("tab") << QByteArray("/data/a\tb");
        QTest::newRow("escape") << QByteArray("/data/a\x1b");
        QTest::newRow("not UTF-8") << QByteArray("/data/\xff");
        QTest::newRow("overlong UTF-8") << QByteArray("/data/\xc0\xaf");
        QTest::newRow("surrogate") << QByteArray("/data/\xed\xa0\x80");
        QTest::newRow("cut UTF-8") << QByteArray("/data/\xe2\x82");
        QTest::newRow("relative") << QByteArray("data/disk");
        QTest::newRow("pseudo protocol") << QByteArray("json:{}");
    }
    void refusesWhatXmlOrLibvirtCannotHold()
    {
        QFETCH(QByteArray, path);
        for (auto member : {&MachineDescription::overlay, &MachineDescription::firmware, &MachineDescription::kernel, &MachineDescription::initrd,
                            &MachineDescription::emulator, &MachineDescription::netSocket}) {
            auto machine = sample();
            machine.*member = path.toStdString();
            const auto xml = domainXml(machine);
            QVERIFY(!xml);
            QVERIFY(xml.error().code == ErrorCode::InvalidArgument);
        }
    }

    void refusesOddValues()
    {
        const auto isRefused = [](auto change) {
            auto machine = sample();
            change(machine);
            return !domainXml(machine).has_value();
        };
        QVERIFY(!isRefused([](auto&) {}));
        QVERIFY(isRefused([](auto& m) { m.sandboxId = ""; }));
        QVERIFY(isRefused([](auto& m) { m.sandboxId = "Upper"; }));
        QVERIFY(isRefused([](auto& m) { m.sandboxId = "a/../b"; }));
        QVERIFY(isRefused([](auto& m) { m.generation = "a'b"; }));
        QVERIFY(isRefused([](auto& m) { m.uuid = "no"; }));
        QVERIFY(isRefused([](auto& m) { m.title = "a\nb"; }));
        QVERIFY(isRefused([](auto& m) { m.kernelArguments = {"a b"}; }));
        QVERIFY(isRefused([](auto& m) { m.kernelArguments = {"\"init=/bin/sh"}; }));
        QVERIFY(isRefused([](auto& m) { m.memoryMiB = 16; }));
        QVERIFY(isRefused([](auto& m) { m.vcpus = 0; }));
        QVERIFY(isRefused([](auto& m) { m.hostTscKhz = 0; }));
        QVERIFY(isRefused([](auto& m) { m.controlSocket = "/run/" + std::string(103, 'x'); }));
        QVERIFY(!isRefused([](auto& m) { m.controlSocket = "/run/" + std::string(102, 'x'); }));
        QVERIFY(isRefused([](auto& m) { m.readOnlyDisks[0].serial = "a,b=c"; }));
    }

    void metadataComesBack()
    {
        auto machine = sample();
        machine.owner = "/home/a \"b\" 'c' ü\xff/100%/coldframe";
        const auto xml = domainXml(machine);
        QVERIFY(xml.has_value());
        const auto from = xml->find("<coldframe:sandbox");
        const auto metadata = parseMetadata(xml->substr(from, xml->find("/>", from) + 2 - from));
        QVERIFY(metadata.has_value());
        QCOMPARE(metadata->sandboxId, machine.sandboxId);
        QCOMPARE(metadata->generation, machine.generation);
        QCOMPARE(metadata->owner, machine.owner);
        // As libvirt's XML writer gives it back.
        QVERIFY(parseMetadata("<sandbox id=\"ab\" generation=\"1\" owner=\"%2Fx\"/>").has_value());
        QVERIFY(!parseMetadata("<sandbox id='ab' generation='1'/>").has_value());
        QVERIFY(!parseMetadata("<sandbox id='../ab' generation='1' owner='x'/>").has_value());
        QVERIFY(!parseMetadata("<sandbox id='ab' generation='1' owner='%2'/>").has_value());
        QVERIFY(!parseMetadata("").has_value());
    }
};

QTEST_APPLESS_MAIN(DomainXmlTest)
#include "domain_xml_test.moc"
