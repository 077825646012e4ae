// SPDX-License-Identifier: Apache-2.0
// The command line's grammar without an engine.
#include "command_line.h"
#include "detach_keys.h"
#include "output.h"
#include "run_grammar.h"

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::cli;
using nlohmann::json;
using Words = std::vector<std::string>;

class GrammarTest : public QObject
{
    Q_OBJECT

    const json m_agents = json::array({{{"name", "claude"}, {"aliases", {"claude-code"}}}, {{"name", "shell"}, {"aliases", json::array()}}});
    const json m_sandboxes = json::array(
        {{{"id", "abcd1234"}, {"name", "claude-web"}, {"agent", "claude"}, {"workspaces", {{{"path", "/h/web"}}}}},
         {{"id", "abcd9999"}, {"name", "shell"}, {"agent", "claude"}, {"workspaces", {{{"path", "/h/x"}}}}}});

private slots:
    void splitsWhatBelongsToTheProgram_data()
    {
        QTest::addColumn<Words>("words");
        QTest::addColumn<Words>("own");
        QTest::addColumn<Words>("passed");
        const auto row = [](const char* name, const Words& words, const Words& own, const Words& passed) {
            QTest::newRow(name) << words << own << passed;
        };
        row("run", {"run", "claude", ".", "--", "-p", "x"}, {"run", "claude", "."}, {"-p", "x"});
        row("run keeps a second --", {"run", "a", "--", "b", "--", "c"}, {"run", "a"}, {"b", "--", "c"});
        row("exec", {"exec", "-it", "box", "ls", "-la"}, {"exec", "-it", "box"}, {"ls", "-la"});
        row("exec flags after the sandbox", {"exec", "box", "-it", "bash"}, {"exec", "box", "-it"}, {"bash"});
        row("exec values", {"exec", "-e", "A=1", "-w", "/x", "box", "env"}, {"exec", "-e", "A=1", "-w", "/x", "box"}, {"env"});
        row("exec inner --", {"exec", "box", "git", "checkout", "--", "f"}, {"exec", "box"}, {"git", "checkout", "--", "f"});
        row("exec first --", {"exec", "box", "--", "ls"}, {"exec", "box"}, {"ls"});
        row("exec nothing", {"exec", "box"}, {"exec", "box"}, {});
        row("ls", {"ls", "-q"}, {"ls", "-q"}, {});
    }
    void splitsWhatBelongsToTheProgram()
    {
        QFETCH(Words, words);
        QFETCH(Words, own);
        QFETCH(Words, passed);
        const SplitWords split = splitWords(words);
        QCOMPARE(split.own, own);
        QCOMPARE(split.passed, passed);
    }

    void workspaces_areMadeAbsolute_data()
    {
        QTest::addColumn<std::string>("word");
        QTest::addColumn<std::string>("path");
        QTest::addColumn<bool>("readOnly");
        const auto row = [](const char* word, const char* path, bool readOnly) {
            QTest::newRow(word) << std::string(word) << std::string(path) << readOnly;
        };
        row(".", "/h/me", false);
        row("", "/h/me", false);
        row("proj/", "/h/me/proj", false);
        row("../you:ro", "/h/you", true);
        row("/a//b/./c:rw", "/a/b/c", false);
        row("/", "/", false);
        row("with space:ro", "/h/me/with space", true);
        row("\xff\xfe:ro", "/h/me/\xff\xfe", true);
        row("new\nline", "/h/me/new\nline", false);
        row("50%", "/h/me/50%", false);
    }
    void workspaces_areMadeAbsolute()
    {
        QFETCH(std::string, word);
        QFETCH(std::string, path);
        QFETCH(bool, readOnly);
        const Workspace workspace = parseWorkspace(word, "/h/me");
        QCOMPARE(workspace.path, path);
        QCOMPARE(workspace.readOnly, readOnly);
    }

    void aFolderThatReallyEndsInRoIsTakenAsItIs()
    {
        QTemporaryDir folder;
        const std::string base = folder.path().toStdString();
        std::filesystem::create_directory(base + "/odd:ro");
        QCOMPARE(parseWorkspace("odd:ro", base).path, base + "/odd:ro");
        std::filesystem::create_directory(base + "/odd");
        QCOMPARE(parseWorkspace("odd:ro", base).path, base + "/odd");
    }

    void runTarget_prefersSandboxesThenAgents()
    {
        QCOMPARE(resolveRunTarget("claude-web", m_sandboxes, m_agents)->sandboxId, std::string("abcd1234"));
        QCOMPARE(resolveRunTarget("abcd12", m_sandboxes, m_agents)->sandboxId, std::string("abcd1234"));
        QCOMPARE(resolveRunTarget("shell", m_sandboxes, m_agents)->sandboxId, std::string("abcd9999"));
        QCOMPARE(resolveRunTarget("claude", m_sandboxes, m_agents)->agent, std::string("claude"));
        QCOMPARE(resolveRunTarget("claude-code", m_sandboxes, m_agents)->agent, std::string("claude"));
        QVERIFY(resolveRunTarget("abcd", m_sandboxes, m_agents).error().code == ErrorCode::InvalidArgument);
        QVERIFY(resolveRunTarget("abc", m_sandboxes, m_agents).error().code == ErrorCode::NotFound);
        QVERIFY(resolveRunTarget("cluade", json::array(), m_agents).error().message.find("“claude”") != std::string::npos);
        QVERIFY(resolveRunTarget("claude-wbe", m_sandboxes, m_agents).error().message.find("“claude-web”") != std::string::npos);
    }

    void run_isIdempotentPerAgentAndWorkspace()
    {
        QCOMPARE(findExisting(m_sandboxes, "claude", "/h/web", ""), std::string("abcd1234"));
        QCOMPARE(findExisting(m_sandboxes, "claude", "/h/web", "claude-web"), std::string("abcd1234"));
        QCOMPARE(findExisting(m_sandboxes, "claude", "/h/web", "other"), std::string());
        QCOMPARE(findExisting(m_sandboxes, "shell", "/h/web", ""), std::string());
        QCOMPARE(findExisting(m_sandboxes, "claude", "/h/we", ""), std::string());
    }

    void memory_isParsedOrRefused()
    {
        QCOMPARE(*parseMemory("4g"), 4096);
        QCOMPARE(*parseMemory("2048m"), 2048);
        QCOMPARE(*parseMemory("512"), 512);
        for (const char* bad : {"", "g", "4x", "-1g", "0", "128m", "99999999999", "4 g", "2000g0"}) {
            QVERIFY2(!parseMemory(bad), bad);
        }
    }

    void commandLines_areAcceptedOrRefused_data()
    {
        QTest::addColumn<Words>("words");
        QTest::addColumn<int>("code");
        QTest::addColumn<std::string>("command");
        const auto row = [](const Words& words, int code, const char* command) {
            std::string name;
            for (const std::string& word : words) {
                name += word + " ";
            }
            QTest::newRow(name.c_str()) << words << code << std::string(command);
        };
        row({"run", "claude"}, 0, "run");
        row({"run", "claude", ".", "/data:ro", "--name", "x", "--network-allow", "a.b", "--network-allow", "c.d", "--policy", "deny"}, 0, "run");
        row({"run", "--network-allow", "a.b", "claude", "."}, 0, "run");
        row({"run", "claude", "--", "--continue"}, 0, "run");
        row({"run", "-d", "-m", "4g", "--cpus", "2", "shell"}, 0, "run");
        row({"create", "shell", "--processes", "500", "--service", "--when-idle", "pause", "--idle-after", "0.5"}, 0, "create");
        row({"set", "box", "--cpus", "0", "--memory", "2g", "--no-service"}, 0, "set");
        row({"set", "box"}, 0, "set");
        row({"set"}, kUsage, "");
        row({"set", "box", "--service", "--no-service"}, kUsage, "");
        row({"set", "box", "--when-idle", "explode"}, kUsage, "");
        row({"prune", "--dry-run", "--stopped-for", "7", "--json"}, 0, "prune");
        row({"prune", "--stopped-for", "0"}, kUsage, "");
        row({"run"}, kUsage, "");
        row({"run", "claude", "--policy", "maybe"}, kUsage, "");
        row({"run", "claude", "--cpus", "0"}, kUsage, "");
        row({"run", "claude", "--bogus"}, kUsage, "");
        row({"create", "shell", "--no-start"}, 0, "create");
        row({"exec", "-it", "box", "bash"}, 0, "exec");
        row({"exec"}, kUsage, "");
        row({"exec", "--detach-keys", "ctrl-a", "box", "bash"}, 0, "exec");
        row({"run", "--new", "box"}, 0, "run");
        row({"attach"}, 0, "attach");
        row({"attach", "box", "3f2a", "--read-only", "--detach-keys", "ctrl-]"}, 0, "attach");
        row({"attach", "box", "3f2a", "more"}, kUsage, "");
        row({"sessions", "--json"}, 0, "sessions");
        row({"sessions", "box", "--end", "3f2a"}, 0, "sessions");
        row({"sessions", "--end", "3f2a"}, kUsage, "");
        row({"ls", "--json"}, 0, "ls");
        row({"ls", "--", "x"}, kUsage, "ls");
        row({"rm", "-f", "a", "b"}, 0, "rm");
        row({"rm"}, kUsage, "");
        row({"keys", "set", "anthropic"}, 0, "keys set");
        row({"keys", "set", "anthropic", "sk-123"}, kUsage, ""); // never on a command line
        row({"keys", "login", "anthropic"}, 0, "keys login");
        row({"keys", "login", "anthropic", "--from-file", "-", "--account", "work"}, 0, "keys login");
        row({"keys", "login"}, kUsage, "");
        row({"keys"}, kUsage, "");
        row({"network", "log", "--limit", "5"}, 0, "network log");
        row({"network", "log", "box", "--host", "*.example.com", "--since", "2h", "--status", "4xx", "--how", "raw", "--jsonl"}, 0, "network log");
        row({"network", "log", "--summary", "--follow"}, kUsage, "");
        row({"network", "log", "--how", "somehow"}, kUsage, "");
        row({"network", "proxy", "box", "--allow-host", "a.b", "--block-cidr", "10.0.0.0/8"}, 0, "network proxy");
        row({"policy", "allow", "-s", "box", "a.b", "c.d"}, 0, "policy allow");
        row({"policy", "check", "a.b", "--port", "99999"}, kUsage, "");
        row({"sync", "resume", "box"}, kUsage, "");
        row({"sync", "resume", "box", "--accept", "deletions"}, 0, "sync resume");
        row({"settings", "set", "a=1"}, 0, "settings set");
        row({"completion", "zsh"}, 0, "completion");
        row({"image", "build", "--force"}, 0, "image build");
        row({"image", "build", "shop", "--name", "tools"}, 0, "image build");
        row({"image", "update"}, 0, "image update");
        row({"image", "export", "tools"}, 2, "");
        row({"image", "import", "tools.image", "--name", "again"}, 0, "image import");
        row({"create", "--image", "tools", "shell"}, 0, "create");
        row({"engine", "stop", "--force"}, 0, "engine stop");
        row({"engine"}, kUsage, "");
        row({"nonsense"}, kUsage, "");
    }
    void commandLines_areAcceptedOrRefused()
    {
        QFETCH(Words, words);
        QFETCH(int, code);
        QFETCH(std::string, command);
        std::string parsed;
        QCOMPARE(parseOnly(words, parsed), code);
        QCOMPARE(parsed, command);
    }

    void detachKeys_areFoundHoweverTheyCome()
    {
        const auto taken = [](const std::string& keys, const std::vector<std::string>& reads) {
            auto found = DetachKeys::parse(keys);
            std::string all;
            for (const std::string& read : reads) {
                const DetachKeys::Taken part = found->take(read);
                all += part.passed + (part.isDetached ? "!" : "");
            }
            return all + (found->isHolding() ? "?" + found->release() : "");
        };
        const std::string usual = kDefaultDetachKeys;
        QCOMPARE(taken(usual, {"ab\x10\x11zz"}), std::string("ab!"));
        QCOMPARE(taken(usual, {"a\x10", "\x11"}), std::string("a!"));
        QCOMPARE(taken(usual, {"\x10", "\x10\x11"}), std::string("\x10!"));
        QCOMPARE(taken(usual, {"\x10x\x11"}), std::string("\x10x\x11"));
        QCOMPARE(taken(usual, {"\x10"}), std::string("?\x10"));
        QCOMPARE(taken(usual, {"\x1b[112;5u", "\x1b[113;5u"}), std::string("!"));
        QCOMPARE(taken(usual, {"\x1b[27;5;112~\x11"}), std::string("!"));
        QCOMPARE(taken(usual, {"\x1b[112;5uq"}), std::string("\x1b[112;5uq"));
        QCOMPARE(taken(usual, {"\x1b", "[A"}), std::string("\x1b[A"));
        QCOMPARE(taken("ctrl-],d", {"\x1d", "d"}), std::string("!"));
        QCOMPARE(taken("none", {"\x10\x11"}), std::string("\x10\x11"));
        for (const char* wrong : {"", "ctrl-", "ctrl-é", "ctrl-p,", ",a", "alt-x", "ctrl-1", "a,b,c,d,e"}) {
            QVERIFY2(!DetachKeys::parse(wrong), wrong);
        }
    }

    void runningSandbox_isTheOneOfTheFolder()
    {
        const auto box = [](const char* id, const char* state, const char* path) {
            return json{{"id", id}, {"name", id}, {"state", state}, {"workspaces", {{{"path", path}}}}};
        };
        const json list = json::array({box("one", "running", "/a"), box("two", "running", "/b"), box("three", "stopped", "/c")});
        QCOMPARE(runningSandbox(list, "/b/inside").value(), std::string("two"));
        QCOMPARE(runningSandbox(list, "/bb").error().code, ErrorCode::InvalidArgument);
        QCOMPARE(runningSandbox(json::array({list[0], list[2]}), "/elsewhere").value(), std::string("one"));
        QCOMPARE(runningSandbox(json::array({list[2]}), "/c").error().code, ErrorCode::NotFound);
    }

    void tables_areAlignedAndSafe()
    {
        Table table({"NAME", "X"});
        table.add({"ä", "1"});
        table.add({"\033[2Jlong", ""});
        QCOMPARE(table.text(), std::string("NAME         X\nä            1\n\\x1b[2Jlong\n"));
    }
};

QTEST_GUILESS_MAIN(GrammarTest)
#include "grammar_test.moc"
