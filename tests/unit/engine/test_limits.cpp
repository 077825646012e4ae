// SPDX-License-Identifier: Apache-2.0
#include "engine/guest_usage.h"
#include "engine/idle_tracker.h"
#include "engine/limits_change.h"
#include "engine/prune.h"
#include "engine/usage_watch.h"
#include "vm/cpu_share.h"

#include <QTest>
#include <nlohmann/json.hpp>
#include <algorithm>
#include <csignal>
#include <sched.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::engine;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

SandboxRecord running()
{
    SandboxRecord record;
    record.id = "0011223344556677";
    record.name = "box";
    record.memoryMiB = 1024;
    record.machineMemoryMiB = 2048;
    record.machineCpus = 4;
    record.diskGiB = 40;
    record.state = SandboxState::Running;
    return record;
}

LimitsChange change(const json& params) { return limitsChangeFrom(params).value(); }

bool says(const std::vector<std::string>& notes, const std::string& words)
{
    return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

} // namespace

class TestLimits : public QObject
{
    Q_OBJECT

private slots:
    void changesAreReadAndTheirRangesKept()
    {
        const LimitsChange read = change({{"cpus", 0}, {"memoryMiB", 4096}, {"service", true}, {"whenIdle", "default"}, {"idleMinutes", 0.5}, {"sandbox", "x"}});
        QCOMPARE(read.cpus, std::optional<int>(0));
        QCOMPARE(read.memoryMiB, std::optional<int>(4096));
        QVERIFY(!read.diskGiB && !read.processes && !read.dockerAtStart);
        QVERIFY(*change({{"dockerAtStart", false}}).dockerAtStart == false);
        const LimitsChange asItsAgent = change({{"dockerAtStart", nullptr}});
        QVERIFY(asItsAgent.dockerAtStart && !*asItsAgent.dockerAtStart);
        QCOMPARE(read.whenIdle, std::optional<std::string>(""));
        for (const json& bad : {json{{"cpus", -1}}, json{{"cpus", 65}}, json{{"cpus", 1.5}}, json{{"memoryMiB", 0}}, json{{"memoryMiB", 511}}, json{{"diskGiB", 1}},
                                json{{"processes", 3}}, json{{"openFiles", 1}}, json{{"whenIdle", "explode"}}, json{{"idleMinutes", 0.01}},
                                json{{"idleMinutes", 1e9}}, json{{"cpus", 18446744073709551615ull}}, json{{"memoryMiB", "1g"}}}) {
            QVERIFY2(!limitsChangeFrom(bad), bad.dump().c_str());
        }
    }

    void memoryChangesAtOnceUpToTheMachinesSize()
    {
        const auto less = planChange(running(), change({{"memoryMiB", 640}}), true);
        QCOMPARE(less->balloonMiB, std::optional<int>(640));
        QVERIFY(less->notes.empty());
        const auto more = planChange(running(), change({{"memoryMiB", 4096}}), true);
        QCOMPARE(more->balloonMiB, std::optional<int>(2048));
        QCOMPARE(more->record.memoryMiB, 4096);
        QVERIFY(says(more->notes, "was started with 2048 MiB"));
        const auto stopped = planChange(running(), change({{"memoryMiB", 4096}}), false);
        QVERIFY(!stopped->balloonMiB && stopped->notes.empty());
    }

    void cpusChangeAtOnceUpToTheMachinesNumber()
    {
        const auto less = planChange(running(), change({{"cpus", 2}}), true);
        QVERIFY(less->tellsGuest && less->notes.empty());
        QVERIFY(says(planChange(running(), change({{"cpus", 8}}), true)->notes, "has 4 CPUs now"));
        SandboxRecord emulated = running();
        emulated.reducedIsolation = true;
        QVERIFY(says(planChange(emulated, change({{"cpus", 2}}), true)->notes, "one CPU"));
    }

    void aDiskOnlyGrowsAndNotUnderASavedMemory()
    {
        QVERIFY(!planChange(running(), change({{"diskGiB", 20}}), true));
        QVERIFY(says(planChange(running(), change({{"diskGiB", 80}}), true)->notes, "grows when box starts anew"));
        QVERIFY(planChange(running(), change({{"diskGiB", 80}}), false)->notes.empty());
        SandboxRecord paused = running();
        paused.pausedDisk = "stamp";
        QVERIFY(!planChange(paused, change({{"diskGiB", 80}}), false));
        QVERIFY(planChange(paused, change({{"diskGiB", 40}}), false));
    }

    void theRecordKeepsLimitsAndOlderOnesHaveNone()
    {
        SandboxRecord record = planChange(running(), change({{"processes", 300}, {"openFiles", 1024}, {"service", true}, {"dockerAtStart", true}, {"whenIdle", "stop"}, {"idleMinutes", 2.5}}), true)->record;
        const auto back = recordFromJson(recordToJson(record));
        QVERIFY(back);
        QCOMPARE(back->processes, 300);
        QCOMPARE(back->openFiles, 1024);
        QCOMPARE(back->machineMemoryMiB, 2048);
        QCOMPARE(back->idleMinutes, 2.5);
        QVERIFY(back->isService && back->whenIdle == "stop" && back->dockerAtStart == true);
        json old = json::parse(recordToJson(record));
        for (const char* key : {"processes", "openFiles", "service", "dockerAtStart", "whenIdle", "idleMinutes", "machineCpus", "machineMemoryMiB", "pausedByItself"}) {
            old.erase(key);
        }
        const auto before = recordFromJson(old.dump());
        QVERIFY(before && !before->isService && !before->dockerAtStart && before->processes == 0 && before->whenIdle.empty());
    }

    void hostileUsageIsBounded()
    {
        const auto good = parseUsage(R"({"cpuMicroseconds":5,"processes":{"now":3,"most":9},"disk":{"bytes":100,"freeBytes":400},"isLimited":true,"cpus":2})");
        QVERIFY(good && good->isLimited);
        QCOMPARE(good->processes, std::uint64_t{3});
        QCOMPARE(good->diskFreeBytes, std::uint64_t{100}); // not more than there is
        for (const char* bad : {"", "[]", "3", "null", "{", "\"x\""}) {
            QVERIFY2(!parseUsage(bad), bad);
        }
        QVERIFY(!parseUsage("{\"a\":\"" + std::string(20000, 'x') + "\"}"));
        const auto odd = parseUsage(R"({"cpuMicroseconds":-1,"processes":[1],"memory":{"killed":18446744073709551615,"bytes":"many"},"disk":{"bytes":1e300},"isLimited":"yes","cpus":99999999})");
        QVERIFY(odd && !odd->isLimited);
        QCOMPARE(odd->cpuMicroseconds, std::uint64_t{0});
        QCOMPARE(odd->diskBytes, std::uint64_t{0});
        QVERIFY(odd->killedForMemory <= 1ull << 52);
        QCOMPARE(odd->cpus, 4096);
    }

    void warningsNameTheSandboxAndWhatToDo()
    {
        GuestUsage before;
        before.diskBytes = 40ull << 30;
        before.diskFreeBytes = 20ull << 30;
        before.mostProcesses = 200;
        GuestUsage now = before;
        QVERIFY(limitWarnings("box", before, now).empty());
        now.diskFreeBytes = 1 << 20;
        now.killedForMemory = 1;
        now.processes = 200;
        const auto warnings = limitWarnings("box", before, now);
        QCOMPARE(warnings.size(), std::size_t{3});
        QCOMPARE(warnings[0].kind, std::string("disk"));
        QVERIFY(warnings[0].text.find("coldframe set box --disk") != std::string::npos);
        now = before;
        now.diskFreeBytes = 1ull << 30;
        QCOMPARE(limitWarnings("box", before, now).at(0).kind, std::string("disk-nearly"));
        now = before;
        now.refusedProcesses = 4;
        QCOMPARE(limitWarnings("box", before, now).at(0).kind, std::string("processes"));
    }

    void idleIsWhatNobodyAndNothingUses()
    {
        const IdleTracker::Time start = std::chrono::steady_clock::now();
        const auto after = [](IdleTracker& tracker, IdleLook look, IdleTracker::Time at) { return tracker.look(look, at); };
        IdleTracker tracker;
        QVERIFY(!after(tracker, {}, start).empty()); // the first look has nothing to compare with
        QVERIFY(after(tracker, {0, false, false, 0, 100'000}, start + 10s).empty());
        QVERIFY(after(tracker, {0, false, false, 0, 200'000}, start + 20s).empty());
        QCOMPARE(tracker.idleFor(start + 20s), std::chrono::duration<double>(10s));
        for (const IdleLook& used : {IdleLook{1, false, false, 0, 200'000}, IdleLook{0, true, false, 0, 200'000}, IdleLook{0, false, true, 0, 200'000},
                                     IdleLook{0, false, false, 1, 200'000}, IdleLook{0, false, false, 0, 900'000}, IdleLook{0, false, false, 0, 10}}) {
            IdleTracker one;
            (void)one.look({0, false, false, 0, 200'000}, start);
            QVERIFY(one.look({0, false, false, 0, 200'000}, start + 10s).empty());
            QVERIFY(!one.look(used, start + 20s).empty());
            QCOMPARE(one.idleFor(start + 99s), std::chrono::duration<double>(0s));
        }
        tracker.touch(start + 30s);
        QCOMPARE(tracker.idleFor(start + 99s), std::chrono::duration<double>(0s));
    }

    void looksAreRareUnlessSomebodyWaits()
    {
        QCOMPARE(lookEvery(false, "nothing", 30), 30s);
        QCOMPARE(lookEvery(true, "nothing", 30), 5s);
        QCOMPARE(lookEvery(false, "pause", 30), 30s);
        QCOMPARE(lookEvery(false, "pause", 0.1), 1s);
    }

    void onlyWhatWasStoppedForLongIsPutUp()
    {
        const auto now = std::chrono::system_clock::now();
        SandboxRecord record = running();
        record.state = SandboxState::Stopped;
        QVERIFY(isLongStopped(record, now - 8 * 24h, 7, now));
        QVERIFY(!isLongStopped(record, now - 6 * 24h, 7, now));
        QVERIFY(!isLongStopped(record, now - 8 * 24h, 0, now));
        record.isService = true;
        QVERIFY(!isLongStopped(record, now - 8 * 24h, 7, now));
        record.isService = false;
        record.state = SandboxState::Paused;
        QVERIFY(!isLongStopped(record, now - 8 * 24h, 7, now));
    }

    void sharesOfTheHostsCpusDoNotCrowd()
    {
        QCOMPARE(vm::chosenCpus({0, 1, 2, 3}, 2, 5), (std::vector<int>{1, 2}));
        QCOMPARE(vm::chosenCpus({0, 1, 2, 3}, 2, 7), (std::vector<int>{3, 0}));
        QCOMPARE(vm::chosenCpus({0, 1}, 0, 5), (std::vector<int>{0, 1}));
        QCOMPARE(vm::chosenCpus({4}, 3, 5), (std::vector<int>{4}));
    }

    void aProcessIsTiedAndUntied()
    {
        cpu_set_t before;
        QCOMPARE(::sched_getaffinity(0, sizeof before, &before), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            for (;;) {
                ::pause();
            }
        }
        const auto count = [child] {
            cpu_set_t set;
            return ::sched_getaffinity(child, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
        };
        QVERIFY(vm::tieToCpus(child, 1));
        QCOMPARE(count(), 1);
        QVERIFY(vm::tieToCpus(child, 0));
        QCOMPARE(count(), CPU_COUNT(&before));
        ::kill(child, SIGKILL);
        QVERIFY(!vm::tieToCpus(0x3fffffff, 1));
    }
};

QTEST_GUILESS_MAIN(TestLimits)
#include "test_limits.moc"
