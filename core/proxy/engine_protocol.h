// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "policy/policy.h"
#include "proxy/client_certificates.h"
#include "proxy/injector.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace coldframe::proxy {

/// What the engine says before anything else.
struct Setup
{
    std::string sandbox;
    std::string caCertificatePem;
    std::string caKeyPem; ///< wiped by the owner after use
    policy::PolicySet policy;
    std::vector<std::string> trustedPems; ///< the host's store and the user's own upstream CAs
    std::vector<Service> services;
    std::string cookie;
};

/// One message of the engine. The engine's socket carries JSON lines; {"type":"keys"} is followed by frames of type (1 byte),
/// length (4 bytes, big-endian, at most 64 KiB) and payload: 1 = a service's name, 2 = its key (empty: forget it), 3 = the end.
struct EngineMessage
{
    enum class Type { Setup, Policy, Services, ClientCertificates, Key, KeysEnd, Answer, Shutdown, Adopt };
    Type type{};
    std::optional<Setup> setup;
    std::optional<policy::PolicySet> policy;
    std::vector<Service> services;
    std::vector<ClientCertificate> certificates;
    std::string service; ///< Key
    SecretBuffer key;
    std::string id;      ///< Answer
    bool allow = false;
    std::string cookie;  ///< Adopt
    int version = 0;
};

inline constexpr int kEngineProtocolVersion = 1;

/// Incremental decoder of the engine's messages. Key bytes are wiped from its buffer as soon as they are taken. An error sticks.
class EngineDecoder
{
public:
    static constexpr std::size_t kMaxLine = 8u << 20;
    ~EngineDecoder() { wipe(m_buffer); }
    void feed(std::string_view bytes);
    Result<std::optional<EngineMessage>> next();

private:
    Result<std::optional<EngineMessage>> nextLine();
    Result<std::optional<EngineMessage>> nextFrame();
    void consume(std::size_t count);

    std::string m_buffer;
    std::size_t m_scanned = 0;
    bool m_inKeys = false;
    std::string m_service;
    std::optional<Error> m_failed;
};

/// One line of the connection log, in the form of `Connection` in core/api/PROTOCOL.md.
struct ConnectionEvent
{
    std::string source = "process";
    std::string kind = "name";
    std::string host;
    std::uint16_t port = 0;
    std::string address;
    std::string method;
    std::string path; ///< without the query, which may carry secrets
    int status = 0;
    std::uint64_t bytesIn = 0;
    std::uint64_t bytesOut = 0;
    std::string verdict = "allowed"; ///< "allowed" | "denied" | "error"
    std::string rule;
    std::string reason;
    std::string keyInjected;
    bool inspected = false;
    std::string protocol = "tcp";
    std::uint64_t count = 1;
    std::string process;  ///< the guest's own word
    std::string how;      ///< "bypass" | "reported"; empty: by verdict and inspection
    std::string ref;      ///< not empty: this was reported while it was open, under this mark
    bool isOpen = false;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
};

/// {"type":"connection","connection":{…}} and a newline. Guest-made strings are escaped and bounded.
std::string encodeConnection(const ConnectionEvent& event, const std::string& sandbox);
struct AskQuestion
{
    std::string id;
    std::string host;
    std::uint16_t port = 0;
    std::string source;
    std::string kind;
    std::string protocol;
    std::string method;
    std::string path;
    std::string reason;
};
std::string encodeAsk(const AskQuestion& question, const std::string& sandbox);
/// {"type":"alert","sandbox","code","host","port","service","text"}
std::string encodeAlert(const std::string& sandbox, std::string_view code, const Identity& identity, const std::string& service,
                        std::string_view text);
/// {"type":"refused-key","sandbox","service"}: a server answered 401 to the key of a log-in.
std::string encodeRefusedKey(const std::string& sandbox, const std::string& service);
std::string encodeReady(const std::string& sandbox);
std::string encodeAdopted(const std::string& sandbox, std::uint64_t policyVersion, std::size_t buffered);
std::string encodeProblem(const Error& error);

/// The guest's own report of attempts that never reached the proxy (POST /report): at most 256 are taken.
Result<std::vector<ConnectionEvent>> parseGuestReport(std::string_view json);

} // namespace coldframe::proxy
