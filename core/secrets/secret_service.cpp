// SPDX-License-Identifier: Apache-2.0
#include "secrets/secret_service.h"

#include <QDBusConnection>
#include <QDBusConnectionInterface>
#include <QDBusMessage>
#include <QDBusObjectPath>
#include <QDBusVariant>
#include <QStringList>

namespace coldframe::secrets {

namespace {

constexpr int kAnswerWithin = 5000; // ms
const char kSecretService[] = "org.freedesktop.secrets";
const char kKWallet[] = "org.kde.kwalletd5";

/// A connection of its own, so that a bus that went away does not stay cached.
class SessionBus
{
public:
    SessionBus() : m_bus(QDBusConnection::connectToBus(QDBusConnection::SessionBus, kName)) {}
    ~SessionBus() { QDBusConnection::disconnectFromBus(kName); }
    SessionBus(const SessionBus&) = delete;
    SessionBus& operator=(const SessionBus&) = delete;

    bool isConnected() const { return m_bus.isConnected(); }

    QDBusMessage call(const QString& service, const QString& path, const QString& interface, const QString& method,
                      const QVariantList& arguments) const
    {
        QDBusMessage message = QDBusMessage::createMethodCall(service, path, interface, method);
        message.setArguments(arguments);
        return m_bus.call(message, QDBus::Block, kAnswerWithin);
    }

    /// Running, or started when called.
    bool offers(const QString& service) const
    {
        const QString daemon = QStringLiteral("org.freedesktop.DBus");
        const QString path = QStringLiteral("/org/freedesktop/DBus");
        const QDBusMessage owned = call(daemon, path, daemon, QStringLiteral("NameHasOwner"), {service});
        if (!owned.arguments().isEmpty() && owned.arguments().constFirst().toBool()) {
            return true;
        }
        const QDBusMessage startable = call(daemon, path, daemon, QStringLiteral("ListActivatableNames"), {});
        return !startable.arguments().isEmpty() && startable.arguments().constFirst().toStringList().contains(service);
    }

private:
    static constexpr QLatin1String kName{"coldframe-keychain-probe"};
    QDBusConnection m_bus;
};

KeychainState stateOfError(const QDBusMessage& reply)
{
    const QString name = reply.errorName();
    const bool late = name.endsWith(QLatin1String("NoReply")) || name.endsWith(QLatin1String("Timeout"))
                      || name.endsWith(QLatin1String("TimedOut"));
    return late ? KeychainState::NoAnswer : KeychainState::NoService;
}

} // namespace

KeychainState probeKeychain(const std::string& backend)
{
    const SessionBus bus;
    if (!bus.isConnected()) {
        return KeychainState::NoBus;
    }
    if (backend == "kwallet") {
        return bus.offers(QLatin1String(kKWallet)) ? KeychainState::Ready : KeychainState::NoService;
    }
    const QString service = QLatin1String(kSecretService);
    if (!bus.offers(service)) {
        return KeychainState::NoService;
    }
    const QDBusMessage alias = bus.call(service, QStringLiteral("/org/freedesktop/secrets"),
                                        QStringLiteral("org.freedesktop.Secret.Service"), QStringLiteral("ReadAlias"),
                                        {QStringLiteral("default")});
    if (alias.type() != QDBusMessage::ReplyMessage || alias.arguments().isEmpty()) {
        return stateOfError(alias);
    }
    const QString collection = alias.arguments().constFirst().value<QDBusObjectPath>().path();
    if (collection.size() < 2) {
        return KeychainState::NoKeyring;
    }
    const QDBusMessage locked = bus.call(service, collection, QStringLiteral("org.freedesktop.DBus.Properties"), QStringLiteral("Get"),
                                         {QStringLiteral("org.freedesktop.Secret.Collection"), QStringLiteral("Locked")});
    if (locked.type() != QDBusMessage::ReplyMessage || locked.arguments().isEmpty()) {
        return stateOfError(locked);
    }
    const QVariant value = locked.arguments().constFirst().value<QDBusVariant>().variant();
    return value.toBool() ? KeychainState::Locked : KeychainState::Ready;
}

std::string detectBackend()
{
    const SessionBus bus;
    if (bus.isConnected() && bus.offers(QLatin1String(kSecretService))) {
        return "secret-service";
    }
    return bus.isConnected() && bus.offers(QLatin1String(kKWallet)) ? "kwallet" : "none";
}

} // namespace coldframe::secrets
