// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <QtTest>
#include <sys/wait.h>

#include "dial_peer.h"

using namespace coldframe;
using namespace coldframe::policy;

namespace {

/// The real executable on two socket pairs.
class DialProcess
{
public:
    DialProcess()
    {
        auto [engineHere, engineThere] = socketPair(SOCK_STREAM);
        auto [proxyHere, proxyThere] = socketPair(SOCK_SEQPACKET);
        engine = std::move(engineHere);
        proxy = std::move(proxyHere);
        const int engineFd = ::dup(engineThere.get());
        const int proxyFd = ::dup(proxyThere.get());
        const std::string engineArgument = std::to_string(engineFd);
        const std::string proxyArgument = std::to_string(proxyFd);
        pid = ::fork();
        if (pid == 0) {
            ::execl(COLDFRAME_DIAL, COLDFRAME_DIAL, "--engine-fd", engineArgument.c_str(), "--proxy-fd",
                    proxyArgument.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(engineFd);
        ::close(proxyFd);
    }

    ~DialProcess()
    {
        if (pid > 0 && !hasEnded()) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    }

    bool hasEnded()
    {
        if (pid > 0 && ::waitpid(pid, &status, WNOHANG) == pid) {
            pid = -1;
        }
        return pid < 0;
    }

    std::string statusLine(const std::string& name) const
    {
        const auto text = readFile("/proc/" + std::to_string(pid) + "/status");
        const std::string all = text.value_or("");
        const auto at = all.find(name + ":");
        return at == std::string::npos ? "" : all.substr(at, all.find('\n', at) - at);
    }

    UniqueFd engine;
    UniqueFd proxy;
    pid_t pid = -1;
    int status = -1;
};

} // namespace

class TestDialProcess : public QObject
{
    Q_OBJECT

private slots:
    void connectsWhileConfinedAndLeavesWithTheProxy()
    {
        const LoopbackServer server;
        DialProcess process;
        PolicySet policy;
        policy.mode = Mode::Open;
        policy.rules.push_back(allowRule("localhost:" + std::to_string(server.port())));
        const std::string line = policyLine("setup", policy);
        QVERIFY(::send(process.engine.get(), line.data(), line.size(), MSG_NOSIGNAL) > 0);
        QVERIFY(readable(process.engine.get(), 10000));
        char ready[64] = {};
        QVERIFY(::recv(process.engine.get(), ready, sizeof ready - 1, 0) > 0);
        QCOMPARE(QByteArray(ready), QByteArray("{\"type\":\"ready\"}\n"));

        QCOMPARE(process.statusLine("NoNewPrivs"), std::string("NoNewPrivs:\t1"));
        QCOMPARE(process.statusLine("Seccomp"), std::string("Seccomp:\t2"));

        sendRequest(process.proxy.get(), "a", "127.0.0.1", server.port());
        const auto reply = takeReply(process.proxy.get());
        QVERIFY(reply && reply->ok());
        QVERIFY(server.talksTo(reply->socket.get()));

        // The system resolver works under the filter: localhost.localdomain-like names come from the host's files.
        sendRequest(process.proxy.get(), "b", "name-that-does-not-exist.invalid", 443);
        const auto unknown = takeReply(process.proxy.get(), 30000);
        QVERIFY(unknown && !unknown->ok());
        QVERIFY2(unknown->reason().find("name-that-does-not-exist.invalid") != std::string::npos, unknown->reason().c_str());

        process.engine.reset();
        sendRequest(process.proxy.get(), "c", "127.0.0.1", server.port());
        const auto alone = takeReply(process.proxy.get());
        QVERIFY(alone && alone->ok());
        process.proxy.reset();
        QTRY_VERIFY_WITH_TIMEOUT(process.hasEnded(), 10000);
        QVERIFY(WIFEXITED(process.status) && WEXITSTATUS(process.status) == 0);
    }

    void refusesToRunWithoutItsDescriptors()
    {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::execl(COLDFRAME_DIAL, COLDFRAME_DIAL, "--engine-fd", "999", nullptr);
            ::_exit(127);
        }
        int status = 0;
        QCOMPARE(::waitpid(pid, &status, 0), pid);
        QVERIFY(WIFEXITED(status));
        QCOMPARE(WEXITSTATUS(status), 2);
    }
};

QTEST_GUILESS_MAIN(TestDialProcess)
#include "test_dial_process.moc"
