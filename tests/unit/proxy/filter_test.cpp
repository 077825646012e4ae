// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"
#include "proxy/sandbox_filter.h"

#include <QtTest>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

    // The rest of what a proxy that was taken over might try: each works without the filter.
    void hazard_06_nothingElseIsLeftToTry()
    {
        QTemporaryDir folder;
        const std::string file = folder.filePath("file").toStdString();
        QVERIFY(QFile(QString::fromStdString(file)).open(QIODevice::WriteOnly));
        const int unbound = ::socket(AF_INET, SOCK_STREAM, 0);
        struct Attempt
        {
            const char* name;
            std::function<int()> run;
        };
        const Attempt attempts[] = {
            {"bind", [unbound] {
                 struct sockaddr_in address{};
                 address.sin_family = AF_INET;
                 return outcome(::bind(unbound, reinterpret_cast<const struct sockaddr*>(&address), sizeof address));
             }},
            {"listen", [unbound] { return outcome(::listen(unbound, 1)); }},
            {"socketpair", [] { int pair[2]; return outcome(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair)); }},
            {"netlink", [] { return outcome(::socket(AF_NETLINK, SOCK_RAW, 0)); }},
            {"make a file", [&file] { return outcome(::open((file + "-new").c_str(), O_CREAT | O_WRONLY, 0600)); }},
            {"remove a file", [&file] { return outcome(::unlink((file + "-new").c_str())); }},
            {"rename", [&file] { return outcome(::rename(file.c_str(), file.c_str())); }},
            {"change a mode", [&file] { return outcome(::chmod(file.c_str(), 0600)); }},
            {"make a folder", [&file] { const int done = ::mkdir((file + "-d").c_str(), 0700); ::rmdir((file + "-d").c_str()); return outcome(done); }},
            {"look at a file", [&file] { struct stat status{}; return outcome(::stat(file.c_str(), &status)); }},
            {"read a link", [] { char text[64]; return outcome(::readlink("/proc/self/exe", text, sizeof text)); }},
            {"change the folder", [] { return outcome(::chdir("/")); }},
            {"memory without a file", [] { return outcome(::syscall(SYS_memfd_create, "x", 0)); }},
            {"memory that can be run", [] {
                 void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                 return memory == MAP_FAILED ? outcome(-1) : 0;
             }},
            {"make memory run", [] {
                 void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                 return outcome(::mprotect(memory, 4096, PROT_READ | PROT_EXEC));
             }},
            {"send a signal", [] { return outcome(::kill(::getpid(), 0)); }},
            {"watch files", [] { return outcome(::syscall(SYS_inotify_init1, 0)); }},
            {"become dumpable again", [] { return outcome(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
            {"new thread or process", [] { return outcome(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)); }},
        };
        for (const Attempt& attempt : attempts) {
            QVERIFY2(inChild(false, attempt.run) == 0, attempt.name);
            QVERIFY2(inChild(true, attempt.run) == 1, attempt.name);
        }
        ::close(unbound);
    }

    void hazard_20_noCoreFileAndNobodyMayLookIn()
    {
        const auto look = [] {
            struct rlimit limit{};
            ::getrlimit(RLIMIT_CORE, &limit);
            return limit.rlim_cur == 0 ? 0 : 3;
        };
        coldframe::SecretBuffer key("secret");
        QCOMPARE(std::string(key.view()), std::string("secret"));
        QCOMPARE(inChild(true, [] { return ::syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) == -1 ? 0 : 3; }), 0); // not even asked about
        const pid_t child = ::fork();
        if (child == 0) {
            const bool dumpable = ::prctl(PR_GET_DUMPABLE) == 1;
            coldframe::forbidCoreDumps();
            ::_exit(dumpable && ::prctl(PR_GET_DUMPABLE) == 0 ? look() : 4);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        QCOMPARE(WEXITSTATUS(status), 0);
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
