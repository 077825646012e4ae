// SPDX-License-Identifier: Apache-2.0
// Scopes are asked of a stand-in for systemd's user manager on a private session bus: what travels is checked, not what
// a real systemd makes of it.
#include "engine/user_units.h"

#include <QDBusArgument>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusObjectPath>
#include <QDBusVariant>
#include <QDBusVirtualObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <QThread>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::engine;

namespace {

/// Answers StartTransientUnit and remembers it.
class FakeManager : public QDBusVirtualObject
{
public:
    QDBusMessage last;
    QString refusal; ///< an error's name, or empty

    QString introspect(const QString&) const override { return {}; }
    bool handleMessage(const QDBusMessage& message, const QDBusConnection& connection) override
    {
        if (message.member() != QLatin1String("StartTransientUnit") && message.member() != QLatin1String("SetUnitProperties")) {
            return false;
        }
        last = message;
        connection.send(refusal.isEmpty() ? message.createReply(QVariant::fromValue(QDBusObjectPath(QStringLiteral("/org/freedesktop/systemd1/job/1"))))
                                          : message.createErrorReply(refusal, QStringLiteral("no")));
        return true;
    }
};

/// The properties of a(sv) by name.
QVariantMap propertiesOf(const QDBusMessage& message, int at = 2)
{
    QVariantMap properties;
    const QDBusArgument argument = message.arguments().value(at).value<QDBusArgument>();
    argument.beginArray();
    while (!argument.atEnd()) {
        QString name;
        QDBusVariant value;
        argument.beginStructure();
        argument >> name >> value;
        argument.endStructure();
        properties[name] = value.variant();
    }
    argument.endArray();
    return properties;
}

/// startScope blocks, and the stand-in lives on this thread.
Result<void> inThread(const ScopeRequest& request, Result<void> (*call)(const ScopeRequest&) = startScope)
{
    Result<void> result;
    const std::unique_ptr<QThread> thread(QThread::create([&] { result = call(request); }));
    thread->start();
    while (!thread->isFinished()) {
        QCoreApplication::processEvents(QEventLoop::AllEvents, 50);
    }
    return result;
}

} // namespace

class TestUserUnits : public QObject
{
    Q_OBJECT
    QTemporaryDir m_folder;
    QProcess m_bus;
    FakeManager m_manager;

private slots:
    void initTestCase()
    {
        const QString address = QStringLiteral("unix:path=") + m_folder.path() + QStringLiteral("/bus");
        m_bus.start(QStringLiteral("dbus-daemon"), {QStringLiteral("--session"), QStringLiteral("--nofork"), QStringLiteral("--address=") + address});
        QVERIFY(m_bus.waitForStarted());
        qputenv("DBUS_SESSION_BUS_ADDRESS", address.toUtf8());
        QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(m_folder.path() + QStringLiteral("/bus")), 20000);
    }

    void withoutAManagerItIsSaidPlainly()
    {
        const auto done = inThread({"coldframe-x", "A test", {::getpid()}, 100, 1024, 64});
        QVERIFY(!done);
        QCOMPARE(done.error().code, ErrorCode::Unavailable);
        QVERIFY(done.error().message.find("no systemd user manager") != std::string::npos);
    }

    void hazard_19_processesAndLimitsTravel()
    {
        QDBusConnection server = QDBusConnection::connectToBus(QDBusConnection::SessionBus, QStringLiteral("manager"));
        QVERIFY(server.registerVirtualObject(QStringLiteral("/org/freedesktop/systemd1"), &m_manager));
        QVERIFY(server.registerService(QStringLiteral("org.freedesktop.systemd1")));
        const auto done = inThread({"coldframe-x", "A test", {101, 102}, 250, 2048, 64});
        QVERIFY2(done.has_value(), done ? "" : done.error().detail.c_str());
        QCOMPARE(m_manager.last.signature(), QStringLiteral("ssa(sv)a(sa(sv))"));
        QCOMPARE(m_manager.last.arguments().value(0).toString(), QStringLiteral("coldframe-x.scope"));
        QCOMPARE(m_manager.last.arguments().value(1).toString(), QStringLiteral("fail"));
        const QVariantMap properties = propertiesOf(m_manager.last);
        QList<uint> processes;
        properties[QStringLiteral("PIDs")].value<QDBusArgument>() >> processes;
        QCOMPARE(processes, QList<uint>({101, 102}));
        QCOMPARE(properties[QStringLiteral("CPUQuotaPerSecUSec")].toULongLong(), 2'500'000ULL);
        QCOMPARE(properties[QStringLiteral("MemoryMax")].toULongLong(), 2048ULL << 20);
        QCOMPARE(properties[QStringLiteral("TasksMax")].toULongLong(), 64ULL);
    }

    void limitsThatAreNotGivenAreNotSent()
    {
        QVERIFY(inThread({"coldframe-y", "A test", {101}}));
        const QVariantMap properties = propertiesOf(m_manager.last);
        QVERIFY(properties.contains(QStringLiteral("PIDs")) && !properties.contains(QStringLiteral("MemoryMax")) &&
                !properties.contains(QStringLiteral("CPUQuotaPerSecUSec")) && !properties.contains(QStringLiteral("TasksMax")));
    }

    void limitsOfAScopeThatIsThereChange()
    {
        ScopeRequest request{"coldframe-x", "A test", {}, 150, 2048, 64};
        request.memoryHighMiB = 1024;
        QVERIFY(inThread(request, changeScope));
        QCOMPARE(m_manager.last.member(), QStringLiteral("SetUnitProperties"));
        QCOMPARE(m_manager.last.signature(), QStringLiteral("sba(sv)"));
        QCOMPARE(m_manager.last.arguments().value(0).toString(), QStringLiteral("coldframe-x.scope"));
        QCOMPARE(m_manager.last.arguments().value(1).toBool(), true);
        const QVariantMap properties = propertiesOf(m_manager.last, 2);
        QCOMPARE(properties[QStringLiteral("CPUQuotaPerSecUSec")].toULongLong(), 1'500'000ULL);
        QCOMPARE(properties[QStringLiteral("MemoryHigh")].toULongLong(), 1024ULL << 20);
        QVERIFY(!properties.contains(QStringLiteral("PIDs")) && !properties.contains(QStringLiteral("Description")));
    }

    void aRefusalIsAnErrorWithItsName()
    {
        m_manager.refusal = QStringLiteral("org.freedesktop.systemd1.UnitExists");
        const auto done = inThread({"coldframe-x", "A test", {101}});
        QVERIFY(!done);
        QCOMPARE(done.error().code, ErrorCode::Io);
        QVERIFY(done.error().detail.find("UnitExists") != std::string::npos);
    }

    void theControlGroupOfAChildIsOurs()
    {
        QVERIFY(sharesControlGroup(::getpid()));
        QVERIFY(!sharesControlGroup(0x3fffffff)); // no such process
    }

    void cleanupTestCase()
    {
        QDBusConnection::disconnectFromBus(QStringLiteral("manager"));
        m_bus.kill();
        m_bus.waitForFinished();
    }
};

QTEST_GUILESS_MAIN(TestUserUnits)
#include "test_user_units.moc"
