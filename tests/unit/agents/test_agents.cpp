// SPDX-License-Identifier: Apache-2.0
#include "agents/agents.h"

#include "base/file.h"
#include "policy/policy.h"

#include <QTemporaryDir>
#include <QtTest>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::agents;

namespace {

using Strings = std::vector<std::string>;

Catalog shipped()
{
    auto catalog = Catalog::load(COLDFRAME_AGENT_RESOURCES);
    if (!catalog) {
        qFatal("%s", catalog.error().message.c_str());
    }
    return std::move(*catalog);
}

} // namespace

class TestAgents : public QObject
{
    Q_OBJECT

private slots:
    void shippedDefinitionsAreComplete()
    {
        const Catalog catalog = shipped();
        for (const char* name : {"claude", "shell", "codex", "gemini", "copilot", "opencode", "kiro", "cagent"}) {
            const auto agent = catalog.findAgent(name);
            QVERIFY2(agent.has_value(), name);
            QVERIFY((*agent)->dockerAtStart == (std::string(name) == "cagent"));
            QVERIFY((*agent)->supported == (std::string(name) != "kiro" && std::string(name) != "cagent"));
            QCOMPARE(std::count((*agent)->headless.begin(), (*agent)->headless.end(), "${PROMPT}"), std::ptrdiff_t{1});
            for (const std::string& pattern : (*agent)->allow) {
                QCOMPARE(policy::parsePattern(pattern).value_or(""), pattern);
            }
        }
        QCOMPARE((*catalog.findAgent("claude-code"))->name, std::string("claude"));
        QCOMPARE((*catalog.findAgent("docker-agent"))->name, std::string("cagent"));
    }

    void unknownAgentSuggestsTheNearest()
    {
        const Catalog catalog = shipped();
        const auto typo = catalog.findAgent("cluade");
        QVERIFY(!typo);
        QCOMPARE(typo.error().code, ErrorCode::NotFound);
        QVERIFY2(typo.error().message.find("did you mean claude?") != std::string::npos, typo.error().message.c_str());
        QVERIFY(typo.error().message.find("gemini") != std::string::npos);
        const auto other = catalog.findAgent("/home/me/project");
        QVERIFY(other.error().message.find("did you mean") == std::string::npos);
        QVERIFY(!catalog.findAgent("").has_value());
    }

    void argumentsAppendOrReplace()
    {
        const Catalog catalog = shipped();
        const AgentDefinition& claude = **catalog.findAgent("claude");
        QVERIFY(launchCommand(claude, {}) == (Strings{"claude", "--dangerously-skip-permissions"}));
        QVERIFY(launchCommand(claude, {"--continue"}) == (Strings{"claude", "--dangerously-skip-permissions", "--continue"}));
        QVERIFY(launchCommand(claude, {"-p", "fix the bug"})
                == (Strings{"claude", "--dangerously-skip-permissions", "-p", "fix the bug"}));
        QVERIFY(launchCommand(claude, {"bash", "-c", "ls"}) == (Strings{"bash", "-c", "ls"}));
    }

    void sentinelsHaveTheShapeAndAreNotTheSameTwice()
    {
        const Catalog catalog = shipped();
        const auto first = catalog.newSentinels();
        const auto second = catalog.newSentinels();
        QVERIFY(first.at("anthropic").starts_with("sk-ant-api03-proxy-managed-"));
        QVERIFY(first.at("github").starts_with("gho_proxy-managed-"));
        QVERIFY(first.at("anthropic") != second.at("anthropic"));
        QVERIFY(!first.contains("github-git"));
    }

    void claudeIsSeededWithoutQuestions()
    {
        const Catalog catalog = shipped();
        const AgentDefinition& claude = **catalog.findAgent("claude");
        Context context{"/home/agent", "/home/me/a \"quoted\" \\ folder", {{"anthropic", "sk-ant-api03-proxy-managed-0123456789abcdef"}}};
        const auto environment = catalog.environment(claude, context);
        QCOMPARE(environment.at("ANTHROPIC_API_KEY"), context.sentinels.at("anthropic"));
        QCOMPARE(environment.at("DISABLE_AUTOUPDATER"), std::string("1"));
        QVERIFY(environment.contains("NODE_EXTRA_CA_CERTS"));
        QVERIFY(!environment.contains("OPENAI_API_KEY"));
        const auto files = catalog.files(claude, context);
        QCOMPARE(files.at(0).path, std::string("/home/agent/.claude.json"));
        const auto json = nlohmann::json::parse(files.at(0).content);
        QVERIFY(json["hasCompletedOnboarding"].get<bool>());
        QVERIFY(json["projects"].contains(context.workspace));
        QCOMPARE(json["customApiKeyResponses"]["approved"][0].get<std::string>(), std::string("ged-0123456789abcdef"));
    }

    void valuesInTextFilesAreEscaped()
    {
        const Catalog catalog = shipped();
        const AgentDefinition& codex = **catalog.findAgent("codex");
        const auto files = catalog.files(codex, {"/home/agent", "/w/\"]\nmodel = \"x", {}});
        QCOMPARE(files.size(), std::size_t{1}); // auth.json needs a sentinel
        QVERIFY2(files[0].content.find("[projects.\"/w/\\\"]\\nmodel = \\\"x\"]") != std::string::npos, files[0].content.c_str());
        const auto with = catalog.files(codex, {"/home/agent", "/w", {{"openai", "sk-proj-x"}}});
        QCOMPARE(with.size(), std::size_t{2});
    }

    void proxyGetsOnlyAnnouncedServices()
    {
        const Catalog catalog = shipped();
        const auto json = nlohmann::json::parse(catalog.proxyServicesJson({{"github", "gho_s"}}));
        QCOMPARE(json.size(), std::size_t{2});
        QCOMPARE(json[0]["sentinel"], nlohmann::json("gho_s"));
        QCOMPARE(json[1]["name"], nlohmann::json("github-git"));
        QCOMPARE(json[1]["keyOf"], nlohmann::json("github"));
        QCOMPARE(json[1]["format"], nlohmann::json("Basic {base64:x-access-token:{key}}"));
    }

    void aBadDefinitionIsNamedWithItsField_data()
    {
        QTest::addColumn<QByteArray>("content");
        QTest::addColumn<QByteArray>("field");
        QTest::newRow("no version") << QByteArray("{}") << QByteArray("version");
        QTest::newRow("name") << QByteArray(R"({"version":1,"name":"other"})") << QByteArray("name");
        QTest::newRow("command")
            << QByteArray(R"({"version":1,"name":"mine","title":"t","description":"d","command":"x"})") << QByteArray("command");
        QTest::newRow("service")
            << QByteArray(R"({"version":1,"name":"mine","title":"t","description":"d","command":["x"],"headless":["x"],"services":["nope"]})")
            << QByteArray("services");
        QTest::newRow("file")
            << QByteArray(R"({"version":1,"name":"mine","title":"t","description":"d","command":["x"],"headless":["x"],"files":[{"path":"x"}]})")
            << QByteArray("files.path");
    }

    void aBadDefinitionIsNamedWithItsField()
    {
        QFETCH(QByteArray, content);
        QFETCH(QByteArray, field);
        QTemporaryDir folder;
        const std::filesystem::path path = folder.path().toStdString();
        for (const char* name : {"services.json", "common.json"}) {
            std::filesystem::copy_file(std::filesystem::path(COLDFRAME_AGENT_RESOURCES) / name, path / name);
        }
        QVERIFY(Catalog::load(path).has_value()); // control
        QVERIFY(writeFileAtomic(path / "mine.json", content.toStdString()).has_value());
        const auto catalog = Catalog::load(path);
        QVERIFY(!catalog.has_value());
        QVERIFY2(catalog.error().message.find("mine.json") != std::string::npos, catalog.error().message.c_str());
        QVERIFY2(catalog.error().message.find("\"" + field.toStdString() + "\"") != std::string::npos, catalog.error().message.c_str());
    }
};

QTEST_APPLESS_MAIN(TestAgents)
#include "test_agents.moc"
