// SPDX-License-Identifier: Apache-2.0
#include "proxy/http2_connection.h"

#include "base/secret.h"

#include <algorithm>
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

namespace coldframe::proxy {

namespace {

constexpr std::size_t kReadBytes = 32 * 1024;
constexpr std::size_t kWriteBytes = 32 * 1024;
/// What a stream may hold unsent before its writer waits.
constexpr std::size_t kRoom = 16 * 1024;
constexpr std::chrono::seconds kLinger{2};

} // namespace

Http2Connection::Http2Connection(asio::io_context& io, ByteStreamPtr stream, Options options)
    : m_io(io), m_stream(std::move(stream)), m_options(std::move(options)),
      m_codec(m_options.role, m_options.limits,
              {.request = m_options.request, .broken = m_options.broken, .outputWanted = [this] { wakeWriter(); }}),
      m_wake(io), m_ended(io), m_watchdog(io)
{
}

void Http2Connection::start()
{
    m_running = 2;
    watch();
    asio::co_spawn(m_io, reader(shared_from_this()), asio::detached);
    asio::co_spawn(m_io, writer(shared_from_this()), asio::detached);
}

asio::awaitable<void> Http2Connection::ended()
{
    while (m_running > 0) {
        co_await m_ended.wait();
    }
}

void Http2Connection::shutDown(std::uint32_t code)
{
    if (!m_over && !m_leaving) {
        m_leaving = true;
        m_codec.shutDown(code);
    }
}

void Http2Connection::abort()
{
    m_over = true;
    m_stream->abort();
    wakeWriter();
}

void Http2Connection::watch()
{
    // A header section that trickles in, and a connection that nobody uses; streams have watchdogs of their own.
    const Watched wanted = m_codec.isCollecting()          ? Watched::Head
                           : m_codec.streamCount() == 0 ? Watched::Idle
                                                        : Watched::Nothing;
    if (wanted == m_watched) {
        return;
    }
    m_watched = wanted;
    if (wanted == Watched::Nothing) {
        m_watchdog.disarm();
        return;
    }
    const std::weak_ptr<Http2Connection> weak = weak_from_this();
    m_watchdog.arm(wanted == Watched::Head ? m_options.head : m_options.idle, [weak] {
        const Http2ConnectionPtr self = weak.lock();
        if (!self) {
            return;
        }
        if (self->m_watched == Watched::Head || self->m_leaving) {
            self->abort();
            return;
        }
        self->shutDown();
        self->m_watched = Watched::Nothing;
        self->watch(); // what has not left by then is dropped
    });
}

void Http2Connection::finishOne()
{
    --m_running;
    m_ended.notify();
}

asio::awaitable<void> Http2Connection::reader(std::shared_ptr<Http2Connection> self)
{
    std::string buffer(kReadBytes, '\0');
    const std::span<std::uint8_t> space(reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size());
    while (true) {
        auto count = co_await self->m_stream->read(space);
        if (!count || *count == 0 || self->m_over) {
            break;
        }
        const Result<void> fed = self->m_codec.feed(std::string_view(buffer).substr(0, *count));
        if (!fed) {
            break; // a flood, or no HTTP/2 at all; other violations are answered by the codec itself
        }
        self->wakeWriter();
        self->watch();
    }
    self->m_over = true;
    self->m_watchdog.disarm();
    self->m_codec.abandon();
    self->wakeWriter();
    self->m_stream->abort();
    self->finishOne();
}

asio::awaitable<void> Http2Connection::writer(std::shared_ptr<Http2Connection> self)
{
    std::string out;
    while (!self->m_over) {
        out.clear();
        const Result<void> produced = self->m_codec.produce(out, kWriteBytes);
        if (!produced) {
            break;
        }
        self->watch();
        if (out.empty()) {
            if (self->m_codec.isOver()) {
                break;
            }
            out = std::string(); // a quiet connection keeps no buffer
            self->m_writerWaits = true;
            co_await self->m_wake.wait();
            continue;
        }
        auto written = co_await self->m_stream->write(out);
        if (self->m_secret) {
            wipe(out);
        }
        if (!written) {
            break;
        }
    }
    if (!self->m_over) {
        // All is said. The peer has a moment to read it and to end its side, which ends the reader.
        const ByteStreamPtr stream = self->m_stream;
        self->m_leaving = true;
        self->m_watched = Watched::Head;
        self->m_watchdog.arm(kLinger, [stream] { stream->abort(); });
        co_await stream->finish();
    }
    self->finishOne();
}

void Http2Connection::wakeWriter()
{
    if (m_writerWaits) {
        m_writerWaits = false;
        m_wake.notify();
    }
}

Http2StreamIo::Http2StreamIo(Http2ConnectionPtr connection, Http2StreamPtr stream)
    : m_connection(std::move(connection)), m_stream(std::move(stream)), m_inbound(m_connection->io()),
      m_outbound(m_connection->io())
{
    m_stream->changed = [this] { changed(); };
}

Http2StreamIo::~Http2StreamIo() { m_connection->codec().drop(m_stream); }

void Http2StreamIo::changed()
{
    m_inbound.notify();
    m_outbound.notify();
    if (isGone() && m_onGone) {
        const std::function<void()> action = std::exchange(m_onGone, nullptr);
        action();
    }
}

asio::awaitable<HttpResult<bool>> Http2StreamIo::readBody(std::string& plain)
{
    while (true) {
        const std::string_view data = m_stream->inbound().substr(0, kReadBytes);
        const bool whole = data.size() == m_stream->inbound().size();
        plain.append(data);
        m_connection->codec().consume(m_stream, data.size());
        if (whole && m_stream->peerEnded && !m_stopped) {
            m_trailers = cleanTrailers(m_stream->trailers);
            co_return true;
        }
        if (!plain.empty()) {
            co_return false;
        }
        if (m_stopped || m_stream->isClosed) {
            co_return tl::unexpected(HttpError{0, "The stream was reset."});
        }
        if (!m_stream->problem.empty()) {
            co_return tl::unexpected(HttpError{400, m_stream->problem});
        }
        co_await m_inbound.wait();
    }
}

bool Http2StreamIo::hasBody() const
{
    return m_stopped || m_stream->isClosed || m_stream->peerEnded || !m_stream->inbound().empty();
}

void Http2StreamIo::putBody(std::string_view data)
{
    if (!m_stream->isClosed && !data.empty()) {
        m_stream->outgoing.append(data);
        m_written += data.size();
    }
}

void Http2StreamIo::putEnd(const HeaderList& trailers)
{
    m_stream->endTrailers = trailers;
    m_stream->isEnding = true;
}

asio::awaitable<bool> Http2StreamIo::flush(bool all)
{
    m_connection->codec().resume(m_stream);
    while (!m_stream->isClosed && m_stream->unsent() > (all ? 0 : kRoom)) {
        co_await m_outbound.wait();
    }
    // A peer that has read everything may close before we look.
    co_return !isGone();
}

asio::awaitable<bool> Http2StreamIo::waitForHead()
{
    while (m_stream->heads.empty() && !m_stream->isClosed) {
        co_await m_inbound.wait();
    }
    co_return !m_stream->heads.empty();
}

void Http2StreamIo::reset(std::uint32_t code)
{
    m_onGone = nullptr;
    m_connection->codec().reset(m_stream, code);
}

void Http2StreamIo::stopReading()
{
    m_stopped = true;
    m_inbound.notify();
}

HeaderList cleanTrailers(const HeaderList& fields)
{
    static constexpr std::array<std::string_view, 16> kForbidden = {
        "authorization", "connection", "content-encoding", "content-length", "content-range", "content-type", "cookie", "host",
        "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "set-cookie", "te", "transfer-encoding",
        "upgrade"};
    HeaderList result;
    for (const HeaderField& field : fields.fields()) {
        const std::string name = lowerCase(field.name);
        if (!name.starts_with(':') && !name.starts_with("x-coldframe-")
            && std::find(kForbidden.begin(), kForbidden.end(), name) == kForbidden.end()) {
            result.add(name, field.value);
        }
    }
    return result;
}

} // namespace coldframe::proxy
