// SPDX-License-Identifier: Apache-2.0
#include "proxy/sandbox_filter.h"

#include <QtTest>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/// Runs `body` in a child, with or without the filter; its exit code, or 1000 + the signal that ended it.
int inChild(bool filtered, const std::function<int()>& body)
{
    const pid_t child = ::fork();
    if (child == 0) {
        if (filtered && !coldframe::proxy::enterFilter()) {
            ::_exit(99);
        }
        ::_exit(body());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// 0 = worked, 1 = EPERM, 2 = another error.
int outcome(long result) { return result >= 0 ? 0 : errno == EPERM ? 1 : 2; }

} // namespace

class FilterTest : public QObject
{
    Q_OBJECT

private slots:
    // Each attempt runs twice: without the filter it works (the control), with it it does not.
    void hazard_06_proxyOpensNoFilesAndNoSockets()
    {
        const auto openFile = [] { return outcome(::open("/etc/hostname", O_RDONLY)); };
        const auto openFolder = [] { return outcome(::open("/", O_RDONLY | O_DIRECTORY)); };
        const auto inetSocket = [] { return outcome(::socket(AF_INET, SOCK_STREAM, 0)); };
        const auto unixSocket = [] { return outcome(::socket(AF_UNIX, SOCK_STREAM, 0)); };
        for (const std::function<int()>& attempt : {std::function<int()>(openFile), std::function<int()>(openFolder),
                                                    std::function<int()>(inetSocket), std::function<int()>(unixSocket)}) {
            QCOMPARE(inChild(false, attempt), 0);
            QCOMPARE(inChild(true, attempt), 1);
        }
    }

    void hazard_06_inheritedSocketsCannotBeConnected()
    {
        const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
        QVERIFY(fd >= 0);
        const auto attempt = [fd] {
            struct sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(9);
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return outcome(::connect(fd, reinterpret_cast<const struct sockaddr*>(&address), sizeof address));
        };
        QCOMPARE(inChild(false, attempt), 0);
        QCOMPARE(inChild(true, attempt), 1);
        ::close(fd);
    }

    void hazard_06_startingAProgramEndsTheProcess()
    {
        const auto attempt = [] {
            char name[] = "/bin/true";
            char* arguments[] = {name, nullptr};
            ::execv(name, arguments);
            return 7;
        };
        QCOMPARE(inChild(false, attempt), 0);
        QCOMPARE(inChild(true, attempt), 1000 + SIGSYS);
    }

    void hazard_06_tracingEndsTheProcess()
    {
        const auto attempt = [] { return outcome(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)) == 2 ? 2 : 0; };
        QCOMPARE(inChild(true, attempt), 1000 + SIGSYS);
    }

    void readingWritingAndAcceptingGoOn()
    {
        int pair[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        const auto attempt = [&pair] {
            char byte = 'x';
            const bool ok = ::write(pair[0], &byte, 1) == 1 && ::read(pair[1], &byte, 1) == 1;
            void* memory = ::malloc(10u << 20);
            ::free(memory);
            return ok && memory ? 0 : 3;
        };
        QCOMPARE(inChild(true, attempt), 0);
        ::close(pair[0]);
        ::close(pair[1]);
    }
};

QTEST_GUILESS_MAIN(FilterTest)
#include "filter_test.moc"
