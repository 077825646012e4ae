// SPDX-License-Identifier: Apache-2.0
// The table of services as it is shipped, against the injector: where each key goes, and where it does not.
#include "agents/agents.h"
#include "proxy/aws_signature.h"
#include "proxy/http1_parser.h"
#include "proxy/injector.h"

#include <QtTest>

using namespace coldframe;
using namespace coldframe::proxy;

namespace {

const std::string kKey = "real-0123456789-abcdefghij-key";
const std::string kAwsKey = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

const agents::Catalog& catalog()
{
    static const agents::Catalog shipped = [] {
        auto loaded = agents::Catalog::load(COLDFRAME_AGENT_RESOURCES);
        if (!loaded) {
            qFatal("%s", loaded.error().message.c_str());
        }
        return std::move(*loaded);
    }();
    return shipped;
}

std::map<std::string, std::string> sentinels()
{
    static const auto all = catalog().newSentinels();
    return all;
}

Injector emptyInjector()
{
    auto services = servicesFromJson(catalog().proxyServicesJson(sentinels()));
    if (!services) {
        qFatal("%s %s", services.error().message.c_str(), services.error().detail.c_str());
    }
    Injector injector;
    injector.setServices(std::move(*services));
    return injector;
}

/// With a key for this service (and those that use its key) alone.
Injector injectorFor(const std::string& service, const std::string& key = kKey)
{
    Injector injector = emptyInjector();
    if (const auto set = injector.setKey(service, SecretBuffer(key)); !set) {
        qFatal("%s", set.error().message.c_str());
    }
    return injector;
}

Identity identityOf(const std::string& host, std::uint16_t port = 443)
{
    Identity identity;
    identity.host = host;
    identity.port = port;
    return identity;
}

struct Sent
{
    Injection injection;
    RequestHead request;
    RequestTarget target;
};

Sent send(const Injector& injector, const Identity& identity, const std::string& method, const std::string& path,
          const std::string& headers = {}, bool verified = true)
{
    Sent sent;
    const std::string authority = formatAuthority(identity, verified);
    auto head = parseRequestHead(method + " " + path + " HTTP/1.1\r\nHost: " + authority + "\r\n" + headers + "\r\n");
    if (!head) {
        qFatal("%s", head.error().reason.c_str());
    }
    sent.request = std::move(*head);
    auto target = checkIdentity(identity, verified, sent.request);
    if (!target) {
        qFatal("%s", target.error().reason.c_str());
    }
    sent.target = std::move(*target);
    sent.injection = injector.plan(identity, verified, sent.target, sent.request);
    if (!sent.injection.service.empty()) {
        injector.write(sent.injection, identity, sent.target, sent.request);
    }
    return sent;
}

bool carries(const Sent& sent, const std::string& needle)
{
    for (const HeaderField& field : sent.request.headers.fields()) {
        if (field.value.find(needle) != std::string::npos) {
            return true;
        }
    }
    return false;
}

/// A path that fits the first prefix.
std::string goodPath(const agents::Service& service)
{
    std::string path = service.pathPrefixes.empty() ? "/" : service.pathPrefixes.front();
    for (std::size_t star = path.find('*'); star != std::string::npos; star = path.find('*')) {
        path.replace(star, 1, "some");
    }
    return path + (path.ends_with("/") ? "thing" : "");
}

} // namespace

class ServicesTest : public QObject
{
    Q_OBJECT

private slots:
    // Copilot's own program first asks GitHub who its token is for.
    void copilotsKeyGoesWhereItsProgramAsksWhoItIs()
    {
        const Injector injector = injectorFor("copilot");
        const std::string stand = "Authorization: Bearer " + sentinels().at("copilot") + "\r\n";
        for (const char* path : {"/user", "/copilot_internal/user", "/repos/github/copilot-cli/releases"}) {
            QCOMPARE(send(injector, identityOf("api.github.com"), "GET", path, stand).injection.service, std::string("copilot-user"));
        }
        for (const char* path : {"/repos/some/one/contents/x", "/user/keys", "/copilot_internal/v2/token", "/"}) {
            const Sent sent = send(injector, identityOf("api.github.com"), "GET", path, stand);
            QVERIFY2(!sent.injection.blockedReason.empty() && !carries(sent, kKey), path);
        }
    }

    void everyKeyGoesToItsHostsAlone_data()
    {
        QTest::addColumn<QString>("name");
        for (const agents::Service& service : catalog().services()) {
            if (service.signer.empty() && !service.hosts.empty()) {
                QTest::newRow(service.name.c_str()) << QString::fromStdString(service.name);
            }
        }
    }
    // D.3 pitfall 11 for each service of the table.
    void everyKeyGoesToItsHostsAlone()
    {
        QFETCH(QString, name);
        const agents::Service& service = **catalog().findService(name.toStdString());
        const std::string owner = service.keyOf.empty() ? service.name : service.keyOf;
        const Injector injector = injectorFor(owner);
        const std::string sentinel = sentinels().at(owner);
        const std::string value = renderCredential(service.format, kKey);
        const std::string path = goodPath(service);
        for (const std::string& host : service.hosts) {
            const std::string mine = service.header + ": " + sentinel + "\r\n";
            const Sent right = send(injector, identityOf(host), "GET", path, mine);
            QVERIFY2(right.injection.blockedReason.empty(), right.injection.blockedReason.c_str());
            QCOMPARE(right.injection.service, service.name);
            QCOMPARE(right.request.headers.count(service.header), std::size_t{1});
            QCOMPARE(*right.request.headers.find(service.header), value);
            QVERIFY(!carries(right, sentinel));
            for (const std::string& field : service.strip) {
                const Sent stripped = send(injector, identityOf(host), "GET", path, field + ": the-guests-own\r\n");
                QVERIFY(!carries(stripped, "the-guests-own") && carries(stripped, value));
            }
            QVERIFY(!carries(send(injector, identityOf(host, 8443), "GET", path), value));
            QVERIFY(!carries(send(injector, identityOf(host, 80), "GET", path, {}, false), value));
            QVERIFY(!carries(send(injector, identityOf("x" + host), "GET", path), value));
            QVERIFY(!carries(send(injector, identityOf("x." + host), "GET", path), value));
            QVERIFY(!carries(send(injector, identityOf(host + ".example.com"), "GET", path), value));
            QVERIFY(!send(injector, identityOf("x." + host), "GET", path, mine).injection.alert.empty());
            if (!service.pathPrefixes.empty()) {
                QVERIFY(!carries(send(injector, identityOf(host), "GET", "/elsewhere"), value));
                QVERIFY(!carries(send(injector, identityOf(host), "GET", "/x" + path), value));
            }
            const Injector none = emptyInjector();
            const std::string reason = send(none, identityOf(host), "GET", path, mine).injection.blockedReason;
            QVERIFY(reason.find("No key is stored") != std::string::npos || reason.find("There is no log-in") != std::string::npos);
        }
    }

    // D.3 pitfall 14: where keys are made or shown, nothing is put on, however the path is written.
    void pitfall_14_placesThatMakeKeysAreRefused_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("method");
        for (const agents::Service& service : catalog().services()) {
            for (const agents::DeniedPath& denied : service.deny) {
                if (!service.hosts.empty()) {
                    QTest::addRow("%s %s", service.name.c_str(), denied.path.c_str())
                        << QString::fromStdString(service.name) << QString::fromStdString(denied.path)
                        << QString::fromStdString(denied.methods.empty() ? "GET" : denied.methods[0]);
                }
            }
        }
    }
    void pitfall_14_placesThatMakeKeysAreRefused()
    {
        QFETCH(QString, name);
        QFETCH(QString, path);
        QFETCH(QString, method);
        const agents::Service& service = **catalog().findService(name.toStdString());
        const Injector injector = injectorFor(service.keyOf.empty() ? service.name : service.keyOf);
        const Identity identity = identityOf(service.hosts[0]);
        const std::string plain = path.replace("*", "acme").toStdString();
        for (const std::string& spelled : {plain, plain + "?x=1", "/%" + QByteArray(1, plain[1]).toHex().toStdString() + plain.substr(2)}) {
            const Sent sent = send(injector, identity, method.toStdString(), spelled);
            QVERIFY2(sent.injection.service.empty() && !sent.injection.blockedReason.empty(), spelled.c_str());
            QCOMPARE(sent.injection.alertCode, std::string("token-minting"));
        }
        QVERIFY(carries(send(injector, identity, "GET", goodPath(service)), renderCredential(service.format, kKey))); // control
        if (!service.deny[0].methods.empty()) {
            QVERIFY(send(injector, identity, "GET", plain).injection.service == service.name || method == "GET");
        }
    }

    void pathPatternsGoSegmentBySegment_data()
    {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QString>("path");
        QTest::addColumn<bool>("fits");
        QTest::newRow("prefix") << "/v1/" << "/v1/x" << true;
        QTest::newRow("other") << "/v1/" << "/v2/x" << false;
        QTest::newRow("star") << "/*/*/info/refs" << "/a/b.git/info/refs" << true;
        QTest::newRow("star is one segment") << "/*/*/info/refs" << "/a/b/c/info/refs" << false;
        QTest::newRow("star is not empty") << "/*/*/info/refs" << "//b/info/refs" << false;
        QTest::newRow("star at the end") << "/a/*" << "/a/b/c" << true;
        QTest::newRow("too short") << "/*/*/info/refs" << "/a/b" << false;
    }
    void pathPatternsGoSegmentBySegment()
    {
        QFETCH(QString, pattern);
        QFETCH(QString, path);
        QFETCH(bool, fits);
        QCOMPARE(pathFits(pattern.toStdString(), path.toStdString()), fits);
    }

    void placeholdersHaveTheShapeClientsCheck()
    {
        const auto all = sentinels();
        QVERIFY(QRegularExpression("^AKIA[A-Z0-9]{16}$").match(QString::fromStdString(all.at("aws"))).hasMatch());
        QCOMPARE(QString::fromStdString(all.at("chatgpt")).count('.'), 2);
        QVERIFY(all.at("anthropic-oauth").starts_with("sk-ant-oat01-"));
        QVERIFY(all.at("npm").starts_with("npm_"));
        QVERIFY(all.at("google-cloud").starts_with("ya29."));
        for (const auto& [name, sentinel] : all) {
            QVERIFY(randomPartOf(sentinel).size() >= 16);
        }
    }

    void aKeyInTheQueryIsTakenOut()
    {
        const Injector injector = injectorFor("google");
        const std::string sentinel = sentinels().at("google");
        const Identity identity = identityOf("generativelanguage.googleapis.com");
        const Sent sent = send(injector, identity, "POST", "/v1beta/models/x:generate?alt=sse&key=" + sentinel + "&b=");
        QCOMPARE(sent.target.pathAndQuery(), std::string("/v1beta/models/x:generate?alt=sse&b="));
        QVERIFY(carries(sent, kKey));
        QCOMPARE(send(injector, identity, "POST", "/v1beta/x?key=" + sentinel).target.pathAndQuery(), std::string("/v1beta/x"));
        QVERIFY(!send(injector, identityOf("example.com"), "POST", "/v1beta/x?key=" + sentinel).injection.alert.empty());
    }

    void anOAuthTokenIsSentAsOneAndTheSentinelChooses()
    {
        Injector injector = injectorFor("anthropic");
        QVERIFY(injector.setKey("anthropic-oauth", SecretBuffer("sk-ant-oat01-real-token-xyz")).has_value());
        const Identity identity = identityOf("api.anthropic.com");
        const Sent oauth = send(injector, identity, "POST", "/v1/messages",
                                "Authorization: Bearer " + sentinels().at("anthropic-oauth") + "\r\nanthropic-beta: tools-1, more\r\n");
        QCOMPARE(*oauth.request.headers.find("authorization"), std::string("Bearer sk-ant-oat01-real-token-xyz"));
        QVERIFY(oauth.request.headers.hasToken("anthropic-beta", "oauth-2025-04-20"));
        QVERIFY(oauth.request.headers.hasToken("anthropic-beta", "tools-1"));
        QVERIFY(!carries(oauth, kKey));
        const Sent key = send(injector, identity, "POST", "/v1/messages", "x-api-key: " + sentinels().at("anthropic") + "\r\n");
        QVERIFY(carries(key, kKey) && !key.request.headers.find("authorization"));
        // Where both are stored only one is announced: clients that find both mix them up.
        const auto announced = catalog().announced({"anthropic", "anthropic-oauth"}, sentinels());
        QVERIFY(announced.contains("ANTHROPIC_API_KEY") && !announced.contains("CLAUDE_CODE_OAUTH_TOKEN"));
        QVERIFY(catalog().announced({"anthropic-oauth"}, sentinels()).contains("CLAUDE_CODE_OAUTH_TOKEN"));
    }

    void awsRequestsAreSignedAnew()
    {
        const Injector injector = injectorFor("aws", kAwsKey);
        const std::string sentinel = sentinels().at("aws");
        const auto signedBy = [](const std::string& id, const std::string& more = {}) {
            return "X-Amz-Date: 20150830T123600Z\r\n" + more + "Authorization: AWS4-HMAC-SHA256 Credential=" + id
                   + "/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n";
        };
        const Identity identity = identityOf("example.amazonaws.com");
        const Sent sent = send(injector, identity, "GET", "/", signedBy(sentinel));
        QCOMPARE(*sent.request.headers.find("authorization"),
                 std::string("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                             "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
        QVERIFY(!carries(sent, "EXAMPLEKEY"));
        QVERIFY(send(injector, identity, "GET", "/").injection.service.empty()); // anonymous
        QVERIFY(send(injector, identity, "GET", "/", signedBy("AKIAOTHEROTHEROTHER1")).injection.service.empty()); // the guest's own
        QVERIFY(!send(injector, identityOf("example.com"), "GET", "/", signedBy(sentinel)).injection.alert.empty());
        QVERIFY(!send(injector, identityOf("amazonaws.com.example.com"), "GET", "/", signedBy(sentinel)).injection.alert.empty());
        // Other credentials are made there.
        for (const char* host : {"sts.amazonaws.com", "sts.eu-west-1.amazonaws.com", "iam.amazonaws.com", "portal.sso.us-east-1.amazonaws.com"}) {
            QVERIFY2(!send(injector, identityOf(host), "POST", "/", signedBy(sentinel)).injection.blockedReason.empty(), host);
        }
        const Sent body = send(injector, identity, "POST", "/", signedBy(sentinel, "Content-Length: 5\r\n"));
        QVERIFY(body.injection.needsPayloadHash);
        const Sent streamed = send(injector, identity, "PUT", "/x",
                                   signedBy(sentinel, "Content-Length: 5\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n"));
        QVERIFY(!streamed.injection.needsPayloadHash && carries(streamed, "AKIDEXAMPLE"));
        const Sent pieces = send(injector, identity, "PUT", "/x",
                                 signedBy(sentinel, "Content-Length: 5\r\nX-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n"));
        QVERIFY(!pieces.injection.blockedReason.empty());
        Injector refusing = emptyInjector();
        QVERIFY(!refusing.setKey("aws", SecretBuffer("no-colon-in-here-at-all")).has_value());
    }

    // aws-sig-v4-test-suite and the examples of the S3 API reference, by their names.
    void awsPublishedVectors_data()
    {
        QTest::addColumn<QString>("request");
        QTest::addColumn<QString>("scope");
        QTest::addColumn<QString>("names");
        QTest::addColumn<QString>("signature");
        const QString suite = "20150830/us-east-1/service";
        const QString date = "\r\nX-Amz-Date: 20150830T123600Z\r\n";
        const auto suiteRow = [&](const char* name, const QString& line, const QString& headers, const QString& names, const char* signature) {
            QTest::newRow(name) << line + date + headers << suite << names << QString(signature);
        };
        const QString plain = "host;x-amz-date";
        suiteRow("get-vanilla", "GET / HTTP/1.1", "", plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        suiteRow("post-vanilla", "POST / HTTP/1.1", "", plain, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        suiteRow("get-vanilla-query-order-key-case", "GET /?Param2=value2&Param1=value1 HTTP/1.1", "", plain,
                 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
        suiteRow("get-vanilla-empty-query-key", "GET /?Param1=value1 HTTP/1.1", "", plain,
                 "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb");
        suiteRow("get-vanilla-utf8-query", "GET /?%E1%88%B4=bar HTTP/1.1", "", plain,
                 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04");
        suiteRow("get-unreserved", "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1", "", plain,
                 "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
        suiteRow("post-x-www-form-urlencoded", "POST / HTTP/1.1", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\n",
                 "content-type;" + plain, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
        const QString s3 = "20130524/us-east-1/s3";
        const QString empty = "X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\nX-Amz-Date: 20130524T000000Z\r\n";
        QTest::newRow("s3 get object") << "GET /test.txt HTTP/1.1\r\nRange: bytes=0-9\r\n" + empty << s3 << "host;range;x-amz-content-sha256;x-amz-date"
                                       << "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        QTest::newRow("s3 put object")
            << "PUT /test%24file.text HTTP/1.1\r\nDate: Fri, 24 May 2013 00:00:00 GMT\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\n"
               "X-Amz-Content-Sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\nX-Amz-Date: 20130524T000000Z\r\nContent-Length: 21\r\n"
            << s3 << "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"
            << "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        QTest::newRow("s3 get lifecycle") << "GET /?lifecycle HTTP/1.1\r\n" + empty << s3 << "host;x-amz-content-sha256;x-amz-date"
                                          << "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        QTest::newRow("s3 list objects") << "GET /?max-keys=2&prefix=J HTTP/1.1\r\n" + empty << s3 << "host;x-amz-content-sha256;x-amz-date"
                                         << "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    }
    void awsPublishedVectors()
    {
        QFETCH(QString, request);
        QFETCH(QString, scope);
        QFETCH(QString, names);
        QFETCH(QString, signature);
        const bool isS3 = scope.endsWith("s3");
        const std::string host = isS3 ? "examplebucket.s3.amazonaws.com" : "example.amazonaws.com";
        const AwsKey key{isS3 ? "AKIAIOSFODNN7EXAMPLE" : "AKIDEXAMPLE",
                         isS3 ? "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" : "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", {}};
        const auto head = parseRequestHead(request.toStdString() + "Host: " + host + "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAPLACEHOLDER00000/"
                                           + scope.toStdString() + "/aws4_request, SignedHeaders=" + names.toStdString() + ", Signature=0\r\n\r\n");
        QVERIFY(head.has_value());
        RequestHead signedAnew = *head;
        const auto target = checkIdentity(identityOf(host), true, signedAnew);
        QVERIFY(target.has_value());
        const std::string hash = needsAwsPayloadHash(signedAnew) ? sha256Hex("Param1=value1") : std::string();
        QCOMPARE(QString::fromStdString(signAws(key, host, *target, hash, signedAnew)), QString());
        const std::string* value = signedAnew.headers.find("authorization");
        QVERIFY2(value->ends_with("Signature=" + signature.toStdString()), value->c_str());
        // Control: another key signs differently.
        RequestHead other = *head;
        QVERIFY(signAws({"AKIDEXAMPLE", "another-secret-access-key", {}}, host, *target, hash, other).empty());
        QVERIFY(!other.headers.find("authorization")->ends_with(signature.toStdString()));
    }
};

QTEST_GUILESS_MAIN(ServicesTest)
#include "services_test.moc"
