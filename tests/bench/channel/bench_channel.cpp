// SPDX-License-Identifier: Apache-2.0
// What the channel costs: one direction in bulk, and one byte there and back, over a socket pair in one thread,
// beside the same through the bare sockets and the same event loop. Argument: megabytes (default 200).
#include "unit/channel/channel_pair.h"

#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <cstdio>
#include <cstdlib>
#include <utility>

using namespace coldframe;
using namespace coldframe::channel;
using Socket = asio::local::stream_protocol::socket;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kChunk = 64 * 1024;
using OptionalDone = std::optional<bool>;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

asio::awaitable<void> rawSend(Socket& socket, std::size_t total)
{
    const std::vector<std::uint8_t> chunk(kChunk, 'x');
    for (std::size_t sent = 0; sent < total; sent += kChunk) {
        co_await asio::async_write(socket, asio::buffer(chunk), asio::use_awaitable);
    }
}

asio::awaitable<bool> rawReceive(Socket& socket, std::size_t total)
{
    std::vector<std::uint8_t> chunk(kChunk);
    for (std::size_t received = 0; received < total;) {
        received += co_await socket.async_read_some(asio::buffer(chunk), asio::use_awaitable);
    }
    co_return true;
}

asio::awaitable<void> rawEcho(Socket& socket, int rounds)
{
    std::uint8_t byte = 0;
    for (int i = 0; i < rounds; ++i) {
        co_await asio::async_read(socket, asio::buffer(&byte, 1), asio::use_awaitable);
        co_await asio::async_write(socket, asio::buffer(&byte, 1), asio::use_awaitable);
    }
}

asio::awaitable<bool> rawRounds(Socket& socket, int rounds)
{
    std::uint8_t byte = 0;
    for (int i = 0; i < rounds; ++i) {
        co_await asio::async_write(socket, asio::buffer(&byte, 1), asio::use_awaitable);
        co_await asio::async_read(socket, asio::buffer(&byte, 1), asio::use_awaitable);
    }
    co_return true;
}

asio::awaitable<void> streamSend(StreamPtr stream, std::size_t total)
{
    const std::vector<std::uint8_t> chunk(kChunk, 'x');
    for (std::size_t sent = 0; sent < total; sent += kChunk) {
        const auto written = co_await stream->write(chunk);
        if (!written) {
            co_return;
        }
    }
    stream->finish();
}

asio::awaitable<bool> streamReceive(StreamPtr stream, std::size_t total)
{
    std::vector<std::uint8_t> chunk(kChunk);
    std::size_t received = 0;
    for (;;) {
        const auto count = co_await stream->read(chunk);
        if (!count || *count == 0) {
            co_return received >= total;
        }
        received += *count;
    }
}

asio::awaitable<bool> streamRounds(StreamPtr stream, int rounds)
{
    std::uint8_t byte = 0;
    for (int i = 0; i < rounds; ++i) {
        const auto written = co_await stream->write(std::span(&byte, 1));
        if (!written) {
            co_return false;
        }
        const auto count = co_await stream->read(std::span(&byte, 1));
        if (!count || *count != 1) {
            co_return false;
        }
    }
    co_return true;
}

void require(bool holds, const char* what)
{
    if (!holds) {
        std::fprintf(stderr, "bench_channel: %s failed\n", what);
        std::exit(1);
    }
}

std::pair<StreamPtr, StreamPtr> connectedStreams(ChannelPair& pair)
{
    const auto opened = pair.host->open(postTo("/bench"));
    require(opened.has_value(), "opening a stream");
    const auto accepted = pair.run(pair.guest->accept());
    require(accepted && accepted->has_value() && (**accepted)->respond({{":status", "200"}}), "accepting it");
    return {*opened, **accepted};
}

} // namespace

int main(int argc, char** argv)
{
    const std::size_t megabytes = argc > 1 ? static_cast<std::size_t>(std::strtoul(argv[1], nullptr, 10)) : 200;
    const std::size_t total = megabytes * 1'000'000;
    const int rounds = static_cast<int>(megabytes) * 100;
    const auto limit = std::chrono::minutes(5);

    ChannelPair pair;
    Socket left(pair.io);
    Socket right(pair.io);
    int raw[2] = {-1, -1};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw) == 0, "socketpair");
    left.assign(asio::local::stream_protocol(), raw[0]);
    right.assign(asio::local::stream_protocol(), raw[1]);

    auto start = Clock::now();
    asio::co_spawn(pair.io, rawSend(left, total), asio::detached);
    require(pair.run(rawReceive(right, total), limit).value_or(false), "the bare transfer");
    const double rawRate = static_cast<double>(megabytes) / secondsSince(start);
    // The last chunk may overshoot by less than kChunk: empty the socket before the round trips.
    while (right.available() > 0) {
        std::vector<std::uint8_t> rest(right.available());
        asio::read(right, asio::buffer(rest));
    }
    start = Clock::now();
    asio::co_spawn(pair.io, rawEcho(right, rounds), asio::detached);
    require(pair.run(rawRounds(left, rounds), limit).value_or(false), "the bare round trips");
    const double rawTrip = secondsSince(start) / rounds * 1e6;

    pair.startHost();
    pair.startGuest();
    require(pair.establish(), "establishing");
    const auto [bulkClient, bulkServer] = connectedStreams(pair);
    start = Clock::now();
    asio::co_spawn(pair.io, streamSend(bulkClient, total), asio::detached);
    require(pair.run(streamReceive(bulkServer, total), limit).value_or(false), "the transfer");
    const double rate = static_cast<double>(megabytes) / secondsSince(start);

    const auto opened = pair.host->open(postTo("/echo"));
    const auto accepted = pair.run(pair.guest->accept());
    require(opened && accepted && accepted->has_value(), "opening the echo");
    asio::co_spawn(pair.io, echoStream(**accepted), asio::detached);
    start = Clock::now();
    require(pair.run(streamRounds(*opened, rounds), limit).value_or(false), "the round trips");
    const double trip = secondsSince(start) / rounds * 1e6;

    std::printf("bulk        channel %8.1f MB/s   socket pair %8.1f MB/s   ratio %.2f\n", rate, rawRate, rate / rawRate);
    std::printf("round trip  channel %8.1f us     socket pair %8.1f us     ratio %.2f\n", trip, rawTrip, trip / rawTrip);
    return 0;
}
