// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/identity.h"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace coldframe::proxy {

struct DialAnswer
{
    UniqueFd fd;
    std::string address; ///< what it is connected to, for the log
    std::string rule;    ///< set when a rule or the address check refused
    std::string reason;
};

/// The way to coldframe-dial: one JSON request a packet, the reply carries the connected descriptor. The dialler decides again,
/// resolves, and checks the address.
class DialLink
{
public:
    DialLink(asio::io_context& io, UniqueFd fd);
    ~DialLink();
    DialLink(const DialLink&) = delete;
    DialLink& operator=(const DialLink&) = delete;
    /// `onGone` is called once when the dialler has ended.
    void start(std::function<void()> onGone);

    /// A connected, non-blocking socket (fd valid), or a refusal by rule (fd invalid, rule set). Unavailable when the connection
    /// could not be made or the dialler is gone; Timeout.
    asio::awaitable<Result<DialAnswer>> dial(const Identity& identity, std::chrono::milliseconds limit);

private:
    struct State;
    static asio::awaitable<void> readLoop(std::shared_ptr<State> state);
    std::shared_ptr<State> m_state;
};

} // namespace coldframe::proxy
