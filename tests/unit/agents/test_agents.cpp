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
        QVERIFY(json.size() >= 2);
        for (const auto& service : json) {
            QVERIFY(service["name"] == "github" || service["keyOf"] == "github");
        }
        QCOMPARE(json[0]["sentinel"], nlohmann::json("gho_s"));
        QCOMPARE(json[1]["name"], nlohmann::json("github-git"));
        QCOMPARE(json[1]["keyOf"], nlohmann::json("github"));
        QCOMPARE(json[1]["format"], nlohmann::json("Basic {base64:x-access-token:{key}}"));
    }

    void ownServicesAreChecked_data()
    {
        QTest::addColumn<QByteArray>("json");
        QTest::addColumn<QByteArray>("says"); // empty: good
        const auto row = [](const char* name, const char* json, const char* says) { QTest::newRow(name) << QByteArray(json) << QByteArray(says); };
        row("least", R"({"name":"mine","hosts":["api.example.com"]})", "");
        row("all", R"({"name":"mine","hosts":["API.example.com"],"header":"X-Token","format":"t={key}","environment":["MY_TOKEN"],"pathPrefixes":["/v1/"],"placeholder":"placeholder-123"})", "");
        row("basic", R"({"name":"mine","hosts":["a.example.com"],"format":"Basic {base64:me:{key}}"})", "");
        row("a star", R"({"name":"mine","hosts":["*.example.com"]})", "named hosts only");
        row("an address", R"({"name":"mine","hosts":["127.0.0.1"]})", "named hosts only");
        row("an odd address", R"({"name":"mine","hosts":["0177.1"]})", "named hosts only");
        row("a port", R"({"name":"mine","hosts":["a.example.com:80"]})", "named hosts only");
        row("no host", R"({"name":"mine","hosts":[]})", "Name one host");
        row("a header that frames", R"({"name":"mine","hosts":["a.example.com"],"header":"Content-Length"})", "cannot stand");
        row("a header with a line break", R"({"name":"mine","hosts":["a.example.com"],"header":"x\ny"})", "cannot stand");
        row("a format without the key", R"({"name":"mine","hosts":["a.example.com"],"format":"Bearer"})", "{key}");
        row("a format with a line break", R"({"name":"mine","hosts":["a.example.com"],"format":"{key}\r\nX: y"})", "{key}");
        row("a short placeholder", R"({"name":"mine","hosts":["a.example.com"],"placeholder":"xyz"})", "12 to 200");
        row("a bad variable", R"({"name":"mine","hosts":["a.example.com"],"environment":["A B"]})", "variable");
        row("a bad name", R"({"name":"My Own","hosts":["a.example.com"]})", "lower-case");
        row("one of Coldframe's own", R"({"name":"openai","hosts":["a.example.com"]})", "Coldframe's own");
    }
    void ownServicesAreChecked()
    {
        QFETCH(QByteArray, json);
        QFETCH(QByteArray, says);
        Catalog catalog = shipped();
        auto service = customServiceFromJson(json.toStdString());
        const auto defined = service ? catalog.define(std::move(*service)) : tl::unexpected(service.error());
        QVERIFY2(defined.has_value() == says.isEmpty(), defined ? "accepted" : defined.error().message.c_str());
        if (!defined) {
            QVERIFY2(defined.error().message.find(says.toStdString()) != std::string::npos, defined.error().message.c_str());
            return;
        }
        const Service& mine = **catalog.findService("mine");
        const auto again = customServiceFromJson(customServiceToJson(mine));
        QVERIFY(again && again->hosts == mine.hosts && again->format == mine.format && again->placeholder == mine.placeholder);
        const auto sentinels = catalog.newSentinels();
        QCOMPARE(sentinels.at("mine").starts_with(mine.placeholder), true);
        QVERIFY(catalog.proxyServicesJson(sentinels).find(mine.hosts[0]) != std::string::npos);
        QVERIFY(catalog.undefine("mine").has_value());
        QVERIFY(!catalog.undefine("openai").has_value());
    }

    void theUserNamesTheHostsOfAzure()
    {
        Catalog catalog = shipped();
        const auto sentinels = catalog.newSentinels();
        QVERIFY(catalog.proxyServicesJson(sentinels).find("azure-openai") == std::string::npos); // no host, no service
        QVERIFY(!catalog.nameHosts("azure-openai", {"mine.example.com"}).has_value());
        QVERIFY(!catalog.nameHosts("azure-openai", {".openai.azure.com"}).has_value());
        QVERIFY(!catalog.nameHosts("openai", {"mine.openai.azure.com"}).has_value());
        QVERIFY(catalog.nameHosts("azure-openai", {"mine.openai.azure.com"}).has_value());
        QVERIFY(catalog.proxyServicesJson(sentinels).find("mine.openai.azure.com") != std::string::npos);
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
