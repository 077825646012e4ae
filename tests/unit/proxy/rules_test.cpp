// SPDX-License-Identifier: Apache-2.0
#include "proxy/client_hello.h"
#include "proxy/engine_protocol.h"
#include "proxy/identity.h"
#include "proxy/http1_parser.h"
#include "proxy/injector.h"
#include "proxy/key_scanner.h"
#include "proxy/proxy_core.h"

#include "base/log.h"
#include <QtTest>
#include <limits>
#include <nlohmann/json.hpp>

using namespace coldframe;
using namespace coldframe::proxy;

namespace {

const std::string kKey = "sk-ant-real-0123456789-abcdefghij";
const std::string kSentinel = "sk-ant-api03-proxy-managed-5f3a9c0d11e2";

Identity identityOf(const std::string& host, std::uint16_t port = 443)
{
    Identity identity;
    identity.host = host;
    identity.port = port;
    return identity;
}

RequestHead requestOf(const std::string& target, const std::string& headers)
{
    auto request = parseRequestHead("GET " + target + " HTTP/1.1\r\n" + headers + "\r\n");
    return request ? *request : RequestHead();
}

/// The status of the identity check; 0 = accepted.
int identityStatus(const std::string& target, const std::string& headers, bool secure = true,
                   const Identity& identity = identityOf("api.example.com"))
{
    const auto result = checkIdentity(identity, secure, requestOf(target, headers));
    return result ? 0 : result.error().status;
}

Injector injectorWithKey()
{
    auto services = servicesFromJson(R"([{"name":"anthropic","hosts":["api.anthropic.com"],"header":"x-api-key",
        "format":"{key}","strip":["authorization","x-api-key"],"sentinel":")" + kSentinel + R"(","pathPrefixes":["/v1/"]},
        {"name":"github","hosts":["github.com"],"header":"authorization","format":"Basic {base64:x-access-token:{key}}",
        "strip":["authorization"],"sentinel":"gho_proxy-managed-77aa88bb99cc"}])");
    Injector injector;
    injector.setServices(*services);
    (void)injector.setKey("anthropic", SecretBuffer(kKey));
    return injector;
}

struct Planned
{
    Injection injection;
    RequestHead request;
};

Planned inject(const Injector& injector, const Identity& identity, bool verified, const std::string& target,
               const std::string& headers)
{
    Planned planned;
    planned.request = requestOf(target, "Host: " + identity.host + "\r\n" + headers);
    auto parsed = checkIdentity(identity, verified, planned.request);
    planned.injection = injector.plan(identity, verified, *parsed, planned.request);
    if (!planned.injection.service.empty()) {
        injector.write(planned.injection, identity, *parsed, planned.request);
    }
    return planned;
}

bool carriesKey(const RequestHead& request)
{
    for (const HeaderField& field : request.headers.fields()) {
        if (field.value.find(kKey) != std::string::npos) {
            return true;
        }
    }
    return false;
}

/// A ClientHello in one record, with a padding extension in front of the name.
std::string clientHello(const std::string& name, std::size_t padding, std::size_t recordSize = 16000)
{
    const auto number = [](std::size_t value, int width) {
        std::string text;
        for (int i = width - 1; i >= 0; --i) {
            text.push_back(static_cast<char>(value >> (8 * i) & 0xff));
        }
        return text;
    };
    std::string extensions;
    if (padding > 0) {
        extensions += number(51, 2) + number(padding, 2) + std::string(padding, 'k');
    }
    const std::string entry = number(0, 1) + number(name.size(), 2) + name;
    extensions += number(0, 2) + number(entry.size() + 2, 2) + number(entry.size(), 2) + entry;
    extensions += number(16, 2) + number(5, 2) + number(3, 2) + number(2, 1) + "h2";
    std::string body = number(0x0303, 2) + std::string(32, 'r') + number(0, 1) + number(2, 2) + number(0x1301, 2)
                       + number(1, 1) + number(0, 1) + number(extensions.size(), 2) + extensions;
    const std::string message = number(1, 1) + number(body.size(), 3) + body;
    std::string records;
    for (std::size_t at = 0; at < message.size(); at += recordSize) {
        const std::string piece = message.substr(at, recordSize);
        records += number(22, 1) + number(0x0301, 2) + number(piece.size(), 2) + piece;
    }
    return records;
}

policy::PolicySet lockedPolicy(const std::vector<std::string>& allowed)
{
    policy::PolicySet policy;
    policy.mode = policy::Mode::Locked;
    for (const std::string& pattern : allowed) {
        policy::Rule rule;
        rule.id = "r" + std::to_string(policy.rules.size());
        rule.action = policy::Action::Allow;
        rule.pattern = pattern;
        policy.rules.push_back(rule);
    }
    return policy;
}

} // namespace

class RulesTest : public QObject
{
    Q_OBJECT

private slots:
    // D.3 pitfall 1: CONNECT name, Host and an absolute target name one destination.
    void pitfall_01_oneIdentityPerRequest()
    {
        QCOMPARE(identityStatus("/", "Host: api.example.com\r\n"), 0);
        QCOMPARE(identityStatus("/", "Host: API.Example.com:443\r\n"), 0);
        QCOMPARE(identityStatus("/", "Host: api.example.com.\r\n"), 0);
        QCOMPARE(identityStatus("/", "Host: evil.example.com\r\n"), 421);
        QCOMPARE(identityStatus("/", "Host: api.example.com:8443\r\n"), 421);
        QCOMPARE(identityStatus("/", "Host: api.example.com\r\nHost: evil.example.com\r\n"), 400);
        QCOMPARE(identityStatus("/", "X: y\r\n"), 400);
        QCOMPARE(identityStatus("/", "Host:\r\n"), 400);
        QCOMPARE(identityStatus("/", "Host: user@api.example.com\r\n"), 400);
        QCOMPARE(identityStatus("https://api.example.com/x", "Host: api.example.com\r\n"), 0);
        QCOMPARE(identityStatus("https://evil.example.com/x", "Host: api.example.com\r\n"), 421);
        QCOMPARE(identityStatus("https://api.example.com:444/x", "Host: api.example.com\r\n"), 421);
        QCOMPARE(identityStatus("http://api.example.com/x", "Host: api.example.com\r\n"), 400);
        QCOMPARE(identityStatus("https://evil@api.example.com/x", "Host: api.example.com\r\n"), 400);
        QCOMPARE(identityStatus("api.example.com:443", "Host: api.example.com\r\n"), 400);
    }

    // D.3 pitfall 4: the path that is judged is the path that is sent.
    void pitfall_04_pathsAreNormalisedBeforePolicy()
    {
        const auto target = checkIdentity(identityOf("a.example"), true, requestOf("/%76%31/x%2Fy?q=%2e", "Host: a.example\r\n"));
        QVERIFY(target.has_value());
        QCOMPARE(target->path, std::string("/v1/x%2Fy"));
        QCOMPARE(target->strictPath, std::string("/v1/x/y"));
        QCOMPARE(target->query, std::string("?q=%2e"));
        for (const char* path : {"/v1/../admin", "/v1/%2e%2e/admin", "/v1/.%2E/admin", "/v1/..%2fadmin", "/v1/..;/admin", "/./a",
                                 "/a/%2e", "/a%5c..%5cb"}) {
            QCOMPARE(identityStatus(path, "Host: api.example.com\r\n"), 400);
        }
        QCOMPARE(identityStatus("/%", "Host: api.example.com\r\n"), 400);
        QCOMPARE(identityStatus("/%00", "Host: api.example.com\r\n"), 400);
        QCOMPARE(identityStatus("/..a/b..", "Host: api.example.com\r\n"), 0);
    }

    // D.3 pitfalls 6 and 13: no CONNECT inside, no TRACE.
    void pitfall_06_nestedConnectAndTraceAreRefused()
    {
        RequestHead request = requestOf("/", "Host: api.example.com\r\n");
        QVERIFY(checkIdentity(identityOf("api.example.com"), true, request).has_value());
        request.method = "TRACE";
        QCOMPARE(checkIdentity(identityOf("api.example.com"), true, request).error().status, 405);
        request.method = "CONNECT";
        QCOMPARE(checkIdentity(identityOf("api.example.com"), true, request).error().status, 405);
    }

    void pitfall_08_oddAuthoritiesAreRefused()
    {
        QVERIFY(parseAuthority("a.example:443").has_value());
        QVERIFY(parseAuthority("[2001:db8::1]:443")->isLiteral);
        QVERIFY(parseAuthority("192.0.2.1:443")->isLiteral);
        for (const char* text : {"a.example", "a.example:0", "a.example:65536", "a.example:0443", "a.example:", ":443", "a b:443",
                                 "u@a.example:443", "2001:db8::1:443", "[a.example]:443", "0x7f.1:443", "127.1:443",
                                 "[fe80::1%25eth0]:443", ""}) {
            QVERIFY2(!parseAuthority(text).has_value(), text);
        }
    }

    // D.3 pitfall 11: the key goes on verified TLS to the exact host, default port and path; everything else is a control.
    void pitfall_11_keyGoesToItsPlaceAlone()
    {
        const Injector injector = injectorWithKey();
        const std::string headers = "X-Api-Key: " + kSentinel + "\r\nAuthorization: Bearer mine\r\nRange: bytes=0-9\r\n";
        const Planned right = inject(injector, identityOf("api.anthropic.com"), true, "/v1/messages", headers);
        QCOMPARE(right.injection.service, std::string("anthropic"));
        QCOMPARE(*right.request.headers.find("x-api-key"), kKey);
        QCOMPARE(right.request.headers.count("x-api-key"), std::size_t{1});
        QVERIFY(right.request.headers.find("authorization") == nullptr);
        QVERIFY(right.request.headers.find("range") == nullptr);
        QCOMPARE(*right.request.headers.find("accept-encoding"), std::string("identity"));

        const std::string none = "X: y\r\n";
        QVERIFY(!carriesKey(inject(injector, identityOf("api.anthropic.com"), false, "/v1/messages", none).request));
        QVERIFY(!carriesKey(inject(injector, identityOf("api.anthropic.com", 8443), true, "/v1/messages", none).request));
        QVERIFY(!carriesKey(inject(injector, identityOf("x.api.anthropic.com"), true, "/v1/messages", none).request));
        QVERIFY(!carriesKey(inject(injector, identityOf("anthropic.com"), true, "/v1/messages", none).request));
        QVERIFY(carriesKey(inject(injector, identityOf("api.anthropic.com"), true, "/v1/messages", none).request));
    }

    // D.3 pitfall 14: an allowed host may still mint keys under other paths.
    void pitfall_14_keyStaysInItsPaths()
    {
        const Injector injector = injectorWithKey();
        for (const char* path : {"/admin/keys", "/", "/V1/x", "//v1/x"}) {
            QVERIFY2(!carriesKey(inject(injector, identityOf("api.anthropic.com"), true, path, "X: y\r\n").request), path);
        }
        const Planned outside = inject(injector, identityOf("api.anthropic.com"), true, "/admin", "X-Api-Key: " + kSentinel + "\r\n");
        QVERIFY(!outside.injection.blockedReason.empty());
    }

    // D.3 pitfall 12: a placeholder anywhere but in its own field is blocked and reported.
    void pitfall_12_misplacedSentinelIsBlockedAndReported()
    {
        const Injector injector = injectorWithKey();
        const Identity home = identityOf("api.anthropic.com");
        const Identity away = identityOf("evil.example.com");
        const std::string field = "X-Api-Key: " + kSentinel + "\r\n";
        QVERIFY(inject(injector, home, true, "/v1/x", field).injection.alert.empty());
        const auto alerts = [&](const Identity& identity, bool verified, const std::string& target, const std::string& headers) {
            const Injection injection = inject(injector, identity, verified, target, headers).injection;
            return !injection.alert.empty() && !injection.blockedReason.empty() && injection.service.empty();
        };
        const std::string random = "5f3a9c0d11e2";
        QVERIFY(alerts(away, true, "/", field));
        QVERIFY(alerts(away, true, "/?k=" + random, "X: y\r\n"));
        QVERIFY(alerts(away, true, "/" + random + "/x", "X: y\r\n"));
        QVERIFY(alerts(away, true, "/", "Cookie: a=" + random + "\r\n"));
        QVERIFY(alerts(away, true, "/", "Authorization: Basic " + base64Encode("u:" + kSentinel) + "\r\n"));
        QVERIFY(alerts(home, false, "/v1/x", field));
        QVERIFY(alerts(home, true, "/v1/x?k=" + random, "X: y\r\n"));
        QVERIFY(alerts(home, true, "/v1/x", "User-Agent: " + kSentinel + "\r\n"));
        QVERIFY(!alerts(away, true, "/", "X: proxy-managed-\r\n"));
        QVERIFY(injector.sentinelsForBody(away)->find("{\"k\":\"" + kSentinel + "\"}") >= 0);
    }

    void sentinelWithoutAKeyGetsAnAnswerThatHelps()
    {
        Injector injector = injectorWithKey();
        QVERIFY(injector.setKey("anthropic", SecretBuffer()).has_value());
        const Planned planned =
            inject(injector, identityOf("api.anthropic.com"), true, "/v1/x", "X-Api-Key: " + kSentinel + "\r\n");
        QVERIFY(planned.injection.blockedReason.find("No key is stored") != std::string::npos);
        QVERIFY(planned.injection.alert.empty());
    }

    void basicCredentialsAreBuiltFromTheKey()
    {
        Injector injector = injectorWithKey();
        QVERIFY(injector.setKey("github", SecretBuffer("ghp_0123456789abcdef")).has_value());
        const std::string sent = base64Encode("x-access-token:gho_proxy-managed-77aa88bb99cc");
        const Planned planned = inject(injector, identityOf("github.com"), true, "/a/b.git/info/refs",
                                       "Authorization: Basic " + sent + "\r\n");
        QCOMPARE(planned.injection.service, std::string("github"));
        QCOMPARE(*planned.request.headers.find("authorization"),
                 std::string("Basic ") + base64Encode("x-access-token:ghp_0123456789abcdef"));
        QVERIFY(!injector.keyPatterns()->isEmpty());
    }

    void servicesThatShareAKeyShareItsPlaceholder()
    {
        Injector injector;
        injector.setServices(*servicesFromJson(R"([{"name":"github","hosts":["api.github.com"],"header":"authorization",
            "format":"Bearer {key}","sentinel":"gho_proxy-managed-77aa88bb99cc"},{"name":"github-git","keyOf":"github",
            "hosts":["github.com"],"header":"authorization","format":"Basic {base64:x-access-token:{key}}","strip":["authorization"]}])"));
        const std::string field = "Authorization: Basic " + base64Encode("x:gho_proxy-managed-77aa88bb99cc") + "\r\n";
        QVERIFY(inject(injector, identityOf("github.com"), true, "/a.git", field).injection.blockedReason.find("No key is stored")
                != std::string::npos);
        QVERIFY(injector.setKey("github", SecretBuffer("ghp_0123456789abcdef")).has_value());
        const Planned planned = inject(injector, identityOf("github.com"), true, "/a.git", field);
        QCOMPARE(planned.injection.service, std::string("github-git"));
        QCOMPARE(*planned.request.headers.find("authorization"),
                 std::string("Basic ") + base64Encode("x-access-token:ghp_0123456789abcdef"));
        QVERIFY(!inject(injector, identityOf("gist.example.com"), true, "/", field).injection.alert.empty());
    }

    // D.3 pitfall 18: a stored key cannot write header lines.
    void pitfall_18_keysWithLineBreaksAreRefused()
    {
        Injector injector = injectorWithKey();
        for (const std::string& key : {std::string("abcdefgh\r\nX: y"), std::string("abcdefgh\n"), std::string(" abcdefgh"),
                                       std::string("abc\0defgh", 9), std::string("abcdefgh\t")}) {
            QVERIFY(!injector.setKey("github", SecretBuffer(key)).has_value());
        }
        QVERIFY(injector.setKey("github", SecretBuffer("abcdefgh")).has_value());
        QVERIFY(!servicesFromJson(R"([{"name":"a","hosts":["a.example"],"header":"x: y","format":"{key}"}])").has_value());
        QVERIFY(!servicesFromJson(R"([{"name":"a","hosts":["a.example"],"header":"x","format":"a\r\n{key}"}])").has_value());
        QVERIFY(!servicesFromJson(R"([{"name":"a","hosts":["a.example"],"header":"x","format":"none"}])").has_value());
    }

    // D.3 pitfall 13: the key is found in a reply in every form, wherever pieces are cut, before its end is let through.
    void pitfall_13_keyInRepliesIsFoundInEveryForm()
    {
        const std::string special = "k+y/with?special&chars=1234";
        PatternSet made;
        made.addKeyForms(kKey, 3);
        made.addKeyForms(special, 4);
        made.finish();
        const auto patterns = std::make_shared<PatternSet>(std::move(made));
        std::vector<std::pair<std::string, int>> forms = {{kKey, 3}, {special, 4}, {"k%2By%2Fwith%3Fspecial%26chars%3D1234", 4}};
        for (const char* lead : {"", "a", "ab", "abc"}) {
            forms.push_back({base64Encode(lead + kKey + "tail"), 3});
            forms.push_back({base64Encode(lead + kKey), 3});
        }
        for (const auto& [form, tag] : forms) {
            const std::string text = "{\"error\":\"bad key " + form + " given\"}";
            for (std::size_t piece = 1; piece < text.size() + 1; piece += piece < 6 ? 1 : 17) {
                StreamScanner scanner(patterns);
                std::string out;
                int found = -1;
                for (std::size_t at = 0; at < text.size() && found < 0; at += piece) {
                    found = scanner.feed(std::string_view(text).substr(at, piece), out);
                }
                QCOMPARE(found, tag);
                QVERIFY(out.find(form) == std::string::npos);
                QVERIFY(out.size() <= text.find(form) + 2 * PatternSet::kHeldFrom); // base64: also what stands before the key
            }
        }
    }

    void scannedTextWithoutAKeyPassesUnchangedAndUndelayed()
    {
        PatternSet made;
        made.addKeyForms(kKey, 0);
        made.finish();
        const auto patterns = std::make_shared<PatternSet>(std::move(made));
        std::string text;
        for (int i = 0; i < 400; ++i) {
            text += i % 7 == 0 ? kKey.substr(0, static_cast<std::size_t>(i) % kKey.size()) : "data: {\"x\":" + std::to_string(i) + "}\n\n";
        }
        for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}, text.size()}) {
            StreamScanner scanner(patterns);
            std::string out;
            for (std::size_t at = 0; at < text.size(); at += piece) {
                QCOMPARE(scanner.feed(std::string_view(text).substr(at, piece), out), -1);
            }
            scanner.finish(out);
            QCOMPARE(out, text);
        }
        StreamScanner events(patterns);
        std::string out;
        QCOMPARE(events.feed("data: hello\n\n", out), -1);
        QCOMPARE(out, std::string("data: hello\n\n"));
    }

    // D.2: the name may come after a post-quantum key share, in several records.
    void serverNameIsFoundBehindLargeKeyShares()
    {
        for (const std::size_t padding : {std::size_t{0}, std::size_t{1300}, std::size_t{30000}}) {
            const std::string hello = clientHello("api.example.com", padding, 1000);
            const ClientHello parsed = parseClientHello(hello);
            QVERIFY(parsed.state == ClientHello::State::Complete);
            QCOMPARE(parsed.serverName, std::string("api.example.com"));
            QCOMPARE(parsed.alpn.size(), std::size_t{1});
            for (const std::size_t cut : {std::size_t{1}, std::size_t{6}, hello.size() / 2, hello.size() - 1}) {
                QVERIFY(parseClientHello(hello.substr(0, cut)).state == ClientHello::State::Incomplete);
            }
        }
        QVERIFY(parseClientHello(std::string("\x16\x03\x01\x00\x04\x01\x01\x20\x00", 9)).state
                == ClientHello::State::Malformed); // says it is 73,728 bytes long
        QVERIFY(parseClientHello(std::string("\x16\x03\x01\x00\x05zzzzz", 10)).state == ClientHello::State::Malformed);
        QVERIFY(parseClientHello("GET / HTTP/1.1").state == ClientHello::State::Malformed);
    }

    void firstBytesTellTheProtocol()
    {
        QVERIFY(sniffProtocol("\x16\x03\x01") == Protocol::Tls);
        QVERIFY(sniffProtocol("\x16") == Protocol::Undecided);
        QVERIFY(sniffProtocol("\x16\x02") == Protocol::Other);
        QVERIFY(sniffProtocol("GET / HTTP/1.1") == Protocol::Http);
        QVERIFY(sniffProtocol("get\t/") == Protocol::Http);
        QVERIFY(sniffProtocol("\r\n\r\nGET  /") == Protocol::Http);
        QVERIFY(sniffProtocol("GET HTTP://x/") == Protocol::Http);
        QVERIFY(sniffProtocol("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == Protocol::Http2);
        QVERIFY(sniffProtocol("PRI * HTTP/2.0\r\n\r\nSM\r\n\r") == Protocol::Undecided);
        QVERIFY(sniffProtocol("PRI * HTTP/2.0\r\n\r\nSX") == Protocol::Http);
        QVERIFY(sniffProtocol("PRI * HTTP/2.1") == Protocol::Http);
        QVERIFY(sniffProtocol("\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == Protocol::Http);
        QVERIFY(sniffProtocol("GE") == Protocol::Undecided);
        QVERIFY(sniffProtocol("SSH-2.0-OpenSSH_9.2") == Protocol::Other);
        QVERIFY(sniffProtocol("EHLO client") == Protocol::Other);
        QVERIFY(sniffProtocol(std::string_view("\0\0\0\x08", 4)) == Protocol::Other);
    }

    void rawTcpNeedsARuleWithAPort()
    {
        const Identity ssh = identityOf("git.example.com", 22);
        const auto isRaw = [&ssh](policy::PolicySet set) {
            return policy::PolicyIndex(std::move(set)).allowsRawStream(destinationOf(ssh), utcNow());
        };
        QVERIFY(isRaw(lockedPolicy({"git.example.com:22"})));
        QVERIFY(!isRaw(lockedPolicy({"git.example.com"})));
        QVERIFY(!isRaw(lockedPolicy({"git.example.com:23"})));
        policy::PolicySet open;
        open.mode = policy::Mode::Open;
        QVERIFY(!isRaw(open));
        const auto isBypassed = [](policy::PolicySet set, const char* host) {
            return policy::PolicyIndex(std::move(set)).isBypassed(destinationOf(identityOf(host)), utcNow());
        };
        policy::PolicySet bypass = lockedPolicy({"a.example.com"});
        bypass.bypassHosts = {"*.example.com"};
        QVERIFY(isBypassed(bypass, "a.example.com"));
        QVERIFY(!isBypassed(bypass, "example.org"));
        bypass.rules[0].path = "/v1/**";
        QVERIFY(!isBypassed(bypass, "a.example.com"));
    }

    void engineMessagesAreDecodedInPieces()
    {
        const auto frame = [](char type, const std::string& payload) {
            return std::string{type, 0, 0, 0, static_cast<char>(payload.size())} + payload;
        };
        const std::string text = R"({"type":"answer","id":"a1","verdict":"allow"})" "\n" R"({"type":"keys"})" "\n"
                                 + frame(1, "anthropic") + frame(2, "line\n\"break") + frame(3, "") + R"({"type":"shutdown"})" "\n";
        for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, text.size()}) {
            EngineDecoder decoder;
            std::vector<EngineMessage> messages;
            for (std::size_t at = 0; at < text.size(); at += piece) {
                decoder.feed(std::string_view(text).substr(at, piece));
                while (true) {
                    auto message = decoder.next();
                    QVERIFY(message.has_value());
                    if (!*message) {
                        break;
                    }
                    messages.push_back(std::move(**message));
                }
            }
            QCOMPARE(messages.size(), std::size_t{4});
            QVERIFY(messages[0].allow);
            QCOMPARE(messages[1].service, std::string("anthropic"));
            QCOMPARE(std::string(messages[1].key.view()), std::string("line\n\"break"));
            QVERIFY(messages[3].type == EngineMessage::Type::Shutdown);
        }
    }

    // D.3 pitfall 22: what the guest names cannot forge lines of the record, and queries stay out of it.
    void pitfall_22_guestStringsAreEscaped()
    {
        ConnectionEvent event;
        event.host = "a\nb\x1b[2J";
        event.path = "/x\"\r\n{\"type\":\"alert\"}";
        const std::string line = encodeConnection(event, "s1");
        QCOMPARE(std::count(line.begin(), line.end(), '\n'), 1);
        QVERIFY(line.find('\x1b') == std::string::npos);
        const nlohmann::json json = nlohmann::json::parse(line);
        QCOMPARE(json["connection"]["sandbox"].get<std::string>(), std::string("s1"));
        QCOMPARE(json["connection"]["host"].get<std::string>(), std::string("a\\x0ab\\x1b[2J"));

        // Whatever is in a field, it is that field's value and nothing else's.
        const std::string odd[] = {"", "\"", "\\", "\\\"}", "\xff\xfe", "\xc3\xa4 \xf0\x9f\x98\x80", std::string("\0x", 2), "\x7f", "\xe2\x80\xae"};
        for (const std::string& text : odd) {
            ConnectionEvent one;
            one.host = one.process = one.path = one.method = one.address = one.rule = one.reason = text;
            one.ref = one.keyInjected = one.source = text;
            one.bytesIn = std::numeric_limits<std::uint64_t>::max();
            const nlohmann::json read = nlohmann::json::parse(encodeConnection(one, text));
            QCOMPARE(read.size(), std::size_t{2});
            const nlohmann::json& fields = read["connection"];
            QCOMPARE(fields.size(), std::size_t{24});
            for (const char* name : {"host", "process", "path", "method", "address", "rule", "reason"}) {
                QCOMPARE(fields[name].get<std::string>(), escapeForDisplay(text));
            }
            for (const char* name : {"ref", "keyInjected", "source", "sandbox"}) {
                const std::string replaced = nlohmann::json::parse(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
                QCOMPARE(fields[name].get<std::string>(), replaced);
            }
            QCOMPARE(fields["bytesIn"].get<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
            QCOMPARE(fields["open"].get<bool>(), false);
        }

        std::string many = R"({"refused":[)";
        for (int i = 0; i < 1000; ++i) {
            many += R"({"protocol":"udp","host":"8.8.8.8","port":53,"count":2,"source":"container"},)";
        }
        many.back() = ']';
        const auto events = parseGuestReport(many + "}");
        QCOMPARE(events->size(), std::size_t{256});
        QCOMPARE(events->front().verdict, std::string("denied"));
        QVERIFY(!parseGuestReport("[]").has_value());
        QVERIFY(parseGuestReport(R"({"refused":[1,{"port":-4,"count":"x"}]})").has_value());
    }
};

QTEST_GUILESS_MAIN(RulesTest)
#include "rules_test.moc"
