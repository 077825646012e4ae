// SPDX-License-Identifier: Apache-2.0
// The server over real sockets.
#include "server_fixture.h"

#include "api/engine_start.h"

#include <QFile>
#include <QTest>
#include <cstring>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::tests;

namespace {

/// A raw connection that sends and reads text.
class Raw
{
public:
    explicit Raw(const std::filesystem::path& path) : m_fd(std::move(*api::connectEngine(path))) {}
    void send(std::string_view text) { QVERIFY(::send(m_fd.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0); }
    /// The next line; "" at the end of the connection, "timeout" after 5 s.
    std::string line()
    {
        std::string out;
        for (;;) {
            pollfd watched{m_fd.get(), POLLIN, 0};
            if (::poll(&watched, 1, 5000) <= 0) {
                return "timeout";
            }
            char byte = 0;
            if (::recv(m_fd.get(), &byte, 1, 0) <= 0 || byte == '\n') {
                return out;
            }
            out.push_back(byte);
        }
    }
    int fd() const { return m_fd.get(); }
    void close() { m_fd.reset(); }

private:
    UniqueFd m_fd;
};

int errorCodeOf(const std::string& line)
{
    const json parsed = json::parse(line, nullptr, false);
    return parsed.is_object() && parsed.contains("error") ? parsed["error"].value("code", 0) : 0;
}

} // namespace

class ServerTest : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::filesystem::path m_socket;

    Result<api::SyncClient> connectClient() const
    {
        api::SyncClient::Options options;
        options.socketPath = m_socket;
        options.startEngine = false;
        return api::SyncClient::connect(options);
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_socket = std::filesystem::path(m_folder->path().toStdString()) / "coldframe/engine.sock";
    }

    void answersRequestsAndErrors()
    {
        RunningServer server(m_socket);
        QVERIFY(server.started.has_value());
        auto client = connectClient();
        QVERIFY(client.has_value());
        QCOMPARE(client->call("echo", {{"a", 1}})->value("a", 0), 1);
        const auto refused = client->call("refuse", json::object());
        QVERIFY(refused.error().code == ErrorCode::NotAllowed);
        QCOMPARE(refused.error().detail, std::string("why"));
        QVERIFY(client->call("throw", json::object()).error().code == ErrorCode::Internal);
        QVERIFY(client->call("needs", json::object()).error().code == ErrorCode::InvalidArgument);
        QVERIFY(client->call("nothing", json::object()).error().code == ErrorCode::Protocol);
        QVERIFY(client->call("big", json::object()).error().message.find("longer") != std::string::npos);
        QCOMPARE(client->call("echo", {{"a", 2}})->value("a", 0), 2);
    }

    void anEngineThatIsLeavingIsNotTakenForOne()
    {
        const auto soon = [] { return std::chrono::steady_clock::now() + std::chrono::milliseconds(200); };
        {
            RunningServer server(m_socket); // the control
            auto socket = api::connectEngine(m_socket);
            QVERIFY(api::isAnswering(socket->get(), soon()));
            api::SyncClient::Options options;
            options.socketPath = m_socket;
            auto client = api::SyncClient::connect(options);
            QVERIFY(client.has_value());
            QCOMPARE(client->call("echo", {{"a", 1}})->value("a", 0), 1);
        }
        // What is left of an engine after kill -9, until its last thread is gone: connections wait, then break.
        UniqueFd dying(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, m_socket.c_str());
        QCOMPARE(::bind(dying.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        QCOMPARE(::listen(dying.get(), 8), 0);
        QVERIFY(!api::isAnswering(api::connectEngine(m_socket)->get(), soon()));
        const QString engine = m_folder->filePath("engine");
        QFile script(engine);
        QVERIFY(script.open(QIODevice::WriteOnly));
        script.write("#!/bin/sh\necho 'coldframed: It was asked to start.'\n");
        script.close();
        script.setPermissions(QFile::ReadOwner | QFile::ExeOwner);
        qputenv("COLDFRAME_ENGINE", engine.toUtf8());
        qputenv("XDG_RUNTIME_DIR", m_folder->path().toUtf8());
        std::jthread end([&dying] {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            dying.reset();
        });
        const auto began = std::chrono::steady_clock::now();
        const auto started = api::connectOrStartEngine(m_socket, std::chrono::seconds(10));
        QVERIFY(!started && started.error().message.find("It was asked to start.") != std::string::npos);
        QVERIFY(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
    }

    void folderAndSocketAreTheUsersAlone()
    {
        ::mkdir(m_socket.parent_path().c_str(), 0755);
        RunningServer server(m_socket);
        QVERIFY(server.started.has_value());
        struct stat status{};
        ::stat(m_socket.parent_path().c_str(), &status);
        QCOMPARE(status.st_mode & 0777, 0700u);
        ::stat(m_socket.c_str(), &status);
        QCOMPARE(status.st_mode & 0777, 0600u);
    }

    void anotherUserIsRefused()
    {
        api::ServerOptions options;
        std::atomic<uid_t> uid = ::geteuid() + 1;
        options.peerUid = [&uid](int) -> Result<uid_t> { return uid.load(); };
        RunningServer server(m_socket, options);
        Raw other(m_socket);
        const std::string refusal = other.line();
        QCOMPARE(errorCodeOf(refusal), api::kFailed);
        QVERIFY(refusal.find("not_allowed") != std::string::npos);
        QCOMPARE(other.line(), std::string());
        uid = ::geteuid(); // the control: the same server serves its own user
        auto client = connectClient();
        QVERIFY(client->call("echo", json::object()).has_value());
    }

    void malformedLinesAreAnsweredAndTheConnectionLives()
    {
        RunningServer server(m_socket);
        Raw raw(m_socket);
        raw.send("nonsense\n[]\n{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"echo\"}\n");
        QCOMPARE(errorCodeOf(raw.line()), api::kParseError);
        QCOMPARE(errorCodeOf(raw.line()), api::kInvalidRequest);
        QCOMPARE(raw.line(), std::string(R"({"jsonrpc":"2.0","id":4,"result":{}})"));
    }

    void anOverlongLineEndsTheConnection()
    {
        RunningServer server(m_socket);
        Raw raw(m_socket);
        const std::string chunk(64 * 1024, 'x');
        for (std::size_t sent = 0; sent <= api::kMaxLine; sent += chunk.size()) {
            if (::send(raw.fd(), chunk.data(), chunk.size(), MSG_NOSIGNAL) < 0) {
                break;
            }
        }
        QCOMPARE(errorCodeOf(raw.line()), api::kInvalidRequest);
        QCOMPARE(raw.line(), std::string());
        QVERIFY(connectClient()->call("echo", json::object()).has_value());
    }

    void progressComesBeforeTheAnswerAndOnlyWhenAskedFor()
    {
        RunningServer server(m_socket);
        auto client = connectClient();
        std::vector<std::string> seen;
        api::SyncClient::CallOptions options;
        options.onProgress = [&seen](const api::Progress& p) { seen.push_back(p.text); };
        QVERIFY(client->call("progress", json::object(), options).has_value());
        QCOMPARE(seen, (std::vector<std::string>{"step 0", "step 1", "step 2"}));
        Raw raw(m_socket);
        raw.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"progress\"}\n");
        QVERIFY(raw.line().find("result") != std::string::npos);
    }

    void cancelEndsTheNamedCallOnly()
    {
        RunningServer server(m_socket);
        Raw raw(m_socket);
        raw.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hang\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"hang\"}\n");
        QVERIFY(waitUntil([&] { return server.dispatcher.hanging == 2; }));
        raw.send("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":2}}\n");
        const json answer = json::parse(raw.line());
        QCOMPARE(answer["id"].get<int>(), 2);
        QCOMPARE(answer["error"]["data"]["code"].get<std::string>(), std::string("cancelled"));
        QCOMPARE(server.dispatcher.hanging.load(), 1);
    }

    void aDroppedClientCancelsItsCallsButDetachedOnes()
    {
        RunningServer server(m_socket);
        Raw raw(m_socket);
        raw.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hang\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"detachedHang\"}\n");
        QVERIFY(waitUntil([&] { return server.dispatcher.hanging == 2; }));
        raw.close();
        QVERIFY(waitUntil([&] { return server.dispatcher.cancelled == 1; }));
        QVERIFY(waitUntil([&] { return server.onThread([](api::Server& s) { return s.clientCount(); }) == 0; }));
        QCOMPARE(server.dispatcher.hanging.load(), 1);
        QCOMPARE(server.onThread([](api::Server& s) { return s.runningCalls(); }), std::size_t{1});
    }

    void aRepeatedIdIsRefusedWhileTheFirstRuns()
    {
        RunningServer server(m_socket);
        Raw raw(m_socket);
        raw.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hang\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
        QCOMPARE(errorCodeOf(raw.line()), api::kInvalidRequest);
    }

    void attachmentTokensWorkOnceAndRunOut()
    {
        api::ServerOptions options;
        options.attachmentLife = std::chrono::milliseconds(300);
        RunningServer server(m_socket, options);
        auto client = connectClient();
        const std::string token = client->call("attach", json::object())->value("token", "");
        QVERIFY(token.size() >= 32);
        auto attached = client->attach(token);
        QVERIFY(attached.has_value());
        // The control: the stream carries bytes. Then the same token again.
        QVERIFY(::send(attached->get(), "hi", 2, MSG_NOSIGNAL) == 2);
        std::array<char, 7> frame{};
        QCOMPARE(::recv(attached->get(), frame.data(), frame.size(), MSG_WAITALL), ssize_t{7});
        QVERIFY(client->attach(token).error().code == ErrorCode::NotAllowed);
        QVERIFY(client->attach(std::string(64, '0')).error().code == ErrorCode::NotAllowed);
        const std::string unused = client->call("attach", json::object())->value("token", "");
        QVERIFY(waitUntil([&] { return server.dispatcher.expired == 1; }));
        QVERIFY(client->attach(unused).error().code == ErrorCode::NotAllowed);
    }

    void bytesBehindTheAttachLineBelongToTheAttachment()
    {
        RunningServer server(m_socket);
        auto client = connectClient();
        const std::string token = client->call("attach", json::object())->value("token", "");
        Raw raw(m_socket);
        raw.send("{\"attach\":\"" + token + "\"}\nearly");
        QCOMPARE(raw.line(), std::string("{\"attached\":true}"));
        std::array<char, 10> frame{};
        QCOMPARE(::recv(raw.fd(), frame.data(), frame.size(), MSG_WAITALL), ssize_t{10});
        QCOMPARE(std::string(frame.data() + 5, 5), std::string("early"));
    }

    void hazard_20_keysTravelAsBytesNotJson()
    {
        RunningServer server(m_socket);
        auto client = connectClient();
        const auto send = [&](const std::string& bytes) {
            auto socket = client->attach(client->call("key", json::object())->value("token", ""));
            (void)!::send(socket->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            ExecFrameDecoder decoder;
            std::array<char, 4096> buffer{};
            const ssize_t size = ::recv(socket->get(), buffer.data(), buffer.size(), 0);
            decoder.feed({buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))});
            auto frame = decoder.next();
            return frame && *frame ? (*frame)->type : ExecFrameType::Stdin;
        };
        QVERIFY(send(encodeExecFrame(ExecFrameType::Stdin, std::string("k\0\xff\n", 4))) == ExecFrameType::Exit);
        QCOMPARE(server.dispatcher.keyBytes.load(), 4);
        QVERIFY(send(encodeExecFrame(ExecFrameType::Stdin, "")) == ExecFrameType::Failure);
        QVERIFY(send(encodeExecFrame(ExecFrameType::Resize, "abcd")) == ExecFrameType::Failure);
        QVERIFY(send(std::string("\0\xff\xff\xff\xff", 5)) == ExecFrameType::Failure);
        QCOMPARE(server.dispatcher.keyBytes.load(), 4);
    }

    void aSubscriberThatDoesNotReadIsDroppedAndOthersAreNot()
    {
        api::ServerOptions options;
        options.maxQueuedBytes = 256 * 1024;
        RunningServer server(m_socket, options);
        Raw slow(m_socket);
        slow.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.subscribe\"}\n");
        QVERIFY(slow.line().find("sandboxes") != std::string::npos);
        auto reader = connectClient();
        QVERIFY(reader->call("events.subscribe", json::object()).has_value());
        const json event = {{"type", "test"}, {"text", std::string(60 * 1024, 'x')}};
        int events = 0;
        while (server.onThread([](api::Server& s) { return s.clientCount(); }) == 2 && events < 200) {
            server.onThread([&event](api::Server& s) { s.broadcast(event); });
            QVERIFY(reader->nextEvent(-1, std::chrono::seconds(5)).has_value());
            ++events;
        }
        QVERIFY2(events < 200, "the slow one was never dropped");
        QVERIFY(reader->call("echo", json::object()).has_value());
    }

    void tooManyClientsAreToldSo()
    {
        api::ServerOptions options;
        options.maxClients = 2;
        RunningServer server(m_socket, options);
        auto one = connectClient();
        auto two = connectClient();
        QVERIFY(one->call("echo", json::object()) && two->call("echo", json::object()));
        Raw third(m_socket);
        QVERIFY(third.line().find("busy") != std::string::npos);
        QCOMPARE(third.line(), std::string());
    }

    void onlyOneEngineRuns()
    {
        auto first = std::make_unique<RunningServer>(m_socket);
        QVERIFY(first->started.has_value());
        {
            RunningServer second(m_socket);
            QVERIFY(second.started.error().code == ErrorCode::AlreadyExists);
        }
        // The loser's end has not taken the winner's socket away.
        QVERIFY(connectClient()->call("echo", json::object()).has_value());
        first.reset();
        QVERIFY(!std::filesystem::exists(m_socket));
        RunningServer third(m_socket);
        QVERIFY(third.started.has_value());
    }

    void aStaleSocketIsReplaced()
    {
        std::filesystem::create_directories(m_socket.parent_path());
        {
            UniqueFd stale(::socket(AF_UNIX, SOCK_STREAM, 0));
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            std::copy_n(m_socket.c_str(), m_socket.native().size(), address.sun_path);
            QCOMPARE(::bind(stale.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        }
        QVERIFY(!connectClient());
        RunningServer server(m_socket);
        QVERIFY(connectClient()->call("echo", json::object()).has_value());
    }
};

QTEST_GUILESS_MAIN(ServerTest)
#include "server_test.moc"
