// SPDX-License-Identifier: Apache-2.0
#include "agents/agents.h"

#include <QtTest>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::agents;
using nlohmann::json;

namespace {

const Catalog& catalog()
{
    static const Catalog shipped = [] {
        auto loaded = Catalog::load(COLDFRAME_AGENT_RESOURCES);
        if (!loaded) {
            qFatal("%s %s", loaded.error().message.c_str(), loaded.error().detail.c_str());
        }
        return std::move(*loaded);
    }();
    return shipped;
}

const LoginDefinition& loginOf(const std::string& service) { return *(*catalog().findService(service))->login; }

std::string jwt(const json& claims) { return base64UrlEncode("{\"alg\":\"RS256\"}") + "." + base64UrlEncode(claims.dump()) + ".c2lnbmF0dXJl"; }

std::string claudeFile()
{
    return json{{"claudeAiOauth",
                 {{"accessToken", "sk-ant-oat01-real"},
                  {"refreshToken", "sk-ant-ort01-real"},
                  {"expiresAt", 1800000000000},
                  {"scopes", {"user:inference", "user:profile"}},
                  {"subscriptionType", "max"}}}}
        .dump();
}

std::string codexFile(const std::string& plan = "plus")
{
    return json{{"OPENAI_API_KEY", nullptr},
                {"tokens",
                 {{"id_token", jwt({{"email", "me@example.com"}, {"https://api.openai.com/auth", {{"chatgpt_plan_type", plan}, {"chatgpt_account_id", "acc-1"}}}})},
                  {"access_token", jwt({{"exp", 1900000000}})},
                  {"refresh_token", "rt_real"},
                  {"account_id", "acc-1"}}},
                {"last_refresh", "2026-01-01T00:00:00Z"}}
        .dump();
}

json fileInside(const std::string& agent, const Context& context, const std::string& name)
{
    json found;
    for (const SeedFile& file : catalog().files(**catalog().findAgent(agent), context)) {
        if (file.path.ends_with(name)) {
            found = json::parse(file.content);
        }
    }
    return found;
}

} // namespace

class TestLogin : public QObject
{
    Q_OBJECT

private slots:
    void credentialsFilesOfBothAgentsAreRead()
    {
        const auto claude = tokensFromFile(loginOf("anthropic-oauth"), claudeFile());
        QVERIFY(claude.has_value());
        QCOMPARE(claude->access.view(), std::string_view("sk-ant-oat01-real"));
        QCOMPARE(claude->refresh.view(), std::string_view("sk-ant-ort01-real"));
        QCOMPARE(claude->expiresAt, std::int64_t{1800000000});
        QCOMPARE(claude->scopes.size(), std::size_t{2});
        QCOMPARE(claude->facts.at("subscription"), std::string("max"));
        const auto codex = tokensFromFile(loginOf("chatgpt"), codexFile());
        QVERIFY(codex.has_value());
        QCOMPARE(codex->refresh.view(), std::string_view("rt_real"));
        QCOMPARE(codex->expiresAt, std::int64_t{1900000000}); // its access token says so
        QCOMPARE(codex->facts.at("account"), std::string("acc-1"));
        QCOMPARE(codex->facts.at("subscription"), std::string("plus"));
    }

    void whatIsNoLoginIsRefusedWithoutQuotingIt()
    {
        for (const std::string& text : {std::string(), std::string("no json sk-secret"), std::string("[]"), std::string("{\"claudeAiOauth\":{}}"),
                                        std::string("{\"claudeAiOauth\":{\"accessToken\":\"sk-secret\",\"refreshToken\":\"\"}}"),
                                        std::string("{\"claudeAiOauth\":{\"accessToken\":\"sk-secret\\r\\nX: y\",\"refreshToken\":\"r\"}}"),
                                        std::string("{\"claudeAiOauth\":{\"accessToken\":[\"sk-secret\"],\"refreshToken\":\"r\"}}"),
                                        "{\"claudeAiOauth\":{\"refreshToken\":\"r\",\"accessToken\":\"" + std::string(20000, 'a') + "\"}}"}) {
            const auto tokens = tokensFromFile(loginOf("anthropic-oauth"), text);
            QVERIFY(!tokens);
            QCOMPARE(tokens.error().code, ErrorCode::InvalidArgument);
            QVERIFY((tokens.error().message + tokens.error().detail).find("sk-secret") == std::string::npos);
        }
        // Facts are written into files inside: what no name looks like is left out.
        const auto odd = tokensFromFile(loginOf("chatgpt"), codexFile("a\nb"));
        QVERIFY(odd && !odd->facts.contains("subscription"));
    }

    void repliesOfTokenEndpointsKeepWhatTheyLeaveOut()
    {
        const LoginDefinition& login = loginOf("anthropic-oauth");
        const auto before = tokensFromFile(login, claudeFile());
        const auto rotated = tokensFromReply(login, "{\"access_token\":\"a2\",\"refresh_token\":\"r2\",\"expires_in\":3600,\"scope\":\"user:inference\"}", 1000, &*before);
        QVERIFY(rotated.has_value());
        QCOMPARE(rotated->refresh.view(), std::string_view("r2"));
        QCOMPARE(rotated->expiresAt, std::int64_t{4600});
        QCOMPARE(rotated->scopes, std::vector<std::string>{"user:inference"});
        QCOMPARE(rotated->facts.at("subscription"), std::string("max"));
        const auto same = tokensFromReply(login, "{\"access_token\":\"a2\"}", 1000, &*before);
        QVERIFY(same.has_value());
        QCOMPARE(same->refresh.view(), std::string_view("sk-ant-ort01-real"));
        QVERIFY(!tokensFromReply(login, "{\"access_token\":\"a2\"}", 1000, nullptr));
        QVERIFY(!tokensFromReply(login, "{\"error\":\"x\"}", 1000, &*before));
        QVERIFY(!tokensFromReply(login, "", 1000, &*before));
        const auto back = tokensFromSecret(tokensToSecret(*rotated).view());
        QVERIFY(back.has_value());
        QCOMPARE(back->access.view(), std::string_view("a2"));
        QCOMPARE(back->expiresAt, rotated->expiresAt);
        QCOMPARE(back->facts, rotated->facts);
        QVERIFY(!tokensFromSecret("sk-ant-api03-an-ordinary-key"));
        const json body = json::parse(refreshBody(login, *rotated).view());
        QCOMPARE(body.at("refresh_token").get<std::string>(), std::string("r2"));
        QCOMPARE(body.at("client_id").get<std::string>(), login.clientId);
    }

    void insideAreOnlyStandIns()
    {
        const auto sentinels = catalog().newSentinels();
        Context context{"/home/agent", "/w", sentinels, {}};
        QVERIFY(fileInside("claude", context, ".credentials.json").is_null());
        QCOMPARE(fileInside("codex", context, "auth.json").at("OPENAI_API_KEY").get<std::string>(), sentinels.at("openai"));
        context.logins["anthropic-oauth"] = {{"user:inference"}, {{"subscription", "max"}}};
        context.logins["chatgpt"] = {{}, {{"subscription", "plus"}, {"account", "acc-1"}}};
        const json claude = fileInside("claude", context, ".credentials.json").at("claudeAiOauth");
        QCOMPARE(claude.at("accessToken").get<std::string>(), sentinels.at("anthropic-oauth"));
        const std::string refresh = claude.at("refreshToken");
        QVERIFY(refresh.starts_with("sk-ant-ort01-proxy-managed-"));
        const std::string random = refresh.substr(refresh.rfind('-') + 1);
        QVERIFY(random.size() == 32 && sentinels.at("anthropic-oauth").ends_with(random));
        QCOMPARE(claude.at("scopes"), json::array({"user:inference"}));
        QCOMPARE(claude.at("subscriptionType"), json("max"));
        QVERIFY(claude.at("expiresAt").get<std::int64_t>() > 4000000000000);
        const json codex = fileInside("codex", context, "auth.json");
        QVERIFY(codex.at("OPENAI_API_KEY").is_null()); // one form of logging in, not two
        QCOMPARE(codex.at("tokens").at("account_id"), json("acc-1"));
        const std::string idToken = codex.at("tokens").at("id_token");
        const std::size_t dot = idToken.find('.');
        const json claims = json::parse(base64UrlDecode(idToken.substr(dot + 1, idToken.rfind('.') - dot - 1)));
        QCOMPARE(json::parse(base64UrlDecode(idToken.substr(0, dot))).at("alg"), json("none"));
        QCOMPARE(claims.at("https://api.openai.com/auth").at("chatgpt_plan_type"), json("plus"));
        QVERIFY(claims.dump().find("me@example.com") == std::string::npos);
        // What nobody knows is null, not a text with nothing in it.
        context.logins["chatgpt"] = {};
        QVERIFY(fileInside("codex", context, "auth.json").at("tokens").at("account_id").is_null());
    }

    void loginsAreFoundByEitherName()
    {
        QCOMPARE((*catalog().findLogin("anthropic"))->name, std::string("anthropic-oauth"));
        QCOMPARE((*catalog().findLogin("anthropic-oauth"))->name, std::string("anthropic-oauth"));
        QCOMPARE((*catalog().findLogin("openai"))->name, std::string("chatgpt"));
        QVERIFY(!catalog().findLogin("github"));
    }

    void base64UrlIsThatOfTheStandard()
    {
        // RFC 4648, section 10, without padding.
        for (const auto& [plain, encoded] : {std::pair("", ""), std::pair("f", "Zg"), std::pair("fo", "Zm8"), std::pair("foo", "Zm9v"), std::pair("foobar", "Zm9vYmFy")}) {
            QCOMPARE(base64UrlEncode(plain), std::string(encoded));
            QCOMPARE(base64UrlDecode(encoded), std::string(plain));
        }
        QCOMPARE(base64UrlEncode("\xff\xfe\xfd"), std::string("__79"));
        QVERIFY(base64UrlDecode("a+b/").empty());
    }
};

QTEST_GUILESS_MAIN(TestLogin)
#include "test_login.moc"
