// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "proxy/limits.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <openssl/ossl_typ.h>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

/// A proxy with everything around it faked but the protocols: a guest that opens streams on a real channel, a dialler that leads
/// names to origins on loopback, an engine, and origins that speak TLS by OpenSSL with certificates of their own.
namespace proxytest {

struct Certificate
{
    std::string certificatePem; ///< may have its chain behind it
    std::string keyPem;
    // How a server with it speaks TLS; 0 and empty: as OpenSSL does by itself.
    int onlyVersion = 0;
    std::string ciphers{};
    std::string clientCaPem{}; ///< clients must show a certificate of this authority
};
struct CertificateSpec
{
    std::string name;
    bool isCa = false;
    const Certificate* issuer = nullptr; ///< null = self-signed
    long notAfterSeconds = 86400;
    long notBeforeSeconds = -86400;
    std::optional<std::string> alternativeNames{}; ///< "DNS:a,IP:…" instead of the name; empty: no such extension
    std::vector<std::pair<std::string, std::string>> extensions{}; ///< more of them, by their OpenSSL names; they replace those of isCa
    int rsaBits = 0;                                    ///< 0 = P-256
    std::string digest = "SHA256";
    bool hasSubject = true;
};
Certificate makeCertificate(const CertificateSpec& spec);

/// One blocking connection, plain or TLS. Reads give up after ten seconds.
class Wire
{
public:
    explicit Wire(coldframe::UniqueFd fd);
    ~Wire();
    Wire(Wire&& other) noexcept;
    Wire(const Wire&) = delete;

    /// Client side, verified against `caPem` for `name`. `alpn`: one or more, with commas. False with the reason in problem().
    bool startTls(const std::string& name, const std::string& caPem, const std::string& alpn = "http/1.1",
                  const std::string& verifyName = {});
    /// The hello of startTls() then carries an encrypted_client_hello extension (with a random content).
    void greaseEch() { m_hasEch = true; }
    bool acceptTls(const Certificate& certificate, const std::string& alpn = {});
    /// What was agreed on.
    std::string alpn() const;
    bool write(std::string_view data);
    /// Some bytes; empty = end, error or time out.
    std::string readSome();
    /// Up to and with the empty line; what follows stays buffered.
    std::string readHead();
    std::string readExactly(std::size_t count);
    /// Whether more than was read is there, now or within that time.
    bool arrivesWithin(std::chrono::milliseconds time);
    /// A whole reply: head and body by its framing, chunks decoded.
    struct Reply
    {
        int status = 0;
        std::string head;
        std::string body;
        bool complete = false;
    };
    Reply readReply(bool headOnly = false);
    std::string request(const std::string& text) { return write(text) ? readReply().body : std::string(); }
    void endWriting();
    void close();
    /// Whether the peer has ended or reset the connection (waits for it).
    bool isEnded();
    const std::string& problem() const { return m_problem; }
    /// Names in the peer's certificate, and for how long it is valid.
    std::string peerNames() const;
    long peerValidityDays() const;
    int fd() const { return m_fd.get(); }

private:
    coldframe::UniqueFd m_fd;
    SSL_CTX* m_context = nullptr;
    SSL* m_ssl = nullptr;
    std::string m_buffer;
    std::string m_problem;
    bool m_hasEch = false;
    std::string m_alpn;
};

/// A server on loopback; each connection is handled in a thread of its own.
class Origin
{
public:
    using Handler = std::function<void(Wire&, Origin&)>;
    /// Reads heads and bodies in a loop and answers "hello <path>" unless a handler is given.
    /// `alpn`: the protocol it insists on.
    explicit Origin(std::optional<Certificate> tls, Handler handler = {}, std::string alpn = {});
    ~Origin();
    std::uint16_t port() const { return m_port; }
    std::vector<std::string> heads() const;
    void note(const std::string& head);
    std::size_t connectionCount() const;

private:
    void serve(int fd);
    std::optional<Certificate> m_tls;
    Handler m_handler;
    std::string m_alpn;
    coldframe::UniqueFd m_listener;
    std::uint16_t m_port = 0;
    mutable std::mutex m_mutex;
    std::vector<std::string> m_heads;
    std::vector<int> m_open;
    std::size_t m_connections = 0;
    std::vector<std::thread> m_threads;
    std::thread m_acceptor;
};
/// Reads one request with a Content-Length or chunked body, notes its head, gives head + body; empty at the end.
std::string readRequest(Wire& wire, Origin& origin);

struct Refusal
{
    std::string rule;
    std::string reason;
};

class Harness
{
public:
    struct Setup
    {
        nlohmann::json policy;
        nlohmann::json services = nlohmann::json::array();
        std::vector<std::string> trusted;
        coldframe::proxy::Limits limits;
        bool start = true;
        std::string command; ///< a coldframe-proxy executable; empty = the server runs in a thread here
        std::string dialCommand; ///< a coldframe-dial executable; empty = route() and refuse() answer for it
    };
    explicit Harness(Setup setup);
    ~Harness();

    void route(const std::string& hostAndPort, std::uint16_t originPort);
    void refuse(const std::string& hostAndPort, Refusal refusal);
    std::vector<std::string> dialled() const;

    struct Opened
    {
        int status = 0;
        std::string reason;
        std::string rule;
        std::unique_ptr<Wire> wire;
    };
    Opened connect(const std::string& authority, const std::string& kind = "name");
    int postReport(const std::string& body);
    const std::string& caPem() const { return m_ca.certificatePem; }

    void sendToEngineSide(const std::string& bytes); ///< as the engine, to the proxy
    void sendToDialler(const std::string& bytes);    ///< as the engine, to a real dialler
    void sendPolicy(const nlohmann::json& policy);
    void sendKey(const std::string& service, const std::string& key);
    /// The first message (from `from` on) that fits, waited for; null after `limit`.
    nlohmann::json waitForMessage(const std::function<bool(const nlohmann::json&)>& fits,
                                  std::chrono::milliseconds limit = std::chrono::seconds(10));
    nlohmann::json waitForConnection(const std::string& host, const std::string& verdict);
    /// All that were recorded so far, in their order.
    std::vector<nlohmann::json> connections(const std::string& host, const std::string& verdict) const;
    std::size_t countMessages(const std::string& type) const;
    void dropEngine();
    /// Connects to the adoption socket, sends one line, gives the first line of the answer; the connection is the engine then.
    nlohmann::json adopt(const std::string& line);
    int exitCode(std::chrono::milliseconds limit); ///< -1 = still running
    int processId() const { return m_child; }
    static const std::string& cookie();

private:
    struct GuestThread;
    void engineReader(int fd);
    void diallerLoop();
    void startDialler(const std::string& command);

    Certificate m_ca;
    coldframe::UniqueFd m_engine;
    coldframe::UniqueFd m_dial;
    std::string m_adoptPath;
    mutable std::mutex m_mutex;
    std::map<std::string, std::uint16_t> m_routes;
    std::map<std::string, Refusal> m_refusals;
    std::vector<std::string> m_dialled;
    std::vector<nlohmann::json> m_messages;
    std::vector<std::thread> m_engineReaders;
    std::thread m_diallerThread;
    std::thread m_proxyThread;
    std::function<void()> m_stopProxy;
    int m_exitCode = -1;
    int m_child = -1;
    int m_dialChild = -1;
    coldframe::UniqueFd m_dialEngine;
    std::unique_ptr<GuestThread> m_guest;
};

/// Leads "name:port" to a port on loopback, as the user's own host mapping does: for a real dialler.
void addMapping(nlohmann::json& policy, const std::string& name, std::uint16_t port, std::uint16_t originPort);

/// Passes bytes and ends of a client's connection and a guest's stream on to each other, until both have ended.
void carryBothWays(int client, int guest);

/// A port on loopback whose connections become streams of the guest to one place, for clients that are programs of their own.
class Bridge
{
public:
    Bridge(Harness& harness, std::string authority);
    ~Bridge();
    std::uint16_t port() const { return m_port; }

private:
    void carry(int fd);
    Harness& m_harness;
    std::string m_authority;
    coldframe::UniqueFd m_listener;
    std::uint16_t m_port = 0;
    std::mutex m_mutex;
    std::vector<int> m_open;
    std::vector<std::thread> m_threads;
    std::thread m_acceptor;
};

nlohmann::json policyJson(const std::string& mode, const std::vector<std::string>& allow, const std::vector<std::string>& deny = {},
                          bool canAsk = false);

} // namespace proxytest
