// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "proxy/engine_protocol.h"
#include "proxy/limits.h"
#include "proxy/streams.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace coldframe::proxy {

/// The way to the engine. Survives the engine: lines are kept while it is away, and a new one takes over through the listening
/// socket (peer uid, then cookie, then version). Without an engine every question is answered no.
class EngineLink
{
public:
    /// `adoptFd` may be invalid (no adoption). Handlers are called on the io thread.
    EngineLink(asio::io_context& io, UniqueFd engineFd, UniqueFd adoptFd, Limits limits,
               std::function<void(EngineMessage)> onMessage, std::function<void()> onAloneTooLong);
    ~EngineLink();
    EngineLink(const EngineLink&) = delete;
    EngineLink& operator=(const EngineLink&) = delete;

    void start();
    /// After setup: who may adopt, and what the answer says.
    void allowAdoption(std::string cookie, std::string sandbox, std::function<std::uint64_t()> policyVersion);

    void send(std::string line);
    /// False while so much is unsent that nothing new may begin (HAZARDS 7).
    bool hasRoom() const;
    bool isAttached() const;
    std::size_t bufferedCount() const;
    /// Ends when everything is written, no engine is there, or the time is over.
    asio::awaitable<void> drained(std::chrono::milliseconds limit);

    /// Asks the user through the engine. No engine, too many questions, no answer in time: no. Equal questions under way share
    /// one answer.
    asio::awaitable<bool> ask(AskQuestion question, const std::string& sandbox);

private:
    struct State;
    static asio::awaitable<void> readLoop(std::shared_ptr<State> state, std::uint64_t generation);
    static asio::awaitable<void> writeLoop(std::shared_ptr<State> state, std::uint64_t generation);
    static asio::awaitable<void> adoptLoop(std::shared_ptr<State> state);
    static asio::awaitable<void> adoptOne(std::shared_ptr<State> state, UniqueFd peer);
    static void attach(const std::shared_ptr<State>& state, UniqueFd fd);
    static void detach(const std::shared_ptr<State>& state, std::uint64_t generation);
    static void handle(const std::shared_ptr<State>& state, EngineMessage message);

    std::shared_ptr<State> m_state;
};

} // namespace coldframe::proxy
