// SPDX-License-Identifier: Apache-2.0
#include "engine/clock_watch.h"

#include <QtTest>

using namespace coldframe::engine;
using namespace std::chrono_literals;

class TestClockWatch : public QObject
{
    Q_OBJECT

    static HostClocks at(std::chrono::nanoseconds real, std::chrono::nanoseconds monotonic, std::chrono::nanoseconds boot)
    {
        return {1'800'000'000s + real, 1000s + monotonic, 1000s + boot};
    }

private slots:
    void timeThatPassesIsNoJump()
    {
        ClockWatch watch;
        QVERIFY(!watch.hasJumped(at(0s, 0s, 0s)));
        QVERIFY(!watch.hasJumped(at(5s, 5s, 5s)));
        QVERIFY(!watch.hasJumped(at(3600s + 100ms, 3600s, 3600s))); // a slewed clock
    }

    void sleepIsOne()
    {
        ClockWatch watch;
        watch.hasJumped(at(0s, 0s, 0s));
        QVERIFY(watch.hasJumped(at(3605s, 5s, 3605s)));
        QVERIFY(!watch.hasJumped(at(3610s, 10s, 3610s)));
    }

    void aClockThatWasSetIsOne()
    {
        ClockWatch watch;
        watch.hasJumped(at(0s, 0s, 0s));
        QVERIFY(watch.hasJumped(at(-86400s * 365 * 20, 5s, 5s)));
        QVERIFY(watch.hasJumped(at(10s, 10s, 10s)));
        QVERIFY(!watch.hasJumped(at(15s, 15s, 15s)));
    }

    void theHostsOwnClocksRunTogether()
    {
        ClockWatch watch;
        watch.hasJumped(HostClocks::now());
        QVERIFY(!watch.hasJumped(HostClocks::now()));
        QVERIFY(HostClocks::now().real > 1'700'000'000s && HostClocks::now().boot >= HostClocks::now().monotonic - 1s);
    }
};

QTEST_GUILESS_MAIN(TestClockWatch)
#include "test_clock_watch.moc"
