// SPDX-License-Identifier: Apache-2.0
#include "proxy/server.h"

#include "base/log.h"
#include "channel/connection.h"
#include "proxy/proxy_core.h"
#include "proxy/sandbox_filter.h"
#include "proxy/tunnel.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kCategory = "proxy";
constexpr std::chrono::milliseconds kLastWords{500};

} // namespace

struct ProxyServer::State : std::enable_shared_from_this<State>
{
    asio::io_context* io = nullptr;
    Options options;
    UniqueFd net;
    ProxyCorePtr core;
    std::unique_ptr<channel::Connection> port;
    bool ended = false;

    void end(int code, std::string_view why)
    {
        if (ended) {
            return;
        }
        ended = true;
        core->stopping = true;
        logInfo(kCategory, why);
        core->pool.clear();
        core->http2.clear();
        core->expiry.disarm();
        if (port) {
            port->close();
        }
        if (options.onEnd) {
            asio::co_spawn(*io, leave(core, weak_from_this(), code), asio::detached);
        }
    }

    /// What was said last still has to get out, in a moment or not at all.
    static asio::awaitable<void> leave(ProxyCorePtr core, std::weak_ptr<State> weak, int code)
    {
        co_await core->engine->drained(kLastWords);
        const auto state = weak.lock();
        if (state && state->options.onEnd) {
            state->options.onEnd(code);
        }
    }
};

namespace {

asio::awaitable<void> serveOne(ProxyCorePtr core, channel::StreamPtr stream)
{
    // One connection's trouble is its own: an exception (out of memory) ends it alone.
    try {
        co_await serveStream(core, stream);
    } catch (const std::exception& error) {
        logError(kCategory, std::string("a connection ended unexpectedly: ") + error.what());
        stream->reset(2); // INTERNAL_ERROR
    }
}

template <typename State> asio::awaitable<void> servePort(std::shared_ptr<State> state)
{
    constexpr int kGoneForGood = 10;
    int failures = 0;
    while (!state->ended) {
        auto established = co_await state->port->establish();
        if (!established) {
            // A guest that boots slowly answers late; a descriptor that is closed never will.
            failures = established.error().code == ErrorCode::Timeout ? 0 : failures + 1;
            if (failures >= kGoneForGood) {
                state->end(0, "The sandbox is gone; the proxy leaves.");
                co_return;
            }
            Notifier pause(*state->io);
            co_await pause.waitFor(std::chrono::milliseconds(100));
            continue;
        }
        failures = 0;
        while (!state->ended) {
            auto stream = co_await state->port->accept();
            if (!stream) {
                break;
            }
            asio::co_spawn(*state->io, serveOne(state->core, std::move(*stream)), asio::detached);
        }
    }
}

template <typename State> Result<void> setUp(const std::shared_ptr<State>& state, Setup& setup)
{
    ProxyCore& core = *state->core;
    COLDFRAME_TRY(LeafAuthority leaves, LeafAuthority::make(setup.caCertificatePem, setup.caKeyPem));
    wipe(setup.caKeyPem);
    COLDFRAME_TRY(UpstreamTls upstream, UpstreamTls::make(setup.trustedPems));
    core.leaves.emplace(std::move(leaves));
    core.upstreamTls.emplace(std::move(upstream));
    core.sandbox = setup.sandbox;
    usePolicy(core, std::make_shared<policy::PolicyIndex>(std::move(setup.policy)));
    core.injector.setServices(std::move(setup.services));
    const std::weak_ptr<ProxyCore> weak = state->core;
    core.engine->allowAdoption(setup.cookie, setup.sandbox, [weak] {
        const ProxyCorePtr strong = weak.lock();
        return strong ? strong->policy->set().version : std::uint64_t{0};
    });
    // Everything that needs descriptors of its own is made before the filter closes.
    state->port = channel::makeConnection(*state->io, state->net.release(),
                                          channel::Options{.side = channel::Side::Host, .role = channel::Role::Server});
    if (state->options.filter) {
        COLDFRAME_CHECK(enterFilter());
    }
    return {};
}

template <typename State> void onMessage(const std::shared_ptr<State>& state, EngineMessage message)
{
    ProxyCore& core = *state->core;
    const bool ready = core.policy != nullptr;
    switch (message.type) {
    case EngineMessage::Type::Setup:
        if (ready) {
            logWarning(kCategory, "A second setup was ignored.");
            break;
        }
        if (auto done = setUp(state, *message.setup); !done) {
            logError(kCategory, done.error().message + " " + done.error().detail);
            core.engine->send(encodeProblem(done.error()));
            state->end(1, "The setup failed.");
            break;
        }
        core.engine->send(encodeReady(core.sandbox));
        asio::co_spawn(*state->io, servePort(state), asio::detached);
        break;
    case EngineMessage::Type::Policy:
        usePolicy(core, std::make_shared<policy::PolicyIndex>(std::move(*message.policy)));
        break;
    case EngineMessage::Type::Services:
        core.injector.setServices(std::move(message.services));
        break;
    case EngineMessage::Type::ClientCertificates:
        if (core.upstreamTls) {
            if (auto set = core.upstreamTls->clientCertificates().set(message.certificates); !set) {
                core.engine->send(encodeProblem(set.error()));
            }
            core.pool.clear(); // connections that showed the old one, or none
            core.http2.clear();
        }
        break;
    case EngineMessage::Type::Key:
        if (message.service.starts_with(ClientCertificates::kKeyPrefix)) {
            const std::string_view host = std::string_view(message.service).substr(ClientCertificates::kKeyPrefix.size());
            if (auto set = core.upstreamTls ? core.upstreamTls->clientCertificates().setKey(host, message.key) : Result<void>(); !set) {
                core.engine->send(encodeProblem(set.error()));
            }
            core.pool.clear();
            core.http2.clear();
            break;
        }
        core.refusedKeys.erase(message.service);
        core.keysChanged.notify();
        if (auto set = core.injector.setKey(message.service, std::move(message.key)); !set) {
            core.engine->send(encodeProblem(set.error()));
        }
        core.pool.clear();
        core.http2.clear();
        break;
    case EngineMessage::Type::KeysEnd:
    case EngineMessage::Type::Answer:
    case EngineMessage::Type::Adopt:
        break;
    case EngineMessage::Type::Shutdown:
        state->end(0, "The engine asked the proxy to leave.");
        break;
    }
}

} // namespace

ProxyServer::ProxyServer(asio::io_context& io, ProxyDescriptors descriptors, Options options)
    : m_state(std::make_shared<State>())
{
    m_state->io = &io;
    m_state->options = std::move(options);
    m_state->net = std::move(descriptors.net);
    m_state->core = std::make_shared<ProxyCore>(io, m_state->options.limits);
    const std::weak_ptr<State> weak = m_state;
    m_state->core->engine = std::make_unique<EngineLink>(
        io, std::move(descriptors.engine), std::move(descriptors.adopt), m_state->options.limits,
        [weak](EngineMessage message) {
            if (const auto state = weak.lock()) {
                onMessage(state, std::move(message));
            }
        },
        [weak] {
            if (const auto state = weak.lock()) {
                state->end(0, "No engine came back in time; the proxy leaves.");
            }
        });
    m_state->core->dialler = std::make_unique<DialLink>(io, std::move(descriptors.dial));
}

ProxyServer::~ProxyServer()
{
    m_state->options.onEnd = nullptr;
    m_state->end(0, "The proxy ends.");
}

void ProxyServer::start()
{
    // Without its dialler a proxy can do nothing but refuse: it leaves, and the engine starts both anew.
    m_state->core->dialler->start([weak = std::weak_ptr(m_state)] {
        if (const auto state = weak.lock()) {
            state->end(1, "The dialler is gone; the proxy leaves.");
        }
    });
    m_state->core->engine->start();
}

std::size_t ProxyServer::connectionCount() const { return m_state->core->connections; }

} // namespace coldframe::proxy
