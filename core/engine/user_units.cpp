// SPDX-License-Identifier: Apache-2.0
#include "engine/user_units.h"

#include "base/file.h"
#include "base/random.h"

#include <QDBusArgument>
#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusMetaType>
#include <QDBusVariant>
#include <QList>

namespace {

// a(sv) and a(sa(sv)) of StartTransientUnit (org.freedesktop.systemd1(5)).
struct UnitProperty
{
    QString name;
    QDBusVariant value;
};

struct AuxiliaryUnit
{
    QString name;
    QList<UnitProperty> properties;
};

QDBusArgument& operator<<(QDBusArgument& argument, const UnitProperty& property)
{
    argument.beginStructure();
    argument << property.name << property.value;
    argument.endStructure();
    return argument;
}

const QDBusArgument& operator>>(const QDBusArgument& argument, UnitProperty& property)
{
    argument.beginStructure();
    argument >> property.name >> property.value;
    argument.endStructure();
    return argument;
}

QDBusArgument& operator<<(QDBusArgument& argument, const AuxiliaryUnit& unit)
{
    argument.beginStructure();
    argument << unit.name << unit.properties;
    argument.endStructure();
    return argument;
}

const QDBusArgument& operator>>(const QDBusArgument& argument, AuxiliaryUnit& unit)
{
    argument.beginStructure();
    argument >> unit.name >> unit.properties;
    argument.endStructure();
    return argument;
}

} // namespace

Q_DECLARE_METATYPE(UnitProperty)
Q_DECLARE_METATYPE(AuxiliaryUnit)

namespace coldframe::engine {

namespace {

constexpr int kAnswerWithin = 5000; // ms
constexpr quint64 kMicrosecondsPerPercent = 10'000;

void registerTypes()
{
    static const bool once = [] {
        qDBusRegisterMetaType<UnitProperty>();
        qDBusRegisterMetaType<QList<UnitProperty>>();
        qDBusRegisterMetaType<AuxiliaryUnit>();
        qDBusRegisterMetaType<QList<AuxiliaryUnit>>();
        qDBusRegisterMetaType<QList<uint>>();
        return true;
    }();
    (void)once;
}

UnitProperty property(const char* name, const QVariant& value) { return {QLatin1String(name), QDBusVariant(value)}; }

QList<UnitProperty> limitsOf(const ScopeRequest& request)
{
    QList<UnitProperty> properties;
    if (request.cpuPercent > 0) {
        properties.append(property("CPUQuotaPerSecUSec", QVariant::fromValue<quint64>(request.cpuPercent * kMicrosecondsPerPercent)));
    }
    if (request.memoryMiB > 0) {
        properties.append(property("MemoryMax", QVariant::fromValue<quint64>(request.memoryMiB << 20)));
    }
    if (request.memoryHighMiB > 0) {
        properties.append(property("MemoryHigh", QVariant::fromValue<quint64>(request.memoryHighMiB << 20)));
    }
    if (request.tasks > 0) {
        properties.append(property("TasksMax", QVariant::fromValue<quint64>(request.tasks)));
    }
    return properties;
}

QList<UnitProperty> propertiesOf(const ScopeRequest& request)
{
    QList<uint> processes;
    for (const pid_t process : request.processes) {
        processes.append(static_cast<uint>(process));
    }
    QList<UnitProperty> properties{property("Description", QString::fromStdString(request.description)),
                                   property("PIDs", QVariant::fromValue(processes)),
                                   // An ended scope is forgotten even when its processes failed.
                                   property("CollectMode", QStringLiteral("inactive-or-failed"))};
    return properties + limitsOf(request);
}

/// A connection of its own: any thread may use it, and a bus that went away does not stay cached.
class SessionBus
{
public:
    SessionBus()
        : m_name(QStringLiteral("coldframe-units-") + QString::fromStdString(randomHex(6))),
          m_bus(QDBusConnection::connectToBus(QDBusConnection::SessionBus, m_name))
    {
    }
    ~SessionBus() { QDBusConnection::disconnectFromBus(m_name); }
    SessionBus(const SessionBus&) = delete;
    SessionBus& operator=(const SessionBus&) = delete;
    const QDBusConnection& connection() const { return m_bus; }

private:
    QString m_name;
    QDBusConnection m_bus;
};

} // namespace

namespace {

/// Asks systemd's user manager.
Result<void> ask(const char* method, const QList<QVariant>& arguments, const std::string& what)
{
    registerTypes();
    const SessionBus bus;
    const char* const noManager = "There is no systemd user manager that could limit the processes.";
    if (!bus.connection().isConnected()) {
        return fail(ErrorCode::Unavailable, noManager, "no session bus");
    }
    QDBusMessage call = QDBusMessage::createMethodCall(
        QStringLiteral("org.freedesktop.systemd1"), QStringLiteral("/org/freedesktop/systemd1"),
        QStringLiteral("org.freedesktop.systemd1.Manager"), QLatin1String(method));
    call.setArguments(arguments);
    const QDBusMessage reply = bus.connection().call(call, QDBus::Block, kAnswerWithin);
    if (reply.type() == QDBusMessage::ReplyMessage) {
        return {};
    }
    const std::string detail = (reply.errorName() + QStringLiteral(": ") + reply.errorMessage()).toStdString();
    const bool isAbsent = reply.errorName().endsWith(QLatin1String("ServiceUnknown")) ||
                          reply.errorName().endsWith(QLatin1String("NameHasNoOwner")) ||
                          reply.errorName().contains(QLatin1String("Spawn"));
    if (isAbsent) {
        return fail(ErrorCode::Unavailable, noManager, detail);
    }
    return fail(ErrorCode::Io, "systemd did not put the processes of " + what + " under limits.", detail);
}

QString unitName(const ScopeRequest& request) { return QString::fromStdString(request.name + ".scope"); }

} // namespace

Result<void> startScope(const ScopeRequest& request)
{
    registerTypes();
    return ask("StartTransientUnit",
               {unitName(request), QStringLiteral("fail"), QVariant::fromValue(propertiesOf(request)), QVariant::fromValue(QList<AuxiliaryUnit>())},
               request.description);
}

Result<void> changeScope(const ScopeRequest& request)
{
    registerTypes();
    const bool onlyWhileItLives = true; // "runtime" of SetUnitProperties
    return ask("SetUnitProperties", {unitName(request), onlyWhileItLives, QVariant::fromValue(limitsOf(request))}, request.description);
}

bool sharesControlGroup(pid_t process)
{
    const auto own = readFile("/proc/self/cgroup", 1u << 16);
    const auto other = readFile("/proc/" + std::to_string(process) + "/cgroup", 1u << 16);
    return own && other && *own == *other;
}

} // namespace coldframe::engine
