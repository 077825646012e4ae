// SPDX-License-Identifier: Apache-2.0
#include "engine/proxy_link.h"

#include "base/log.h"
#include "base/paths.h"
#include "engine/helper_process.h"

#include <array>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxEventLine = 64 * 1024;
constexpr int kAdoptVersion = 1;

std::string frame(char type, std::string_view payload)
{
    std::string bytes(1, type);
    const std::size_t size = payload.size();
    for (const int shift : {24, 16, 8, 0}) {
        bytes += static_cast<char>(size >> shift & 255);
    }
    return bytes.append(payload);
}

Result<UniqueFd> listenAt(const std::filesystem::path& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) {
        return fail(ErrorCode::InvalidArgument, "The runtime folder's path is too long: " + path.string());
    }
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::unlink(path.c_str());
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 2) != 0) {
        return failErrno("Cannot listen at " + path.string() + ".", errno);
    }
    return fd;
}

} // namespace

ProxyLink::ProxyLink(asio::io_context& io, EventHandler onEvent, std::function<void()> onGone)
    : m_io(io), m_onEvent(std::move(onEvent)), m_onGone(std::move(onGone))
{
}

ProxyLink::~ProxyLink()
{
    for (std::string& bytes : m_toProxy) {
        wipe(bytes);
    }
}

Result<std::shared_ptr<ProxyLink>> ProxyLink::start(asio::io_context& io, const ProxySetup& setup, UniqueFd netPort,
                                                    const std::filesystem::path& adoptSocket,
                                                    const std::filesystem::path& log, EventHandler onEvent,
                                                    std::function<void()> onGone)
{
    COLDFRAME_TRY(auto proxyPair, makeSocketPair(SOCK_STREAM));
    COLDFRAME_TRY(auto dialPair, makeSocketPair(SOCK_STREAM));
    COLDFRAME_TRY(auto between, makeSocketPair(SOCK_SEQPACKET));
    COLDFRAME_TRY(UniqueFd adopt, listenAt(adoptSocket));
    COLDFRAME_TRY(const pid_t dialler,
                  startHelper(paths::helperExecutable("coldframe-dial"),
                              {{"--engine-fd", dialPair.second.get()}, {"--proxy-fd", between.second.get()}}, log));
    COLDFRAME_TRY(const pid_t proxy, startHelper(paths::helperExecutable("coldframe-proxy"),
                                                 {{"--engine-fd", proxyPair.second.get()},
                                                  {"--dial-fd", between.first.get()},
                                                  {"--net-fd", netPort.get()},
                                                  {"--adopt-fd", adopt.get()}},
                                                 log));
    const std::shared_ptr<ProxyLink> link(new ProxyLink(io, std::move(onEvent), std::move(onGone)));
    link->m_newProcesses = {proxy, dialler};
    link->begin(proxyPair.first.release(), dialPair.first.release());
    const json policy = json::parse(policy::toJson(setup.policy));
    link->sendWayOut(setup.wayOut); // first: with a policy and without it, connections would go around the network's proxy
    link->send(link->m_dialSocket.get(), link->m_toDial, json{{"type", "setup"}, {"policy", policy}}.dump() + "\n", true);
    json message{{"type", "setup"},
                 {"sandbox", setup.sandbox},
                 {"caCertificatePem", setup.authority.certificatePem},
                 {"caKeyPem", setup.authority.privateKeyPem},
                 {"policy", policy},
                 {"upstreamCaPem", setup.upstreamCaPem},
                 {"useSystemTrust", setup.systemTrustPem},
                 {"services", json::parse(setup.servicesJson)},
                 {"cookie", setup.cookie}};
    std::string line = message.dump() + "\n";
    wipe(message["caKeyPem"].get_ref<std::string&>());
    link->send(link->m_proxySocket.get(), link->m_toProxy, std::move(line), false);
    if (!setup.clientCertificates.empty()) {
        link->sendClientCertificates(setup.clientCertificates);
    }
    return link;
}

Result<std::shared_ptr<ProxyLink>> ProxyLink::adopt(asio::io_context& io, const std::filesystem::path& adoptSocket,
                                                    const std::string& cookie, EventHandler onEvent,
                                                    std::function<void()> onGone)
{
    const std::shared_ptr<ProxyLink> link(new ProxyLink(io, std::move(onEvent), std::move(onGone)));
    auto socket = std::make_unique<Socket>(io);
    std::error_code error;
    socket->connect(asio::local::stream_protocol::endpoint(adoptSocket.native()), error);
    if (error) {
        return fail(ErrorCode::Unavailable, "The sandbox's proxy is gone.", error.message());
    }
    std::error_code released;
    link->begin(socket->release(released), -1);
    link->send(link->m_proxySocket.get(), link->m_toProxy,
               json{{"type", "adopt"}, {"cookie", cookie}, {"version", kAdoptVersion}}.dump() + "\n", false);
    return link;
}

void ProxyLink::begin(int engineFd, int dialFd)
{
    m_proxySocket = std::make_unique<Socket>(m_io, asio::local::stream_protocol(), engineFd);
    if (dialFd >= 0) {
        m_dialSocket = std::make_unique<Socket>(m_io, asio::local::stream_protocol(), dialFd);
    }
    readMore();
}

void ProxyLink::send(Socket* socket, std::deque<std::string>& queue, std::string bytes, bool toDial)
{
    if (!socket) {
        wipe(bytes);
        return;
    }
    queue.push_back(std::move(bytes));
    if (queue.size() == 1) {
        writeNext(toDial);
    }
}

void ProxyLink::writeNext(bool toDial)
{
    Socket* socket = (toDial ? m_dialSocket : m_proxySocket).get();
    std::deque<std::string>& queue = toDial ? m_toDial : m_toProxy;
    if (!socket || queue.empty()) {
        return;
    }
    asio::async_write(*socket, asio::buffer(queue.front()),
                      [self = shared_from_this(), toDial](std::error_code error, std::size_t) {
                          std::deque<std::string>& sent = toDial ? self->m_toDial : self->m_toProxy;
                          if (!sent.empty()) {
                              wipe(sent.front());
                              sent.pop_front();
                          }
                          if (!error) {
                              self->writeNext(toDial);
                          }
                      });
}

void ProxyLink::readMore()
{
    m_proxySocket->async_read_some(asio::buffer(m_chunk), [self = shared_from_this()](std::error_code error, std::size_t got) {
        if (error || !self->m_proxySocket) {
            self->gone();
            return;
        }
        self->m_received.append(self->m_chunk.data(), got);
        self->takeLines();
        if (self->m_proxySocket) {
            self->readMore();
        }
    });
}

void ProxyLink::takeLines()
{
    std::size_t from = 0;
    for (std::size_t newline; (newline = m_received.find('\n', from)) != std::string::npos; from = newline + 1) {
        const json message = json::parse(std::string_view(m_received).substr(from, newline - from), nullptr, false);
        if (message.is_object() && m_onEvent) {
            topCatchAll("proxy link", [&] { m_onEvent(message); });
        }
    }
    m_received.erase(0, from);
    // The proxy parses hostile input: what it says is bounded like any peer's.
    if (m_received.size() > kMaxEventLine) {
        logError("proxy link", "a line from the proxy is too long; the proxy is dropped");
        gone();
    }
}

void ProxyLink::gone()
{
    if (!m_proxySocket) {
        return;
    }
    m_proxySocket.reset();
    m_dialSocket.reset();
    if (const auto onGone = std::exchange(m_onGone, {})) {
        onGone();
    }
}

void ProxyLink::sendPolicy(const policy::PolicySet& policy)
{
    // Written by hand: with ten thousand rules a parse and a copy are what one waits for.
    const std::string line = "{\"type\":\"policy\",\"policy\":" + policy::toJson(policy) + "}\n";
    send(m_dialSocket.get(), m_toDial, line, true);
    send(m_proxySocket.get(), m_toProxy, line, false);
}

void ProxyLink::sendWayOut(const WayOut& way)
{
    send(m_dialSocket.get(), m_toDial, json{{"type", "route"}, {"route", way.route}}.dump() + "\n", true);
    if (!way.password.empty()) {
        const std::string_view password = way.password.view();
        std::string bytes = json{{"type", "route-password"}, {"length", password.size()}}.dump() + "\n";
        bytes.reserve(bytes.size() + password.size());
        bytes.append(password);
        send(m_dialSocket.get(), m_toDial, std::move(bytes), true);
    }
}

void ProxyLink::sendClientCertificates(const json& certificates)
{
    send(m_proxySocket.get(), m_toProxy, json{{"type", "client-certificates"}, {"certificates", certificates}}.dump() + "\n", false);
}

void ProxyLink::sendServices(const std::string& servicesJson)
{
    send(m_proxySocket.get(), m_toProxy,
         json{{"type", "services"}, {"services", json::parse(servicesJson)}}.dump() + "\n", false);
}

void ProxyLink::sendKey(const std::string& service, const SecretBuffer& key)
{
    std::string bytes = "{\"type\":\"keys\"}\n" + frame(1, service);
    bytes.reserve(bytes.size() + key.view().size() + 16); // one allocation, so that no copy is left behind
    std::string secret = frame(2, key.view());
    bytes += secret;
    wipe(secret);
    bytes += frame(3, {});
    send(m_proxySocket.get(), m_toProxy, std::move(bytes), false);
}

void ProxyLink::answer(const std::string& askId, bool allow)
{
    send(m_proxySocket.get(), m_toProxy,
         json{{"type", "answer"}, {"id", askId}, {"verdict", allow ? "allow" : "deny"}}.dump() + "\n", false);
}

void ProxyLink::shutdown()
{
    m_onGone = {};
    m_onEvent = {};
    const std::string line = "{\"type\":\"shutdown\"}\n";
    send(m_dialSocket.get(), m_toDial, line, true);
    send(m_proxySocket.get(), m_toProxy, line, false);
}

} // namespace coldframe::engine
