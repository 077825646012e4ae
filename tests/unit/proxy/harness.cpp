// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include "channel/connection.h"
#include "channel/pump.h"
#include "proxy/server.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace proxytest {

using coldframe::UniqueFd;

namespace {

std::pair<UniqueFd, UniqueFd> makePair(int type)
{
    int fds[2] = {-1, -1};
    ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

UniqueFd connectLoopback(std::uint16_t port)
{
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0) {
        fd.reset();
    }
    return fd;
}

} // namespace

// ---- origin

Origin::Origin(std::optional<Certificate> tls, Handler handler, std::string alpn)
    : m_tls(std::move(tls)), m_handler(std::move(handler)), m_alpn(std::move(alpn))
{
    std::signal(SIGPIPE, SIG_IGN);
    m_listener = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(m_listener.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address);
    ::listen(m_listener.get(), 128);
    socklen_t size = sizeof address;
    ::getsockname(m_listener.get(), reinterpret_cast<struct sockaddr*>(&address), &size);
    m_port = ntohs(address.sin_port);
    m_acceptor = std::thread([this] {
        while (true) {
            const int fd = ::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) {
                return;
            }
            const std::lock_guard lock(m_mutex);
            ++m_connections;
            m_open.push_back(fd);
            m_threads.emplace_back([this, fd] { serve(fd); });
        }
    });
}

Origin::~Origin()
{
    ::shutdown(m_listener.get(), SHUT_RDWR);
    m_acceptor.join();
    {
        const std::lock_guard lock(m_mutex);
        for (const int fd : m_open) {
            ::shutdown(fd, SHUT_RDWR);
        }
    }
    for (std::thread& thread : m_threads) {
        thread.join();
    }
}

void Origin::serve(int fd)
{
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Wire wire{UniqueFd(fd)};
    if (!m_tls || wire.acceptTls(*m_tls, m_alpn)) {
        if (m_handler) {
            m_handler(wire, *this);
        } else {
            while (true) {
                const std::string request = readRequest(wire, *this);
                if (request.empty()) {
                    break;
                }
                const std::size_t space = request.find(' ');
                const std::string body = "hello " + request.substr(space + 1, request.find(' ', space + 1) - space - 1);
                if (!wire.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body)) {
                    break;
                }
            }
        }
        wire.endWriting();
    }
    const std::lock_guard lock(m_mutex);
    std::erase(m_open, fd);
    wire.close();
}

std::vector<std::string> Origin::heads() const
{
    const std::lock_guard lock(m_mutex);
    return m_heads;
}

void Origin::note(const std::string& head)
{
    const std::lock_guard lock(m_mutex);
    m_heads.push_back(head);
}

std::size_t Origin::connectionCount() const
{
    const std::lock_guard lock(m_mutex);
    return m_connections;
}

// ---- guest

struct Harness::GuestThread
{
    explicit GuestThread(UniqueFd fd) : work(asio::make_work_guard(io))
    {
        connection = coldframe::channel::makeConnection(
            io, fd.release(),
            coldframe::channel::Options{.side = coldframe::channel::Side::Guest, .role = coldframe::channel::Role::Client});
        asio::co_spawn(io, establish(*this), asio::detached);
        thread = std::thread([this] { io.run(); });
    }
    ~GuestThread()
    {
        asio::post(io, [this] { connection->close(); });
        work.reset();
        io.stop();
        thread.join();
        connection.reset();
    }

    static asio::awaitable<void> establish(GuestThread& self)
    {
        auto done = co_await self.connection->establish();
        self.established.set_value(done.has_value());
    }

    struct Answer
    {
        int status = 0;
        std::string reason;
        std::string rule;
    };
    static asio::awaitable<void> open(GuestThread& self, coldframe::channel::Headers headers, std::string body, UniqueFd fd,
                                      std::shared_ptr<std::promise<Answer>> promise)
    {
        Answer answer;
        auto stream = self.connection->open(headers, false);
        if (!stream) {
            promise->set_value(answer);
            co_return;
        }
        const coldframe::channel::StreamPtr held = *stream;
        if (!body.empty()) {
            const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
            (void)co_await held->write(bytes);
            held->finish();
        }
        auto response = co_await held->responseHeaders();
        if (response) {
            answer.status = std::stoi((*response)[":status"]);
            answer.reason = (*response)["x-coldframe-reason"];
            answer.rule = (*response)["x-coldframe-rule"];
        }
        promise->set_value(answer);
        if (answer.status == 200 && fd) {
            asio::posix::stream_descriptor descriptor(self.io, fd.release());
            co_await coldframe::channel::pump(*held, descriptor);
        }
    }

    asio::io_context io;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    std::unique_ptr<coldframe::channel::Connection> connection;
    std::promise<bool> established;
    std::thread thread;
};

// ---- harness

const std::string& Harness::cookie()
{
    static const std::string value = "0123456789abcdef0123456789abcdef";
    return value;
}

Harness::Harness(Setup setup) : m_ca(makeCertificate({.name = "Coldframe test sandbox", .isCa = true}))
{
    std::signal(SIGPIPE, SIG_IGN);
    auto [engineHere, engineThere] = makePair(SOCK_STREAM);
    auto [dialHere, dialThere] = makePair(SOCK_SEQPACKET);
    auto [netHere, netThere] = makePair(SOCK_STREAM);
    m_engine = std::move(engineHere);
    m_dial = std::move(dialHere);

    static std::atomic<int> counter{0};
    m_adoptPath = "/tmp/coldframe-proxy-test-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
    UniqueFd adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, m_adoptPath.c_str(), sizeof address.sun_path - 1);
    ::unlink(m_adoptPath.c_str());
    ::bind(adopt.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address);
    ::listen(adopt.get(), 4);

    if (setup.command.empty()) {
        std::promise<std::function<void()>> started;
        auto future = started.get_future();
        m_proxyThread = std::thread([this, &started, limits = setup.limits, engine = engineThere.release(),
                                     dial = dialThere.release(), net = netThere.release(), adoptFd = adopt.release()] {
            asio::io_context io(1);
            const auto work = asio::make_work_guard(io);
            coldframe::proxy::ProxyServer::Options options;
            options.limits = limits;
            options.filter = false;
            options.onEnd = [this, &io](int code) {
                const std::lock_guard lock(m_mutex);
                m_exitCode = code;
                io.stop();
            };
            coldframe::proxy::ProxyServer server(
                io, {UniqueFd(engine), UniqueFd(dial), UniqueFd(net), UniqueFd(adoptFd)}, std::move(options));
            server.start();
            started.set_value([&io] { io.stop(); });
            io.run();
        });
        m_stopProxy = future.get();
    } else {
        const int fds[4] = {engineThere.get(), dialThere.get(), netThere.get(), adopt.get()};
        m_child = ::fork();
        if (m_child == 0) {
            for (const int fd : fds) {
                ::fcntl(fd, F_SETFD, 0);
            }
            const std::string a = std::to_string(fds[0]);
            const std::string b = std::to_string(fds[1]);
            const std::string c = std::to_string(fds[2]);
            const std::string d = std::to_string(fds[3]);
            ::execl(setup.command.c_str(), setup.command.c_str(), "--engine-fd", a.c_str(), "--dial-fd", b.c_str(), "--net-fd",
                    c.c_str(), "--adopt-fd", d.c_str(), nullptr);
            ::_exit(127);
        }
    }
    m_engineReaders.emplace_back([this, fd = m_engine.get()] { engineReader(fd); });
    if (setup.dialCommand.empty()) {
        m_diallerThread = std::thread([this] { diallerLoop(); });
    } else {
        startDialler(setup.dialCommand);
        sendToDialler(nlohmann::json({{"type", "setup"}, {"policy", setup.policy}}).dump() + "\n");
        char ready[64];
        (void)::recv(m_dialEngine.get(), ready, sizeof ready, 0);
    }
    m_guest = std::make_unique<GuestThread>(std::move(netHere));
    if (!setup.start) {
        return;
    }
    sendToEngineSide(nlohmann::json({{"type", "setup"},
                                     {"sandbox", "s1"},
                                     {"caCertificatePem", m_ca.certificatePem},
                                     {"caKeyPem", m_ca.keyPem},
                                     {"policy", setup.policy},
                                     {"upstreamCaPem", setup.trusted},
                                     {"services", setup.services},
                                     {"cookie", cookie()}})
                         .dump()
                     + "\n");
    waitForMessage([](const nlohmann::json& message) { return message["type"] == "ready"; });
    m_guest->established.get_future().wait_for(std::chrono::seconds(10));
}

void Harness::startDialler(const std::string& command)
{
    auto [here, there] = makePair(SOCK_STREAM);
    m_dialEngine = std::move(here);
    const int fds[2] = {there.get(), m_dial.get()};
    m_dialChild = ::fork();
    if (m_dialChild == 0) {
        for (const int fd : fds) {
            ::fcntl(fd, F_SETFD, 0);
        }
        const std::string a = std::to_string(fds[0]);
        const std::string b = std::to_string(fds[1]);
        ::execl(command.c_str(), command.c_str(), "--engine-fd", a.c_str(), "--proxy-fd", b.c_str(), nullptr);
        ::_exit(127);
    }
    m_dial.reset(); // the dialler's alone
}

Harness::~Harness()
{
    m_guest.reset();
    if (m_stopProxy) {
        m_stopProxy();
    }
    if (m_proxyThread.joinable()) {
        m_proxyThread.join();
    }
    if (m_child > 0) {
        ::kill(m_child, SIGKILL);
        ::waitpid(m_child, nullptr, 0);
    }
    if (m_dialChild > 0) {
        ::kill(m_dialChild, SIGKILL);
        ::waitpid(m_dialChild, nullptr, 0);
    } else {
        ::shutdown(m_dial.get(), SHUT_RDWR);
        m_diallerThread.join();
    }
    dropEngine();
    for (std::thread& thread : m_engineReaders) {
        thread.join();
    }
    ::unlink(m_adoptPath.c_str());
}

void Harness::route(const std::string& hostAndPort, std::uint16_t originPort)
{
    const std::lock_guard lock(m_mutex);
    m_routes[hostAndPort] = originPort;
}

void Harness::refuse(const std::string& hostAndPort, Refusal refusal)
{
    const std::lock_guard lock(m_mutex);
    m_refusals[hostAndPort] = std::move(refusal);
}

std::vector<std::string> Harness::dialled() const
{
    const std::lock_guard lock(m_mutex);
    return m_dialled;
}

void Harness::diallerLoop()
{
    char buffer[4096];
    while (true) {
        const ssize_t count = ::recv(m_dial.get(), buffer, sizeof buffer, 0);
        if (count <= 0) {
            return;
        }
        const auto request = nlohmann::json::parse(std::string(buffer, static_cast<std::size_t>(count)));
        const std::string place = request["host"].get<std::string>() + ":" + std::to_string(request["port"].get<int>());
        nlohmann::json reply = {{"id", request["id"]}, {"ok", false}, {"address", ""}, {"reason", "no route"}, {"rule", ""}};
        UniqueFd fd;
        {
            const std::lock_guard lock(m_mutex);
            m_dialled.push_back(place);
            if (const auto refusal = m_refusals.find(place); refusal != m_refusals.end()) {
                reply["rule"] = refusal->second.rule;
                reply["reason"] = refusal->second.reason;
            } else if (const auto route = m_routes.find(place); route != m_routes.end()) {
                fd = connectLoopback(route->second);
            }
        }
        if (fd) {
            reply["ok"] = true;
            reply["address"] = "127.0.0.1";
        }
        const std::string text = reply.dump();
        struct iovec part = {const_cast<char*>(text.data()), text.size()};
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        struct msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (fd) {
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            struct cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            const int number = fd.get();
            std::memcpy(CMSG_DATA(header), &number, sizeof number);
        }
        ::sendmsg(m_dial.get(), &message, MSG_NOSIGNAL);
    }
}

Harness::Opened Harness::connect(const std::string& authority, const std::string& kind)
{
    auto [here, there] = makePair(SOCK_STREAM);
    auto promise = std::make_shared<std::promise<GuestThread::Answer>>();
    auto future = promise->get_future();
    coldframe::channel::Headers headers{{":method", "CONNECT"},
                                        {":authority", authority},
                                        {"x-coldframe-source", "process"},
                                        {"x-coldframe-kind", kind}};
    asio::post(m_guest->io, [this, headers, promise, fd = std::make_shared<UniqueFd>(std::move(there))] {
        asio::co_spawn(m_guest->io, GuestThread::open(*m_guest, headers, {}, std::move(*fd), promise), asio::detached);
    });
    Opened opened;
    if (future.wait_for(std::chrono::seconds(10)) == std::future_status::ready) {
        const GuestThread::Answer answer = future.get();
        opened.status = answer.status;
        opened.reason = answer.reason;
        opened.rule = answer.rule;
    }
    if (opened.status == 200) {
        opened.wire = std::make_unique<Wire>(std::move(here));
    }
    return opened;
}

int Harness::postReport(const std::string& body)
{
    auto promise = std::make_shared<std::promise<GuestThread::Answer>>();
    auto future = promise->get_future();
    coldframe::channel::Headers headers{
        {":method", "POST"}, {":scheme", "http"}, {":path", "/report"}, {":authority", "proxy"}};
    asio::post(m_guest->io, [this, headers, body, promise] {
        asio::co_spawn(m_guest->io, GuestThread::open(*m_guest, headers, body, UniqueFd(), promise), asio::detached);
    });
    return future.wait_for(std::chrono::seconds(10)) == std::future_status::ready ? future.get().status : 0;
}

namespace {

void sendAll(int fd, std::string_view rest)
{
    while (!rest.empty()) {
        const ssize_t count = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (count <= 0) {
            return;
        }
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
}

} // namespace

void Harness::sendToEngineSide(const std::string& bytes) { sendAll(m_engine.get(), bytes); }
void Harness::sendToDialler(const std::string& bytes) { sendAll(m_dialEngine.get(), bytes); }

void Harness::sendPolicy(const nlohmann::json& policy)
{
    const std::string line = nlohmann::json({{"type", "policy"}, {"policy", policy}}).dump() + "\n";
    if (m_dialEngine) {
        sendToDialler(line); // first, as the engine does
    }
    sendToEngineSide(line);
}

void Harness::sendKey(const std::string& service, const std::string& key)
{
    const auto frame = [](char type, const std::string& payload) {
        return std::string{type, 0, 0, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size() & 255)} + payload;
    };
    sendToEngineSide("{\"type\":\"keys\"}\n" + frame(1, service) + frame(2, key) + frame(3, ""));
}

void Harness::engineReader(int fd)
{
    std::string buffer;
    char bytes[8192];
    while (true) {
        const ssize_t count = ::recv(fd, bytes, sizeof bytes, 0);
        if (count <= 0) {
            return;
        }
        buffer.append(bytes, static_cast<std::size_t>(count));
        for (std::size_t end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
            auto message = nlohmann::json::parse(buffer.substr(0, end), nullptr, false);
            buffer.erase(0, end + 1);
            const std::lock_guard lock(m_mutex);
            m_messages.push_back(std::move(message));
        }
    }
}

nlohmann::json Harness::waitForMessage(const std::function<bool(const nlohmann::json&)>& fits, std::chrono::milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        {
            const std::lock_guard lock(m_mutex);
            for (const nlohmann::json& message : m_messages) {
                if (message.is_object() && fits(message)) {
                    return message;
                }
            }
        }
        if (std::chrono::steady_clock::now() > deadline) {
            return nullptr;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2)); // polls with a deadline
    }
}

nlohmann::json Harness::waitForConnection(const std::string& host, const std::string& verdict)
{
    const nlohmann::json message = waitForMessage([&](const nlohmann::json& candidate) {
        return candidate["type"] == "connection" && candidate["connection"]["host"] == host
               && candidate["connection"]["verdict"] == verdict;
    });
    return message.is_null() ? nlohmann::json::object() : message["connection"];
}

std::vector<nlohmann::json> Harness::connections(const std::string& host, const std::string& verdict) const
{
    std::vector<nlohmann::json> found;
    const std::lock_guard lock(m_mutex);
    for (const nlohmann::json& message : m_messages) {
        if (message.is_object() && message["type"] == "connection" && message["connection"]["host"] == host
            && message["connection"]["verdict"] == verdict) {
            found.push_back(message["connection"]);
        }
    }
    return found;
}

std::size_t Harness::countMessages(const std::string& type) const
{
    const std::lock_guard lock(m_mutex);
    return static_cast<std::size_t>(std::count_if(m_messages.begin(), m_messages.end(), [&type](const nlohmann::json& message) {
        return message.is_object() && message["type"] == type;
    }));
}

void Harness::dropEngine() { ::shutdown(m_engine.get(), SHUT_RDWR); }

nlohmann::json Harness::adopt(const std::string& line)
{
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, m_adoptPath.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0) {
        return nullptr;
    }
    ::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL);
    std::string answer;
    char byte = 0;
    while (!answer.ends_with('\n') && ::recv(fd.get(), &byte, 1, 0) == 1) {
        answer.push_back(byte);
    }
    const auto json = nlohmann::json::parse(answer, nullptr, false);
    if (json.is_object() && json["type"] == "adopted") {
        dropEngine();
        for (std::thread& thread : m_engineReaders) {
            thread.join();
        }
        m_engineReaders.clear();
        m_engine = std::move(fd);
        m_engineReaders.emplace_back([this, raw = m_engine.get()] { engineReader(raw); });
    }
    return json;
}

int Harness::exitCode(std::chrono::milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < deadline) {
        if (m_child > 0) {
            int status = 0;
            if (::waitpid(m_child, &status, WNOHANG) == m_child) {
                m_child = -1;
                return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
            }
        } else {
            const std::lock_guard lock(m_mutex);
            if (m_exitCode >= 0) {
                return m_exitCode;
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5)); // polls with a deadline
    }
    return -1;
}

void addMapping(nlohmann::json& policy, const std::string& name, std::uint16_t port, std::uint16_t originPort)
{
    policy["hostMappings"].push_back({{"name", name}, {"address", "127.0.0.1"}, {"port", port}, {"targetPort", originPort}});
}

nlohmann::json policyJson(const std::string& mode, const std::vector<std::string>& allow, const std::vector<std::string>& deny,
                          bool canAsk)
{
    nlohmann::json rules = nlohmann::json::array();
    for (const std::string& pattern : allow) {
        rules.push_back({{"id", "allow" + std::to_string(rules.size())}, {"action", "allow"}, {"pattern", pattern},
                         {"scope", "sandbox"}, {"origin", "user"}});
    }
    for (const std::string& pattern : deny) {
        rules.push_back({{"id", "deny" + std::to_string(rules.size())}, {"action", "deny"}, {"pattern", pattern},
                         {"scope", "sandbox"}, {"origin", "user"}});
    }
    return {{"version", 1}, {"mode", mode}, {"canAsk", canAsk}, {"rules", rules}};
}

} // namespace proxytest
