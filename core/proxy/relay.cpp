// SPDX-License-Identifier: Apache-2.0
#include "proxy/relay.h"

#include "proxy/streams.h"
#include "proxy/websocket_frames.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

namespace coldframe::proxy {

namespace {

struct Shared
{
    explicit Shared(asio::io_context& io) : watchdog(io), ended(io) {}
    BufferedReaderPtr client;
    BufferedReaderPtr server;
    RelayResult result;
    Watchdog watchdog;
    Notifier ended;
    bool backwardDone = false;
    bool over = false;
    bool isWebSocket = false;

    void abortBoth()
    {
        client->stream()->abort();
        server->stream()->abort();
    }
};

/// Looks below the frames of a WebSocket; finds nothing on other streams.
class PayloadScanner
{
public:
    PayloadScanner(bool on, const std::shared_ptr<const PatternSet>& patterns)
        : m_on(on && patterns && !patterns->isEmpty()), m_data(patterns), m_control(patterns)
    {
    }
    /// The tag of a match, -1 = none, kBroken = no frames.
    int feed(std::string_view bytes)
    {
        if (!m_on) {
            return -1;
        }
        std::string data;
        std::string control;
        if (!m_frames.feed(bytes, data, control)) {
            return kBroken;
        }
        std::string ignored;
        const int tag = data.empty() ? -1 : m_data.feed(data, ignored);
        return tag >= 0 || control.empty() ? tag : m_control.feed(control, ignored);
    }
    static constexpr int kBroken = -2;

private:
    bool m_on;
    WebSocketFrames m_frames;
    StreamScanner m_data;
    StreamScanner m_control;
};

/// One direction. `tag` receives what the scan found.
asio::awaitable<void> pump(std::shared_ptr<Shared> shared, BufferedReaderPtr from, ByteStreamPtr to,
                           std::shared_ptr<const PatternSet> patterns, bool hold, std::uint64_t* count, int* tag)
{
    PayloadScanner payloads(shared->isWebSocket, patterns);
    StreamScanner scanner(std::move(patterns), StreamScanner::OnMatch::Stop, hold);
    std::string out;
    while (true) {
        if (from->view().empty()) {
            auto more = co_await from->fill();
            if (!more) {
                shared->abortBoth();
                co_return;
            }
            if (*more == 0) {
                break;
            }
        }
        shared->watchdog.touch();
        out.clear();
        const std::size_t taken = from->view().size();
        const int inPayload = payloads.feed(from->view());
        *tag = inPayload >= 0 ? inPayload : scanner.feed(from->view(), out);
        from->consume(taken);
        shared->result.broken = shared->result.broken || inPayload == PayloadScanner::kBroken;
        if (*tag >= 0 || shared->result.broken) {
            shared->abortBoth();
            co_return;
        }
        *count += out.size();
        if (!out.empty()) {
            auto written = co_await to->write(out);
            if (!written) {
                shared->abortBoth();
                co_return;
            }
        }
        shared->watchdog.touch();
    }
    out.clear();
    scanner.finish(out);
    *count += out.size();
    if (!out.empty()) {
        auto written = co_await to->write(out);
        if (!written) {
            shared->abortBoth();
            co_return;
        }
    }
    co_await to->finish();
}

asio::awaitable<void> finishRead(PendingReadPtr pending)
{
    auto count = co_await pending->reader->fill();
    pending->count = std::move(count);
    pending->done = true;
    pending->arrived.notify();
}

asio::awaitable<void> backward(std::shared_ptr<Shared> shared, std::shared_ptr<const PatternSet> keys, bool hold,
                               std::chrono::milliseconds afterwards)
{
    co_await pump(shared, shared->server, shared->client->stream(), std::move(keys), hold, &shared->result.bytesIn,
                  &shared->result.keyTag);
    shared->backwardDone = true;
    if (afterwards.count() > 0 && !shared->over) {
        const std::weak_ptr<Shared> weak = shared;
        shared->watchdog.arm(afterwards, [weak] {
            if (const auto strong = weak.lock()) {
                strong->abortBoth();
            }
        });
    }
    shared->ended.notify();
}

} // namespace

PendingReadPtr startRead(asio::io_context& io, BufferedReaderPtr reader)
{
    auto pending = std::make_shared<PendingRead>(io);
    pending->reader = std::move(reader);
    asio::co_spawn(io, finishRead(pending), asio::detached);
    return pending;
}

asio::awaitable<RelayResult> relay(asio::io_context& io, BufferedReaderPtr client, BufferedReaderPtr server,
                                   RelayOptions options)
{
    auto shared = std::make_shared<Shared>(io);
    shared->client = client;
    shared->server = server;
    shared->isWebSocket = options.isWebSocket;
    const std::weak_ptr<Shared> weak = shared;
    shared->watchdog.arm(options.idle, [weak] {
        if (const auto strong = weak.lock()) {
            strong->result.idle = true;
            strong->abortBoth();
        }
    });
    asio::co_spawn(io, backward(shared, options.keys, options.holdsKeys, options.afterServer), asio::detached);
    while (options.clientRead && !options.clientRead->done) {
        co_await options.clientRead->arrived.wait();
    }
    co_await pump(shared, client, server->stream(), options.sentinels, true, &shared->result.bytesOut,
                  &shared->result.sentinelTag);
    while (!shared->backwardDone) {
        co_await shared->ended.wait();
    }
    shared->over = true;
    shared->watchdog.disarm();
    co_return shared->result;
}

} // namespace coldframe::proxy
