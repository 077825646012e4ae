// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "base/unique_fd.h"
#include "engine/certificate_authority.h"
#include "engine/upstream.h"
#include "policy/policy.h"

#include <array>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace coldframe::engine {

/// What a proxy is told at its start.
struct ProxySetup
{
    std::string sandbox; ///< id
    CertificateAuthority authority;
    policy::PolicySet policy;
    std::vector<std::string> upstreamCaPem;
    std::string systemTrustPem;
    std::string servicesJson; ///< array, as core/agents writes it
    std::string cookie;
    WayOut wayOut;
    nlohmann::json clientCertificates = nlohmann::json::array(); ///< as readClientCertificates() makes it
};

/// The engine's end of one sandbox's proxy and dialler. Messages are queued, never blocking; on the engine's io
/// thread. `onEvent` gets each JSON object the proxy says; `onGone` is called once when it is gone.
class ProxyLink : public std::enable_shared_from_this<ProxyLink>
{
public:
    using EventHandler = std::function<void(const nlohmann::json&)>;

    /// Starts both processes on the microVM's net port (connected descriptor) and sends the setup.
    static Result<std::shared_ptr<ProxyLink>> start(asio::io_context& io, const ProxySetup& setup, UniqueFd netPort,
                                                    const std::filesystem::path& adoptSocket,
                                                    const std::filesystem::path& log, EventHandler onEvent,
                                                    std::function<void()> onGone);
    /// Takes over a proxy that outlived an engine. The dialler keeps the policy it has.
    static Result<std::shared_ptr<ProxyLink>> adopt(asio::io_context& io, const std::filesystem::path& adoptSocket,
                                                    const std::string& cookie, EventHandler onEvent,
                                                    std::function<void()> onGone);
    ~ProxyLink();

    /// False when the dialler cannot be told (after adopt()): a new policy then needs a new proxy.
    bool canChangePolicy() const { return m_dialSocket != nullptr; }
    /// The dialler first: what it does not allow yet, the proxy must not promise.
    void sendPolicy(const policy::PolicySet& policy);
    void sendWayOut(const WayOut& way);
    /// Keys that were sent for them before are forgotten.
    void sendClientCertificates(const nlohmann::json& certificates);
    /// An empty key takes it away.
    void sendKey(const std::string& service, const SecretBuffer& key);
    void sendServices(const std::string& servicesJson);
    void answer(const std::string& askId, bool allow);
    /// Both processes leave; onGone is not called any more.
    void shutdown();
    /// Proxy and dialler when this link started them and nobody has asked yet.
    std::vector<pid_t> takeNewProcesses() { return std::exchange(m_newProcesses, {}); }

private:
    using Socket = asio::local::stream_protocol::socket;

    ProxyLink(asio::io_context& io, EventHandler onEvent, std::function<void()> onGone);
    void begin(int engineFd, int dialFd);
    void send(Socket* socket, std::deque<std::string>& queue, std::string bytes, bool toDial);
    void writeNext(bool toDial);
    void readMore();
    void takeLines();
    void gone();

    asio::io_context& m_io;
    EventHandler m_onEvent;
    std::function<void()> m_onGone;
    std::unique_ptr<Socket> m_proxySocket;
    std::unique_ptr<Socket> m_dialSocket;
    std::deque<std::string> m_toProxy;
    std::deque<std::string> m_toDial;
    std::string m_received;
    std::array<char, 16384> m_chunk{};
    std::vector<pid_t> m_newProcesses;
};

} // namespace coldframe::engine
