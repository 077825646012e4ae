// SPDX-License-Identifier: Apache-2.0
// Notices of blocked hosts: what is shown, what Allow does, and the desktop's notification service.
#include "fake_engine_process.h"

#include "api/client.h"
#include "ui/blocked_notices.h"
#include "ui/notifier.h"
#include "ui/sandbox_model.h"

#include <QDBusConnection>
#include <QDBusMessage>
#include <QSignalSpy>
#include <QVariantMap>

using namespace coldframe;
using namespace coldframe::ui;

/// Remembers what was shown.
class FakeNotifier : public Notifier
{
    Q_OBJECT

public:
    using Notifier::Notifier;
    void show(const Notice& notice) override { m_shown.append(notice); }
    QList<Notice> m_shown;
};

/// A notification service with the part of the interface that is used.
class FakeService : public QObject
{
    Q_OBJECT
    Q_CLASSINFO("D-Bus Interface", "org.freedesktop.Notifications")

public:
    QString m_title;
    QString m_body;
    QStringList m_actions;

public slots:
    uint Notify(const QString&, uint, const QString&, const QString& summary, const QString& body, const QStringList& actions,
                const QVariantMap&, int)
    {
        m_title = summary;
        m_body = body;
        m_actions = actions;
        return 7;
    }

signals:
    void ActionInvoked(uint id, const QString& action);
};

class TestNotices : public QObject
{
    Q_OBJECT

private slots:
    void blockedHostIsToldAndAllowAddsTheRule()
    {
        FakeEngineProcess engine({QStringLiteral("--populate"), QStringLiteral("--tick"), QStringLiteral("30")});
        api::Client client;
        client.setSocketPath(engine.socket());
        SandboxModel model(client);
        FakeNotifier notifier;
        BlockedNotices notices(client, model, notifier);
        QSignalSpy said(&notices, &BlockedNotices::said);
        client.connectToEngine();
        QTRY_VERIFY(!notifier.m_shown.isEmpty());
        const Notice notice = notifier.m_shown.first();
        QVERIFY(notice.title.startsWith(QStringLiteral("tracker")));
        QVERIFY(notice.title.endsWith(QStringLiteral("was blocked")));
        QCOMPARE(notice.action, QStringLiteral("Allow for this sandbox"));
        QCOMPARE(engine.requests(QStringLiteral("policy.add")).size(), 0);
        emit notifier.actionChosen(notice.key);
        QTRY_COMPARE(said.count(), 1);
        const QJsonObject rule = engine.requests(QStringLiteral("policy.add")).value(0);
        QCOMPARE(rule[QStringLiteral("origin")].toString(), QStringLiteral("notification"));
        QCOMPARE(rule[QStringLiteral("action")].toString(), QStringLiteral("allow"));
        QVERIFY(rule[QStringLiteral("pattern")].toString().startsWith(QStringLiteral("tracker")));
        QVERIFY(!rule[QStringLiteral("sandbox")].toString().isEmpty());
        // Chosen twice, it is not added twice.
        emit notifier.actionChosen(notice.key);
        QTRY_VERIFY(notifier.m_shown.size() >= 2 * BlockedNotices::kBurst); // both sandboxes are at their limit
        QCOMPARE(engine.requests(QStringLiteral("policy.add")).size(), 1);
    }

    void aLimitIsToldAndAFloodOfThemHeldBack()
    {
        api::Client client;
        SandboxModel model(client);
        FakeNotifier notifier;
        BlockedNotices notices(client, model, notifier);
        emit client.resynchronised(nlohmann::json::array({{{"id", "aabb"}, {"name", "one"}, {"state", "running"}}}));
        emit client.event({{"type", "limit"}, {"sandbox", "aabb"}, {"kind", "host-disk"}, {"text", "one stands still."}});
        QCOMPARE(notifier.m_shown.last().title, QStringLiteral("one waits for space on this computer"));
        for (int i = 0; i < 50; ++i) {
            emit client.event({{"type", "limit"}, {"sandbox", "aabb"}, {"kind", "disk"}, {"text", "The disk of one is full."}});
        }
        QCOMPARE(notifier.m_shown.size(), BlockedNotices::kBurst);
        QCOMPARE(notifier.m_shown.last().title, QStringLiteral("The disk of one is full"));
        // What is blocked meanwhile is told all the same.
        emit client.event({{"type", "blocked"}, {"sandbox", "aabb"}, {"host", "a.example.net"}, {"port", 443}});
        QCOMPARE(notifier.m_shown.size(), BlockedNotices::kBurst + 1);
    }

    void aFloodIsHeldBack()
    {
        api::Client client;
        SandboxModel model(client);
        FakeNotifier notifier;
        BlockedNotices notices(client, model, notifier);
        const nlohmann::json sandboxes = nlohmann::json::array({{{"id", "aabb"}, {"name", "one"}, {"state", "running"}}});
        emit client.resynchronised(sandboxes);
        for (int i = 0; i < 200; ++i) {
            emit client.event({{"type", "blocked"}, {"sandbox", "aabb"}, {"host", "h" + std::to_string(i) + ".example.net"}, {"port", 443}});
        }
        QCOMPARE(notifier.m_shown.size(), BlockedNotices::kBurst);
    }

    void aTrickyHostGetsNoOfferAndNoMarkup()
    {
        api::Client client;
        SandboxModel model(client);
        FakeNotifier notifier;
        BlockedNotices notices(client, model, notifier);
        emit client.resynchronised(nlohmann::json::array({{{"id", "aabb"}, {"name", "one"}, {"state", "running"}}}));
        emit client.event({{"type", "blocked"}, {"sandbox", "aabb"}, {"host", "*.com"}, {"port", 443}});
        QCOMPARE(notifier.m_shown.size(), 1);
        QVERIFY(notifier.m_shown.first().action.isEmpty());
        emit client.event({{"type", "blocked"}, {"sandbox", "unknown"}, {"host", "a.com"}, {"port", 443}});
        emit client.event({{"type", "blocked"}, {"sandbox", 7}, {"host", nullptr}});
        QCOMPARE(notifier.m_shown.size(), 1);
    }

    void desktopServiceGetsTheNoticeAndItsActionComesBack()
    {
        if (qgetenv("COLDFRAME_TEST_BUS") != "2") {
            QSKIP("runs as test_notices_on_a_bus, on a bus of its own");
        }
        QDBusConnection bus = QDBusConnection::connectToBus(QDBusConnection::SessionBus, QStringLiteral("service"));
        QVERIFY(bus.isConnected());
        FakeService service;
        QVERIFY(bus.registerService(QStringLiteral("org.freedesktop.Notifications")));
        QVERIFY(bus.registerObject(QStringLiteral("/org/freedesktop/Notifications"), &service,
                                   QDBusConnection::ExportAllSlots | QDBusConnection::ExportAllSignals));
        DesktopNotifier notifier;
        QSignalSpy chosen(&notifier, &Notifier::actionChosen);
        QSignalSpy undelivered(&notifier, &DesktopNotifier::undelivered);
        notifier.show({QStringLiteral("k1"), QStringLiteral("x was blocked"), QStringLiteral("<b>one</b>"), QStringLiteral("Allow")});
        QTRY_COMPARE(service.m_title, QStringLiteral("x was blocked"));
        QCOMPARE(service.m_body, QStringLiteral("&lt;b&gt;one&lt;/b&gt;"));
        QVERIFY(service.m_actions.contains(QStringLiteral("Allow")));
        // The reply may still be on its way: another's id first, then ours until it is known.
        emit service.ActionInvoked(8, QStringLiteral("act"));
        QTRY_VERIFY((emit service.ActionInvoked(7, QStringLiteral("act")), QTest::qWait(20), chosen.count() > 0));
        QCOMPARE(chosen.at(0).at(0).toString(), QStringLiteral("k1"));
        QCOMPARE(undelivered.count(), 0);
        bus.unregisterService(QStringLiteral("org.freedesktop.Notifications"));
        notifier.show({QStringLiteral("k2"), QStringLiteral("y was blocked"), QString(), QString()});
        QTRY_COMPARE(undelivered.count(), 1);
    }
};

QTEST_MAIN(TestNotices)
#include "test_notices.moc"
