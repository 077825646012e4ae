// SPDX-License-Identifier: Apache-2.0
#include "proxy/engine_link.h"

#include "base/log.h"

#include <array>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace coldframe::proxy {

namespace {

constexpr std::string_view kCategory = "proxy.engine";
constexpr std::size_t kMaxLinesAtOnce = 64;
constexpr std::size_t kMaxBytesAtOnce = 64 * 1024;

struct PendingAsk
{
    explicit PendingAsk(asio::io_context& io) : answered(io) {}
    std::string key;
    bool done = false;
    bool allow = false;
    std::vector<std::shared_ptr<Notifier>> waiters;
    Notifier answered;
};

bool isSameUser(int fd)
{
    struct ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

bool equalSecrets(const std::string& a, const std::string& b)
{
    return !a.empty() && a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace

struct EngineLink::State
{
    State(asio::io_context& context, Limits bounds) : io(context), limits(bounds), toWrite(context), written(context), alone(context) {}

    asio::io_context& io;
    Limits limits;
    std::unique_ptr<asio::posix::stream_descriptor> engine;
    std::unique_ptr<asio::posix::stream_descriptor> listener;
    UniqueFd firstEngine;
    std::uint64_t generation = 0;
    std::deque<std::string> queue;
    std::size_t queuedBytes = 0;
    Notifier toWrite;
    Notifier written;
    Watchdog alone;
    std::string cookie;
    std::string sandbox;
    std::function<std::uint64_t()> policyVersion;
    std::map<std::string, std::shared_ptr<PendingAsk>> asks;
    std::function<void(EngineMessage)> onMessage;
    std::function<void()> onAloneTooLong;
    bool stopped = false;
};

EngineLink::EngineLink(asio::io_context& io, UniqueFd engineFd, UniqueFd adoptFd, Limits limits,
                       std::function<void(EngineMessage)> onMessage, std::function<void()> onAloneTooLong)
    : m_state(std::make_shared<State>(io, limits))
{
    m_state->firstEngine = std::move(engineFd);
    if (adoptFd) {
        m_state->listener = std::make_unique<asio::posix::stream_descriptor>(io, adoptFd.release());
    }
    m_state->onMessage = std::move(onMessage);
    m_state->onAloneTooLong = std::move(onAloneTooLong);
}

EngineLink::~EngineLink()
{
    m_state->stopped = true;
    m_state->onMessage = nullptr;
    m_state->onAloneTooLong = nullptr;
    ++m_state->generation;
    m_state->engine.reset();
    m_state->listener.reset();
    m_state->alone.disarm();
    m_state->toWrite.notify();
    for (auto& [id, ask] : m_state->asks) {
        ask->done = true;
        ask->answered.notify();
    }
}

void EngineLink::start()
{
    attach(m_state, std::move(m_state->firstEngine));
    if (m_state->listener) {
        asio::co_spawn(m_state->io, adoptLoop(m_state), asio::detached);
    }
}

void EngineLink::allowAdoption(std::string cookie, std::string sandbox, std::function<std::uint64_t()> policyVersion)
{
    m_state->cookie = std::move(cookie);
    m_state->sandbox = std::move(sandbox);
    m_state->policyVersion = std::move(policyVersion);
}

void EngineLink::attach(const std::shared_ptr<State>& state, UniqueFd fd)
{
    ++state->generation;
    state->engine = std::make_unique<asio::posix::stream_descriptor>(state->io, fd.release());
    state->alone.disarm();
    asio::co_spawn(state->io, readLoop(state, state->generation), asio::detached);
    asio::co_spawn(state->io, writeLoop(state, state->generation), asio::detached);
}

void EngineLink::detach(const std::shared_ptr<State>& state, std::uint64_t generation)
{
    if (state->generation != generation || !state->engine) {
        return;
    }
    ++state->generation;
    state->engine.reset();
    state->toWrite.notify();
    state->written.notify();
    // Nobody is left to ask: what waits is refused (HAZARDS 7).
    for (auto& [id, ask] : state->asks) {
        ask->done = true;
        ask->answered.notify();
    }
    logWarning(kCategory, "The engine is gone; the proxy goes on alone with its last policy.");
    state->alone.arm(state->limits.alone, [state] {
        if (state->onAloneTooLong) {
            state->onAloneTooLong();
        }
    });
}

asio::awaitable<void> EngineLink::readLoop(std::shared_ptr<State> state, std::uint64_t generation)
{
    EngineDecoder decoder;
    std::array<char, 16384> buffer{};
    while (state->generation == generation) {
        asio::error_code error;
        const std::size_t count = co_await state->engine->async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (error || state->generation != generation) {
            break;
        }
        decoder.feed(std::string_view(buffer.data(), count));
        ::explicit_bzero(buffer.data(), count); // may have been a key
        bool good = true;
        while (good && state->generation == generation) {
            auto message = decoder.next();
            if (!message) {
                logError(kCategory, message.error().message);
                good = false;
            } else if (!*message) {
                break;
            } else {
                handle(state, std::move(**message));
            }
        }
        if (!good) {
            break;
        }
    }
    detach(state, generation);
}

void EngineLink::handle(const std::shared_ptr<State>& state, EngineMessage message)
{
    if (message.type == EngineMessage::Type::Answer) {
        const auto ask = state->asks.find(message.id);
        if (ask != state->asks.end()) {
            ask->second->allow = message.allow;
            ask->second->done = true;
            ask->second->answered.notify();
        }
        return;
    }
    if (state->onMessage) {
        state->onMessage(std::move(message));
    }
}

asio::awaitable<void> EngineLink::writeLoop(std::shared_ptr<State> state, std::uint64_t generation)
{
    while (state->generation == generation) {
        if (state->queue.empty()) {
            co_await state->toWrite.wait();
            continue;
        }
        // Where requests come quickly their lines go together: what else is ready runs first.
        co_await asio::post(state->io, asio::use_awaitable);
        if (state->generation != generation) {
            break;
        }
        std::vector<asio::const_buffer> lines;
        std::size_t bytes = 0;
        for (auto it = state->queue.begin(); it != state->queue.end() && lines.size() < kMaxLinesAtOnce && bytes < kMaxBytesAtOnce; ++it) {
            lines.push_back(asio::buffer(*it)); // a deque's elements stay where they are while others are added
            bytes += it->size();
        }
        asio::error_code error;
        std::size_t written =
            co_await asio::async_write(*state->engine, lines, asio::redirect_error(asio::use_awaitable, error));
        if (state->generation != generation) {
            break; // the lines are the next engine's now
        }
        // A line stays in the queue until it is written whole: the next engine gets it again if it was cut off.
        while (!state->queue.empty() && written >= state->queue.front().size()) {
            written -= state->queue.front().size();
            state->queuedBytes -= std::min(state->queuedBytes, state->queue.front().size());
            state->queue.pop_front();
        }
        state->written.notify();
        if (error) {
            break;
        }
    }
    detach(state, generation);
}

asio::awaitable<void> EngineLink::drained(std::chrono::milliseconds limit)
{
    const std::shared_ptr<State> state = m_state;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (state->engine && !state->queue.empty()) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            break;
        }
        co_await state->written.waitFor(left);
    }
}

void EngineLink::send(std::string line)
{
    m_state->queuedBytes += line.size();
    m_state->queue.push_back(std::move(line));
    m_state->toWrite.notify();
}

bool EngineLink::hasRoom() const
{
    return m_state->queue.size() < m_state->limits.maxBufferedEvents && m_state->queuedBytes < m_state->limits.maxBufferedBytes;
}

bool EngineLink::isAttached() const { return m_state->engine != nullptr; }

std::size_t EngineLink::bufferedCount() const { return m_state->queue.size(); }

asio::awaitable<bool> EngineLink::ask(AskQuestion question, const std::string& sandbox)
{
    const std::shared_ptr<State> state = m_state;
    if (!state->engine || state->stopped) {
        co_return false;
    }
    const std::string key = question.host + " " + std::to_string(question.port) + " " + question.protocol;
    std::shared_ptr<PendingAsk> pending;
    for (auto& [id, other] : state->asks) {
        if (other->key == key && !other->done) {
            pending = other;
        }
    }
    if (pending) {
        auto waiter = std::make_shared<Notifier>(state->io);
        pending->waiters.push_back(waiter);
        while (!pending->done) {
            co_await waiter->wait();
        }
        co_return pending->allow;
    }
    if (state->asks.size() >= state->limits.maxPendingAsks) {
        co_return false;
    }
    pending = std::make_shared<PendingAsk>(state->io);
    pending->key = key;
    state->asks[question.id] = pending;
    send(encodeAsk(question, sandbox));
    const auto deadline = std::chrono::steady_clock::now() + state->limits.ask;
    while (!pending->done) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            break;
        }
        co_await pending->answered.waitFor(left);
    }
    pending->done = true;
    for (const std::shared_ptr<Notifier>& waiter : pending->waiters) {
        waiter->notify();
    }
    state->asks.erase(question.id);
    co_return pending->allow;
}

asio::awaitable<void> EngineLink::adoptLoop(std::shared_ptr<State> state)
{
    while (!state->stopped && state->listener) {
        asio::error_code error;
        co_await state->listener->async_wait(asio::posix::stream_descriptor::wait_read,
                                             asio::redirect_error(asio::use_awaitable, error));
        if (error || state->stopped) {
            co_return;
        }
        UniqueFd peer(::accept4(state->listener->native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!peer) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
                co_return;
            }
            continue;
        }
        if (!isSameUser(peer.get())) {
            logWarning(kCategory, "Another user tried to take the proxy over; refused.");
            continue;
        }
        co_await adoptOne(state, std::move(peer));
    }
}

asio::awaitable<void> EngineLink::adoptOne(std::shared_ptr<State> state, UniqueFd peer)
{
    // Read the first line byte-exactly: what follows it belongs to the next reader.
    asio::posix::stream_descriptor stream(state->io, peer.release());
    Watchdog watchdog(state->io);
    watchdog.arm(state->limits.adopt, [&stream] {
        asio::error_code ignored;
        stream.cancel(ignored);
    });
    std::string line;
    while (line.size() < 4096 && (line.empty() || line.back() != '\n')) {
        char byte = 0;
        asio::error_code error;
        co_await stream.async_read_some(asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return;
        }
        line.push_back(byte);
    }
    watchdog.disarm();
    EngineDecoder decoder;
    decoder.feed(line);
    auto message = decoder.next();
    const bool isAdopt = message && *message && (*message)->type == EngineMessage::Type::Adopt;
    std::string answer;
    bool accepted = false;
    if (!isAdopt || !equalSecrets((*message)->cookie, state->cookie)) {
        answer = encodeProblem(Error{ErrorCode::NotAllowed, "This is not the engine that this proxy belongs to.", {}});
    } else if ((*message)->version != kEngineProtocolVersion) {
        answer = encodeProblem(Error{ErrorCode::Protocol, "The proxy speaks another version of the engine's protocol.", {}});
    } else {
        accepted = true;
        answer = encodeAdopted(state->sandbox, state->policyVersion ? state->policyVersion() : 0, state->queue.size());
    }
    asio::error_code error;
    co_await asio::async_write(stream, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, error));
    if (accepted && !error && !state->stopped) {
        logInfo(kCategory, "A new engine has taken the proxy over.");
        attach(state, UniqueFd(stream.release()));
    }
}

} // namespace coldframe::proxy
