// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/connection.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <functional>
#include <sys/socket.h>
#include <unistd.h>

namespace coldframe::channel {

inline Options optionsOf(Side side, Role role)
{
    Options options;
    options.side = side;
    options.role = role;
    return options;
}

/// A host and a guest on the two ends of a socket pair. The test keeps a descriptor of each end, so that closing a
/// connection is invisible to the other side, as it is on a virtio port.
class ChannelPair
{
public:
    explicit ChannelPair(Role hostRole = Role::Client)
        : hostOptions(optionsOf(Side::Host, hostRole)),
          guestOptions(optionsOf(Side::Guest, hostRole == Role::Client ? Role::Server : Role::Client))
    {
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    }
    ~ChannelPair()
    {
        host.reset();
        guest.reset();
        io.restart();
        io.poll();
        ::close(ends[0]);
        ::close(ends[1]);
    }
    ChannelPair(const ChannelPair&) = delete;
    ChannelPair& operator=(const ChannelPair&) = delete;

    void startHost() { host = makeConnection(io, ::dup(ends[0]), hostOptions); }
    void startGuest() { guest = makeConnection(io, ::dup(ends[1]), guestOptions); }

    /// Runs the loop until done() or the deadline; the answer is done()'s.
    bool runUntil(const std::function<bool()>& done, std::chrono::milliseconds limit = std::chrono::seconds(20))
    {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        io.restart();
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            io.run_one_for(std::chrono::milliseconds(20));
        }
        return done();
    }

    /// Runs a coroutine to its end; nullopt when the deadline came first.
    template <typename T>
    std::optional<T> run(asio::awaitable<T> work, std::chrono::milliseconds limit = std::chrono::seconds(20))
    {
        auto result = std::make_shared<std::optional<T>>();
        asio::co_spawn(io, store(std::move(work), result), asio::detached);
        runUntil([&] { return result->has_value(); }, limit);
        return *result;
    }

    bool establish()
    {
        const auto result = run(host->establish());
        return result && result->has_value() && runUntil([this] { return guest->isAlive(); });
    }

    asio::io_context io;
    int ends[2] = {-1, -1};
    Options hostOptions;
    Options guestOptions;
    std::unique_ptr<Connection> host;
    std::unique_ptr<Connection> guest;

private:
    template <typename T>
    static asio::awaitable<void> store(asio::awaitable<T> work, std::shared_ptr<std::optional<T>> result)
    {
        T value = co_await std::move(work);
        *result = std::move(value);
    }
};

inline asio::awaitable<void> echoStream(StreamPtr stream)
{
    if (!stream->respond({{":status", "200"}})) {
        co_return;
    }
    std::vector<std::uint8_t> buffer(16 * 1024);
    for (;;) {
        const auto count = co_await stream->read(buffer);
        if (!count) {
            co_return;
        }
        if (*count == 0) {
            stream->finish();
            co_return;
        }
        const auto written = co_await stream->write(std::span(buffer).first(*count));
        if (!written) {
            co_return;
        }
    }
}

struct ServerLog
{
    int accepted = 0;
    int sessionsEnded = 0;
};

/// Accepts until the connection is of no more use, and hands each stream to `handler`.
inline asio::awaitable<void> serve(asio::io_context& io, Connection& connection, std::shared_ptr<ServerLog> log,
                                   asio::awaitable<void> (*handler)(StreamPtr))
{
    for (;;) {
        auto stream = co_await connection.accept();
        if (stream) {
            ++log->accepted;
            asio::co_spawn(io, handler(std::move(*stream)), asio::detached);
        } else if (stream.error().code == ErrorCode::Closed) {
            ++log->sessionsEnded;
        } else {
            co_return;
        }
    }
}

inline Headers connectTo(const std::string& authority) { return {{":method", "CONNECT"}, {":authority", authority}}; }
inline Headers postTo(const std::string& path)
{
    return {{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "guest"}};
}

} // namespace coldframe::channel
