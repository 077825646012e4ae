// SPDX-License-Identifier: Apache-2.0
// The window's client and its attachments.
#include "server_fixture.h"

#include "api/attachment.h"
#include "api/client.h"

#include <QSignalSpy>
#include <QTest>

using namespace coldframe;
using namespace coldframe::tests;

class ClientTest : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::filesystem::path m_socket;

    std::unique_ptr<api::Client> makeClient() const
    {
        auto client = std::make_unique<api::Client>();
        client->setSocketPath(QString::fromStdString(m_socket.string()));
        return client;
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_socket = std::filesystem::path(m_folder->path().toStdString()) / "coldframe/engine.sock";
    }

    void callsMadeBeforeTheConnectionAreAnswered()
    {
        RunningServer server(m_socket);
        auto client = makeClient();
        QSignalSpy resynchronised(client.get(), &api::Client::resynchronised);
        std::optional<Result<json>> answer;
        int steps = 0;
        client->call("progress", json::object(), this, [&](Result<json> result) { answer = std::move(result); },
                     [&](const api::Progress&) { ++steps; });
        QVERIFY(!answer);
        client->connectToEngine();
        QTRY_VERIFY(answer.has_value());
        QVERIFY(answer->has_value());
        QCOMPARE(steps, 3);
        QCOMPARE(resynchronised.count(), 1);
        QVERIFY(client->state() == api::Client::State::Connected);
        QCOMPARE(client->engine().value("engineVersion", ""), std::string("test"));
    }

    void eventsArrive()
    {
        RunningServer server(m_socket);
        auto client = makeClient();
        std::string seen;
        connect(client.get(), &api::Client::event, this, [&](const json& event) { seen = event.value("type", ""); });
        client->connectToEngine();
        QTRY_VERIFY(client->state() == api::Client::State::Connected);
        server.onThread([](api::Server& s) { s.broadcast({{"type", "keys.changed"}}); });
        QTRY_COMPARE(seen, std::string("keys.changed"));
    }

    void aCallIsCancelled()
    {
        RunningServer server(m_socket);
        auto client = makeClient();
        client->connectToEngine();
        std::optional<Result<json>> answer;
        const qint64 id = client->call("hang", json::object(), this, [&](Result<json> r) { answer = std::move(r); });
        QTRY_COMPARE(server.dispatcher.hanging.load(), 1);
        client->cancel(id);
        QTRY_VERIFY(answer.has_value());
        QVERIFY(answer->error().code == ErrorCode::Cancelled);
    }

    void aDestroyedContextIsNotCalledBack()
    {
        RunningServer server(m_socket);
        auto client = makeClient();
        client->connectToEngine();
        QTRY_VERIFY(client->state() == api::Client::State::Connected);
        auto context = std::make_unique<QObject>();
        bool called = false;
        bool later = false;
        client->call("echo", json::object(), context.get(), [&](Result<json>) { called = true; });
        context.reset();
        client->call("echo", json::object(), this, [&](Result<json>) { later = true; });
        QTRY_VERIFY(later);
        QVERIFY(!called);
    }

    void reconnectsAfterTheEngineWentAway()
    {
        auto server = std::make_unique<RunningServer>(m_socket);
        auto client = makeClient();
        QSignalSpy resynchronised(client.get(), &api::Client::resynchronised);
        client->connectToEngine();
        QTRY_COMPARE(resynchronised.count(), 1);
        std::optional<Result<json>> answer;
        client->call("hang", json::object(), this, [&](Result<json> r) { answer = std::move(r); });
        QTRY_COMPARE(server->dispatcher.hanging.load(), 1);
        server.reset();
        QTRY_VERIFY(answer.has_value());
        QVERIFY(!answer->has_value());
        QTRY_VERIFY(client->state() != api::Client::State::Connected);
        QTest::qWait(600); // long enough for a try that finds nobody, after which it has to go on trying
        RunningServer again(m_socket);
        QTRY_COMPARE_WITH_TIMEOUT(resynchronised.count(), 2, 10000);
    }

    void anAttachmentCarriesFramesAndTheExit()
    {
        RunningServer server(m_socket);
        auto client = makeClient();
        client->connectToEngine();
        QTRY_VERIFY(client->state() == api::Client::State::Connected);
        api::Attachment* attachment = client->attach("attach", json::object(), this);
        QByteArray output;
        std::optional<int> code;
        connect(attachment, &api::Attachment::output, this, [&](const QByteArray& bytes) { output += bytes; });
        connect(attachment, &api::Attachment::exited, this, [&](int exitCode, int) { code = exitCode; });
        QSignalSpy closed(attachment, &api::Attachment::closed);
        attachment->sendInput("early bye"); // before it is open
        QTRY_VERIFY(code.has_value());
        QCOMPARE(*code, 7);
        QVERIFY(output.contains("early bye"));
        QCOMPARE(closed.count(), 0);
    }

    void anAttachmentThatTheEngineRefusesFails()
    {
        RunningServer server(m_socket);
        auto client = makeClient();
        client->connectToEngine();
        api::Attachment* attachment = client->attach("refuse", json::object(), this);
        std::optional<Error> error;
        connect(attachment, &api::Attachment::failed, this, [&](const Error& e) { error = e; });
        QTRY_VERIFY(error.has_value());
        QVERIFY(error->code == ErrorCode::NotAllowed);
        auto* wrong = new api::Attachment(this);
        error.reset();
        connect(wrong, &api::Attachment::failed, this, [&](const Error& e) { error = e; });
        wrong->open(QString::fromStdString(m_socket.string()), "no such token");
        QTRY_VERIFY(error.has_value());
        QVERIFY(error->code == ErrorCode::NotAllowed);
    }

    void anEngineThatCannotBeStartedIsReported()
    {
        qputenv("COLDFRAME_ENGINE", "/nonexistent/coldframed");
        qputenv("XDG_RUNTIME_DIR", m_folder->path().toUtf8());
        auto client = makeClient();
        std::optional<Error> error;
        std::optional<Result<json>> answer;
        connect(client.get(), &api::Client::connectFailed, this, [&](const Error& e) { error = e; });
        client->call("echo", json::object(), this, [&](Result<json> r) { answer = std::move(r); });
        client->ensureEngine();
        QTRY_VERIFY(error.has_value());
        QVERIFY(error->code == ErrorCode::Unavailable);
        QTRY_VERIFY(answer.has_value());
        QVERIFY(!answer->has_value());
        qunsetenv("COLDFRAME_ENGINE");
    }
};

QTEST_GUILESS_MAIN(ClientTest)
#include "client_test.moc"
