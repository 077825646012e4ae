// SPDX-License-Identifier: Apache-2.0
// Servers with faulty certificates or TLS, after the list of badssl.com, and servers that ask for a certificate. Each fault is refused with a reason
// that the client sees, and the request never goes out. What is not looked at: revocation, as no list and no responder is asked.
#include "harness.h"

#include <QtTest>
#include <openssl/ssl.h>

using namespace proxytest;

namespace {

using Extensions = std::vector<std::pair<std::string, std::string>>;

const Certificate& trustedCa()
{
    static const Certificate ca = makeCertificate({.name = "Trusted root", .isCa = true});
    return ca;
}

Certificate good() { return makeCertificate({.name = "api.example.com", .issuer = &trustedCa()}); }

/// A leaf below an authority below the trusted root; with or without what lies between in its chain.
Certificate below(const CertificateSpec& authority, bool sendsChain, const CertificateSpec& leaf = {.name = "api.example.com"})
{
    CertificateSpec middle = authority;
    middle.issuer = middle.issuer ? middle.issuer : &trustedCa();
    const Certificate between = makeCertificate(middle);
    CertificateSpec last = leaf;
    last.issuer = &between;
    Certificate made = makeCertificate(last);
    if (sendsChain) {
        made.certificatePem += between.certificatePem;
    }
    return made;
}

Certificate withTls(int version, const std::string& ciphers)
{
    Certificate certificate = good();
    certificate.onlyVersion = version;
    certificate.ciphers = ciphers;
    return certificate;
}

std::string get() { return "GET /probe HTTP/1.1\r\nHost: api.example.com\r\n\r\n"; }

Harness::Setup setupFor(const nlohmann::json& policy)
{
    Harness::Setup setup;
    setup.policy = policy;
    setup.trusted = {trustedCa().certificatePem};
    setup.limits.upstreamHandshake = std::chrono::seconds(4); // some of these servers say nothing at all
    return setup;
}

Wire::Reply ask(Harness& harness)
{
    auto opened = harness.connect("api.example.com:443");
    if (!opened.wire || !opened.wire->startTls("api.example.com", harness.caPem()) || !opened.wire->write(get())) {
        return {};
    }
    return opened.wire->readReply();
}

} // namespace

class FaultsTest : public QObject
{
    Q_OBJECT

private slots:
    void pitfall_15_faultyServersAreRefusedWithAReason_data()
    {
        QTest::addColumn<int>("index");
        QTest::addColumn<bool>("isGood");
        s_servers.clear();
        const auto row = [](const char* name, const Certificate& certificate, bool isGood = false) {
            QTest::newRow(name) << static_cast<int>(s_servers.size()) << isGood;
            s_servers.push_back(certificate);
        };
        const auto leaf = [](CertificateSpec spec) {
            spec.name = spec.name.empty() ? "api.example.com" : spec.name;
            spec.issuer = &trustedCa();
            return makeCertificate(spec);
        };
        const Certificate stranger = makeCertificate({.name = "Stranger", .isCa = true});
        const Certificate namesake = makeCertificate({.name = "Trusted root", .isCa = true}); // the name, but another key
        const CertificateSpec authority{.name = "Between", .isCa = true};
        std::string many;
        for (int i = 0; i < 1000; ++i) {
            many += "DNS:n" + std::to_string(i) + ".example.com,";
        }
        // The controls: unusual and right.
        row("good", good(), true);
        row("good: with its chain", below(authority, true), true);
        row("good: RSA", leaf({.name = "", .rsaBits = 2048}), true);
        row("good: wildcard", leaf({.name = "", .alternativeNames = "DNS:*.example.com"}), true);
        row("good: without a subject", leaf({.name = "", .hasSubject = false}), true);
        row("good: a thousand names", leaf({.name = "", .alternativeNames = many + "DNS:api.example.com"}), true);
        row("good: TLS 1.2", withTls(TLS1_2_VERSION, ""), true);
        row("good: a chain with the root in it", [&] {
            Certificate certificate = below(authority, true);
            certificate.certificatePem += trustedCa().certificatePem;
            return certificate;
        }(), true);
        // Dates
        row("expired", leaf({.name = "", .notAfterSeconds = -60}));
        row("not yet valid", leaf({.name = "", .notBeforeSeconds = 3600}));
        row("authority between expired", below({.name = "Between", .isCa = true, .notAfterSeconds = -60}, true));
        row("authority between not yet valid", below({.name = "Between", .isCa = true, .notBeforeSeconds = 3600}, true));
        // Names
        row("wrong host", leaf({.name = "other.example.com"}));
        row("parent's name", leaf({.name = "example.com"}));
        row("a name below", leaf({.name = "x.api.example.com"}));
        row("wildcard one level too high", leaf({.name = "", .alternativeNames = "DNS:*.com"}));
        row("wildcard of everything", leaf({.name = "", .alternativeNames = "DNS:*"}));
        row("partial wildcard", leaf({.name = "", .alternativeNames = "DNS:a*.example.com"}));
        row("wildcard in the middle", leaf({.name = "", .alternativeNames = "DNS:api.*.com"}));
        row("common name alone", leaf({.name = "", .alternativeNames = ""}));
        row("common name beside another name", leaf({.name = "", .alternativeNames = "DNS:other.example.com"}));
        row("an address for a name", leaf({.name = "", .alternativeNames = "IP:127.0.0.1"}));
        row("a mail address", leaf({.name = "", .alternativeNames = "email:a@api.example.com"}));
        row("a URI", leaf({.name = "", .alternativeNames = "URI:https://api.example.com/"}));
        row("neither subject nor names", leaf({.name = "", .alternativeNames = "", .hasSubject = false}));
        row("a thousand other names", leaf({.name = "", .alternativeNames = many + "DNS:other.example.com"}));
        // Who signed it
        row("self-signed", makeCertificate({.name = "api.example.com"}));
        row("untrusted root", makeCertificate({.name = "api.example.com", .issuer = &stranger}));
        row("untrusted root in the chain", [&] {
            Certificate certificate = makeCertificate({.name = "api.example.com", .issuer = &stranger});
            certificate.certificatePem += stranger.certificatePem;
            return certificate;
        }());
        row("root of the same name", makeCertificate({.name = "api.example.com", .issuer = &namesake}));
        row("incomplete chain", below(authority, false));
        row("signed by a leaf", below({.name = "leaf.example.com"}, true));
        row("signed by a leaf that says so", below({.name = "leaf", .alternativeNames = "", .extensions = {{"basicConstraints", "critical,CA:FALSE"}}}, true));
        row("authority without the right to sign", below({.name = "Between", .isCa = true, .alternativeNames = "",
                                                          .extensions = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,digitalSignature"}}}, true));
        row("path longer than allowed", [&] {
            const Certificate top = makeCertificate({.name = "Top", .isCa = true, .issuer = &trustedCa(), .alternativeNames = "",
                                                     .extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"}, {"keyUsage", "critical,keyCertSign"}}});
            Certificate certificate = below({.name = "Below", .isCa = true, .issuer = &top}, true);
            certificate.certificatePem += top.certificatePem;
            return certificate;
        }());
        row("outside the authority's names", below({.name = "Between", .isCa = true, .alternativeNames = "",
                                                    .extensions = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign"},
                                                                   {"nameConstraints", "critical,permitted;DNS:other.example.org"}}}, true));
        row("excluded by the authority", below({.name = "Between", .isCa = true, .alternativeNames = "",
                                                .extensions = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign"},
                                                               {"nameConstraints", "critical,excluded;DNS:example.com"}}}, true));
        row("for clients", leaf({.name = "", .extensions = {{"extendedKeyUsage", "clientAuth"}}}));
        row("for code", leaf({.name = "", .extensions = {{"extendedKeyUsage", "codeSigning"}}}));
        row("unknown critical extension", leaf({.name = "", .extensions = {{"nsComment", "critical,x"}}}));
        // Weak keys and digests
        row("RSA 1024", leaf({.name = "", .rsaBits = 1024}));
        row("RSA 512", leaf({.name = "", .rsaBits = 512}));
        row("SHA-1", leaf({.name = "", .digest = "SHA1"}));
        row("MD5", leaf({.name = "", .rsaBits = 2048, .digest = "MD5"}));
        row("SHA-1 between", below({.name = "Between", .isCa = true, .digest = "SHA1"}, true));
        row("RSA 1024 between", below({.name = "Between", .isCa = true, .rsaBits = 1024}, true));
        // Old TLS
        row("TLS 1.0", withTls(TLS1_VERSION, "ALL:@SECLEVEL=0"));
        row("TLS 1.1", withTls(TLS1_1_VERSION, "ALL:@SECLEVEL=0"));
        row("no encryption", withTls(TLS1_2_VERSION, "eNULL:@SECLEVEL=0"));
        row("no authentication", withTls(TLS1_2_VERSION, "aNULL:@SECLEVEL=0"));
        row("no TLS at all", {});
    }
    void pitfall_15_faultyServersAreRefusedWithAReason()
    {
        QFETCH(int, index);
        QFETCH(bool, isGood);
        const Certificate& server = s_servers[static_cast<std::size_t>(index)];
        const bool hasTls = !server.certificatePem.empty();
        Origin origin(hasTls ? std::optional(server) : std::nullopt);
        Harness harness(setupFor(policyJson("locked", {"api.example.com"})));
        harness.route("api.example.com:443", origin.port());
        const Wire::Reply reply = ask(harness);
        QCOMPARE(reply.status, isGood ? 200 : 502);
        bool sawProbe = false;
        for (const std::string& head : origin.heads()) {
            sawProbe = sawProbe || head.find("probe") != std::string::npos;
        }
        QCOMPARE(sawProbe, isGood);
        if (!isGood) {
            const auto json = nlohmann::json::parse(reply.body);
            const std::string reason = json["reason"].get<std::string>();
            QVERIFY2(reason.find("certificate") != std::string::npos || reason.find("TLS") != std::string::npos, reason.c_str());
            QVERIFY2(reason.size() > 40, reason.c_str());
            QVERIFY(!harness.waitForConnection("api.example.com", "error").empty());
        }
    }

    void clientCertificateGoesToItsHostAlone()
    {
        const Certificate users = makeCertificate({.name = "Users", .isCa = true});
        const Certificate mine = makeCertificate({.name = "me", .issuer = &users, .alternativeNames = "", .extensions = {{"extendedKeyUsage", "clientAuth"}}});
        Certificate asking = good();
        asking.clientCaPem = users.certificatePem;
        Certificate alsoAsking = makeCertificate({.name = "other.example.com", .issuer = &trustedCa()});
        alsoAsking.clientCaPem = users.certificatePem;
        Origin origin(asking);
        Origin other(alsoAsking);
        Harness harness(setupFor(policyJson("locked", {"api.example.com", "other.example.com"})));
        harness.route("api.example.com:443", origin.port());
        harness.route("other.example.com:443", other.port());
        QCOMPARE(ask(harness).status, 502); // the control: without it the server refuses
        harness.sendToEngineSide(nlohmann::json({{"type", "client-certificates"},
                                                 {"certificates", {{{"host", "api.example.com"}, {"certificatePem", mine.certificatePem}}}}})
                                     .dump()
                                 + "\n");
        QCOMPARE(ask(harness).status, 502); // not whole yet
        harness.sendKey("client-certificate:api.example.com", users.keyPem);
        QVERIFY(!harness.waitForMessage([](const nlohmann::json& message) { return message["type"] == "problem"; }).is_null());
        QCOMPARE(ask(harness).status, 502); // a key that is not its own
        harness.sendKey("client-certificate:api.example.com", mine.keyPem);
        QTRY_COMPARE(ask(harness).status, 200);
        auto elsewhere = harness.connect("other.example.com:443");
        QVERIFY(elsewhere.wire->startTls("other.example.com", harness.caPem()));
        QVERIFY(elsewhere.wire->write("GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n"));
        QCOMPARE(elsewhere.wire->readReply().status, 502);
        QVERIFY(other.heads().empty());
        harness.sendKey("client-certificate:api.example.com", "");
        QTRY_COMPARE(ask(harness).status, 502); // taken back
    }

private:
    static std::vector<Certificate> s_servers;
};

std::vector<Certificate> FaultsTest::s_servers;

QTEST_GUILESS_MAIN(FaultsTest)
#include "faults_test.moc"
