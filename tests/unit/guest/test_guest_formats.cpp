// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "guest/agent/accounts.h"
#include "guest/agent/encoding.h"
#include "guest/agent/environment.h"
#include "guest/agent/links.h"
#include "guest/agent/names.h"
#include "guest/agent/oci_runtime.h"
#include "guest/agent/output_ring.h"
#include "guest/agent/redirect.h"
#include "guest/agent/requests.h"
#include "guest/agent/setup.h"

#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

using namespace coldframe;
using namespace coldframe::guest;

namespace {

std::string query(const std::string& name, unsigned type = 1)
{
    std::string packet("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
    std::size_t begin = 0;
    while (begin <= name.size()) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        packet += static_cast<char>(end - begin);
        packet += name.substr(begin, end - begin);
        begin = end + 1;
    }
    packet += std::string("\0\0", 2);
    packet += static_cast<char>(type);
    packet += std::string("\0\1", 2);
    return packet;
}

unsigned codeOf(const std::string& reply)
{
    return static_cast<unsigned char>(reply[3]) & 15u;
}
unsigned answersOf(const std::string& reply)
{
    return static_cast<unsigned char>(reply[7]);
}

} // namespace

class TestGuestFormats : public QObject
{
    Q_OBJECT

private slots:
    void percentCodingKeepsEveryByte()
    {
        std::string all;
        for (int i = 0; i < 256; ++i) {
            all += static_cast<char>(i);
        }
        QCOMPARE(percentDecode(percentEncode(all)).value(), all);
        QCOMPARE(percentEncode("/a b%\n"), std::string("/a%20b%25%0A"));
        QVERIFY(!percentDecode("%4"));
        QVERIFY(!percentDecode("%zz"));
        QCOMPARE(decodeBase64(encodeBase64(all)).value(), all);
        QVERIFY(!decodeBase64("a b"));
    }

    void pathsAreAbsoluteAndFreeOfDots()
    {
        QCOMPARE(checkedAbsolutePath("/home//al%20ice/x%0Ay/").value(), std::string("/home/al ice/x\ny"));
        QCOMPARE(checkedAbsolutePath("/a/%FF").value(), std::string("/a/\xFF"));
        for (const char* bad : {"", "home", "/a/../b", "/a/%2e%2e/b", "/./a", "/a%00b"}) {
            QVERIFY2(!checkedAbsolutePath(bad), bad);
        }
        QVERIFY(!checkedAbsolutePath("/" + std::string(256, 'x')));
    }

    void execRequestsAreBounded()
    {
        const auto good = parseExecRequest(
            R"({"id":"ab","argv":["ls","-l"],"environment":{"A":"b"},"cwd":"/tmp/x%20y","user":"root","tty":true,"rows":50,"columns":100})");
        QVERIFY(good);
        QCOMPARE(good->argv.size(), 2u);
        QCOMPARE(good->cwd, std::string("/tmp/x y"));
        QVERIFY(good->asRoot && good->tty && !good->keepOpen);
        for (const char* bad :
             {"", "[]", "{}", R"({"id":"a","argv":[]})", R"({"id":"../a","argv":["x"]})",
              R"({"id":"a","argv":["x\u0000y"]})", R"({"id":"a","argv":["x"],"rows":0})",
              R"({"id":"a","argv":["x"],"rows":1001})", R"({"id":"a","argv":["x"],"user":"mail"})",
              R"({"id":"a","argv":["x"],"environment":{"A=B":"c"}})",
              R"({"id":"a","argv":["x"],"cwd":"rel"})",
              R"({"id":"a","argv":["x"],"rows":18446744073709551615})"}) {
            QVERIFY2(!parseExecRequest(bad), bad);
        }
    }

    void setupNeverMakesTheAgentRoot()
    {
        QVERIFY(parseSetupRequest(R"({"generation":"g","user":{"uid":1234,"gid":5}})"));
        QVERIFY(!parseSetupRequest(R"({"generation":"g","user":{"uid":0,"gid":5}})"));
        QVERIFY(!parseSetupRequest(R"({"generation":"g","user":{"uid":4294967295,"gid":5}})"));
        QVERIFY(!parseSetupRequest(R"({"generation":"g","user":{"name":"root"}})"));
        QVERIFY(!parseSetupRequest(R"({"generation":"g","workspaces":[{"path":"/a/../etc"}]})"));
        QVERIFY(!parseSetupRequest(R"({"generation":"g","files":[{"path":"/x","mode":2541}]})")); // setuid
        const auto renewed = parseRenewRequest(R"({"generation":"g","time":1800000000.5,"entropy":"AAAA"})");
        QVERIFY(renewed && renewed->hostName.empty() && renewed->entropy.size() == 3 && renewed->time == 1800000000.5);
        QVERIFY(!parseRenewRequest(R"({"time":1800000000})"));
        QVERIFY(!parseRenewRequest(R"({"generation":"g","time":-1})"));
        QVERIFY(!parseRenewRequest(R"({"generation":"g","hostName":"a b"})"));
    }

    void accountsKeepEverybodyElse()
    {
        const std::string passwd =
            "root:x:0:0:root:/root:/bin/bash\nagent:x:1000:1000:A,B:/home/agent:/bin/bash\n";
        const std::string group =
            "root:x:0:\nsudo:x:27:agent,bob\ndocker:x:102:bob,agent\nagents:x:7:agentx\nagent:x:1000:\n";
        Account wanted;
        wanted.name = "agent";
        wanted.uid = 1234;
        wanted.gid = 1235;
        wanted.home = "/home/agent";
        const std::string newPasswd = passwdWith(passwd, wanted);
        QCOMPARE(
            newPasswd,
            std::string("root:x:0:0:root:/root:/bin/bash\nagent:x:1234:1235:A,B:/home/agent:/bin/bash\n"));
        const std::string newGroup = groupWith(group, "agent", 1235);
        QVERIFY(newGroup.ends_with("agent:x:1235:\n") &&
                newGroup.starts_with("root:x:0:\nsudo:x:27:agent,bob\n"));
        const auto found = findAccount(newPasswd, newGroup, "agent");
        QVERIFY(found);
        const std::vector<gid_t> groups{1235, 27, 102};
        QVERIFY(found->groups == groups);
        QVERIFY(!findAccount(newPasswd, newGroup, "nobody"));
        QCOMPARE(shadowWith(shadowWith("root:*:1::::::\n", "agent"), "agent"),
                 std::string("root:*:1::::::\nagent:*:19000:0:99999:7:::\n"));
        QVERIFY(passwdWith("", wanted).starts_with("agent:x:1234:1235:"));
    }

    void theRingKeepsTheLastBytesInOrder()
    {
        OutputRing ring;
        std::string all;
        for (int i = 0; i < 20000; ++i) {
            const std::string word = std::to_string(i) + " ";
            ring.append(i % 2 ? ExecFrameType::Stdout : ExecFrameType::Stderr, word);
            all += word;
        }
        ring.trim(1000);
        QCOMPARE(ring.end(), all.size());
        QCOMPARE(ring.end() - ring.begin(), 1000u);
        std::string read;
        std::uint64_t offset = 0;
        for (auto piece = ring.from(offset, 64); !piece.data.empty(); piece = ring.from(offset, 64)) {
            read += piece.data;
            offset = piece.end;
        }
        QCOMPARE(read, all.substr(all.size() - 1000));
    }

    void hazard_16_namesThatDoNotExist_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("exists");
        for (const char* name :
             {"api.anthropic.com", "a.b.c.d.example", "_x.example.com", "host.docker.internal",
              "GateWay.Docker.Internal", "registry-1.docker.io", "upstream.test"}) {
            QTest::newRow(name) << name << true;
        }
        for (const char* name :
             {"db", "localhost", "printer.local", "x.internal", "wpad.example.com", "a.localhost",
              "4.3.2.1.in-addr.arpa", "a.onion", "1.2.3.4", "a b.com", "a..com", "x.invalid"}) {
            QTest::newRow(name) << name << false;
        }
    }
    void hazard_16_namesThatDoNotExist()
    {
        QFETCH(QString, name);
        QFETCH(bool, exists);
        QTemporaryDir folder;
        auto map = NameMap::open(folder.path().toStdString() + "/names").value();
        const auto look = [&](const std::string& asked) { return resolve(map, asked); };
        const auto reply = answerQuery(query(name.toStdString()), look);
        if (name == "a..com") {
            QVERIFY(reply); // cut short by its empty label: malformed or a single-label name
            QCOMPARE(answersOf(*reply), 0u);
            return;
        }
        QVERIFY(reply);
        QCOMPARE(codeOf(*reply), exists ? 0u : 3u);
        QCOMPARE(answersOf(*reply), exists ? 1u : 0u);
        for (const unsigned type : {28u, 65u, 16u, 33u, 15u, 255u}) { // AAAA, HTTPS, TXT, SRV, MX, ANY
            const auto other = answerQuery(query(name.toStdString(), type), look);
            QCOMPARE(codeOf(*other), exists ? 0u : 3u);
            QCOMPARE(answersOf(*other), 0u);
        }
    }

    void malformedQueriesAreAnsweredOrDropped()
    {
        const auto never = [](const std::string&) -> DnsReply { return {DnsReply::Kind::Address, 1}; };
        QVERIFY(!answerQuery("", never));
        QVERIFY(
            !answerQuery(std::string("\x12\x34\x81\x80\0\1\0\0\0\0\0\0", 12), never)); // a reply: no loops
        const std::string good = query("a.example");
        for (std::size_t size = 12; size < good.size(); ++size) {
            QCOMPARE(codeOf(*answerQuery(good.substr(0, size), never)), 1u);
        }
        std::string pointer = good.substr(0, 12) + std::string("\xC0\x0C\0\1\0\1", 6);
        QCOMPARE(codeOf(*answerQuery(pointer, never)), 1u);
        std::string notify = good;
        notify[2] = 0x20;
        QCOMPARE(codeOf(*answerQuery(notify, never)), 4u);
        QVERIFY(answerQuery(good, never)->ends_with(std::string("\0\4\0\0\0\1", 6)));
    }

    void hazard_16_addressesAreNeverReused()
    {
        QTemporaryDir folder;
        const std::string file = folder.path().toStdString() + "/names";
        std::uint32_t first = 0;
        std::uint32_t second = 0;
        {
            auto map = NameMap::open(file).value();
            first = *map.addressOf("a.example");
            second = *map.addressOf("b.example");
            QCOMPARE(*map.addressOf("a.example"), first);
        }
        QVERIFY(first != second && isSynthetic(first));
        // The crash: the last name was given to a program, but its line is not on the disk.
        const std::string text = readFile(file).value();
        QVERIFY(writeFileAtomic(file, text.substr(0, text.find("name 17"))));
        auto map = NameMap::open(file).value();
        QCOMPARE(*map.addressOf("a.example"), first);
        QVERIFY(!map.nameOf(second));
        QVERIFY(*map.addressOf("c.example") != second);
        QCOMPARE(map.nameOf(first).value(), std::string("a.example"));
    }

    void theNameMapIsBounded()
    {
        QTemporaryDir folder;
        auto map = NameMap::open(folder.path().toStdString() + "/names", 10).value();
        for (int i = 0; i < 10; ++i) {
            QVERIFY(map.addressOf("n" + std::to_string(i) + ".example"));
        }
        QVERIFY(!map.addressOf("n10.example"));
        QVERIFY(resolve(map, "n11.example").kind == DnsReply::Kind::Failure);
        QVERIFY(map.addressOf("n3.example"));
    }

    void proxyRequestsBecomeOneConnectionEach()
    {
        const auto tunnel = parseProxyRequest("CONNECT API.example.com:443 HTTP/1.1\r\nHost: x\r\n");
        QVERIFY(tunnel && tunnel->isTunnel);
        QCOMPARE(tunnel->authority, std::string("api.example.com:443"));
        const auto plain = parseProxyRequest(
            "GET http://Example.com/a?b HTTP/1.1\r\nHost: Example.com\r\nProxy-Connection: keep-alive\r\n"
            "Proxy-Authorization: Basic x\r\nConnection: keep-alive\r\nAccept: */*");
        QVERIFY(plain && !plain->isTunnel);
        QCOMPARE(plain->authority, std::string("example.com:80"));
        QCOMPARE(plain->forwarded,
                 std::string(
                     "GET /a?b HTTP/1.1\r\nHost: Example.com\r\nAccept: */*\r\nconnection: close\r\n\r\n"));
        for (const char* bad :
             {"", "GET / HTTP/1.1\r\n", "GET https://a.b/ HTTP/1.1\r\n", "CONNECT a.b HTTP/1.1\r\n",
              "GET http://user@a.b/ HTTP/1.1\r\n", "CONNECT a.b:1 SPDY/3\r\n", "GET http:/// HTTP/1.1\r\n"}) {
            QVERIFY2(!parseProxyRequest(bad), bad);
        }
    }

    void containersGetTheTrust()
    {
        QTemporaryDir folder;
        const std::filesystem::path bundle = folder.path().toStdString();
        QVERIFY(makeFolders(bundle / "rootfs/etc/ssl/certs"));
        QVERIFY(makeFolders(bundle / "rootfs/etc/pki/tls/certs"));
        QVERIFY(writeFileAtomic(bundle / "rootfs/etc/ssl/certs/ca-certificates.crt", "x"));
        // A link in an image must not choose what on our side is looked at.
        QCOMPARE(::symlink("/etc/passwd", (bundle / "rootfs/etc/ssl/cert.pem").c_str()), 0);
        const std::string config =
            R"({"ociVersion":"1.0","root":{"path":"rootfs"},"process":{"env":["PATH=/bin","SSL_CERT_FILE=/own"]},
            "mounts":[{"destination":"/dev","type":"tmpfs","source":"tmpfs"}]})";
        const auto edited = nlohmann::json::parse(withTrust(config, bundle).value());
        std::vector<std::string> mounted;
        for (const auto& mount : edited["mounts"]) {
            mounted.push_back(mount["destination"]);
        }
        const std::vector<std::string> expected{"/dev", "/etc/ssl/certs/ca-certificates.crt",
                                                kContainerBundle};
        QVERIFY(mounted == expected);
        const std::string environment = edited["process"]["env"].dump();
        QVERIFY(environment.find("SSL_CERT_FILE=/own") != std::string::npos);
        QVERIFY(environment.find(std::string("NODE_EXTRA_CA_CERTS=") + kContainerBundle) !=
                std::string::npos);
        QVERIFY(edited["ociVersion"] == "1.0");
        QVERIFY(nlohmann::json::parse(withTrust(edited.dump(), bundle).value()) ==
                edited); // twice changes nothing
        QVERIFY(!withTrust("{}", bundle));
        QVERIFY(!withTrust("no json", bundle));
    }

    void setupWritesTheSystem()
    {
        QTemporaryDir folder;
        const std::filesystem::path root = folder.path().toStdString();
        QVERIFY(makeFolders(root / "etc/ssl/certs", 0755));
        QVERIFY(writeFileAtomic(root / "etc/passwd",
                                "root:x:0:0::/root:/bin/sh\nagent:x:1:1::/home/agent:/bin/bash\n"));
        QVERIFY(writeFileAtomic(root / "etc/group", "root:x:0:\n"));
        QVERIFY(writeFileAtomic(root / "etc/ssl/certs/ca-certificates.crt", "old\n"));
        const uid_t uid = ::getuid() == 0 ? 1234 : ::getuid();
        const gid_t gid = ::getuid() == 0 ? 1235 : ::getgid();
        SetupRequest request;
        request.generation = "g";
        request.hostName = "box";
        request.userName = "agent";
        request.uid = uid;
        request.gid = gid;
        request.home = "/home/agent";
        request.caPem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
        request.workspaces = {{"/home/alice/a b\n\xFF", false}};
        ::chmod(root.c_str(), 0755);
        const auto agent = applySetup(root, request);
        QVERIFY2(agent, agent ? "" : (agent.error().message + agent.error().detail).c_str());
        QCOMPARE(agent->uid, uid);
        struct stat info
        {
        };
        QCOMPARE(::stat((root / "home/alice/a b\n\xFF").c_str(), &info), 0);
        QCOMPARE(info.st_uid, uid);
        QCOMPARE(::stat((root / "home/alice").c_str(), &info), 0);
        QCOMPARE(info.st_uid, ::getuid());
        const std::string bundle = readFile(root / "etc/ssl/certs/ca-certificates.crt").value();
        QCOMPARE(bundle, "old\n" + request.caPem + "\n");
        const std::string machineId = readFile(root / "etc/machine-id").value();
        QCOMPARE(machineId.size(), 33u);
        QVERIFY(applySetup(root, request));
        QCOMPARE(readFile(root / "etc/ssl/certs/ca-certificates.crt").value(), bundle);
        QVERIFY(readFile(root / "etc/machine-id").value() != machineId); // hazard 17: ids are remade
        QVERIFY(!installTrust(root, "x", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n"));
        for (const char* path : {"/", "/etc/x", "/usr", "/proc/1", "/home"}) {
            QVERIFY2(!makeWorkspace(root, path, *agent), path);
        }
        std::filesystem::remove_all(root / "home"); // Qt cannot remove a name that is not UTF-8
    }

    void anAgentsLinkDoesNotLeadRootAstray()
    {
        if (::getuid() != 0) {
            QSKIP("needs root: it is about whose rights a file is written with");
        }
        QTemporaryDir folder;
        const std::filesystem::path root = folder.path().toStdString();
        ::chmod(root.c_str(), 0755);
        QVERIFY(makeFolders(root / "etc", 0755));
        QVERIFY(makeFolders(root / "secret", 0700));
        QVERIFY(writeFileAtomic(root / "etc/passwd", "root:x:0:0::/root:/bin/sh\n"));
        QVERIFY(writeFileAtomic(root / "etc/group", "root:x:0:\n"));
        SetupRequest request;
        request.generation = "g";
        request.hostName = "box";
        request.userName = "agent";
        request.home = "/home/agent";
        request.files = {{"/home/agent/.config/a.json", 0600, true, "{}"}};
        QVERIFY(applySetup(root, request)); // the control: without a link it works
        struct stat info
        {
        };
        QCOMPARE(::stat((root / "home/agent/.config/a.json").c_str(), &info), 0);
        QCOMPARE(info.st_uid, 1000u);
        std::filesystem::remove_all(root / "home/agent/.config");
        std::filesystem::create_symlink(root / "secret", root / "home/agent/.config");
        QVERIFY(!applySetup(root, request));
        QVERIFY(std::filesystem::is_empty(root / "secret"));
    }

    void theEnvironmentHasOneOrder()
    {
        Account account;
        account.name = "agent";
        account.uid = 1000;
        account.home = "/home/agent";
        const auto variables =
            execEnvironment(account, {{"A", "sandbox"}, {"B", "sandbox"}}, {{"B", "own"}, {"TERM", "dumb"}});
        QCOMPARE(variables.at("A"), std::string("sandbox"));
        QCOMPARE(variables.at("B"), std::string("own"));
        QCOMPARE(variables.at("TERM"), std::string("dumb"));
        QCOMPARE(variables.at("HOME"), std::string("/home/agent"));
        for (const char* name : {"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO",
                                 "PIP_CERT", "AWS_CA_BUNDLE", "DENO_CERT", "CODEX_CA_CERTIFICATE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"}) {
            QCOMPARE(variables.at(name), std::string(kCaBundle));
        }
    }

    void anImageBringsVariables()
    {
        const auto variables = imageEnvironment("A=1\nno variable\n=x\nHOME=/root\nA=2=3\nPATH=/opt/tool/bin:/usr/bin\nEMPTY=");
        QCOMPARE(variables.size(), std::size_t{3});
        QCOMPARE(variables.at("A"), std::string("2=3"));
        QCOMPARE(variables.at("EMPTY"), std::string());
        QCOMPARE(variables.at("PATH"), std::string("/opt/coldframe/agent/bin:/home/agent/.local/bin:/opt/tool/bin:/usr/bin"));
    }
};

QTEST_GUILESS_MAIN(TestGuestFormats)
#include "test_guest_formats.moc"
