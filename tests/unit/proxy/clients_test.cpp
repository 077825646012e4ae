// SPDX-License-Identifier: Apache-2.0
// Programs of others through the real proxy: curl, h2load, nghttpd, gRPC's own library.
#include "harness.h"

#include <QFile>
#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QtTest>

using namespace proxytest;

namespace {

const std::string kHost = "api.example.com";

/// Everything around one client: an HTTP/2 origin (nghttpd) behind the proxy, and a port that stands for it.
struct Stage
{
    Stage()
        : ca(makeCertificate({.name = "Origin CA", .isCa = true})), leaf(makeCertificate({.name = kHost, .issuer = &ca})),
          harness([this] {
              Harness::Setup setup;
              setup.command = PROXY_COMMAND;
              setup.policy = policyJson("locked", {kHost});
              setup.trusted = {ca.certificatePem};
              return setup;
          }()),
          bridge(harness, kHost + ":443")
    {
        write("origin.key", leaf.keyPem);
        write("origin.pem", leaf.certificatePem);
        write("origin-ca.pem", ca.certificatePem);
        write("sandbox-ca.pem", harness.caPem());
        QDir(folder.path()).mkdir("www");
        write("www/small", std::string(1000, 's'));
        write("www/large", std::string(5u << 20, 'l'));
    }
    ~Stage()
    {
        origin.kill();
        origin.waitForFinished();
    }
    QString path(const QString& name) const { return folder.filePath(name); }
    void write(const QString& name, const std::string& text)
    {
        QFile file(path(name));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(text.data(), static_cast<qint64>(text.size()));
    }
    bool startOrigin()
    {
        Origin placeholder(std::nullopt); // a free port, given back just before it is taken
        const std::uint16_t port = placeholder.port();
        harness.route(kHost + ":443", port);
        originPort = port;
        return true;
    }
    bool runNghttpd()
    {
        startOrigin();
        origin.setProcessChannelMode(QProcess::MergedChannels);
        origin.start("nghttpd", {"-d", path("www"), "--echo-upload", "--trailer", "x-end: yes", "-a", "127.0.0.1",
                                 QString::number(originPort), path("origin.key"), path("origin.pem")});
        return origin.waitForStarted() && listens();
    }
    bool listens()
    {
        return QTest::qWaitFor([this] {
            QProcess probe;
            probe.start("openssl", {"s_client", "-connect", QString("127.0.0.1:%1").arg(originPort), "-alpn", "h2"});
            probe.closeWriteChannel();
            probe.waitForFinished(5000);
            return probe.exitCode() == 0;
        }, 20000);
    }
    QByteArray run(const QString& program, const QStringList& arguments, const QByteArray& input = {})
    {
        QProcess process;
        process.start(program, arguments);
        process.write(input);
        process.closeWriteChannel();
        process.waitForFinished(60000);
        problem = process.readAllStandardError();
        exitCode = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1;
        return process.readAllStandardOutput();
    }
    QStringList curl(const QStringList& more) const
    {
        return QStringList{"-sS", "--max-time", "50", "--cacert", path("sandbox-ca.pem"), "--connect-to",
                           QString("%1:443:127.0.0.1:%2").arg(kHost.c_str()).arg(bridge.port())}
               + more;
    }

    QTemporaryDir folder;
    Certificate ca;
    Certificate leaf;
    Harness harness;
    Bridge bridge;
    QProcess origin;
    std::uint16_t originPort = 0;
    QByteArray problem;
    int exitCode = 0;
};

QString url(const QString& path) { return QString("https://%1%2").arg(kHost.c_str(), path); }

} // namespace

class ClientsTest : public QObject
{
    Q_OBJECT

private slots:
    void curlSpeaksBothVersions()
    {
        Stage stage;
        QVERIFY(stage.runNghttpd());
        const QByteArray two = stage.run("curl", stage.curl({"--http2", "-w", "%{http_version} %{http_code}", "-o", stage.path("out"), url("/large")}));
        QVERIFY2(two == "2 200", stage.problem + two);
        QCOMPARE(QFileInfo(stage.path("out")).size(), qint64{5} << 20);
        const QByteArray headers = stage.run("curl", stage.curl({"--http2", "-I", url("/small")}));
        QVERIFY2(headers.contains("content-length: 1000"), headers);
        const QByteArray echo = stage.run("curl", stage.curl({"--http2", "--data-binary", "@-", url("/echo")}), QByteArray(300000, 'e'));
        QCOMPARE(echo, QByteArray(300000, 'e'));
        // The origin speaks HTTP/2 only (its ALPN): a client of HTTP/1.1 gets an answer that says what is wrong, not silence.
        const QByteArray one = stage.run("curl", stage.curl({"--http1.1", "-w", "%{http_version} %{http_code}", "-o", "/dev/null", url("/small")}));
        QVERIFY2(one == "1.1 200" || one == "1.1 502", one);
        const QByteArray many = stage.run("curl", stage.curl({"--http2", "--parallel", "--parallel-immediate", "-o", "/dev/null", "-w", "%{http_code} ",
                                                              url("/small?[1-30]")}));
        QCOMPARE(many.count("200 "), 30);
    }

    void manyStreamsAtATime()
    {
        Stage stage;
        QVERIFY(stage.runNghttpd());
        const QByteArray report = stage.run("h2load", {"-n", "600", "-c", "3", "-m", "20", "--connect-to",
                                                       QString("127.0.0.1:%1").arg(stage.bridge.port()), url("/small")});
        QVERIFY2(report.contains("600 succeeded, 0 failed"), report + stage.problem);
    }

    void grpcWithItsOwnLibrary()
    {
        Stage stage;
        stage.startOrigin();
        const QByteArray output = stage.run("/usr/bin/python3", {GRPC_SCRIPT, stage.path("."), QString::number(stage.originPort),
                                                                 QString::number(stage.bridge.port())});
        if (stage.exitCode == 77) {
            QSKIP("python3-grpcio is not installed");
        }
        QVERIFY2(stage.exitCode == 0, output + stage.problem);
    }
};

QTEST_GUILESS_MAIN(ClientsTest)
#include "clients_test.moc"
