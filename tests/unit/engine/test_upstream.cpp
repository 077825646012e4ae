// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "engine/settings.h"
#include "engine/upstream.h"

#include <QTemporaryDir>
#include <QtTest>
#include <map>

using namespace coldframe;
using namespace coldframe::engine;
using nlohmann::json;

namespace {

/// The desktop and the network, in place of gsettings and curl.
class FakeRunner : public ProcessRunner
{
public:
    Result<ProcessResult> run(const ProcessSpec& spec) override
    {
        asked.push_back(spec.arguments);
        const auto found = answers.find(spec.arguments.front() == "curl" ? spec.arguments.back()
                                                                         : spec.arguments[2] + " " + spec.arguments[3]);
        return found == answers.end() ? ProcessResult{22, "", "not there"} : ProcessResult{0, found->second, ""};
    }
    std::map<std::string, std::string> answers;
    std::vector<std::vector<std::string>> asked;
};

UpstreamProxySetting setting(const std::string& text)
{
    return upstreamProxyFromJson(json::parse(text)).value_or(UpstreamProxySetting{});
}

std::function<std::string(const char*)> environment(std::map<std::string, std::string> variables = {})
{
    return [variables = std::move(variables)](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::string() : found->second;
    };
}

} // namespace

class TestUpstream : public QObject
{
    Q_OBJECT

private slots:
    void settingIsCheckedAndSurvivesTheRoundTrip()
    {
        const std::string good = R"({"exempt":["corp.example","10.0.0.0/8"],"host":"proxy.example.com","kind":"http","port":3128,"user":"me"})";
        QCOMPARE(toJson(setting(good)).dump(), good);
        for (const char* bad : {R"({"kind":"ftp"})", R"({"kind":"http"})", R"({"kind":"http","host":"a.example","port":0})",
                                R"({"kind":"http","host":"a b","port":80})", R"({"kind":"script","script":"relative.pac"})",
                                R"({"kind":"http","host":"a.example","port":80,"password":"x"})",
                                R"({"kind":"http","host":"a.example","port":80,"user":"a\nb"})", R"({"kind":"http","host":"a.example","port":80,"user":"a:b"})",
                                R"({"kind":"http","host":"a.example","port":80,"exempt":["a b"]})"}) {
            QVERIFY2(!upstreamProxyFromJson(json::parse(bad)), bad);
        }
        const auto settings = settingsFromJson(json{{"upstreamProxy", json::parse(good)}}.dump(), Settings{});
        QVERIFY(settings.has_value());
        QCOMPARE(json::parse(settingsToJson(*settings))["upstreamProxy"].dump(), good);
        QVERIFY(isSettingKey("upstream-proxy") && !isSettingKey("anthropic"));
    }

    void clientCertificatesAreCheckedAndTheirKeysHaveNames()
    {
        const QTemporaryDir folder;
        const std::string good = folder.filePath(QStringLiteral("me.pem")).toStdString();
        const std::string withKey = folder.filePath(QStringLiteral("both.pem")).toStdString();
        const std::string pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        QVERIFY(writeFileAtomic(good, pem) && writeFileAtomic(withKey, pem + "-----BEGIN PRIVATE KEY-----\n"));
        const auto settingsFor = [](const json& list) { return settingsFromJson(json{{"clientCertificates", list}}.dump(), Settings{}); };
        const auto settings = settingsFor({{{"host", "API.example.com."}, {"certificateFile", good}}});
        QVERIFY(settings.has_value());
        QCOMPARE(settings->clientCertificates.at(0).host, std::string("api.example.com"));
        QCOMPARE(settingsToJson(*settingsFromJson(settingsToJson(*settings), Settings{})), settingsToJson(*settings));
        QVERIFY(checkClientCertificates(settings->clientCertificates).has_value());
        QCOMPARE(readClientCertificates(settings->clientCertificates).at(0).at("certificatePem").get<std::string>(), pem);
        // A file that is away is refused when it is set, but keeps nobody from the settings.
        for (const std::string& bad : {withKey, std::string("/nowhere/me.pem")}) {
            const auto read = settingsFor({{{"host", "api.example.com"}, {"certificateFile", bad}}});
            QVERIFY(read.has_value());
            QVERIFY(!checkClientCertificates(read->clientCertificates).has_value());
        }
        QVERIFY(!settingsFor({{{"host", "a.example"}, {"certificateFile", good}}, {{"host", "A.example"}, {"certificateFile", good}}}));
        QVERIFY(!settingsFor({{{"host", "a.example"}, {"certificateFile", "me.pem"}}}));
        QVERIFY(!settingsFor({{{"host", "not a host"}, {"certificateFile", good}}}));
        QVERIFY(!settingsFor(json::object()));
        QVERIFY(isSettingKey("client-certificate:api.example.com"));
        for (const char* bad : {"client-certificate:", "client-certificate:API.example.com", "client-certificate:a/b", "client-certificate"}) {
            QVERIFY2(!isSettingKey(bad), bad);
        }
    }
    void fixedProxiesAndScriptsBecomeRoutes()
    {
        FakeRunner runner;
        QCOMPARE(findWayOut({}, runner, {}, environment()).route.dump(), std::string(R"({"kind":"direct"})"));
        const json proxy = findWayOut(setting(R"({"kind":"https","host":"p.example","port":443})"), runner, {"pem"}, environment()).route;
        QCOMPARE(proxy["scheme"].get<std::string>(), std::string("https"));
        QCOMPARE(proxy["trusted"].size(), std::size_t{1});
        runner.answers["http://wpad.example/wpad.dat"] = "function FindProxyForURL(url, host) { return \"DIRECT\"; }";
        const auto script = setting(json{{"kind", "script"}, {"script", "http://wpad.example/wpad.dat"}}.dump());
        QCOMPARE(findWayOut(script, runner, {}, environment()).route["kind"].get<std::string>(), std::string("script"));
        QVERIFY(std::find(runner.asked.back().begin(), runner.asked.back().end(), "--noproxy") != runner.asked.back().end());
        // Out of reach, or something else: blocked, never around it.
        runner.answers["http://wpad.example/wpad.dat"] = "<html>log in</html>";
        QCOMPARE(findWayOut(script, runner, {}, environment()).route["kind"].get<std::string>(), std::string("blocked"));
        runner.answers.clear();
        const json gone = findWayOut(script, runner, {}, environment()).route;
        QCOMPARE(gone["kind"].get<std::string>(), std::string("blocked"));
        QVERIFY(gone["reason"].get<std::string>().find("wpad.example") != std::string::npos);
        QCOMPARE(findWayOut(setting(json{{"kind", "script"}, {"script", "/nowhere.pac"}}.dump()), runner, {}, environment()).route["kind"].get<std::string>(),
                 std::string("blocked"));
    }

    void systemMeansTheVariablesThenTheDesktop()
    {
        FakeRunner runner;
        const auto system = setting(R"({"kind":"system"})");
        const WayOut way = findWayOut(system, runner, {},
                                      environment({{"https_proxy", "http://me:secret@proxy.example.com:3128/"}, {"no_proxy", "localhost,.corp.example"}}));
        QCOMPARE(way.route["host"].get<std::string>(), std::string("proxy.example.com"));
        QCOMPARE(way.route["port"].get<int>(), 3128);
        QCOMPARE(way.route["user"].get<std::string>(), std::string("me"));
        QCOMPARE(std::string(way.password.view()), std::string("secret"));
        QVERIFY(way.route.dump().find("secret") == std::string::npos); // a password never stands in JSON
        QCOMPARE(way.route["exempt"].size(), std::size_t{2});
        QVERIFY(runner.asked.empty());
        QCOMPARE(findWayOut(system, runner, {}, environment({{"ALL_PROXY", "socks5h://p.example"}})).route["port"].get<int>(), 1080);
        QCOMPARE(findWayOut(system, runner, {}, environment({{"https_proxy", "gopher://p:70"}})).route["kind"].get<std::string>(), std::string("blocked"));
        QCOMPARE(findWayOut(system, runner, {}, environment()).route["kind"].get<std::string>(), std::string("direct"));
        runner.answers = {{"org.gnome.system.proxy mode", "'manual'\n"}, {"org.gnome.system.proxy.https host", "'p.example'\n"},
                          {"org.gnome.system.proxy.https port", "8080\n"}, {"org.gnome.system.proxy ignore-hosts", "['localhost', '10.0.0.0/8']\n"}};
        const json desktop = findWayOut(system, runner, {}, environment()).route;
        QCOMPARE(desktop["host"].get<std::string>(), std::string("p.example"));
        QCOMPARE(desktop["port"].get<int>(), 8080);
        QCOMPARE(desktop["exempt"].size(), std::size_t{2});
    }
};

QTEST_GUILESS_MAIN(TestUpstream)
#include "test_upstream.moc"
