// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.h"
#include "channel/connection.h"
#include "proxy/byte_stream.h"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>

namespace coldframe::proxy {

/// A stream of the net port. `onReset` is the HTTP/2 error code of abort() (CONNECT_ERROR: a TCP reset for the guest).
ByteStreamPtr makeGuestStream(channel::StreamPtr stream);

/// A connected socket from the dialler.
ByteStreamPtr makeSocketStream(asio::io_context& io, UniqueFd fd);
/// Whether an idle socket stream made above is still usable: not ended, no unasked bytes. False for other kinds.
bool isSocketQuiet(const ByteStream& stream);

/// Bytes already read, then the stream itself.
ByteStreamPtr makePrefixedStream(std::string prefix, ByteStreamPtr stream);

/// Calls `action` once after a time without a touch. For idle and total limits. Holds nothing alive after disarm().
class Watchdog
{
public:
    explicit Watchdog(asio::io_context& io);
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
    /// Starts anew with this limit. Cheap: a timer that is already under way looks at the new limit when it ends, if that is not later.
    void arm(std::chrono::milliseconds limit, std::function<void()> action);
    /// Something moved: the limit counts from now. Cheap.
    void touch() { m_state->last = std::chrono::steady_clock::now(); }
    /// The action is forgotten; the timer ends by itself or with this.
    void disarm() { m_state->action = nullptr; }
    bool hasFired() const { return m_state->fired; }

private:
    struct State
    {
        explicit State(asio::io_context& io) : timer(io) {}
        asio::steady_timer timer;
        std::chrono::steady_clock::time_point last;
        std::chrono::milliseconds limit{0};
        std::function<void()> action; ///< empty: disarmed
        std::optional<std::chrono::steady_clock::time_point> wakesAt; ///< of the timer under way
        std::uint64_t generation = 0;
        bool fired = false;
    };
    static void wait(const std::shared_ptr<State>& state, std::chrono::steady_clock::time_point until);
    std::shared_ptr<State> m_state;
};

/// Something one coroutine waits for and another announces. Check the condition in a loop around wait().
class Notifier
{
public:
    explicit Notifier(asio::io_context& io);
    asio::awaitable<void> wait();
    /// False when the time ran out.
    asio::awaitable<bool> waitFor(std::chrono::milliseconds limit);
    void notify() { ++m_count; m_timer.cancel(); }

private:
    asio::steady_timer m_timer;
    std::uint64_t m_count = 0;
};

} // namespace coldframe::proxy
