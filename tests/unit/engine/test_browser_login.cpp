// SPDX-License-Identifier: Apache-2.0
#include "engine/browser_login.h"

#include <QtTest>
#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/read.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <openssl/sha.h>
#include <thread>

using namespace coldframe;
using namespace coldframe::engine;
using asio::ip::tcp;

namespace {

agents::LoginDefinition definition(std::vector<std::uint16_t> ports = {})
{
    agents::LoginDefinition login;
    login.authorizeUrl = "https://auth.example.com/authorize";
    login.authorizeParameters = {{"extra", "a b"}};
    login.clientId = "client-1";
    login.scopes = {"one", "two"};
    login.redirectPath = "/callback";
    login.redirectPorts = std::move(ports);
    return login;
}

/// The value of a parameter of the URL, still encoded.
std::string parameter(const std::string& url, const std::string& name)
{
    const std::size_t at = url.find((url.find("?" + name + "=") != std::string::npos ? "?" : "&") + name + "=");
    const std::size_t from = at == std::string::npos ? url.size() : at + name.size() + 2;
    return url.substr(from, url.find('&', from) - from);
}

std::uint16_t portOf(const std::string& url)
{
    const std::string redirect = parameter(url, "redirect_uri");
    const std::size_t at = redirect.find("localhost%3A") + 12;
    return static_cast<std::uint16_t>(std::stoi(redirect.substr(at)));
}

struct World
{
    asio::io_context io;
    std::shared_ptr<BrowserLogin> login;
    std::future<Result<agents::CodeGrant>> outcome;
    std::thread thread;

    explicit World(std::chrono::milliseconds within = std::chrono::seconds(30))
    {
        auto begun = BrowserLogin::begin(io, definition());
        if (!begun) {
            qFatal("%s", begun.error().message.c_str());
        }
        login = *begun;
        outcome = asio::co_spawn(io, login->wait(within), asio::use_future);
        thread = std::thread([this] { io.run(); });
    }
    ~World() { thread.join(); }

    /// The status line of the answer to what a browser sends.
    std::string send(const std::string& target, const std::string& method = "GET")
    {
        asio::io_context own;
        tcp::socket socket(own);
        std::error_code error;
        socket.connect({asio::ip::address_v4::loopback(), portOf(login->url())}, error);
        asio::write(socket, asio::buffer(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), error);
        std::string reply;
        asio::read(socket, asio::dynamic_buffer(reply), error);
        return reply.substr(0, reply.find('\r'));
    }
    std::string state() const { return parameter(login->url(), "state"); }
};

} // namespace

class TestBrowserLogin : public QObject
{
    Q_OBJECT

private slots:
    void addressHasAllThatTheServerNeeds()
    {
        asio::io_context io;
        const auto login = BrowserLogin::begin(io, definition());
        QVERIFY(login.has_value());
        const std::string url = (*login)->url();
        QVERIFY(url.starts_with("https://auth.example.com/authorize?"));
        QCOMPARE(parameter(url, "response_type"), std::string("code"));
        QCOMPARE(parameter(url, "code_challenge_method"), std::string("S256"));
        QCOMPARE(parameter(url, "scope"), std::string("one%20two"));
        QCOMPARE(parameter(url, "extra"), std::string("a%20b"));
        QCOMPARE(parameter(url, "code_challenge").size(), std::size_t{43});
        QVERIFY(parameter(url, "state").size() >= 43);
        const auto other = BrowserLogin::begin(io, definition());
        QVERIFY(parameter((*other)->url(), "state") != parameter(url, "state"));
        // A port that the server insists on and that is taken.
        QVERIFY(!BrowserLogin::begin(io, definition({portOf(url)})));
        QVERIFY(!BrowserLogin::begin(io, agents::LoginDefinition()));
    }

    void codeComesWithTheRightStateAlone()
    {
        World w;
        const std::string challenge = parameter(w.login->url(), "code_challenge");
        QCOMPARE(w.send("/callback?code=stolen&state=wrong"), std::string("HTTP/1.1 400 Bad Request"));
        QCOMPARE(w.send("/callback?code=stolen"), std::string("HTTP/1.1 400 Bad Request"));
        QCOMPARE(w.send("/other?code=stolen&state=" + w.state()), std::string("HTTP/1.1 404 Not Found"));
        QCOMPARE(w.send("/callback?code=stolen&state=" + w.state(), "POST"), std::string("HTTP/1.1 400 Bad Request"));
        QCOMPARE(w.send("/callback?error=access_denied&state=x"), std::string("HTTP/1.1 400 Bad Request"));
        QCOMPARE(w.send("/callback?code=a%2Bb&state=" + w.state()), std::string("HTTP/1.1 200 OK"));
        const auto grant = w.outcome.get();
        QVERIFY(grant.has_value());
        QCOMPARE(grant->code, std::string("a+b"));
        unsigned char digest[SHA256_DIGEST_LENGTH];
        ::SHA256(reinterpret_cast<const unsigned char*>(grant->verifier.data()), grant->verifier.size(), digest);
        QCOMPARE(agents::base64UrlEncode(std::string(reinterpret_cast<const char*>(digest), sizeof digest)), challenge);
    }

    void refusalOfTheServerEndsIt()
    {
        World w;
        QCOMPARE(w.send("/callback?error=access_denied&state=" + w.state()), std::string("HTTP/1.1 200 OK"));
        QCOMPARE(w.outcome.get().error().code, ErrorCode::NotAllowed);
    }

    void nobodyComesInTime()
    {
        World w(std::chrono::milliseconds(100));
        QCOMPARE(w.outcome.get().error().code, ErrorCode::Timeout);
    }
};

QTEST_GUILESS_MAIN(TestBrowserLogin)
#include "test_browser_login.moc"
