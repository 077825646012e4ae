// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/unique_fd.h"
#include "guest/agent/process_owner.h"

#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <arpa/inet.h>
#include <filesystem>
#include <sys/socket.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::guest;

namespace {

constexpr std::chrono::seconds kPatient{20};

asio::ip::tcp::endpoint endpointOf(const sockaddr_storage& address)
{
    if (address.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
        return {asio::ip::address_v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    asio::ip::address_v6::bytes_type bytes;
    std::copy(std::begin(v6.sin6_addr.s6_addr), std::end(v6.sin6_addr.s6_addr), bytes.begin());
    return {asio::ip::address_v6(bytes), ntohs(v6.sin6_port)};
}

/// A listener on loopback, as the agent's: IPv6 that takes IPv4 too, so that peers have mapped addresses.
class Listener
{
public:
    Listener() : m_socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const int off = 0;
        ::setsockopt(m_socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        socklen_t size = sizeof any;
        m_isGood = ::bind(m_socket.get(), reinterpret_cast<const sockaddr*>(&any), size) == 0 && ::listen(m_socket.get(), 8) == 0 &&
                   ::getsockname(m_socket.get(), reinterpret_cast<sockaddr*>(&any), &size) == 0;
        m_port = ntohs(any.sin6_port);
    }
    bool isGood() const { return m_isGood; }
    std::uint16_t port() const { return m_port; }
    /// The connection, and who it is from.
    std::pair<UniqueFd, asio::ip::tcp::endpoint> accept() const
    {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        UniqueFd connection(::accept4(m_socket.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
        return {std::move(connection), endpointOf(peer)};
    }

private:
    UniqueFd m_socket;
    std::uint16_t m_port = 0;
    bool m_isGood = false;
};

} // namespace

class TestGuestProcessOwner : public QObject
{
    Q_OBJECT

private slots:
    void aProgramIsFoundByItsConnection()
    {
        const Listener listener;
        if (!listener.isGood()) {
            QSKIP("this machine has no IPv6");
        }
        const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(listener.port());
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        QCOMPARE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
        const auto [connection, peer] = listener.accept();
        ProcessOwner owners(kPatient);
        const std::string own = std::filesystem::read_symlink("/proc/self/exe").filename().string();
        QCOMPARE(owners.nameOf(peer), own);
        QCOMPARE(owners.nameOf(peer), own); // by the short way now
        // Whose it is not is not known.
        QCOMPARE(owners.nameOf({asio::ip::make_address("127.0.0.9"), peer.port()}), std::string());
        QCOMPARE(owners.nameOf({peer.address(), 1}), std::string());
    }

    void aScriptIsNamedButNoArgument()
    {
        const Listener listener;
        if (!listener.isGood()) {
            QSKIP("this machine has no IPv6");
        }
        const std::string code = "import socket, sys\ns = socket.create_connection(('::1', int(sys.argv[1])))\nsys.stdin.read()\n";
        const QTemporaryDir folder;
        const QString script = folder.filePath(QStringLiteral("train.py"));
        QVERIFY(writeFileAtomic(script.toStdString(), code).has_value());
        const QString port = QString::number(listener.port());
        const auto nameOf = [&](const QStringList& arguments) {
            QProcess python;
            python.start(QStringLiteral("/usr/bin/python3"), arguments);
            const auto [connection, peer] = listener.accept();
            ProcessOwner owners(kPatient);
            const std::string name = owners.nameOf(peer);
            python.closeWriteChannel();
            python.waitForFinished();
            return QString::fromStdString(name);
        };
        const QString withScript = nameOf({script, port, QStringLiteral("secret")});
        QVERIFY2(withScript.startsWith(QStringLiteral("python3")) && withScript.endsWith(QStringLiteral(" train.py")), qPrintable(withScript));
        const QString withCode = nameOf({QStringLiteral("-c"), QString::fromStdString(code), port});
        QVERIFY2(withCode.startsWith(QStringLiteral("python3")) && !withCode.contains(QLatin1Char(' ')), qPrintable(withCode));
    }

    void whatItCostsIsBounded()
    {
        ProcessOwner owners(std::chrono::milliseconds(0));
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < 100000; ++i) {
            QCOMPARE(owners.nameOf({asio::ip::make_address("127.0.0.1"), 1}), std::string());
            if (std::chrono::steady_clock::now() - began > std::chrono::seconds(10)) {
                QFAIL("a flood of connections keeps the agent searching");
            }
        }
    }
};

QTEST_GUILESS_MAIN(TestGuestProcessOwner)
#include "test_guest_process_owner.moc"
