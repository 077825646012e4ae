// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "vm/acceleration.h"
#include "vm/firmware.h"
#include "vm/host_resources.h"
#include "vm/libvirt_errors.h"
#include "vm/libvirt_hypervisor.h"
#include "vm/qcow2.h"
#include "vm/session_daemon.h"

#include <QTemporaryDir>
#include <QTest>
#include <sys/stat.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::vm;

namespace {

AccelerationFacts goodFacts()
{
    AccelerationFacts facts;
    facts.cpuHasVirtualization = true;
    facts.libvirtOffersKvm = true;
    facts.trial = KvmTrial{true, "here", ""};
    return facts;
}

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t size)
{
    for (std::size_t index = 0; index < size; ++index) {
        bytes[at + index] = static_cast<char>(value >> (8 * (size - 1 - index)));
    }
}

/// A version 3 header as qemu-img writes it.
std::string header(const std::string& backing, const std::string& format)
{
    std::string bytes(4096, '\0');
    put(bytes, 0, 0x514649fb, 4);
    put(bytes, 4, 3, 4);
    put(bytes, 24, 1u << 30, 8);
    put(bytes, 100, 112, 4);
    std::size_t at = 112;
    if (!format.empty()) {
        put(bytes, at, 0xE2792ACA, 4);
        put(bytes, at + 4, format.size(), 4);
        bytes.replace(at + 8, format.size(), format);
        at += 8 + ((format.size() + 7) & ~std::size_t{7});
    }
    at += 8;
    if (!backing.empty()) {
        put(bytes, 8, at, 8);
        put(bytes, 16, backing.size(), 4);
        bytes.replace(at, backing.size(), backing);
    }
    return bytes;
}

} // namespace

class HostTest : public QObject
{
    Q_OBJECT
private slots:
    void autoUsesKvmOnlyWhenEveryFactSpeaksForIt()
    {
        const auto decide = [](auto change) {
            auto facts = goodFacts();
            change(facts);
            return decideAcceleration(AccelerationChoice::Auto, facts).value();
        };
        QVERIFY(decide([](auto&) {}).acceleration == Acceleration::Kvm);
        QVERIFY(!decide([](auto&) {}).isTrial);
        QVERIFY(decide([](auto& f) { f.trial.reset(); }).acceleration == Acceleration::Kvm);
        QVERIFY(decide([](auto& f) { f.trial.reset(); }).isTrial);
        QVERIFY(decide([](auto& f) { f.cpuHasVirtualization = false; }).acceleration == Acceleration::Emulate);
        QVERIFY(decide([](auto& f) { f.libvirtOffersKvm = false; }).acceleration == Acceleration::Emulate);
        const auto noDevice = decide([](auto& f) { f.deviceProblem = "you may not use /dev/kvm"; });
        QVERIFY(noDevice.acceleration == Acceleration::Emulate);
        QVERIFY(QString::fromStdString(noDevice.reason).contains("you may not use /dev/kvm"));
        const auto failed = decide([](auto& f) { f.trial = KvmTrial{false, "here", "no answer in 20 s"}; });
        QVERIFY(failed.acceleration == Acceleration::Emulate);
        QVERIFY(QString::fromStdString(failed.reason).contains("no answer in 20 s"));
    }

    void aChoiceIsObeyedOrRefused()
    {
        QVERIFY(decideAcceleration(AccelerationChoice::Emulate, goodFacts())->acceleration == Acceleration::Emulate);
        QVERIFY(decideAcceleration(AccelerationChoice::Kvm, goodFacts())->acceleration == Acceleration::Kvm);
        auto facts = goodFacts();
        facts.cpuHasVirtualization = false;
        const auto refused = decideAcceleration(AccelerationChoice::Kvm, facts);
        QVERIFY(!refused);
        QVERIFY(refused.error().code == ErrorCode::Unavailable);
    }

    void readsTheProcessorsFlags()
    {
        QVERIFY(cpuInfoShowsVirtualization("model name\t: x\nflags\t\t: fpu vme svm de\n"));
        QVERIFY(cpuInfoShowsVirtualization("flags\t\t: vmx\n"));
        QVERIFY(!cpuInfoShowsVirtualization("flags\t\t: fpu vmxx\nvmx flags\t: vmx\n"));
        QVERIFY(!cpuInfoShowsVirtualization(""));
    }

    void aTrialIsRememberedForThisHostOnly()
    {
        QTemporaryDir folder;
        const std::filesystem::path file = folder.filePath("kvm.json").toStdString();
        QVERIFY(!probeAcceleration(true, file).trial);
        QVERIFY(saveKvmTrial(file, false, "no answer").has_value());
        const auto facts = probeAcceleration(true, file);
        QVERIFY(facts.trial.has_value());
        QVERIFY(!facts.trial->worked);
        QCOMPARE(facts.trial->problem, std::string("no answer"));
        auto text = *readFile(file);
        text.replace(text.find(hostFingerprint()), 1, "X");
        QVERIFY(writeFileAtomic(file, text).has_value());
        QVERIFY(!probeAcceleration(true, file).trial);
    }

    void theTimeStampCounterHasAPlausibleRate()
    {
        QVERIFY(hostTscKhz() > 500'000 && hostTscKhz() < 10'000'000);
        QCOMPARE(hostTscKhz(), hostTscKhz());
    }

    void aFirmwareIsAFileThatCanBeRead()
    {
        QTemporaryDir place;
        const std::filesystem::path folder = place.path().toStdString();
        QVERIFY(writeFileAtomic(folder / "second.rom", "rom", 0644).has_value());
        QVERIFY(writeFileAtomic(folder / "third.rom", "rom", 0644).has_value());
        const std::filesystem::path candidates[] = {folder / "missing.rom", folder, folder / "second.rom", folder / "third.rom"};
        QCOMPARE(firstReadable(candidates).string(), (folder / "second.rom").string());
        QVERIFY(firstReadable(std::span(candidates).first(2)).empty());
    }

    void memoryIsCheckedWithFigures()
    {
        const auto memory = parseMemInfo("MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    2097152 kB\n");
        QVERIFY(memory.has_value());
        QCOMPARE(memory->availableMiB, std::uint64_t{2048});
        QVERIFY(checkMemory(*memory, 2048).has_value());
        const auto refused = checkMemory(*memory, 4096);
        QVERIFY(!refused);
        QVERIFY(QString::fromStdString(refused.error().message).contains("2048 MiB"));
        QVERIFY(!parseMemInfo("").has_value());
        QVERIFY(hostMemory()->totalMiB > 0);
        QVERIFY(!describeLimits().text.empty());
    }

    void libvirtsErrorsBecomeSentences_data()
    {
        QTest::addColumn<int>("code");
        QTest::addColumn<QString>("message");
        QTest::addColumn<int>("expected");
        QTest::addColumn<QString>("fragment");
        const auto row = [](const char* name, int code, const char* message, ErrorCode expected, const char* fragment) {
            QTest::newRow(name) << code << message << static_cast<int>(expected) << fragment;
        };
        row("no libvirtd", 38, "binary '/usr/sbin/libvirtd' does not exist in $PATH: No such file or directory",
            ErrorCode::Unavailable, "libvirt-daemon");
        row("no driver", 5, "no connection driver available for qemu:///session", ErrorCode::Unavailable,
            "libvirt-daemon-driver-qemu");
        row("no socket", 38, "Failed to connect socket to '/run/user/1/libvirt/libvirt-sock': No such file or directory",
            ErrorCode::Unavailable, "virsh -c");
        row("no emulator", 38, "Cannot check QEMU binary /usr/bin/x: No such file or directory", ErrorCode::Unavailable,
            "qemu-system-x86");
        row("kvm refused", 1, "Could not access KVM kernel module: Permission denied", ErrorCode::NotAllowed, "group kvm");
        row("address in use", 38, "Failed to bind socket to /run/x: Address already in use", ErrorCode::Busy, "try again");
        row("memory", 1, "qemu: cannot set up guest memory 'microvm.ram': Cannot allocate memory", ErrorCode::NoSpace,
            "less memory");
        row("disk full", 1, "Could not write: No space left on device", ErrorCode::NoSpace, "Free some space");
        row("lock", 1, "Failed to get \"write\" lock", ErrorCode::Busy, "another microVM");
        row("missing disk", 38, "Cannot access storage file '/x': No such file or directory", ErrorCode::NotFound, "missing");
        row("missing kernel", 1, "qemu: could not open kernel file '/k': No such file or directory", ErrorCode::NotFound, "kernel");
        row("exists", 54, "domain 'coldframe-a' already exists with uuid x", ErrorCode::AlreadyExists, "Stop it first");
        row("gone", 42, "Domain not found: no domain with matching name", ErrorCode::NotFound, "any more");
        row("broken pipe", 38, "Cannot write data: Broken pipe", ErrorCode::Unavailable, "Try again");
        row("anything else", 1, "internal error: strange thing", ErrorCode::Internal, "strange thing");
    }
    void libvirtsErrorsBecomeSentences()
    {
        QFETCH(int, code);
        QFETCH(QString, message);
        QFETCH(int, expected);
        QFETCH(QString, fragment);
        const auto error = translateLibvirtFailure({code, 0, message.toStdString()}, "The sandbox could not be started");
        QCOMPARE(static_cast<int>(error.code), expected);
        const auto text = QString::fromStdString(error.message);
        QVERIFY2(text.contains(fragment), qPrintable(text));
        QVERIFY(text.startsWith("The sandbox could not be started: "));
        QVERIFY(QString::fromStdString(error.detail).contains(message));
    }

    void theSessionsSurroundingsAreChecked()
    {
        QTemporaryDir folder;
        const auto path = folder.path().toStdString();
        const uid_t owner = ::getuid();
        const auto asRoot = checkSessionEnvironment(0, path.c_str());
        QVERIFY(!asRoot);
        QVERIFY(QString::fromStdString(asRoot.error().message).contains("ordinary user"));
        QVERIFY(!checkSessionEnvironment(1000, nullptr));
        QVERIFY(!checkSessionEnvironment(1000, ""));
        QVERIFY(!checkSessionEnvironment(1000, "/no/such/folder"));
        QVERIFY(!checkSessionEnvironment(owner + 1, path.c_str()));
        if (owner != 0) {
            QVERIFY(checkSessionEnvironment(owner, path.c_str()).has_value());
            ::chmod(path.c_str(), 0755);
            QVERIFY(!checkSessionEnvironment(owner, path.c_str()));
            ::chmod(path.c_str(), 0700);
        }
    }

    void aLongHomeGetsADaemonOfItsOwn()
    {
        const SessionDaemon usual = chooseSessionDaemon("/home/ann/.config", "/run/user/1000", "/run/user/1000/coldframe");
        QVERIFY(!usual.isPrivate);
        QCOMPARE(usual.uri, std::string("qemu:///session"));
        QCOMPARE(usual.pidFileOf("coldframe-1").string(), std::string("/run/user/1000/libvirt/qemu/run/coldframe-1.pid"));
        const SessionDaemon own = chooseSessionDaemon("/home/firstname.lastname@company.example/.config", "/run/user/1000",
                                                      "/run/user/1000/coldframe");
        QVERIFY(own.isPrivate);
        QCOMPARE(own.uri, std::string("qemu:///session?socket=/run/user/1000/coldframe/v/libvirt/libvirt-sock"));
        QCOMPARE(own.pidFileOf("coldframe-1").string(), std::string("/run/user/1000/coldframe/v/libvirt/qemu/run/coldframe-1.pid"));
        // The longest monitor socket libvirt makes there still fits.
        const std::string monitor = own.configFolder.string() + "/libvirt/qemu/lib/domain-9999999-coldframe-0123456789/monitor.sock";
        QVERIFY2(monitor.size() <= 107, monitor.c_str());
    }
    void capabilitiesOfTheRightArchitectureCount()
    {
        const std::string xml
            = "<capabilities><guest><os_type>hvm</os_type><arch name='aarch64'><emulator>/a</emulator><domain type='kvm'/></arch></guest>"
              "<guest><arch name='x86_64'><emulator>/usr/bin/qemu-system-x86_64</emulator><domain type='qemu'/></arch></guest></capabilities>";
        QVERIFY(!parseCapabilities(xml).offersKvm);
        QCOMPARE(parseCapabilities(xml).emulator, std::string("/usr/bin/qemu-system-x86_64"));
        auto offering = xml;
        offering.replace(offering.find("<domain type='qemu'/>"), 0, "<domain type='kvm'/>");
        QVERIFY(parseCapabilities(offering).offersKvm);
    }

    void qcow2HeadersAreRead()
    {
        const auto parsed = parseQcow2Header(header("/images/base.qcow2", "qcow2"));
        QVERIFY(parsed.has_value());
        QCOMPARE(parsed->backingFile, std::string("/images/base.qcow2"));
        QCOMPARE(parsed->backingFormat, std::string("qcow2"));
        QCOMPARE(parsed->virtualSize, std::uint64_t{1u << 30});
        QVERIFY(!parsed->hasExternalDataFile);
        QVERIFY(parseQcow2Header(header("", ""))->backingFile.empty());
        auto external = header("", "");
        put(external, 72, 4, 8);
        QVERIFY(parseQcow2Header(external)->hasExternalDataFile);
    }

    void damagedQcow2HeadersAreRefused()
    {
        const auto good = header("/images/base.qcow2", "qcow2");
        const auto isRefused = [&](std::size_t at, std::uint64_t value, std::size_t size) {
            auto bytes = good;
            put(bytes, at, value, size);
            return !parseQcow2Header(bytes).has_value();
        };
        QVERIFY(isRefused(0, 0, 4));
        QVERIFY(isRefused(4, 9, 4));
        QVERIFY(isRefused(8, ~std::uint64_t{0}, 8));
        QVERIFY(isRefused(16, 5000, 4));
        QVERIFY(isRefused(100, 8, 4));
        QVERIFY(isRefused(100, 1u << 30, 4));
        QVERIFY(isRefused(116, ~0u, 4));
        // Cut anywhere, and with any byte flipped: an answer, whichever, and no crash.
        for (std::size_t size = 0; size < 200; ++size) {
            (void)parseQcow2Header(std::string_view(good).substr(0, size));
        }
        for (std::size_t at = 0; at < 200; ++at) {
            auto bytes = good;
            bytes[at] = static_cast<char>(~bytes[at]);
            (void)parseQcow2Header(bytes);
        }
        QVERIFY(!parseQcow2Header("").has_value());
    }

    void hazard_14_disksMustSayWhatIsExpected()
    {
        QTemporaryDir folder;
        const std::filesystem::path root = folder.path().toStdString();
        const auto base = root / "base.qcow2";
        const auto overlay = root / "disk.qcow2";
        MachineDescription machine;
        machine.overlay = overlay;
        machine.backingChain = {{base, DiskFormat::Qcow2, ""}};
        QVERIFY(writeFileAtomic(base, header("", "")).has_value());
        QVERIFY(writeFileAtomic(overlay, header(base.string(), "qcow2")).has_value());
        QVERIFY(verifyDisks(machine).has_value());
        const auto isRefused = [&](const std::filesystem::path& file, const std::string& bytes) {
            const auto before = *readFile(file);
            (void)writeFileAtomic(file, bytes);
            const bool refused = !verifyDisks(machine).has_value();
            (void)writeFileAtomic(file, before);
            return refused;
        };
        QVERIFY(isRefused(overlay, header("/etc/shadow", "raw")));
        QVERIFY(isRefused(overlay, header(base.string(), "raw")));
        QVERIFY(isRefused(overlay, header(base.string(), "")));
        QVERIFY(isRefused(overlay, header("", "")));
        QVERIFY(isRefused(overlay, "not a disk"));
        QVERIFY(isRefused(base, header("/etc/shadow", "raw")));
        auto external = header("", "");
        put(external, 72, 4, 8);
        QVERIFY(isRefused(base, external));
        QVERIFY(verifyDisks(machine).has_value());
        machine.readOnlyDisks = {{overlay, DiskFormat::Qcow2, ""}};
        QVERIFY(!verifyDisks(machine).has_value());
        machine.readOnlyDisks = {{root / "missing", DiskFormat::Raw, ""}};
        QVERIFY(!verifyDisks(machine).has_value());
    }

    void overlaysAreMadeByQemuImg()
    {
        QTemporaryDir folder;
        const std::filesystem::path root = folder.path().toStdString();
        SystemProcessRunner runner;
        ProcessSpec spec;
        spec.arguments = {"qemu-img", "create", "-q", "-f", "qcow2", (root / "base, 'x'.qcow2").string(), "64M"};
        const auto made = runner.run(spec);
        if (!made || made->exitCode != 0) {
            QSKIP("qemu-img is not installed");
        }
        MachineDescription machine;
        machine.backingChain = {{root / "base, 'x'.qcow2", DiskFormat::Qcow2, ""}};
        machine.overlay = root / "disk,=.qcow2";
        QVERIFY(createOverlay(runner, machine.backingChain, machine.overlay, 128u << 20).has_value());
        QVERIFY(verifyDisks(machine).has_value());
        QCOMPARE(readQcow2Header(machine.overlay)->virtualSize, std::uint64_t{128u << 20});
        const auto again = createOverlay(runner, machine.backingChain, machine.overlay, 128u << 20);
        QVERIFY(!again && again.error().code == ErrorCode::AlreadyExists);
        const auto tooSmall = createOverlay(runner, machine.backingChain, root / "small.qcow2", 1u << 20);
        QVERIFY(!tooSmall && tooSmall.error().code == ErrorCode::InvalidArgument);
        const auto relative = createOverlay(runner, {{"json:{}", DiskFormat::Qcow2, ""}}, root / "r.qcow2", 0);
        QVERIFY(!relative);
        QCOMPARE(std::distance(std::filesystem::directory_iterator(root), {}), std::ptrdiff_t{2});
    }
};

QTEST_APPLESS_MAIN(HostTest)
#include "host_test.moc"
