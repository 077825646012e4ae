// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "guest/agent/limit_watch.h"
#include "guest/agent/spawn.h"
#include "guest/agent/user_limits.h"

#include <QTemporaryDir>
#include <QTest>
#include <fcntl.h>
#include <sys/wait.h>

using namespace coldframe;
using namespace coldframe::guest;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kGiB = 1u << 30;

} // namespace

/// The limits of the user's programs inside; the kernel's control groups are played by a folder.
class TestGuestLimits : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::filesystem::path m_root;

    void file(const std::string& name, const std::string& content = "")
    {
        std::filesystem::create_directories((m_root / name).parent_path());
        QVERIFY(writeFileAtomic(m_root / name, content, 0644));
    }
    std::string content(const std::string& name) { return readFile(m_root / name, 4096).value_or("nothing"); }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_root = m_folder->path().toStdString();
        for (const char* name : {"cgroup.controllers", "cgroup.subtree_control", "coldframe/cgroup.subtree_control", "coldframe/memory.max",
                                 "coldframe/cpuset.cpus", "coldframe/all/cgroup.subtree_control", "coldframe/all/pids.max", "coldframe/rescue/pids.max",
                                 "coldframe/rescue/cgroup.subtree_control", "coldframe/rescue/0/pids.max", "coldframe/rescue/0/cgroup.procs",
                                 "coldframe/all/programs/cgroup.procs"}) {
            file(name);
        }
    }

    void countsAreReadByTheirExactName()
    {
        QCOMPARE(eventCount("low 3\nhigh 4\noom 7\noom_kill 5\noom_group_kill 6\n", "oom_kill"), std::uint64_t{5});
        QCOMPARE(eventCount("max 12", "max"), std::uint64_t{12});
        QCOMPARE(eventCount("max", "max"), std::uint64_t{0});
        QCOMPARE(eventCount("", "max"), std::uint64_t{0});
    }

    void sharesFollowTheMemory()
    {
        QCOMPARE(usualProcesses(2048 * kMiB), std::uint64_t{4096});
        QCOMPARE(usualProcesses(128 * kMiB), std::uint64_t{1024});
        QCOMPARE(usualProcesses(64 * kGiB), std::uint64_t{16384});
        QCOMPARE(memoryForUser(512 * kMiB), 464 * kMiB);
        QCOMPARE(memoryForUser(64 * kGiB), 62 * kGiB);
        QCOMPARE(memoryForUser(64 * kMiB), 64 * kMiB);
    }

    void groupsAreMadeAndLimitsWritten()
    {
        UserLimits limits(m_root);
        QVERIFY(!limits.entrance());
        QVERIFY(limits.make());
        QCOMPARE(content("coldframe/rescue/pids.max"), std::string("512"));
        QCOMPARE(content("coldframe/rescue/cgroup.subtree_control"), std::string("+pids"));
        QVERIFY(std::stoull(content("coldframe/memory.max")) > 32 * kMiB);
        limits.apply({300, 4096, 1});
        QCOMPARE(content("coldframe/all/pids.max"), std::string("300"));
        QCOMPARE(content("coldframe/cpuset.cpus").substr(0, 3), std::string("0-0"));
        QCOMPARE(limits.openFiles(), std::uint64_t{4096});
        QVERIFY(std::filesystem::is_directory(m_root / "coldframe/all/docker"));
    }

    void nothingIsLimitedWithoutControlGroups()
    {
        UserLimits limits(m_root / "absent");
        QVERIFY(!limits.make());
        QVERIFY(!limits.isMade());
        QCOMPARE(limits.usage().processes, std::uint64_t{0});
    }

    void aProgramStartsInTheRescueGroupWhenTheOtherIsFull()
    {
        UserLimits limits(m_root);
        QVERIFY(limits.make());
        limits.apply({300, 0, 0});
        for (const auto& [now, group] : {std::pair{"250", "coldframe/all/programs/cgroup.procs"}, {"280", "coldframe/rescue/0/cgroup.procs"}}) {
            file("coldframe/all/pids.current", now);
            file("coldframe/rescue/0/cgroup.procs");
            file("coldframe/all/programs/cgroup.procs");
            const UniqueFd group_ = limits.entrance();
            QVERIFY(group_);
            SpawnSpec spec;
            spec.argv = {"/bin/true"};
            spec.controlGroup = group_.get();
            const auto child = spawn(spec);
            QVERIFY(child);
            QCOMPARE(::waitpid(*child, nullptr, 0), *child);
            QCOMPARE(content(group), std::string("0"));
        }
    }

    void whatWasJustFullIsNotTrustedToHaveRoom()
    {
        UserLimits limits(m_root);
        QVERIFY(limits.make());
        limits.apply({300, 0, 0});
        file("coldframe/all/pids.current", "160");
        file("coldframe/all/pids.events", "max 4");
        const UniqueFd entered = limits.entrance();
        QVERIFY(entered);
        QCOMPARE(::write(entered.get(), "0", 1), ssize_t{1});
        QCOMPARE(content("coldframe/rescue/0/cgroup.procs"), std::string("0"));
    }

    void aBombInARescueGroupFillsNoOther()
    {
        UserLimits limits(m_root);
        QVERIFY(limits.make());
        limits.apply({300, 0, 0});
        file("coldframe/all/pids.current", "300");
        for (const char* name : {"0", "1", "2", "3", "4", "5", "6", "7"}) {
            for (const char* part : {"/pids.max", "/cgroup.procs", "/cgroup.kill"}) {
                file(std::string("coldframe/rescue/") + name + part);
            }
            file(std::string("coldframe/rescue/") + name + "/pids.current", "64");
        }
        file("coldframe/rescue/5/pids.current", "3");
        const UniqueFd roomy = limits.entrance();
        QVERIFY(roomy);
        QCOMPARE(::write(roomy.get(), "0", 1), ssize_t{1});
        QCOMPARE(content("coldframe/rescue/5/cgroup.procs"), std::string("0"));
        QCOMPARE(content("coldframe/rescue/5/pids.max"), std::string("64"));
        QCOMPARE(content("coldframe/rescue/5/cgroup.kill"), std::string());
        file("coldframe/rescue/5/pids.current", "60");
        QVERIFY(limits.entrance());
        QCOMPARE(content("coldframe/rescue/5/cgroup.kill"), std::string("1"));
    }

    void openFilesAreLimitedForWhatIsStarted()
    {
        SpawnSpec spec;
        const std::string out = (m_root / "out").string();
        spec.argv = {"/bin/sh", "-c", "ulimit -Sn; ulimit -Hn"};
        const UniqueFd file(::open(out.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        spec.standardOutput = file.get();
        spec.openFiles = 321;
        const auto child = spawn(spec);
        QVERIFY(child);
        ::waitpid(*child, nullptr, 0);
        QCOMPARE(content("out"), std::string("321\n321\n"));
    }

    void usageIsReadAndMissingFilesAreZero()
    {
        UserLimits limits(m_root);
        QVERIFY(limits.make());
        limits.apply({300, 0, 0});
        file("coldframe/all/pids.current", "7\n");
        file("coldframe/all/pids.events", "max 3\n");
        file("coldframe/memory.events", "low 0\noom_kill 2\n");
        file("coldframe/cpu.stat", "usage_usec 1234\nuser_usec 9\n");
        const UserUsage usage = limits.usage();
        QCOMPARE(usage.processes, std::uint64_t{7});
        QCOMPARE(usage.mostProcesses, std::uint64_t{300});
        QCOMPARE(usage.refusedProcesses, std::uint64_t{3});
        QCOMPARE(usage.killedForMemory, std::uint64_t{2});
        QCOMPARE(usage.cpuMicroseconds, std::uint64_t{1234});
        QCOMPARE(usage.memoryBytes, std::uint64_t{0});
    }

    void aDiskAtItsEdgeIsNotReportedAgainAndAgain()
    {
        const auto at = [](std::uint64_t free, DiskState before) { return diskState({40 * kGiB, free, 100}, before); };
        QCOMPARE(at(20 * kGiB, DiskState::Roomy), DiskState::Roomy);
        QCOMPARE(at(2 * kGiB - 1, DiskState::Roomy), DiskState::NearlyFull);
        QCOMPARE(at(2 * kGiB + 1, DiskState::NearlyFull), DiskState::NearlyFull);
        QCOMPARE(at(3 * kGiB, DiskState::NearlyFull), DiskState::Roomy);
        QCOMPARE(at(kMiB, DiskState::NearlyFull), DiskState::Full);
        QCOMPARE(at(20 * kMiB, DiskState::Full), DiskState::Full);
        QCOMPARE(at(100 * kMiB, DiskState::Full), DiskState::NearlyFull);
        QCOMPARE(diskState({40 * kGiB, 9 * kGiB, 0}, DiskState::Roomy), DiskState::Full);
        QCOMPARE(diskState({}, DiskState::Roomy), DiskState::Roomy);
    }

    void eachLimitIsRemarkedOnce()
    {
        LimitRemarks remarks;
        const LimitRemarks::Time start = std::chrono::steady_clock::now();
        const DiskFill roomy{40 * kGiB, 20 * kGiB, 100};
        UserUsage usage;
        usage.mostProcesses = 300;
        usage.mostMemoryBytes = 900 * kMiB;
        QVERIFY(remarks.look(roomy, usage, start).empty());
        QCOMPARE(remarks.reason(start), std::string());
        usage.refusedProcesses = 5;
        const auto first = remarks.look(roomy, usage, start + 1s);
        QCOMPARE(first.size(), std::size_t{1});
        QVERIFY(first[0].find("300") != std::string::npos);
        usage.refusedProcesses = 9;
        QVERIFY(remarks.look(roomy, usage, start + 4s).empty());
        QCOMPARE(remarks.reason(start + 5s), first[0]);
        QCOMPARE(remarks.reason(start + 15s), std::string());
        usage.refusedProcesses = 10;
        QCOMPARE(remarks.look(roomy, usage, start + 70s).size(), std::size_t{1});
        usage.killedForMemory = 1;
        const auto memory = remarks.look(roomy, usage, start + 71s);
        QVERIFY(memory.size() == 1 && memory[0].find("900 MiB") != std::string::npos);
        const auto full = remarks.look({40 * kGiB, 0, 100}, usage, start + 72s);
        QVERIFY(full.size() == 1 && full[0].find("is full (40 GiB)") != std::string::npos);
        QVERIFY(remarks.look({40 * kGiB, 0, 100}, usage, start + 75s).empty());
        QCOMPARE(remarks.reason(start + 500s), full[0]);
    }
};

QTEST_GUILESS_MAIN(TestGuestLimits)
#include "test_guest_limits.moc"
