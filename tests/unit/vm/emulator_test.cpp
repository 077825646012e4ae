// SPDX-License-Identifier: Apache-2.0
#include "app/qemu-wrapper/command_line.h"
#include "base/file.h"
#include "vm/emulator.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>

using namespace coldframe;
using coldframe::qemu::needsOf;

namespace {

/// The options libvirt 9.0 makes of our description, shortened.
std::vector<std::string> machineOptions()
{
    return {"-name", "guest=coldframe-ab,debug-threads=on", "-S",
            "-object", R"({"qom-type":"secret","id":"masterKey0","format":"raw","file":"/lib/master-key.aes"})",
            "-machine", "microvm,usb=off,memory-backend=microvm.ram", "-accel", "tcg",
            "-object", R"({"qom-type":"memory-backend-ram","id":"microvm.ram","size":536870912})",
            "-bios", "/share/qboot.rom", "-kernel", "/images/vmlinuz", "-initrd", "/images/initrd.img", "-append", "-kernel /etc/shadow",
            "-blockdev", R"({"driver":"file","filename":"/images/base.qcow2","node-name":"n3"})",
            "-blockdev", R"({"node-name":"f3","read-only":true,"driver":"qcow2","file":"n3","backing":null})",
            "-blockdev", R"({"driver":"file","filename":"/boxes/disk.qcow2","node-name":"n2"})",
            "-blockdev", R"({"node-name":"f2","read-only":false,"driver":"qcow2","file":"n2","backing":"f3"})",
            "-object", R"({"qom-type":"rng-random","id":"objrng0","filename":"/dev/urandom"})"};
}

std::vector<std::string> sorted(std::vector<std::string> values)
{
    std::sort(values.begin(), values.end());
    return values;
}

} // namespace

class EmulatorTest : public QObject
{
    Q_OBJECT
private slots:
    void hazard_13_onlyTheMachinesOwnFilesAreNeeded()
    {
        const auto needs = needsOf(machineOptions());
        QVERIFY(needs.has_value());
        QVERIFY(!needs->isProbe);
        QVERIFY(!needs->usesKvm);
        QCOMPARE(sorted(needs->readable), (std::vector<std::string>{"/dev/urandom", "/images/base.qcow2", "/images/initrd.img",
                                                                    "/images/vmlinuz", "/lib/master-key.aes", "/share/qboot.rom"}));
        QCOMPARE(needs->writable, (std::vector<std::string>{"/boxes/disk.qcow2"}));
    }

    void aProbeIsKnown()
    {
        QVERIFY(needsOf({"-S", "-machine", "none,accel=kvm:tcg", "-qmp", "unix:/x,server=on"})->isProbe);
        QVERIFY(needsOf({"-version"})->isProbe);
        QVERIFY(needsOf({})->isProbe);
        // A kernel's command line that looks like a probe is none.
        QVERIFY(!needsOf({"-machine", "microvm", "-append", "-machine", "-kernel", "/k"})->isProbe);
    }

    void kvmIsSeen()
    {
        auto options = machineOptions();
        *std::find(options.begin(), options.end(), "tcg") = "kvm";
        QVERIFY(needsOf(options)->usesKvm);
    }

    void whatWouldOpenMoreIsRefused()
    {
        const auto isRefused = [](std::vector<std::string> more) {
            auto options = machineOptions();
            options.insert(options.end(), more.begin(), more.end());
            return !needsOf(options).has_value();
        };
        QVERIFY(!isRefused({"-msg", "timestamp=on"}));
        QVERIFY(isRefused({"-netdev", "user,id=n"}));
        QVERIFY(isRefused({"-nic", "user"}));
        QVERIFY(isRefused({"-drive", "file=/etc/shadow"}));
        QVERIFY(!isRefused({"-incoming", "defer"}));
        QVERIFY(isRefused({"-incoming", "tcp:0:4444"}));
        QVERIFY(isRefused({"-incoming", "exec:cat /etc/shadow"}));
        QVERIFY(isRefused({"-blockdev", R"({"driver":"nbd","node-name":"x"})"}));
        QVERIFY(isRefused({"-blockdev", "driver=file,filename=/etc/shadow"}));
        QVERIFY(isRefused({"-object", R"({"qom-type":"memory-backend-file","mem-path":"/x"})"}));
        QVERIFY(isRefused({"-kernel", "relative"}));
        QVERIFY(isRefused({"-bios", "relative"}));
    }

    void theLinkFollowsTheProgramsBehindIt()
    {
        QTemporaryDir place;
        const std::filesystem::path folder = place.path().toStdString();
        QVERIFY(writeFileAtomic(folder / "wrapper", "one", 0700).has_value());
        QVERIFY(writeFileAtomic(folder / "qemu", "two", 0700).has_value());
        const auto first = vm::confinedEmulator(folder / "links", folder / "wrapper", folder / "qemu");
        QVERIFY(first.has_value());
        QCOMPARE(std::filesystem::read_symlink(*first).string(), (folder / "wrapper").string());
        QVERIFY(*vm::confinedEmulator(folder / "links", folder / "wrapper", folder / "qemu") == *first);
        QVERIFY(writeFileAtomic(folder / "qemu", "a newer one", 0700).has_value());
        const auto second = vm::confinedEmulator(folder / "links", folder / "wrapper", folder / "qemu");
        QVERIFY(second && *second != *first);
        QVERIFY(!vm::confinedEmulator(folder / "links", folder / "missing", folder / "qemu"));
        QVERIFY(!vm::confinedEmulator(folder / "links", folder / "wrapper", folder / "missing"));
    }
};

QTEST_APPLESS_MAIN(EmulatorTest)
#include "emulator_test.moc"
