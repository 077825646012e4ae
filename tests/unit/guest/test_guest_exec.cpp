// SPDX-License-Identifier: Apache-2.0
#include "base/exec_frames.h"
#include "base/file.h"
#include "channel/connection.h"
#include "guest/agent/agent.h"
#include "guest/agent/encoding.h"
#include "terminal/terminal.h"

#include <QTemporaryDir>
#include <QTest>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::guest;

namespace {

/// What an attached host saw.
struct Attached
{
    channel::StreamPtr stream;
    std::string out;
    std::string error;
    std::optional<ExecExit> exit;
    std::optional<std::string> failure;
    bool ended = false;
};

asio::awaitable<void> collect(std::shared_ptr<Attached> seen)
{
    ExecFrameDecoder decoder;
    std::string buffer(65536, '\0');
    for (;;) {
        auto got = co_await seen->stream->read(
            std::span(reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()));
        if (!got || *got == 0) {
            break;
        }
        decoder.feed(std::string_view(buffer).substr(0, *got));
        for (auto frame = decoder.next(); frame && *frame; frame = decoder.next()) {
            switch ((*frame)->type) {
            case ExecFrameType::Stdout:
                seen->out += (*frame)->payload;
                break;
            case ExecFrameType::Stderr:
                seen->error += (*frame)->payload;
                break;
            case ExecFrameType::Exit:
                seen->exit = decodeExit((*frame)->payload).value();
                break;
            default:
                seen->failure = (*frame)->payload;
            }
        }
    }
    seen->ended = true;
}

asio::awaitable<void> writeBytes(channel::StreamPtr stream, std::string bytes)
{
    (void)co_await stream->write(
        std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

asio::awaitable<void> request(channel::Connection& host, std::string method, std::string path,
                              std::string body, std::shared_ptr<std::string> result)
{
    channel::Headers headers;
    headers[":method"] = method;
    headers[":scheme"] = "http";
    headers[":path"] = path;
    headers[":authority"] = "guest";
    auto stream = host.open(headers);
    if (!stream) {
        *result = "failed";
        co_return;
    }
    co_await writeBytes(*stream, body);
    (*stream)->finish();
    auto response = co_await (*stream)->responseHeaders();
    if (!response) {
        *result = "failed";
        co_return;
    }
    auto answer = co_await channel::readBody(**stream, 1 << 20);
    *result = (*response)[":status"] + " " + answer.value_or("failed");
}

} // namespace

class TestGuestExec : public QObject
{
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> m_folder;
    std::unique_ptr<asio::io_context> m_io;
    std::unique_ptr<Reaper> m_reaper;
    std::unique_ptr<Agent> m_agent;
    std::unique_ptr<channel::Connection> m_guest;
    std::unique_ptr<channel::Connection> m_host;

    bool runUntil(const std::function<bool()>& done, int seconds = 20)
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            m_io->restart();
            m_io->run_for(std::chrono::milliseconds(5));
        }
        return done();
    }

    std::string call(const std::string& method, const std::string& path, const std::string& body = "")
    {
        const auto result = std::make_shared<std::string>();
        asio::co_spawn(*m_io, request(*m_host, method, path, body, result), asio::detached);
        runUntil([&] { return !result->empty(); });
        return *result;
    }

    std::shared_ptr<Attached> attach(const std::string& id, const std::string& script, bool tty,
                                     const nlohmann::json& more = nlohmann::json::object())
    {
        nlohmann::json exec{
            {"id", id}, {"argv", {"/bin/bash", "--norc", "-c", script}}, {"cwd", "/"}, {"tty", tty}};
        exec.update(more);
        auto seen = std::make_shared<Attached>();
        seen->stream = m_host
                           ->open({{":method", "POST"},
                                   {":scheme", "http"},
                                   {":path", "/exec"},
                                   {":authority", "guest"},
                                   {"x-coldframe-exec", encodeBase64(exec.dump())}})
                           .value();
        asio::co_spawn(*m_io, collect(seen), asio::detached);
        return seen;
    }

    /// Attaches to a program that is there.
    std::shared_ptr<Attached> look(const std::string& id, const nlohmann::json& more = nlohmann::json::object(), bool reads = true)
    {
        nlohmann::json request{{"id", id}};
        request.update(more);
        auto seen = std::make_shared<Attached>();
        seen->stream = m_host
                           ->open({{":method", "POST"},
                                   {":scheme", "http"},
                                   {":path", "/attach"},
                                   {":authority", "guest"},
                                   {"x-coldframe-exec", encodeBase64(request.dump())}})
                           .value();
        if (reads) {
            asio::co_spawn(*m_io, collect(seen), asio::detached);
        }
        return seen;
    }

    nlohmann::json sessions()
    {
        const std::string answer = call("GET", "/sessions");
        return nlohmann::json::parse(answer.starts_with("200 ") ? answer.substr(4) : "null");
    }

    bool anyRunning()
    {
        const nlohmann::json all = sessions();
        for (const auto& session : all["sessions"]) {
            if (session["ended"] == false) {
                return true;
            }
        }
        return false;
    }

    static bool contains(const std::shared_ptr<Attached>& seen, const std::string& text, int times = 1)
    {
        std::size_t at = 0;
        for (int i = 0; i < times; ++i) {
            at = seen->out.find(text, at);
            if (at == std::string::npos) {
                return false;
            }
            at += text.size();
        }
        return true;
    }

    void send(const std::shared_ptr<Attached>& to, const std::string& frame)
    {
        asio::co_spawn(*m_io, writeBytes(to->stream, frame), asio::detached);
    }

    std::string setupBody(const std::string& generation) const
    {
        const auto uid = ::getuid() == 0 ? 1000 : ::getuid();
        const auto gid = ::getuid() == 0 ? 1000 : ::getgid();
        return nlohmann::json{{"generation", generation},
                              {"hostName", "box"},
                              {"user", {{"uid", uid}, {"gid", gid}}},
                              {"environment", {{"FROM_SETUP", "yes"}}}}
            .dump();
    }

private slots:
    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        const std::filesystem::path root = m_folder->path().toStdString();
        ::chmod(root.c_str(), 0755);
        QVERIFY(makeFolders(root / "etc", 0755));
        QVERIFY(writeFileAtomic(root / "etc/passwd", "root:x:0:0::/root:/bin/sh\n"));
        QVERIFY(writeFileAtomic(root / "etc/group", "root:x:0:\n"));
        m_io = std::make_unique<asio::io_context>();
        m_reaper = std::make_unique<Reaper>(*m_io);
        m_agent = std::make_unique<Agent>(*m_io, *m_reaper, AgentOptions{root, "/bin/false"}, AgentHooks{});
        int ends[2];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        channel::Options guest;
        guest.side = channel::Side::Guest;
        guest.role = channel::Role::Server;
        m_guest = channel::makeConnection(*m_io, ends[0], guest);
        m_host = channel::makeConnection(*m_io, ends[1], {});
        asio::co_spawn(*m_io, m_agent->serveControl(*m_guest), asio::detached);
        bool established = false;
        asio::co_spawn(*m_io, m_host->establish(),
                       [&](std::exception_ptr, Result<void> result) { established = result.has_value(); });
        QVERIFY(runUntil([&] { return established; }));
    }
    void cleanup()
    {
        m_host->close();
        m_guest->close();
        m_io->restart();
        m_io->run_for(std::chrono::milliseconds(20));
        m_io->stop();
        // Sessions have timers of the io_context.
        m_agent.reset();
        m_reaper.reset();
        m_host.reset();
        m_guest.reset();
        m_io.reset();
    }

    void hazard_17_setupIsAGate()
    {
        QVERIFY(call("GET", "/status").find("\"waiting-setup\"") != std::string::npos);
        QVERIFY(call("GET", "/status").find("\"bootId\":\"\"") != std::string::npos);
        auto early = attach("a", "echo ran", false);
        QVERIFY(runUntil([&] { return early->ended; }));
        QVERIFY(early->failure && early->failure->find("\"unavailable\"") != std::string::npos);
        QVERIFY(early->out.empty());
        QVERIFY(call("POST", "/setup", "{}").starts_with("400"));
        QVERIFY(call("POST", "/prepare", "{\"user\":{\"uid\":0}}").starts_with("400"));
        QCOMPARE(call("POST", "/prepare", "{}"), std::string("200 {}"));
        QVERIFY(call("POST", "/setup", setupBody("one")).starts_with("200 {\"filesSeconds\":"));
        QCOMPARE(call("POST", "/setup", setupBody("one")), std::string("200 {}"));
        QVERIFY(call("POST", "/setup", setupBody("two")).starts_with("409"));
        QVERIFY(call("GET", "/status").find("\"ready\"") != std::string::npos);
        QVERIFY(call("GET", "/elsewhere").starts_with("404"));
    }

    void outputErrorAndExitStatusAreApart()
    {
        call("POST", "/setup", setupBody("one"));
        auto seen = attach("a", "cat; echo $FROM_SETUP-$OWN >&2; id -u >&2; exit 7", false,
                           {{"environment", {{"OWN", "1"}}}});
        send(seen,
             encodeExecFrame(ExecFrameType::Stdin, "through") + encodeExecFrame(ExecFrameType::StdinEnd, ""));
        QVERIFY(runUntil([&] { return seen->ended; }));
        QCOMPARE(seen->out, std::string("through"));
        QCOMPARE(seen->error, "yes-1\n" + std::to_string(::getuid() == 0 ? 1000 : ::getuid()) + "\n");
        QVERIFY(seen->exit);
        QCOMPARE(seen->exit->exitCode, 7);
        QCOMPARE(seen->exit->signal, 0);
    }

    void whatCannotStartSaysWhy()
    {
        call("POST", "/setup", setupBody("one"));
        auto missing = attach("a", "", false, {{"argv", {"/no/such/program"}}});
        auto folder = attach("b", "", false, {{"cwd", "/no/such/folder"}});
        auto malformed = attach("c", "", false, {{"rows", -1}});
        QVERIFY(runUntil([&] { return missing->ended && folder->ended && malformed->ended; }));
        QVERIFY(missing->failure && missing->failure->find("\"not_found\"") != std::string::npos);
        QVERIFY(folder->failure && folder->failure->find("/no/such/folder") != std::string::npos);
        QVERIFY(malformed->failure && malformed->failure->find("\"invalid_argument\"") != std::string::npos);
    }

    void aTerminalResizesAndTakesControlCharacters()
    {
        call("POST", "/setup", setupBody("one"));
        auto seen = attach("a",
                           "test -t 0 && echo tty; stty size; trap 'stty size; exit 9' WINCH; echo ready; "
                           "while :; do sleep 0.1; done",
                           true, {{"rows", 31}, {"columns", 97}});
        QVERIFY(runUntil([&] { return seen->out.find("ready") != std::string::npos; }));
        QVERIFY(seen->out.find("tty\r\n31 97") != std::string::npos);
        send(seen, encodeResize(40, 120));
        QVERIFY(runUntil([&] { return seen->ended; }));
        QVERIFY(seen->out.find("40 120") != std::string::npos);
        QCOMPARE(seen->exit->exitCode, 9);

        auto interrupted = attach("b", "echo ready; exec sleep 60", true);
        QVERIFY(runUntil([&] { return interrupted->out.find("ready") != std::string::npos; }));
        send(interrupted, encodeExecFrame(ExecFrameType::Stdin, "\x03"));
        QVERIFY(runUntil([&] { return interrupted->ended; }));
        QCOMPARE(interrupted->exit->signal, SIGINT);

        auto ended = attach("c", "echo ready; cat; echo end-of-input", true);
        QVERIFY(runUntil([&] { return ended->out.find("ready") != std::string::npos; }));
        send(ended, encodeExecFrame(ExecFrameType::StdinEnd, ""));
        QVERIFY(runUntil([&] { return ended->ended; }));
        QVERIFY(ended->out.find("end-of-input") != std::string::npos);

        auto signalled = attach("d", "echo ready; exec sleep 60", true);
        QVERIFY(runUntil([&] { return signalled->out.find("ready") != std::string::npos; }));
        send(signalled, encodeExecFrame(ExecFrameType::Signal, std::string(1, SIGKILL)));
        QVERIFY(runUntil([&] { return signalled->ended; }));
        QCOMPARE(signalled->exit->signal, SIGKILL);
    }

    void hazard_07_aTerminalOutlivesItsHost()
    {
        call("POST", "/setup", setupBody("one"));
        const std::string folder = m_folder->path().toStdString();
        const std::string go = folder + "/go";
        // More than pseudo-terminal and ring hold: it only gets to its end when somebody drains it.
        auto first = attach(
            "a", "echo begun; while ! test -e " + go + "; do sleep 0.05; done; seq 1 200000; exit 5", true);
        QVERIFY(runUntil([&] { return first->out.find("begun") != std::string::npos; }));
        QCOMPARE(::system(("pgrep -f '" + folder + "/[g]o' >/dev/null").c_str()), 0);
        first->stream->reset(8);
        QVERIFY(runUntil([&] { return first->ended; }));
        QVERIFY(writeFileAtomic(go, "", 0644));
        // Give it time to end with nobody attached: its process is gone from the status.
        // The brackets keep the pattern from finding its own command line.
        const std::string running = "pgrep -f '" + folder + "/[g]o' >/dev/null";
        QVERIFY(runUntil([&] { return ::system(running.c_str()) != 0; }, 40));
        auto second = attach("a", "echo never", true);
        QVERIFY(runUntil([&] { return second->ended; }));
        QVERIFY(second->exit);
        QCOMPARE(second->exit->exitCode, 5);
        // The screen with what scrolled off it last, and what the pseudo-terminal still held.
        QVERIFY(second->out.find("199990") != std::string::npos);
        QVERIFY(second->out.find("200000") != std::string::npos);
        QVERIFY(second->out.find("\n100000") == std::string::npos);
        QVERIFY(second->out.find("never") == std::string::npos);
        auto third = attach("a", "echo never", true); // fetched once, and there still
        QVERIFY(runUntil([&] { return third->ended; }));
        QCOMPARE(third->exit->exitCode, 5);
    }

    void hazard_07_severalLookAtOneTerminal()
    {
        call("POST", "/setup", setupBody("one"));
        const char* script = "echo begun; trap 'echo size $(stty size)' WINCH; echo ready; "
                             "while :; do read -t 0.2 x; r=$?; if [ $r = 0 ]; then echo got-$x; elif [ $r -lt 128 ]; then exit 0; fi; done";
        auto first = attach("a", script, true, {{"rows", 24}, {"columns", 80}});
        QVERIFY(runUntil([&] { return contains(first, "ready"); }));
        auto second = look("a", {{"rows", 30}, {"columns", 90}});
        // What was there is drawn, and the terminal has the newest viewer's size.
        QVERIFY(runUntil([&] { return contains(second, "begun") && contains(second, "size 30 90") && contains(first, "size 30 90"); }));
        QVERIFY(sessions()["sessions"][0]["viewers"] == 2);
        send(second, encodeExecFrame(ExecFrameType::Stdin, "word\r"));
        QVERIFY(runUntil([&] { return contains(first, "got-word") && contains(second, "got-word"); }));
        // The first is used: its size counts again. Its terminal's answers do not make it so.
        send(first, encodeExecFrame(ExecFrameType::Stdin, "\x1b[?62;22c\x1b[1;1R") + encodeExecFrame(ExecFrameType::Stdin, "back\r"));
        QVERIFY(runUntil([&] { return contains(second, "got-back") && contains(second, "size 24 80"); }));
        QVERIFY(second->out.find("62;22c") == std::string::npos);
        // One only looks: it types nothing and changes no size.
        auto third = look("a", {{"rows", 10}, {"columns", 20}, {"readOnly", true}});
        QVERIFY(runUntil([&] { return contains(third, "got-back"); }));
        send(third, encodeExecFrame(ExecFrameType::Stdin, "no\r") + encodeExecFrame(ExecFrameType::Signal, std::string(1, SIGKILL)) +
                        encodeResize(11, 21));
        // A clean end leaves the session, as a terminal window that is closed.
        first->stream->finish();
        QVERIFY(runUntil([&] { return first->ended; }));
        QVERIFY(!first->exit && !first->failure);
        QVERIFY(runUntil([&] { return contains(second, "size 30 90", 2); }));
        send(second, encodeExecFrame(ExecFrameType::Stdin, "last\r"));
        QVERIFY(runUntil([&] { return contains(third, "got-last"); }));
        QVERIFY(third->out.find("got-no") == std::string::npos);
        QVERIFY(sessions()["sessions"][0]["viewers"] == 2);
        send(second, encodeExecFrame(ExecFrameType::StdinEnd, ""));
        QVERIFY(runUntil([&] { return second->ended && third->ended; }));
        QCOMPARE(second->exit->exitCode, 0);
        QCOMPARE(third->exit->exitCode, 0);
        QCOMPARE(sessions()["sessions"].size(), 0u);
    }

    void viewersOfAnotherSizeSeeARightScreen()
    {
        call("POST", "/setup", setupBody("one"));
        // Relative moves, wrapped lines and the bottom of the screen: what other terminals would put elsewhere.
        const char* script = "read x; stty size; seq 1 200; printf 'w%.0s' $(seq 1 100); printf '\\n\\033[2Aup\\n\\n'; echo last-$((40+2)); "
                             "read x; printf '\\033[2;1H'; echo top-$((40+2)); read x";
        auto first = attach("a", script, true, {{"rows", 24}, {"columns", 80}});
        QVERIFY(runUntil([&] { return sessions()["sessions"].size() == 1; }));
        auto small = look("a", {{"rows", 10}, {"columns", 40}, {"readOnly", true}});
        auto second = look("a", {{"rows", 30}, {"columns", 90}}); // the terminal has its size
        send(second, encodeExecFrame(ExecFrameType::Stdin, "\r"));
        const auto screen = [](const std::shared_ptr<Attached>& seen, int rows, int columns) {
            terminal::Terminal shown(rows, columns, {});
            shown.feed(seen->out);
            std::vector<std::string> lines;
            for (int row = 0; row < rows; ++row) {
                std::string line;
                terminal::Row cells;
                shown.readScreenRow(row, cells);
                for (int column = 0; column < cells.columns(); ++column) {
                    line += cells.text(column).empty() ? ' ' : static_cast<char>(cells.text(column)[0]);
                }
                lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
            }
            return lines;
        };
        const auto has = [](const std::vector<std::string>& lines, const std::string& text) {
            return std::find(lines.begin(), lines.end(), text) != lines.end();
        };
        QVERIFY(runUntil([&] { return has(screen(second, 30, 90), "last-42"); }));
        const std::vector<std::string> whole = screen(second, 30, 90);
        // The last rows of it, cut at their width: the cursor is in the last.
        QVERIFY(runUntil([&] { return has(screen(small, 10, 40), "last-42"); }));
        for (std::size_t row = 0; row < 10; ++row) {
            QCOMPARE(screen(small, 10, 40)[row], whole[row + 20].substr(0, 40));
        }
        QVERIFY(runUntil([&] { return has(screen(first, 24, 80), "last-42"); }));
        for (std::size_t row = 0; row < 24; ++row) {
            QCOMPARE(screen(first, 24, 80)[row], whole[row + 6].substr(0, 80));
        }
        // It takes the lead with a resize of its terminal and a key; the other one has the wrong size now, and still a right screen.
        send(first, encodeResize(20, 70) + encodeExecFrame(ExecFrameType::Stdin, "\r"));
        QVERIFY(runUntil([&] { return has(screen(second, 30, 90), "top-42") && has(screen(first, 20, 70), "top-42"); }));
        QVERIFY(sessions()["sessions"][0]["columns"] == 70);
        const std::vector<std::string> leading = screen(first, 20, 70);
        QVERIFY(runUntil([&] { return screen(second, 30, 90)[1] == leading[1]; }));
        for (std::size_t row = 0; row < 30; ++row) {
            QCOMPARE(screen(second, 30, 90)[row], row < 20 ? leading[row] : std::string());
        }
        send(first, encodeExecFrame(ExecFrameType::Stdin, "\r"));
        QVERIFY(runUntil([&] { return first->exit && second->exit && small->exit; }));
    }

    void hazard_07_tooManyViewersLetTheOldestGo()
    {
        call("POST", "/setup", setupBody("one"));
        auto first = attach("a", "echo begun; read x", true);
        QVERIFY(runUntil([&] { return contains(first, "begun"); }));
        std::vector<std::shared_ptr<Attached>> more;
        for (std::size_t i = 0; i < ExecSession::kMaxViewers; ++i) {
            more.push_back(look("a"));
        }
        QVERIFY(runUntil([&] { return first->ended && contains(more.back(), "begun"); }));
        QVERIFY(first->failure && first->failure->find("more places") != std::string::npos);
        QVERIFY(sessions()["sessions"][0]["viewers"] == ExecSession::kMaxViewers);
    }

    void hazard_15_aViewerThatDoesNotReadHoldsNobodyUp()
    {
        call("POST", "/setup", setupBody("one"));
        auto first = attach("a", "echo begun; read x; seq 1 200000; echo the-end; read x", true, {{"columns", 80}});
        QVERIFY(runUntil([&] { return contains(first, "begun"); }));
        auto stuck = look("a", {{"readOnly", true}}, false); // nobody reads its stream
        send(first, encodeExecFrame(ExecFrameType::Stdin, "go\r"));
        QVERIFY(runUntil([&] { return contains(first, "the-end"); }, 40));
        QVERIFY(contains(first, "\r\n100000\r\n"));
        // It reads again, and is shown the screen as it is now, not all that it missed.
        asio::co_spawn(*m_io, collect(stuck), asio::detached);
        QVERIFY(runUntil([&] { return contains(stuck, "the-end"); }));
        QVERIFY(stuck->out.find("\r\n100000\r\n") == std::string::npos);
    }

    void sessionsAreListedUntilTheirStatusWasFetched()
    {
        call("POST", "/setup", setupBody("one"));
        auto shell = attach("shell", "echo begun; read x; sleep 0.5; exit 3", true, {{"label", "bash -l\x07"}, {"rows", 31}, {"columns", 97}});
        auto agent = attach("agent", "echo begun; trap '' HUP; while :; do sleep 0.1; done", true, {{"label", "claude"}, {"agent", true}});
        auto plain = attach("plain", "echo begun; sleep 20", false);
        QVERIFY(runUntil([&] { return contains(shell, "begun") && contains(agent, "begun") && contains(plain, "begun"); }));
        nlohmann::json list = sessions()["sessions"];
        QCOMPARE(list.size(), 2u); // what ends with its stream is no session
        QVERIFY(list[0]["id"] == "agent");
        QVERIFY(list[0]["agent"] == true);
        QVERIFY(list[1]["label"] == "bash -l\x07");
        QVERIFY(list[1]["rows"] == 31);
        QVERIFY(list[1]["columns"] == 97);
        QVERIFY(list[1]["ended"] == false);
        QVERIFY(list[1]["ageSeconds"].get<double>() >= 0);
        send(shell, encodeExecFrame(ExecFrameType::Stdin, "typed\r"));
        QVERIFY(runUntil([&] { return contains(shell, "typed"); }));
        shell->stream->finish(); // ended with nobody there
        QVERIFY(runUntil([&] { return sessions()["sessions"][1]["ended"] == true; }));
        QVERIFY(sessions()["sessions"][1]["exitCode"] == 3);
        auto late = look("shell");
        QVERIFY(runUntil([&] { return late->ended; }));
        QVERIFY(contains(late, "begun"));
        QCOMPARE(late->exit->exitCode, 3);
        QCOMPARE(sessions()["sessions"].size(), 1u);
        // The end that is asked for comes to a program that ignores the hang-up too.
        QVERIFY(call("POST", "/sessions/end", R"({"id":"agent"})").starts_with("200"));
        QVERIFY(runUntil([&] { return agent->ended; }));
        QCOMPARE(agent->exit->signal, SIGKILL);
        QCOMPARE(sessions()["sessions"].size(), 0u);
        QVERIFY(call("POST", "/sessions/end", R"({"id":"nowhere"})").starts_with("404"));
        QVERIFY(call("POST", "/sessions/end", "{}").starts_with("400"));
        auto nowhere = look("nowhere");
        QVERIFY(runUntil([&] { return nowhere->ended; }));
        QVERIFY(nowhere->failure && nowhere->failure->find("not_found") != std::string::npos);
    }

    void endedSessionsAreBounded()
    {
        call("POST", "/setup", setupBody("one"));
        for (std::size_t i = 0; i < ExecTable::kMaxEnded + 5; ++i) {
            auto seen = attach("s" + std::to_string(i), "sleep 0.05", true);
            seen->stream->finish();
            QVERIFY(runUntil([&] { return seen->ended; }));
            QVERIFY(runUntil([&] { return sessions()["sessions"].empty() || !anyRunning(); }));
        }
        QVERIFY(sessions()["sessions"].size() <= ExecTable::kMaxEnded + 1);
        QVERIFY(sessions()["sessions"].size() > ExecTable::kMaxEnded / 2);
    }

    void aProgramWithoutAViewerGetsAnswers()
    {
        call("POST", "/setup", setupBody("one"));
        const std::string go = m_folder->path().toStdString() + "/go";
        auto first = attach("a", "echo begun; while ! test -e " + go + "; do sleep 0.05; done; stty raw -echo; printf '\\033[6n'; "
                                 "IFS= read -r -d R -t 20 answer; stty sane; printf '%q\\n' \"$answer\"; read x", true);
        QVERIFY(runUntil([&] { return contains(first, "begun"); }));
        first->stream->finish();
        QVERIFY(runUntil([&] { return first->ended; }));
        QVERIFY(writeFileAtomic(go, "", 0644));
        QVERIFY(runUntil([&] {
            auto later = look("a", {{"readOnly", true}});
            runUntil([&] { return contains(later, "begun"); });
            later->stream->finish();
            runUntil([&] { return later->ended; });
            return contains(later, "E[2\\;1") || contains(later, "E[2;1");
        }));
    }

    void repliesAreToldFromKeys()
    {
        for (const char* reply : {"\x1b[?62;22c", "\x1b[>1;100;0c", "\x1b[24;80R", "\x1b[0n", "\x1b[?997;1n", "\x1b[8;24;80t", "\x1b[?2026;2$y",
                                  "\x1b[?1u", "\x1b]11;rgb:10/10/10\x1b\\", "\x1b]11;rgb:10/10/10\x07", "\x1bP>|x\x1b\\", "\x1b[O",
                                  "\x1b[?62;22c\x1b[1;1R"}) {
            QVERIFY2(isTerminalReply(reply), reply);
        }
        for (const char* keys : {"a", "\x1b", "\x1b[A", "\x1bOA", "\x1b[1;5C", "\x1b[112;5u", "\x1b[3~", "\x1b[I", "\x1b[<0;1;1M", "\x1b[200~x\x1b[201~",
                                 "\x1b[?62;22cx", "\x03", "\x1b[R", "\x1b]11;"}) {
            QVERIFY2(!isTerminalReply(keys), keys);
        }
    }

    void withoutATerminalTheEndOfTheStreamEndsTheGroup()
    {
        call("POST", "/setup", setupBody("one"));
        const std::string mark = "coldframe-mark-" + std::to_string(::getpid());
        auto kept = attach("k", "exec -a " + mark + "-kept sleep 30", false, {{"keepOpen", true}});
        auto seen = attach("a", "echo ready; exec -a " + mark + "-dies sleep 30", false);
        QVERIFY(runUntil([&] { return seen->out.find("ready") != std::string::npos; }));
        const auto lives = [&](const std::string& which) {
            return ::system(("pgrep -f ^" + mark + which + " >/dev/null").c_str()) == 0;
        };
        QVERIFY(runUntil([&] { return lives("-dies") && lives("-kept"); }));
        seen->stream->reset(8);
        kept->stream->reset(8);
        QVERIFY(runUntil([&] { return !lives("-dies"); }));
        QVERIFY(lives("-kept"));
        auto again = attach("k", "", false);
        send(again, encodeExecFrame(ExecFrameType::Signal, std::string(1, SIGTERM)));
        QVERIFY(runUntil([&] { return again->ended; }));
        QCOMPARE(again->exit->signal, SIGTERM);
    }

    void muchOutputArrivesWhole()
    {
        call("POST", "/setup", setupBody("one"));
        auto seen = attach("a", "head -c 3000000 /dev/zero; echo done >&2", false);
        QVERIFY(runUntil([&] { return seen->ended; }, 40));
        QCOMPARE(seen->out.size(), 3000000u);
        QCOMPARE(seen->error, std::string("done\n"));
        QCOMPARE(seen->exit->exitCode, 0);
    }

    void shutdownOutsideAMachineOnlyAnswers()
    {
        QCOMPARE(call("POST", "/shutdown", "{\"graceSeconds\":0}"), std::string("200 {\"clean\":false}"));
    }
};

QTEST_GUILESS_MAIN(TestGuestExec)
#include "test_guest_exec.moc"
