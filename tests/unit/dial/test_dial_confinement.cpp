// SPDX-License-Identifier: Apache-2.0
// What a dialler that was taken over can still do. Each attempt is made twice: without the confinement it works (the control), with it not.
#include "dial/dialler.h"

#include <QtTest>
#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace coldframe;

namespace {

int inChild(bool confined, const std::function<int()>& body)
{
    const pid_t child = ::fork();
    if (child == 0) {
        if (confined && !dial::confineDialler()) {
            ::_exit(99);
        }
        ::_exit(body());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// 0 = worked, 1 = refused by the confinement, 2 = another error.
int outcome(long result) { return result >= 0 ? 0 : errno == EPERM || errno == EACCES || errno == ENOSYS ? 1 : 2; }

struct Attempt
{
    const char* name;
    std::function<int()> run;
};

} // namespace

class TestDialConfinement : public QObject
{
    Q_OBJECT

private slots:
    void hazard_06_whatADiallerDoesNotNeedIsRefused()
    {
        QTemporaryDir folder;
        const std::string file = folder.filePath("file").toStdString();
        const std::string other = folder.filePath("other").toStdString();
        QVERIFY(QFile(QString::fromStdString(file)).open(QIODevice::WriteOnly));
        const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
        const Attempt attempts[] = {
            {"run a program", [] {
                 char name[] = "/bin/true";
                 char* arguments[] = {name, nullptr};
                 ::execv(name, arguments);
                 return 1;
             }},
            {"fork", [] {
                 const pid_t child = ::fork();
                 if (child == 0) {
                     ::_exit(0);
                 }
                 return outcome(child);
             }},
            {"write to a file", [&] { return outcome(::open(file.c_str(), O_WRONLY)); }},
            {"make a file", [&] { return outcome(::open((other + "-new").c_str(), O_CREAT | O_RDWR, 0600)); }},
            {"remove a file", [&] { return outcome(::link(file.c_str(), (other + "-x").c_str()) == 0 ? ::unlink((other + "-x").c_str()) : -1); }},
            {"rename a file", [&] { return outcome(::rename(file.c_str(), file.c_str())); }},
            {"link", [&] { const int done = ::symlink("x", other.c_str()); ::unlink(other.c_str()); return outcome(done); }},
            {"make a folder", [&] { const int done = ::mkdir((other + "-d").c_str(), 0700); ::rmdir((other + "-d").c_str()); return outcome(done); }},
            {"change a mode", [&] { return outcome(::chmod(file.c_str(), 0600)); }},
            {"be connected to", [&] { return outcome(::listen(listening, 1)); }},
            {"memory that can be run as a program", [] { return outcome(::syscall(SYS_memfd_create, "x", 0)); }},
            {"send a signal", [] { return outcome(::kill(::getpid(), 0)); }},
            {"be traced", [] { return outcome(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }},
            {"read another process", [] {
                 char byte = 0;
                 iovec local{&byte, 1};
                 iovec remote{&byte, 1};
                 return outcome(::syscall(SYS_process_vm_readv, ::getpid(), &local, 1, &remote, 1, 0));
             }},
        };
        for (const Attempt& attempt : attempts) {
            QVERIFY2(inChild(false, attempt.run) == 0, attempt.name);
            QVERIFY2(inChild(true, attempt.run) == 1, attempt.name);
        }
        ::close(listening);
    }

    void rawPacketsAreRefusedForRootToo()
    {
        if (::geteuid() != 0) { // the control needs the right to them
            QSKIP("raw sockets are root's alone");
        }
        const auto raw = [] { return outcome(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); };
        QCOMPARE(inChild(true, raw), 1);
    }

    void whatItNeedsStays()
    {
        QCOMPARE(inChild(true, [] { return outcome(::socket(AF_INET, SOCK_STREAM, 0)); }), 0);
        QCOMPARE(inChild(true, [] { return outcome(::socket(AF_NETLINK, SOCK_RAW, 0)); }), 0);
        QCOMPARE(inChild(true, [] { return outcome(::open("/etc/hosts", O_RDONLY)); }), 0);
        QCOMPARE(inChild(true, [] {
                     addrinfo* list = nullptr;
                     return ::getaddrinfo("localhost", "80", nullptr, &list) == 0 ? 0 : 3;
                 }),
                 0);
        QCOMPARE(inChild(true, [] { // no core file, no other process may look in, no privileges to be had
                     rlimit limit{};
                     ::getrlimit(RLIMIT_CORE, &limit);
                     return limit.rlim_cur == 0 && ::prctl(PR_GET_DUMPABLE) == 0 && ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
                 }),
                 0);
    }

    void filesOfTheUserAreOutOfReachWithLandlock()
    {
        constexpr long kCreateRuleset = 444;
        if (::syscall(kCreateRuleset, nullptr, 0, 1) < 1) {
            QSKIP("this kernel has no Landlock");
        }
        QTemporaryDir folder;
        const std::string file = folder.filePath("file").toStdString();
        QVERIFY(QFile(QString::fromStdString(file)).open(QIODevice::WriteOnly));
        const auto read = [&file] { return outcome(::open(file.c_str(), O_RDONLY)); };
        const auto list = [&folder] { return outcome(::open(folder.path().toLocal8Bit().constData(), O_RDONLY | O_DIRECTORY)); };
        QCOMPARE(inChild(false, read), 0);
        QCOMPARE(inChild(true, read), 1);
        QCOMPARE(inChild(false, list), 0);
        QCOMPARE(inChild(true, list), 1);
    }
};

QTEST_GUILESS_MAIN(TestDialConfinement)
#include "test_dial_confinement.moc"
