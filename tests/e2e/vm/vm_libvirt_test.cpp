// SPDX-License-Identifier: Apache-2.0
// core/vm against a real libvirt and real QEMU, with a tiny guest (make_tiny_guest). Run as an ordinary user.
#include "base/file.h"
#include "base/random.h"
#include "base/unique_fd.h"
#include "vm/acceleration.h"
#include "vm/firmware.h"
#include "vm/libvirt_hypervisor.h"
#include "vm/qcow2.h"

#include <QTemporaryDir>
#include <QTest>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

using namespace coldframe;
using namespace coldframe::vm;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr auto kBootLimit = 60s;
constexpr auto kEventLimit = 30s;

/// Collects events; waits for one with a deadline.
class Events
{
public:
    void attach(Hypervisor& hypervisor)
    {
        hypervisor.setEventHandler([this](const DomainEvent& event) {
            const std::lock_guard lock(m_mutex);
            m_events.push_back(event);
            m_changed.notify_all();
        });
    }
    std::optional<DomainEvent> wait(DomainEvent::Kind kind, const std::string& id = {})
    {
        std::unique_lock lock(m_mutex);
        std::optional<DomainEvent> found;
        m_changed.wait_for(lock, kEventLimit, [&] {
            for (auto event = m_events.begin(); event != m_events.end(); ++event) {
                if (event->kind == kind && event->sandboxId == id) {
                    found = *event;
                    m_events.erase(event);
                    return true;
                }
            }
            return false;
        });
        return found;
    }

private:
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::vector<DomainEvent> m_events;
};

UniqueFd connectTo(const std::filesystem::path& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fd.reset();
    }
    return fd;
}

/// Sends, then reads until `end` was seen; what came, or nothing when it did not in time.
std::optional<std::string> talk(const std::filesystem::path& path, const std::string& text, const std::string& end)
{
    const UniqueFd fd = connectTo(path);
    if (!fd || !writeAll(fd.get(), text)) {
        return std::nullopt;
    }
    const timeval limit{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const auto deadline = Clock::now() + kBootLimit;
    std::string received;
    while (Clock::now() < deadline) {
        char buffer[4096];
        const auto got = ::recv(fd.get(), buffer, sizeof buffer, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return std::nullopt;
        }
        if (got > 0) {
            received.append(buffer, static_cast<std::size_t>(got));
            if (received.find(end) != std::string::npos) {
                return received;
            }
        }
    }
    return std::nullopt;
}

/// The daemon of this test's own runtime folder: others of the same user serve other tests.
pid_t sessionDaemon()
{
    const std::string ours = '\0' + ("XDG_RUNTIME_DIR=" + qEnvironmentVariable("XDG_RUNTIME_DIR").toStdString()) + '\0';
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "comm");
        std::string name;
        std::getline(file, name);
        std::error_code error;
        if (name != "libvirtd" && name != "virtqemud") {
            continue;
        }
        struct stat status{};
        if (::stat(entry.path().c_str(), &status) != 0 || status.st_uid != ::getuid()) {
            continue;
        }
        std::ifstream environment(entry.path() / "environ");
        const std::string variables = '\0' + std::string(std::istreambuf_iterator<char>(environment), {});
        if (variables.find(ours) != std::string::npos) {
            return static_cast<pid_t>(std::stol(entry.path().filename().string()));
        }
    }
    return 0;
}

} // namespace

class VmLibvirtTest : public QObject
{
    Q_OBJECT
private:
    std::filesystem::path m_guest;
    std::unique_ptr<QTemporaryDir> m_data;
    std::unique_ptr<QTemporaryDir> m_sockets;
    std::filesystem::path m_folder;
    std::string m_owner;
    std::vector<std::string> m_ids;

    MachineDescription machine()
    {
        MachineDescription result;
        result.sandboxId = "test" + randomHex(4);
        m_ids.push_back(result.sandboxId);
        result.title = "a <title> & more";
        result.owner = m_owner;
        result.generation = randomHex(8);
        result.firmware = microvmFirmware();
        result.kernel = m_guest / "vmlinuz";
        result.initrd = m_guest / "initrd.img";
        result.overlay = m_folder / (result.sandboxId + ".qcow2");
        result.backingChain = {{m_folder / "base.qcow2", DiskFormat::Qcow2, ""}};
        result.readOnlyDisks = {{m_folder / "agent.raw", DiskFormat::Raw, "agent"}};
        result.memoryMiB = 256;
        const auto sockets = std::filesystem::path(m_sockets->path().toStdString());
        result.controlSocket = sockets / (result.sandboxId + ".c");
        result.bulkSocket = sockets / (result.sandboxId + ".b");
        result.netSocket = sockets / (result.sandboxId + ".n");
        result.consoleSocket = sockets / (result.sandboxId + ".s");
        result.consoleLog = m_folder / (result.sandboxId + ".log");
        result.acceleration = Acceleration::Emulate;
        result.hostTscKhz = hostTscKhz();
        result.emulator = COLDFRAME_QEMU_WRAPPER;
        SystemProcessRunner runner;
        const auto made = createOverlay(runner, result.backingChain, result.overlay, 128u << 20);
        if (!made) {
            qWarning("%s %s", made.error().message.c_str(), made.error().detail.c_str());
        }
        return result;
    }

    static void require(const Result<void>& result)
    {
        if (!result) {
            qWarning("%s [%s]", result.error().message.c_str(), result.error().detail.c_str());
        }
        QVERIFY(result.has_value());
    }

private slots:
    void initTestCase()
    {
        const char* chosen = std::getenv("COLDFRAME_TINY_GUEST_FOLDER");
        m_guest = chosen != nullptr ? chosen : std::string(std::getenv("HOME")) + "/.cache/coldframe-tests/tiny-guest";
        SystemProcessRunner runner;
        ProcessSpec make;
        make.arguments = {COLDFRAME_TINY_GUEST, m_guest.string()};
        make.timeout = 3min;
        const auto made = runner.run(make);
        QVERIFY(made && made->exitCode == 0);

        // A folder name that needs care in XML, in qemu-img and in QEMU's options.
        m_data = std::make_unique<QTemporaryDir>(QDir::tempPath() + "/cold frame,'&\"<ü>-XXXXXX");
        m_sockets = std::make_unique<QTemporaryDir>(qEnvironmentVariable("XDG_RUNTIME_DIR") + "/cf,'& XXXXXX");
        QVERIFY(m_data->isValid() && m_sockets->isValid());
        m_folder = m_data->path().toStdString();
        m_owner = m_folder.string();
        ProcessSpec base;
        base.arguments = {"qemu-img", "create", "-q", "-f", "qcow2", (m_folder / "base.qcow2").string(), "64M"};
        QVERIFY(runner.run(base)->exitCode == 0);
        QVERIFY(writeFileAtomic(m_folder / "agent.raw", std::string(1u << 20, 'a')).has_value());
    }

    void cleanup()
    {
        LibvirtHypervisor hypervisor(m_owner);
        for (const auto& id : m_ids) {
            (void)hypervisor.destroy(id);
        }
        m_ids.clear();
    }

    void saysWhatTheHostOffers()
    {
        LibvirtHypervisor hypervisor(m_owner);
        const auto info = hypervisor.info();
        QVERIFY(info.has_value());
        QVERIFY(!info->libvirtVersion.empty());
        QVERIFY(!info->hypervisorVersion.empty());
        QVERIFY(QString::fromStdString(info->emulator).contains("qemu"));
    }

    void startsTalksAndReportsAShutdown()
    {
        LibvirtHypervisor hypervisor(m_owner);
        Events events;
        events.attach(hypervisor);
        const auto description = machine();
        const auto begin = Clock::now();
        require(hypervisor.start(description));
        const auto started = Clock::now();
        QVERIFY(events.wait(DomainEvent::Kind::Started, description.sandboxId).has_value());
        const auto disks = talk(description.controlSocket, "disks\n", "end\n");
        QVERIFY(disks.has_value());
        QCOMPARE(*disks, std::string("vda coldframe-root 262144 ro=0\nvdb agent 2048 ro=1\nend\n"));
        const auto milliseconds = [&](auto duration) {
            return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
        };
        std::printf("MEASURE start call %ld ms, tiny guest answers after %ld ms\n", milliseconds(started - begin),
                    milliseconds(Clock::now() - begin));
        const auto echoed = talk(description.bulkSocket, "over the bulk port\n", "port\n");
        QCOMPARE(echoed.value_or(""), std::string("over the bulk port\n"));
        const auto found = hypervisor.find(description.sandboxId);
        QVERIFY(found && *found);
        QCOMPARE((*found)->generation, description.generation);
        QCOMPARE((*found)->state, DomainState::Running);
        QVERIFY((*found)->processId > 0);
        const auto again = hypervisor.start(description);
        QVERIFY(!again);
        QVERIFY(again.error().code == ErrorCode::AlreadyExists);

        (void)talk(description.controlSocket, "poweroff\n", "never");
        const auto stopped = events.wait(DomainEvent::Kind::Stopped, description.sandboxId);
        QVERIFY(stopped.has_value());
        QCOMPARE(stopped->reason, StopReason::Shutdown);
        QCOMPARE(stopped->generation, description.generation);
        QVERIFY(hypervisor.domains()->empty());
        const auto console = readFile(description.consoleLog);
        QVERIFY(console && console->find("tiny guest ready") != std::string::npos);
    }

    /// Where that is SeaBIOS (Debian 13) and memory ends at 2 GiB, the initrd would lie over the firmware's tables.
    void startsWithTwoGibibytesAndQemusOwnFirmware()
    {
        LibvirtHypervisor hypervisor(m_owner);
        auto description = machine();
        description.firmware.clear();
        description.memoryMiB = 2048;
        require(hypervisor.start(description));
        const auto disks = talk(description.controlSocket, "disks\n", "end\n");
        QCOMPARE(disks.value_or(""), std::string("vda coldframe-root 262144 ro=0\nvdb agent 2048 ro=1\nend\n"));
        require(hypervisor.destroy(description.sandboxId));
    }

    void reportsAKilledQemu()
    {
        LibvirtHypervisor hypervisor(m_owner);
        Events events;
        events.attach(hypervisor);
        const auto description = machine();
        require(hypervisor.start(description));
        const auto found = hypervisor.find(description.sandboxId);
        QVERIFY(found && *found && (*found)->processId > 0);
        QCOMPARE(::kill((*found)->processId, SIGKILL), 0);
        const auto stopped = events.wait(DomainEvent::Kind::Stopped, description.sandboxId);
        QVERIFY(stopped.has_value());
        QCOMPARE(stopped->reason, StopReason::Crashed);
        require(hypervisor.start(description));
        QVERIFY(talk(description.controlSocket, "echo again\n", "again\n").has_value());
        require(hypervisor.destroy(description.sandboxId));
        const auto destroyed = events.wait(DomainEvent::Kind::Stopped, description.sandboxId);
        QVERIFY(destroyed.has_value());
        QCOMPARE(destroyed->reason, StopReason::Destroyed);
        require(hypervisor.destroy(description.sandboxId));
    }

    void hazard_08_sandboxesOutliveTheDaemonAndAreAdopted()
    {
        LibvirtHypervisor hypervisor(m_owner);
        Events events;
        events.attach(hypervisor);
        const auto lives = machine();
        const auto dies = machine();
        require(hypervisor.start(lives));
        require(hypervisor.start(dies));
        QVERIFY(talk(lives.controlSocket, "echo before\n", "before\n").has_value());
        const auto process = (*hypervisor.find(dies.sandboxId))->processId;
        const pid_t daemon = sessionDaemon();
        QVERIFY(daemon > 0);
        // Both at once: the daemon cannot report the end of the second.
        QCOMPARE(::kill(daemon, SIGKILL), 0);
        QCOMPARE(::kill(process, SIGKILL), 0);
        QVERIFY(events.wait(DomainEvent::Kind::ConnectionLost).has_value());
        QVERIFY(events.wait(DomainEvent::Kind::ConnectionRestored).has_value());
        QVERIFY(sessionDaemon() != daemon);
        QVERIFY(events.wait(DomainEvent::Kind::Stopped, dies.sandboxId).has_value());
        QCOMPARE(talk(lives.controlSocket, "echo after\n", "after\n").value_or(""), std::string("after\n"));
        const auto present = hypervisor.domains();
        QVERIFY(present.has_value());
        QCOMPARE(present->size(), std::size_t{1});
        QCOMPARE(present->front().sandboxId, lives.sandboxId);
        QCOMPARE(present->front().generation, lives.generation);
        // The adopted one is still watched.
        require(hypervisor.destroy(lives.sandboxId));
        QVERIFY(events.wait(DomainEvent::Kind::Stopped, lives.sandboxId).has_value());
    }

    void aNewEngineAdoptsAndAnotherOwnerSeesNothing()
    {
        const auto description = machine();
        {
            LibvirtHypervisor first(m_owner);
            require(first.start(description));
        }
        LibvirtHypervisor second(m_owner);
        Events events;
        events.attach(second);
        const auto adopted = events.wait(DomainEvent::Kind::Started, description.sandboxId);
        QVERIFY(adopted.has_value());
        QCOMPARE(adopted->generation, description.generation);
        QCOMPARE(second.domains()->size(), std::size_t{1});
        LibvirtHypervisor stranger("/somebody/else");
        QVERIFY(stranger.domains()->empty());
        const auto refused = stranger.destroy(description.sandboxId);
        QVERIFY(!refused);
        QVERIFY(refused.error().code == ErrorCode::NotAllowed);
        QVERIFY(*second.find(description.sandboxId));
    }

    void hazard_14_refusesAnOverlayThatNamesAnotherFile()
    {
        LibvirtHypervisor hypervisor(m_owner);
        const auto description = machine();
        QVERIFY(verifyDisks(description).has_value());
        SystemProcessRunner runner;
        ProcessSpec rebase;
        rebase.arguments = {"qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/hostname",
                            description.overlay.string()};
        QCOMPARE(runner.run(rebase)->exitCode, 0);
        const auto result = hypervisor.start(description);
        QVERIFY(!result);
        QVERIFY(result.error().code == ErrorCode::Corrupt);
        QVERIFY(hypervisor.domains()->empty());
    }

    void hazard_13_qemuReachesOnlyItsOwnFilesAndNoNetwork()
    {
        LibvirtHypervisor hypervisor(m_owner);
        SystemProcessRunner runner;
        // What a guest that took QEMU over would do: open a file of the user. Through QEMU's monitor here.
        const auto opensForeignFile = [&](const MachineDescription& description) {
            ProcessSpec attack;
            attack.arguments = {"virsh", "-c", "qemu:///session", "qemu-monitor-command",
                                domainName(description.sandboxId),
                                R"({"execute":"blockdev-add","arguments":{"driver":"raw","node-name":"attack","read-only":true,)"
                                R"("file":{"driver":"file","filename":"/etc/hostname"}}})"};
            const auto answer = runner.run(attack);
            return answer && answer->exitCode == 0 && answer->standardOutput.find("error") == std::string::npos;
        };
        const auto networkOf = [](const std::string& process) {
            std::error_code error;
            return std::filesystem::read_symlink("/proc/" + process + "/ns/net", error).string();
        };
        const auto confined = machine();
        QCOMPARE(confined.emulator.string(), std::string(COLDFRAME_QEMU_WRAPPER));
        require(hypervisor.start(confined));
        QVERIFY(talk(confined.controlSocket, "echo confined\n", "confined\n").has_value());
        QVERIFY(!opensForeignFile(confined));
        const auto process = std::to_string((*hypervisor.find(confined.sandboxId))->processId);
        std::ifstream status("/proc/" + process + "/status");
        const std::string text((std::istreambuf_iterator<char>(status)), {});
        QVERIFY(text.find("NoNewPrivs:\t1") != std::string::npos);
        QVERIFY(text.find("Seccomp:\t2") != std::string::npos);
        const auto ownNetwork = networkOf("self");
        QVERIFY(!ownNetwork.empty());
        QVERIFY(networkOf(process) != ownNetwork);

        // The control: without the wrapper the same attack works.
        auto bare = machine();
        bare.emulator = "/usr/bin/qemu-system-x86_64";
        require(hypervisor.start(bare));
        QVERIFY(opensForeignFile(bare));
        QVERIFY(networkOf(std::to_string((*hypervisor.find(bare.sandboxId))->processId)) == ownNetwork);
    }

    void saysWhatIsMissing()
    {
        LibvirtHypervisor hypervisor(m_owner);
        auto description = machine();
        description.emulator = "/usr/bin/no-such-emulator";
        const auto noEmulator = hypervisor.start(description);
        QVERIFY(!noEmulator);
        QVERIFY2(noEmulator.error().message.find("qemu-system-x86") != std::string::npos,
                 (noEmulator.error().message + noEmulator.error().detail).c_str());
        description.emulator = COLDFRAME_QEMU_WRAPPER;
        description.kernel = m_folder / "no-kernel";
        const auto noKernel = hypervisor.start(description);
        QVERIFY(!noKernel);
        QVERIFY2(noKernel.error().code == ErrorCode::NotFound,
                 (noKernel.error().message + noKernel.error().detail).c_str());
        // Nothing half-made stands in the way of a good start.
        description.kernel = m_guest / "vmlinuz";
        require(hypervisor.start(description));
    }

    void startsTenTimesInARow()
    {
        LibvirtHypervisor hypervisor(m_owner);
        for (int round = 0; round < 10; ++round) {
            const auto description = machine();
            const auto begin = Clock::now();
            require(hypervisor.start(description));
            QVERIFY(talk(description.controlSocket, "echo up\n", "up\n").has_value());
            std::printf("MEASURE boot %d: %ld ms\n", round,
                        static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count()));
            require(hypervisor.destroy(description.sandboxId));
        }
    }
};

int main(int argumentCount, char** arguments)
{
    if (::getuid() == 0) {
        std::puts("SKIP: libvirt's session mode needs an ordinary user; tests/run starts this as one");
        return 77;
    }
    QCoreApplication application(argumentCount, arguments);
    VmLibvirtTest test;
    return QTest::qExec(&test, argumentCount, arguments);
}

#include "vm_libvirt_test.moc"
