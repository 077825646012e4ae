// SPDX-License-Identifier: Apache-2.0
#include "proxy/refusal.h"

#include <QtTest>
#include <nlohmann/json.hpp>

using namespace coldframe::proxy;

namespace {

Refusal refused(Remedy remedy)
{
    Refusal refusal;
    refusal.identity.host = "evil.example.com";
    refusal.identity.port = 8443;
    refusal.sandbox = "5e1f00aa11223344";
    refusal.method = "GET";
    refusal.path = "/a";
    refusal.rule = "mode locked";
    refusal.reason = "It is blocked because the network is locked.";
    refusal.remedy = remedy;
    return refusal;
}

RefusalForm formFor(const char* accept)
{
    HeaderList headers;
    headers.add("Accept", accept);
    return refusalForm(headers);
}

bool holds(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

} // namespace

class RefusalTest : public QObject
{
    Q_OBJECT

private slots:
    void whoNamesHtmlGetsThePage_data()
    {
        QTest::addColumn<QString>("accept");
        QTest::addColumn<int>("form");
        const auto row = [](const char* accept, RefusalForm form) { QTest::newRow(accept) << QString::fromLatin1(accept) << static_cast<int>(form); };
        row("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", RefusalForm::Html); // Firefox, Chromium
        row("TEXT/HTML", RefusalForm::Html);
        row("text/html;level=1;q=0.4", RefusalForm::Html);
        row("*/*", RefusalForm::Json); // curl
        row("text/*", RefusalForm::Json);
        row("", RefusalForm::Json);
        row("application/json, text/plain, */*", RefusalForm::Json); // axios
        row("application/json", RefusalForm::Json);
        row("text/html;q=0.5, application/json", RefusalForm::Json);
        row("application/vnd.github+json, text/html;q=0.9", RefusalForm::Json);
        row("text/html;q=0", RefusalForm::Json);
        row("text/html;q=0.001", RefusalForm::Html);
        row("text/html;q=0.000", RefusalForm::Json);
        row("text/plain", RefusalForm::Text);
        row("text/plain, text/html;q=0.3", RefusalForm::Text);
        row("text/plain;q=0.9, text/html", RefusalForm::Html);
        row("text/html;q=1.9999999999", RefusalForm::Html); // no weight: counts as none given
        row(",;,;q=,text/htmlx", RefusalForm::Json);
    }
    void whoNamesHtmlGetsThePage()
    {
        QFETCH(QString, accept);
        QFETCH(int, form);
        QCOMPARE(static_cast<int>(formFor(accept.toLatin1().constData())), form);
    }
    void nobodyWhoSaysNothingGetsAPage() { QCOMPARE(refusalForm(HeaderList()), RefusalForm::Json); }

    void everyFormNamesTheRuleAndTheCommands()
    {
        const Refusal refusal = refused(Remedy::Allow);
        for (const RefusalForm form : {RefusalForm::Html, RefusalForm::Text}) {
            const std::string body = refusalBody(form, refusal);
            QVERIFY(holds(body, "evil.example.com:8443"));
            QVERIFY(holds(body, "mode locked"));
            QVERIFY(holds(body, "coldframe policy allow -s 5e1f00aa11223344 evil.example.com:8443"));
            QVERIFY(holds(body, "coldframe policy allow evil.example.com:8443"));
        }
        const auto json = nlohmann::json::parse(refusalBody(RefusalForm::Json, refusal));
        QCOMPARE(json["error"].get<std::string>(), std::string("blocked_by_coldframe"));
        QCOMPARE(json["rule"].get<std::string>(), std::string("mode locked"));
        QVERIFY(holds(json["hint"].get<std::string>(), "coldframe policy allow -s 5e1f00aa11223344 evil.example.com:8443"));
    }
    void aRuleThatDeniesIsNotOverruledByOneThatAllows()
    {
        Refusal refusal = refused(Remedy::RemoveRule);
        refusal.ruleId = "0a1b2c3d";
        for (const RefusalForm form : {RefusalForm::Html, RefusalForm::Text, RefusalForm::Json}) {
            QVERIFY(!holds(refusalBody(form, refusal), "policy allow"));
            QVERIFY(holds(refusalBody(form, refusal), "coldframe policy check -s 5e1f00aa11223344 evil.example.com:8443"));
        }
        QVERIFY(holds(refusalBody(RefusalForm::Text, refusal), "coldframe policy rm -s 5e1f00aa11223344 --id 0a1b2c3d"));
    }
    void whatNoRuleMendsHasNoCommand()
    {
        for (const RefusalForm form : {RefusalForm::Html, RefusalForm::Text, RefusalForm::Json}) {
            QVERIFY(!holds(refusalBody(form, refused(Remedy::None)), "coldframe policy"));
            Refusal away = refused(Remedy::Allow);
            away.isBlocked = false;
            QVERIFY(!holds(refusalBody(form, away), "coldframe policy"));
        }
        Refusal away = refused(Remedy::None);
        away.isBlocked = false;
        QCOMPARE(nlohmann::json::parse(refusalBody(RefusalForm::Json, away))["error"].get<std::string>(), std::string("upstream_unreachable"));
    }
    void nothingThatOthersChoseIsMarkup()
    {
        Refusal refusal = refused(Remedy::Allow);
        refusal.identity.host = "<script>alert(1)</script>";
        refusal.path = "/\"><img src=x>";
        refusal.rule = "deny <b onclick='x'> & \x1b[31m\xff";
        refusal.reason = std::string(5000, '<');
        const std::string page = refusalBody(RefusalForm::Html, refusal);
        QVERIFY(holds(page, "&lt;script&gt;"));
        QVERIFY(holds(page, "&#39;x&#39;&gt; &amp; "));
        for (const char* bad : {"<script", "<img", "<b ", "'x'", "\x1b", "\xff", "coldframe policy"}) {
            QVERIFY2(!holds(page, bad), bad);
        }
        QVERIFY(page.size() < 6000);
        QVERIFY(!holds(refusalBody(RefusalForm::Text, refusal), "coldframe policy")); // such a name is no word of a command
    }
    void anIpv6PlaceIsAWordForAShell()
    {
        Refusal refusal = refused(Remedy::Allow);
        refusal.identity.host = "2001:db8::1";
        QVERIFY(holds(refusalBody(RefusalForm::Text, refusal), "policy allow '[2001:db8::1]:8443'"));
    }
};

QTEST_GUILESS_MAIN(RefusalTest)
#include "refusal_test.moc"
