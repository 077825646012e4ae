// SPDX-License-Identifier: Apache-2.0
#include "policy/path_glob.h"
#include "policy/pattern.h"

#include <QtTest>

using namespace coldframe;
using namespace coldframe::policy;

class TestPolicyHost : public QObject
{
    Q_OBJECT

private slots:
    void hostHasOneSpelling_data()
    {
        QTest::addColumn<QByteArray>("input");
        QTest::addColumn<QByteArray>("expected"); // empty = refused
        const auto row = [](const char* name, const QByteArray& input, const QByteArray& expected) {
            QTest::newRow(name) << input << expected;
        };
        row("plain", "example.com", "example.com");
        row("upper case", "API.Example.COM", "api.example.com");
        row("trailing dot", "example.com.", "example.com");
        row("two trailing dots", "example.com..", "");
        row("only a dot", ".", "");
        row("leading dot", ".example.com", "");
        row("empty label", "a..b", "");
        row("empty", "", "");
        row("A-label", "xn--bcher-kva.example", "xn--bcher-kva.example");
        row("empty A-label", "xn--.example", "");
        row("U-label", "b\xc3\xbc" "cher.example", "");
        row("ideographic full stop", "example\xe3\x80\x82" "com", "");
        row("fullwidth digit", "\xef\xbc\x91" "27.0.0.1", "");
        row("underscore", "_dmarc.example.com", "_dmarc.example.com");
        row("digit first", "1password.com", "1password.com");
        row("inner double hyphen", "r3---sn-a.example.com", "r3---sn-a.example.com");
        row("hyphen first", "-a.example", "");
        row("hyphen last", "a-.example", "");
        row("label of 63", QByteArray(63, 'a') + ".example", QByteArray(63, 'a') + ".example");
        row("label of 64", QByteArray(64, 'a') + ".example", "");
        row("userinfo", "user@example.com", "");
        row("space", "exam ple.com", "");
        row("NUL", QByteArray("example.com\0.evil", 17), "");
        row("newline", "example.com\n", "");
        row("slash", "example.com/x", "");
        row("percent", "%65xample.com", "");
        row("port", "example.com:443", "");
        row("IPv4", "192.0.2.1", "192.0.2.1");
        row("IPv4 trailing dot", "192.0.2.1.", "192.0.2.1");
        row("IPv4 octal", "0177.0.0.1", "");
        row("IPv4 leading zero", "127.0.0.01", "");
        row("IPv4 hex", "0x7f.0.0.1", "");
        row("IPv4 hex last", "127.0.0.0x1", "");
        row("IPv4 short", "127.1", "");
        row("IPv4 one number", "2130706433", "");
        row("IPv4 one hex number", "0x7f000001", "");
        row("IPv4 bare 0x", "127.0.0.0x", "");
        row("IPv4 too large", "256.0.0.1", "");
        row("IPv4 five parts", "1.2.3.4.5", "");
        row("name ending in a number", "example.1", "");
        row("IPv6", "2001:DB8::1", "2001:db8::1");
        row("IPv6 brackets", "[2001:db8:0:0::1]", "2001:db8::1");
        row("IPv6 mapped is IPv4", "::ffff:127.0.0.1", "127.0.0.1");
        row("IPv6 mapped hex is IPv4", "[::ffff:7f00:1]", "127.0.0.1");
        row("IPv6 zone", "fe80::1%eth0", "");
        row("IPv6 zone in brackets", "[fe80::1%25eth0]", "");
        row("IPv6 bracket open", "[::1", "");
        row("IPv4 in brackets", "[127.0.0.1]", "");
        row("IPv6 NUL", QByteArray("::1\0", 4), "");
    }

    void hostHasOneSpelling()
    {
        QFETCH(QByteArray, input);
        QFETCH(QByteArray, expected);
        const auto result = normaliseHost(std::string_view(input.constData(), static_cast<std::size_t>(input.size())));
        QCOMPARE(QByteArray::fromStdString(result.value_or("")), expected);
        if (!result) {
            QCOMPARE(result.error().code, ErrorCode::InvalidArgument);
        } else {
            QCOMPARE(normaliseHost(*result).value_or(""), *result);
        }
    }

    void longestNameIs253()
    {
        const std::string label(62, 'a');
        const std::string fits = label + "." + label + "." + label + "." + std::string(61, 'b') + ".c";
        QCOMPARE(fits.size(), std::size_t{252});
        QVERIFY(normaliseHost(fits).has_value());
        QVERIFY(normaliseHost(fits + "c.").has_value());
        QVERIFY(!normaliseHost(fits + "cc").has_value());
    }

    void patternHasOneSpelling_data()
    {
        QTest::addColumn<QByteArray>("input");
        QTest::addColumn<QByteArray>("expected");
        const auto row = [](const char* input, const char* expected) {
            QTest::newRow(input) << QByteArray(input) << QByteArray(expected);
        };
        row("Example.COM", "example.com");
        row("example.com:443", "example.com:443");
        row("*.Example.com", "*.example.com");
        row("**.example.com", "*.example.com");
        row("*.example.com:22", "*.example.com:22");
        row("*", "all");
        row("all", "all");
        row("*:443", "all:443");
        row("localhost:8080", "localhost:8080");
        row("10.0.0.0/8", "10.0.0.0/8");
        row("10.0.0.0/8:22", "10.0.0.0/8:22");
        row("0.0.0.0/0", "0.0.0.0/0");
        row("192.0.2.7", "192.0.2.7");
        row("192.0.2.7/32", "192.0.2.7");
        row("192.0.2.7:80", "192.0.2.7:80");
        row("fd00::/8", "fd00::/8");
        row("::/0", "::/0");
        row("[fd00::/8]:443", "[fd00::/8]:443");
        row("[2001:DB8::1]", "2001:db8::1");
        row("[2001:db8::1]:80", "[2001:db8::1]:80");
        row("::ffff:10.0.0.0/104", "10.0.0.0/8");
        for (const char* bad : {"", "a*b", "*.*.com", "*.", "*example.com", "example.*", "example.com:0", "example.com:65536",
                                "example.com:x", "example.com:", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.1/8", "10.0.0.0/", "127.1",
                                "0x7f.0.0.1", "fd00::/129", "fd00::1/8", "[fd00::", "[10.0.0.1]:80", "[::1]x", "[::1]:0", "http://example.com",
                                "a b", "*.127.0.0.1", "0177.0.0.1"}) {
            row(bad, "");
        }
    }

    void patternHasOneSpelling()
    {
        QFETCH(QByteArray, input);
        QFETCH(QByteArray, expected);
        const auto result = parsePattern(input.toStdString());
        QCOMPARE(QByteArray::fromStdString(result.value_or("")), expected);
        if (result) {
            QCOMPARE(parsePattern(*result).value_or(""), *result);
        } else {
            QVERIFY2(result.error().message.find("Examples: example.com") != std::string::npos,
                     result.error().message.c_str());
        }
    }

    void networkWithHostBitsSuggestsTheNetwork()
    {
        const auto result = parsePattern("10.1.2.3/8");
        QVERIFY(!result);
        QVERIFY(result.error().message.find("10.0.0.0/8") != std::string::npos);
    }

    void pathIsReadInOneWay_data()
    {
        QTest::addColumn<QByteArray>("input");
        QTest::addColumn<QByteArray>("expected");
        const auto row = [](const char* input, const char* expected) {
            QTest::newRow(input) << QByteArray(input) << QByteArray(expected);
        };
        row("/v1/messages", "/v1/messages");
        row("/v1/messages?x=/admin", "/v1/messages");
        row("/v1/messages#/x", "/v1/messages");
        row("/", "/");
        row("//a///b", "/a/b");
        row("/a/./b/../c", "/a/c");
        row("/../../etc", "/etc");
        row("/a/", "/a/");
        row("/a/..", "/");
        row("/%61dmin", "/admin");
        row("/a/%2e%2e/b", "/b");
        row("/a%2fb", "");
        row("/a%5Cb", "");
        row("/a\\b", "");
        row("/a%00", "");
        row("/a%252e", "");
        row("/a%4", "");
        row("/a%zz", "");
        row("", "");
        row("a", "");
        row("*", "");
    }

    void pathIsReadInOneWay()
    {
        QFETCH(QByteArray, input);
        QFETCH(QByteArray, expected);
        QCOMPARE(QByteArray::fromStdString(canonicalPath(input.toStdString()).value_or("")), expected);
    }

    void globStarsKnowSlashes()
    {
        QVERIFY(matchesGlob("/v1/*", "/v1/messages"));
        QVERIFY(!matchesGlob("/v1/*", "/v1/a/b"));
        QVERIFY(matchesGlob("/v1/**", "/v1/a/b"));
        QVERIFY(matchesGlob("/**/x", "/a/b/x"));
        QVERIFY(!matchesGlob("/v1", "/v1/"));
        QVERIFY(matchesGlob("/v1*", "/v1"));
        QVERIFY(!matchesGlob("/v1/*", "/v2/a"));
        QVERIFY(matchesGlob("**", "/anything/at/all"));
        // Many stars against a long path must not blow up.
        std::string glob;
        for (int i = 0; i < 100; ++i) {
            glob += "a**";
        }
        QVERIFY(!matchesGlob(glob + "b", std::string(4000, 'a')));
    }
};

QTEST_APPLESS_MAIN(TestPolicyHost)
#include "test_policy_host.moc"
