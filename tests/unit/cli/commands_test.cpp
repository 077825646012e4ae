// SPDX-License-Identifier: Apache-2.0
// The real program against an engine without microVMs: output, exit codes, streams, terminals.
#include <QDir>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

using nlohmann::json;

namespace {

struct Outcome
{
    int code = -1;
    QByteArray out;
    QByteArray err;
};

/// The program on a PTY of its own, as under script(1).
class OnTerminal
{
public:
    OnTerminal(const QStringList& arguments, const QProcessEnvironment& environment)
    {
        struct winsize size{};
        size.ws_row = 33;
        size.ws_col = 99;
        std::vector<QByteArray> words{COLDFRAME_PROGRAM};
        for (const QString& argument : arguments) {
            words.push_back(argument.toUtf8());
        }
        std::vector<QByteArray> variables;
        for (const QString& variable : environment.toStringList()) {
            variables.push_back(variable.toUtf8());
        }
        const auto pointers = [](std::vector<QByteArray>& texts) {
            std::vector<char*> out;
            for (QByteArray& text : texts) {
                out.push_back(text.data());
            }
            out.push_back(nullptr);
            return out;
        };
        const std::vector<char*> argv = pointers(words);
        const std::vector<char*> envp = pointers(variables);
        int slave = -1;
        ::openpty(&m_master, &slave, nullptr, nullptr, &size);
        ::tcgetattr(slave, &before);
        m_pid = ::fork();
        if (m_pid == 0) {
            ::login_tty(slave);
            ::execve(argv[0], argv.data(), envp.data());
            ::_exit(99);
        }
        m_slave = slave; // kept open: the terminal's modes can be looked at after the program's end
    }
    ~OnTerminal()
    {
        if (m_pid > 0) {
            ::kill(m_pid, SIGKILL);
            ::waitpid(m_pid, nullptr, 0);
        }
        ::close(m_master);
        ::close(m_slave);
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;

    void type(const QByteArray& keys) { QCOMPARE(::write(m_master, keys.constData(), static_cast<size_t>(keys.size())), keys.size()); }
    void resize(unsigned short rows, unsigned short columns)
    {
        struct winsize size{};
        size.ws_row = rows;
        size.ws_col = columns;
        ::ioctl(m_master, TIOCSWINSZ, &size);
    }
    bool waitFor(const QByteArray& text)
    {
        for (int waited = 0; !seen.contains(text) && waited < 8000; waited += 20) {
            pollfd watched{m_master, POLLIN, 0};
            if (::poll(&watched, 1, 20) > 0) {
                char buffer[4096];
                const ssize_t size = ::read(m_master, buffer, sizeof(buffer));
                if (size > 0) {
                    seen.append(buffer, static_cast<qsizetype>(size));
                }
            }
        }
        return seen.contains(text);
    }
    int waitForEnd()
    {
        int status = 0;
        for (int waited = 0; waited < 8000; waited += 10) {
            waitForNothing();
            if (::waitpid(m_pid, &status, WNOHANG) == m_pid) {
                m_pid = -1;
                return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
            }
        }
        return -1;
    }
    bool isRestored() const
    {
        struct termios now{};
        ::tcgetattr(m_slave, &now);
        return now.c_lflag == before.c_lflag && now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag;
    }
    bool isRaw() const
    {
        struct termios now{};
        ::tcgetattr(m_slave, &now);
        return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
    }
    pid_t pid() const { return m_pid; }

    QByteArray seen;
    struct termios before{};

private:
    void waitForNothing()
    {
        pollfd watched{m_master, POLLIN, 0};
        char buffer[4096];
        if (::poll(&watched, 1, 10) > 0) {
            const ssize_t size = ::read(m_master, buffer, sizeof(buffer));
            seen.append(buffer, static_cast<qsizetype>(size > 0 ? size : 0));
        }
    }
    int m_master = -1;
    int m_slave = -1;
    pid_t m_pid = -1;
};

} // namespace

class CommandsTest : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<QProcess> m_engine;
    QProcessEnvironment m_environment;
    QString m_project;

    void startEngine(const QStringList& options = {})
    {
        m_engine = std::make_unique<QProcess>();
        m_engine->setProcessEnvironment(m_environment);
        m_engine->start(FAKE_ENGINE, QStringList{"--stdin-life", "--stage", "5", "--record", m_folder->filePath("record")} + options);
        QVERIFY(m_engine->waitForReadyRead(10000));
    }

    Outcome coldframe(const QStringList& arguments, const QByteArray& input = {}, const QStringList& extra = {})
    {
        QProcess process;
        QProcessEnvironment environment = m_environment;
        for (const QString& variable : extra) {
            environment.insert(variable.section('=', 0, 0), variable.section('=', 1));
        }
        process.setProcessEnvironment(environment);
        process.setWorkingDirectory(m_project);
        process.start(COLDFRAME_PROGRAM, arguments);
        process.write(input);
        process.closeWriteChannel();
        if (!process.waitForFinished(20000)) {
            process.kill();
            process.waitForFinished();
            return {};
        }
        return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
    }

    QByteArray record() const
    {
        QFile file(m_folder->filePath("record"));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        m_environment = QProcessEnvironment();
        // Only folders that everyone may search: a closed one in PATH turns "not found" into "not allowed".
        m_environment.insert("PATH", "/usr/local/bin:/usr/bin:/bin");
        m_environment.insert("HOME", m_folder->path());
        m_environment.insert("XDG_RUNTIME_DIR", m_folder->path());
        m_environment.insert("COLDFRAME_ENGINE", FAKE_ENGINE);
        m_project = m_folder->filePath("proj");
        QDir().mkdir(m_project);
    }
    void cleanup()
    {
        if (m_engine) {
            m_engine->closeWriteChannel();
            m_engine->waitForFinished(5000);
            m_engine.reset();
        }
    }

    void run_createsOnceAndThenReattaches()
    {
        startEngine();
        const Outcome first = coldframe({"run", "-d", "shell"});
        QCOMPARE(first.code, 0);
        QCOMPARE(first.out, QByteArray("shell-proj\n"));
        QCOMPARE(coldframe({"run", "-d", "shell", "."}).out, first.out);
        QCOMPARE(coldframe({"run", "-d", "shell-proj"}).out, first.out);
        QCOMPARE(coldframe({"ls", "-q"}).out, first.out);
        QCOMPARE(record().count("sandbox.create"), 1);
        const json list = json::parse(coldframe({"ls", "--json"}).out.toStdString());
        QCOMPARE(list["sandboxes"][0]["workspaces"][0]["path"].get<std::string>(), m_project.toStdString());
        QVERIFY(coldframe({"ls"}).out.startsWith("SANDBOX "));
    }

    void run_passesArgumentsAndTheExitCode()
    {
        startEngine();
        const Outcome outcome = coldframe({"run", "claude", "--", "-p", "two words"}, "exit 9\n");
        QCOMPARE(outcome.out, QByteArray("fake agent: -p two words\n"));
        QCOMPARE(outcome.code, 9);
    }

    void keysOfTheEnvironmentReachOnlyTheirSandboxAndNoMessage()
    {
        startEngine();
        const QStringList keys{"ANTHROPIC_API_KEY=sk-secret-1", "OPENAI_API_KEY=sk-secret-2"};
        QCOMPARE(coldframe({"run", "-d", "claude"}, {}, keys).code, 0);
        const QByteArray seen = record();
        QVERIFY(seen.contains("\"service\":\"anthropic\"},\"size\":11,\"stored\":false"));
        QVERIFY2(!seen.contains("\"service\":\"openai\""), "the agent does not use it");
        QVERIFY(!seen.contains("sk-secret"));
        QVERIFY(coldframe({"keys", "ls", "-q"}).out.isEmpty());
    }

    void keysAreSetFromStandardInputAndImported()
    {
        startEngine();
        QCOMPARE(coldframe({"keys", "set", "anthropic"}, "sk-abc\n").code, 0);
        QVERIFY(record().contains("\"size\":6,\"stored\":true"));
        QCOMPARE(coldframe({"keys", "set", "anthropic"}, "\n").code, 2);
        QCOMPARE(coldframe({"keys", "set", "anthropic"}, "two\nlines\n").code, 2);
        QCOMPARE(coldframe({"keys", "set", "nobody"}, "k\n").code, 3);
        QCOMPARE(coldframe({"keys", "login", "anthropic", "--from-file", "-"}, "{}").code, 0); // by the name that it stands in for
        QVERIFY(coldframe({"keys", "ls"}).out.contains("token until"));
        QCOMPARE(coldframe({"keys", "login", "openai", "--from-file", "-"}, "{}").code, 3);
        QCOMPARE(coldframe({"keys", "login", "claude-login", "--from-file", "-"}, "").code, 2);
        QCOMPARE(coldframe({"keys", "login", "claude-login", "--from-file", "/nowhere/file"}).code, 3);
        QCOMPARE(coldframe({"keys", "rm", "claude-login"}).code, 0);
        QCOMPARE(coldframe({"keys", "import"}).code, 3);
        const Outcome imported = coldframe({"keys", "import"}, {}, {"OPENAI_API_KEY=k"});
        QCOMPARE(imported.out, QByteArray("openai from OPENAI_API_KEY\n"));
        QCOMPARE(coldframe({"keys", "ls", "-q"}).out, QByteArray("anthropic\nopenai\n"));
    }

    void exec_joinsTheStreams()
    {
        startEngine();
        coldframe({"create", "shell", "--name", "box"});
        QByteArray bytes;
        for (int i = 0; i < 300000; ++i) {
            bytes.append(static_cast<char>(i * 7));
        }
        const Outcome copied = coldframe({"exec", "-i", "box", "cat"}, bytes);
        QCOMPARE(copied.code, 0);
        QCOMPARE(copied.out.size(), bytes.size());
        QVERIFY(copied.out == bytes);
        const Outcome both = coldframe({"exec", "box", "sh", "-c", "echo out; echo err >&2; exit 5"});
        QCOMPARE(both.out, QByteArray("out\n"));
        QCOMPARE(both.err, QByteArray("err\n"));
        QCOMPARE(both.code, 5);
        // Without -i the program's input is empty, not ours.
        QCOMPARE(coldframe({"exec", "box", "cat"}, "unseen").out, QByteArray());
        QCOMPARE(coldframe({"exec", "-e", "A=b c", "box", "printenv", "A"}).out, QByteArray("b c\n"));
    }

    void exec_leavesWithTheDocumentedCodes()
    {
        startEngine();
        coldframe({"create", "shell", "--name", "box"});
        QCOMPARE(coldframe({"exec", "box", "no-such-program"}).code, 127);
        QCOMPARE(coldframe({"exec", "box", "/etc/passwd"}).code, 126);
        QCOMPARE(coldframe({"exec", "box", "sh", "-c", "kill -9 $$"}).code, 128 + 9);
        QCOMPARE(coldframe({"exec", "nobox", "ls"}).code, 3);
        QCOMPARE(coldframe({"exec", "-it", "box", "bash"}).code, 2); // input is no terminal
    }

    void exec_onATerminal()
    {
        startEngine();
        coldframe({"create", "shell", "--name", "box"});
        OnTerminal terminal({"exec", "-it", "box", "bash", "--norc"}, m_environment);
        terminal.type("stty size; echo ready-$((1+1))\r");
        QVERIFY2(terminal.waitFor("ready-2"), terminal.seen.constData());
        QVERIFY(terminal.seen.contains("33 99"));
        QVERIFY(terminal.isRaw());
        terminal.resize(40, 120);
        // One process that has its trap before it says so: a signal that comes while the shell still forks a child
        // would reach the shell alone.
        terminal.type("sh -c 'trap \"echo caught-\\$((2+2)); exit\" INT; echo asleep-$((1+2)); while :; do sleep 0.02; done'\r");
        QVERIFY(terminal.waitFor("asleep-3"));
        terminal.type("\x03"); // Ctrl-C belongs to the sandbox
        QVERIFY2(terminal.waitFor("caught-4"), terminal.seen.toPercentEncoding().constData());
        terminal.type("stty size; exit 6\r");
        QVERIFY2(terminal.waitFor("40 120"), terminal.seen.toPercentEncoding().constData());
        QCOMPARE(terminal.waitForEnd(), 6);
        QVERIFY(terminal.isRestored());
    }

    void exec_recordsWhatIsShown()
    {
        startEngine();
        coldframe({"create", "shell", "--name", "box"});
        const QString cast = m_folder->filePath("shown.cast");
        {
            OnTerminal terminal({"exec", "-it", "--record", cast, "box", "sh", "-c", "read hidden; echo shown-$((40+2))"}, m_environment);
            QVERIFY2(terminal.waitFor("Recording what is shown here"), terminal.seen.constData());
            terminal.type("stty -echo\r");
            QVERIFY2(terminal.waitFor("shown-42"), terminal.seen.constData());
            QCOMPARE(terminal.waitForEnd(), 0);
            QVERIFY2(terminal.seen.contains("coldframe replay"), terminal.seen.constData());
        }
        QFile file(cast);
        QCOMPARE(file.permissions() & (QFile::ReadGroup | QFile::ReadOther | QFile::WriteGroup), QFile::Permissions());
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QByteArray recorded = file.readAll();
        QVERIFY2(recorded.contains("\"version\":2") || recorded.contains("\"version\": 2"), recorded.constData());
        QVERIFY2(recorded.contains("shown-42"), recorded.constData());
        // It is not replaced unasked, and then the program does not start either.
        const QString mark = m_folder->filePath("started");
        for (const bool force : {false, true}) {
            QStringList words{"exec", "-it", "--record", cast};
            words += force ? QStringList{"--force"} : QStringList{};
            OnTerminal again(words + QStringList{"box", "sh", "-c", "echo > " + mark + "; echo other-$((1+1))"}, m_environment);
            QCOMPARE(again.waitForEnd(), force ? 0 : 1);
            QCOMPARE(QFile::exists(mark), force);
            QVERIFY(file.seek(0));
            QCOMPARE(file.readAll().contains("other-2"), force);
        }
        // What never started leaves no file.
        OnTerminal nothing({"exec", "-it", "--record", m_folder->filePath("none.cast"), "nobox", "ls"}, m_environment);
        QVERIFY(nothing.waitForEnd() != 0);
        QVERIFY(!QFile::exists(m_folder->filePath("none.cast")));
        QCOMPARE(coldframe({"exec", "--record", m_folder->filePath("none.cast"), "box", "ls"}).code, 2);
    }

    void replay_showsARecordingAndNothingElse()
    {
        const QString path = m_folder->filePath("played.cast");
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write("{\"version\":2,\"width\":40,\"height\":5}\n"
                   "[0.1,\"o\",\"first \\u001b]52;c;c2VjcmV0\\u0007\\u001b[c\\u001b]2;stolen\\u0007\"]\n"
                   "[0.2,\"o\",\"second\"]\n[900,\"o\",\" third\"]\n");
        file.close();
        {
            OnTerminal terminal({"replay", "--longest-wait", "0.2", path}, m_environment);
            QVERIFY2(terminal.waitFor("third"), terminal.seen.toPercentEncoding().constData());
            QVERIFY(terminal.seen.contains("first"));
            QCOMPARE(terminal.waitForEnd(), 0);
            QVERIFY(terminal.isRestored());
            // Whoever made it asks this terminal nothing and does not reach its clipboard or title.
            QVERIFY2(!terminal.seen.contains("52;c") && !terminal.seen.contains("\x1b[c") && !terminal.seen.contains("stolen"), terminal.seen.toPercentEncoding().constData());
        }
        OnTerminal ended({"replay", path}, m_environment);
        QVERIFY(ended.waitFor("second"));
        ended.type("q");
        QCOMPARE(ended.waitForEnd(), 0);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write("nothing of the kind\n");
        file.close();
        OnTerminal foreign({"replay", path}, m_environment);
        QVERIFY(foreign.waitForEnd() > 0);
        QCOMPARE(coldframe({"replay", path}).code, 2); // no terminal
    }

    void exec_restoresTheTerminalWhenItIsKilled()
    {
        startEngine();
        coldframe({"create", "shell", "--name", "box"});
        for (const int signal : {SIGTERM, SIGHUP, SIGSEGV}) {
            OnTerminal terminal({"exec", "-it", "box", "sh", "-c", "echo up; exec cat"}, m_environment);
            QVERIFY(terminal.waitFor("up"));
            QVERIFY(terminal.isRaw());
            ::kill(terminal.pid(), signal);
            QCOMPARE(terminal.waitForEnd(), signal == SIGSEGV ? 1000 + SIGSEGV : 128 + signal);
            QVERIFY2(terminal.isRestored(), qPrintable(QString::number(signal)));
        }
    }

    void exec_restoresTheTerminalWhenTheEngineGoes()
    {
        startEngine();
        coldframe({"create", "shell", "--name", "box"});
        OnTerminal terminal({"exec", "-it", "box", "sh", "-c", "echo up; exec cat"}, m_environment);
        QVERIFY(terminal.waitFor("up"));
        m_engine->kill();
        m_engine->waitForFinished();
        QCOMPARE(terminal.waitForEnd(), 125);
        QVERIFY(terminal.isRestored());
        QVERIFY(terminal.seen.contains("broke"));
    }

    void ctrlC_cancelsTheRunningCall()
    {
        startEngine({"--stage", "60000"});
        QProcess process;
        process.setProcessEnvironment(m_environment);
        process.setWorkingDirectory(m_project);
        process.start(COLDFRAME_PROGRAM, {"create", "shell"});
        QTRY_VERIFY_WITH_TIMEOUT(record().contains("sandbox.create"), 10000);
        ::kill(static_cast<pid_t>(process.processId()), SIGINT);
        QVERIFY(process.waitForFinished(10000));
        QCOMPARE(process.exitCode(), 130);
        QCOMPARE(coldframe({"ls", "-q"}).out, QByteArray());
    }

    void theEngineIsStartedOnDemandWithoutTheCallersKeys()
    {
        const Outcome outcome = coldframe({"ls", "-q"}, {}, {"ANTHROPIC_API_KEY=sk-secret"});
        QCOMPARE(outcome.code, 0);
        const json version = json::parse(coldframe({"version", "--json"}).out.toStdString());
        const int pid = version["engine"]["pid"].get<int>();
        QFile environment(QString("/proc/%1/environ").arg(pid));
        QVERIFY(environment.open(QIODevice::ReadOnly));
        const QByteArray variables = environment.readAll();
        QVERIFY(variables.contains("XDG_RUNTIME_DIR="));
        QVERIFY(!variables.contains("sk-secret"));
        QVERIFY(::getsid(pid) != ::getsid(0));
        ::kill(pid, SIGTERM);
        QTRY_VERIFY_WITH_TIMEOUT(!QFile::exists(m_folder->filePath("coldframe/engine.sock")), 5000);
    }

    void withoutAnEngineTheErrorSaysSo()
    {
        m_environment.insert("COLDFRAME_ENGINE", "/nonexistent/coldframed");
        const Outcome outcome = coldframe({"ls"});
        QCOMPARE(outcome.code, 4);
        QVERIFY(outcome.err.contains("/nonexistent/coldframed"));
        QCOMPARE(coldframe({"version"}).code, 0);
    }

    void theEngineIsEndedAndNotStartedForThat()
    {
        startEngine({});
        QCOMPARE(coldframe({"run", "-d", "shell"}).code, 0);
        QCOMPARE(coldframe({"engine", "stop", "--force"}).code, 0);
        m_environment.insert("COLDFRAME_ENGINE", "/nonexistent/coldframed");
        QTRY_COMPARE(coldframe({"ls"}).code, 4); // nobody answers any more
        QCOMPARE(coldframe({"engine", "stop"}).code, 0);
    }

    void aMissingImageIsSaidAndBuilt()
    {
        startEngine({"--no-image"});
        const Outcome refused = coldframe({"run", "-d", "shell"});
        QCOMPARE(refused.code, 4);
        QVERIFY(refused.err.contains("coldframe image build"));
        QCOMPARE(coldframe({"image", "status"}).code, 4);
        QCOMPARE(coldframe({"image", "build"}).code, 0);
        QCOMPARE(coldframe({"run", "-d", "shell"}).code, 0);
    }

    void hazard_13_emulationNeedsOneConsent()
    {
        startEngine({"--emulate"});
        QCOMPARE(coldframe({"run", "-d", "shell"}).code, 5);
        QCOMPARE(coldframe({"run", "-d", "shell", "--accept-emulation"}).code, 0);
        QVERIFY(coldframe({"ls"}).out.contains("running (reduced isolation)"));
        QCOMPARE(coldframe({"create", "claude"}).code, 5);
        QCOMPARE(coldframe({"settings", "set", "consentToEmulation=true"}).code, 0);
        QCOMPARE(coldframe({"create", "claude"}).code, 0);
    }

    void policyAndLog()
    {
        startEngine({"--populate"});
        QCOMPARE(coldframe({"policy", "check", "x.example", "-s", "claude-webshop"}).code, 5);
        QCOMPARE(coldframe({"policy", "allow", "x.example", "-s", "claude-webshop"}).code, 0);
        QCOMPARE(coldframe({"policy", "check", "x.example", "-s", "claude-webshop"}).code, 0);
        QCOMPARE(coldframe({"policy", "rm", "x.example", "-s", "claude-webshop"}).code, 0);
        QCOMPARE(coldframe({"policy", "rm", "x.example", "-s", "claude-webshop"}).code, 3);
        const QByteArray log = coldframe({"network", "log", "claude-webshop", "--verdict", "denied"}).out;
        QCOMPARE(log.count('\n'), 1);
        QVERIFY(log.contains("sandbox=claude-webshop process GET https://telemetry.example.net:443/ denied status=403"));
        QVERIFY(json::parse(coldframe({"network", "log", "--json"}).out.toStdString())["entries"].size() == 4);
        QVERIFY(coldframe({"sync", "status", "shell-parser"}).out.contains("paused"));
        QCOMPARE(coldframe({"sync", "resume", "shell-parser", "--accept", "deletions"}).code, 0);
        QVERIFY(coldframe({"sync", "status", "shell-parser"}).out.contains("in step"));
    }

    void removalOfARunningSandboxWantsForce()
    {
        startEngine();
        coldframe({"create", "shell", "--name", "box"});
        QCOMPARE(coldframe({"rm", "box"}).code, 1);
        QCOMPARE(coldframe({"ls", "-q"}).out, QByteArray("box\n"));
        QCOMPARE(coldframe({"stop", "box"}).code, 0);
        QCOMPARE(coldframe({"rm", "box"}).code, 0);
        QCOMPARE(coldframe({"ls", "-q"}).out, QByteArray());
        QCOMPARE(coldframe({"rm", "box"}).code, 3);
    }

    void completionScriptsAreValid()
    {
        const Outcome script = coldframe({"completion", "bash"});
        QCOMPARE(script.code, 0);
        QProcess bash;
        bash.start("bash", {"-n"});
        bash.write(script.out);
        bash.closeWriteChannel();
        QVERIFY(bash.waitForFinished());
        QCOMPARE(bash.exitCode(), 0);
        QCOMPARE(coldframe({"completion", "csh"}).code, 2);
    }
};

QTEST_GUILESS_MAIN(CommandsTest)
#include "commands_test.moc"
