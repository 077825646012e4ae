// SPDX-License-Identifier: Apache-2.0
#include "channel/connection.h"

#include "base/log.h"
#include "base/random.h"
#include "base/unique_fd.h"
#include "channel/channel_stream.h"
#include "channel/http2_session.h"
#include "channel/record_layer.h"
#include "channel/signal.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::channel {

namespace {

using namespace std::chrono_literals;

constexpr auto kHelloInterval = 200ms;
constexpr auto kFirstPause = 20ms;
constexpr auto kLongestPause = 200ms;
/// HTTP/2 frames are made into records only while less than this is unsent; with a record of twice this and a
/// frame more than asked for that stays under 64 KiB.
constexpr std::size_t kRefillBelow = 16 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;
/// Full reads in a row before other work of the thread gets its turn.
constexpr int kReadsInARow = 4;
constexpr std::string_view kLogCategory = "channel";

bool isSocket(int fd)
{
    struct stat status{};
    return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/// A pause that grows while nothing happens: what a descriptor needs that is always "ready" and never gives.
class Backoff
{
public:
    explicit Backoff(asio::io_context& io) : m_timer(io) {}
    void cancel() { m_timer.cancel(); }
    void reset() { m_pause = kFirstPause; }
    asio::awaitable<void> wait()
    {
        m_timer.expires_after(m_pause);
        m_pause = std::min<std::chrono::milliseconds>(m_pause * 2, kLongestPause);
        asio::error_code cancelled;
        co_await m_timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }

private:
    asio::steady_timer m_timer;
    std::chrono::milliseconds m_pause = kFirstPause;
};

} // namespace

/// What the connection's coroutines share; it lives as long as one of them. On the io_context's thread.
class ConnectionCore : public std::enable_shared_from_this<ConnectionCore>
{
public:
    ConnectionCore(asio::io_context& io, Options options)
        : m_io(io), m_options(options), m_descriptor(io), m_records(options.side), m_readBuffer(kReadBytes),
          m_readPause(io), m_writePause(io), m_outputSignal(io), m_stateSignal(io), m_acceptSignal(io)
    {
    }

    void start(int fd);
    void shutDown(Error reason);

    static asio::awaitable<Result<void>> establish(std::shared_ptr<ConnectionCore> self);
    static asio::awaitable<Result<StreamPtr>> accept(std::shared_ptr<ConnectionCore> self);
    static asio::awaitable<Error> closed(std::shared_ptr<ConnectionCore> self);
    Result<StreamPtr> open(const Headers& headers, bool endStream);
    bool isAlive() const { return m_http2 != nullptr; }
    std::uint64_t sessionNumber() const { return m_sessionNumber; }

private:
    static asio::awaitable<void> readLoop(std::shared_ptr<ConnectionCore> self);
    static asio::awaitable<void> writeLoop(std::shared_ptr<ConnectionCore> self);
    ssize_t writeSome(std::string_view bytes);
    void processInput(std::span<const std::uint8_t> bytes);
    void fillOutput();
    void startSession();
    /// Drops the streams; the record layer is out of the session already, or is told here.
    void endSession(Error reason);
    void forget(const Http2StreamPtr& stream);

    asio::io_context& m_io;
    Options m_options;
    asio::posix::stream_descriptor m_descriptor;
    int m_fd = -1;
    bool m_isSocket = false;
    bool m_isShut = false;
    bool m_isUnannounced = false; ///< a session that no establish() has reported yet
    Error m_lastError{ErrorCode::Closed, "The channel is not established.", {}};
    RecordLayer m_records;
    std::shared_ptr<Http2Session> m_http2;
    std::uint64_t m_sessionNumber = 0;
    std::deque<std::shared_ptr<ChannelStream>> m_accepted; ///< null marks the end of a session
    std::vector<std::uint8_t> m_readBuffer;
    std::string m_frames;
    Backoff m_readPause;
    Backoff m_writePause;
    Signal m_outputSignal;
    Signal m_stateSignal;
    Signal m_acceptSignal;
};

void ConnectionCore::start(int fd)
{
    UniqueFd owned(fd);
    asio::error_code error;
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        error = asio::error_code(errno, asio::system_category());
    } else {
        m_descriptor.assign(fd, error);
    }
    if (error) {
        shutDown({ErrorCode::Unavailable, "The channel's port cannot be used.", error.message()});
        return;
    }
    m_fd = owned.release();
    m_isSocket = isSocket(m_fd);
    asio::co_spawn(m_io, readLoop(shared_from_this()), asio::detached);
    asio::co_spawn(m_io, writeLoop(shared_from_this()), asio::detached);
}

void ConnectionCore::shutDown(Error reason)
{
    if (m_isShut) {
        return;
    }
    m_isShut = true;
    endSession(std::move(reason));
    m_fd = -1;
    asio::error_code ignored;
    m_descriptor.close(ignored);
    m_readPause.cancel();
    m_writePause.cancel();
    m_outputSignal.notify();
    m_stateSignal.notify();
    m_acceptSignal.notify();
}

asio::awaitable<void> ConnectionCore::readLoop(std::shared_ptr<ConnectionCore> self)
{
    int readsInARow = 0;
    while (!self->m_isShut) {
        const ssize_t count = ::read(self->m_fd, self->m_readBuffer.data(), self->m_readBuffer.size());
        const int error = errno;
        if (count > 0) {
            self->m_readPause.reset();
            const auto size = static_cast<std::size_t>(count);
            self->processInput(std::span(self->m_readBuffer).first(size));
            if (self->m_isShut || (size == self->m_readBuffer.size() && ++readsInARow < kReadsInARow)) {
                continue;
            }
            readsInARow = 0;
        } else if (count == 0 && self->m_isSocket) {
            self->shutDown({ErrorCode::Unavailable, "The other end of the channel is gone.", "end of file"});
            break;
        } else if (count == 0 || (error == EIO && !self->m_isSocket)) {
            // No host is attached to the port. It looks readable all the same, so only time can be waited for.
            co_await self->m_readPause.wait();
            continue;
        } else if (error == EINTR) {
            continue;
        } else if (error != EAGAIN) {
            self->shutDown({ErrorCode::Unavailable, "The other end of the channel is gone.", std::strerror(error)});
            break;
        }
        asio::error_code waitError;
        co_await self->m_descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                               asio::redirect_error(asio::use_awaitable, waitError));
    }
}

ssize_t ConnectionCore::writeSome(std::string_view bytes)
{
    return m_isSocket ? ::send(m_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                      : ::write(m_fd, bytes.data(), bytes.size());
}

asio::awaitable<void> ConnectionCore::writeLoop(std::shared_ptr<ConnectionCore> self)
{
    bool hasWaited = false;
    while (!self->m_isShut) {
        self->fillOutput();
        if (self->m_isShut) {
            break;
        }
        const std::string_view bytes = self->m_records.output();
        if (bytes.empty()) {
            co_await self->m_outputSignal.wait();
            continue;
        }
        const ssize_t count = self->writeSome(bytes);
        const int error = errno;
        if (count > 0) {
            self->m_records.consumeOutput(static_cast<std::size_t>(count));
            self->m_writePause.reset();
            hasWaited = false;
            continue;
        }
        if (count < 0 && error == EINTR) {
            continue;
        }
        if (count < 0 && error != EAGAIN && (error != EIO || self->m_isSocket)) {
            self->shutDown({ErrorCode::Unavailable, "The other end of the channel is gone.", std::strerror(error)});
            break;
        }
        if (hasWaited) {
            // A port without a host is reported by poll as hung up, which ends every wait at once.
            hasWaited = false;
            co_await self->m_writePause.wait();
            continue;
        }
        hasWaited = true;
        asio::error_code waitError;
        co_await self->m_descriptor.async_wait(asio::posix::stream_descriptor::wait_write,
                                               asio::redirect_error(asio::use_awaitable, waitError));
    }
}

void ConnectionCore::processInput(std::span<const std::uint8_t> bytes)
{
    m_records.feed(bytes);
    while (auto event = m_records.next()) {
        switch (event->kind) {
        case RecordEvent::Kind::SessionStarted:
            startSession();
            break;
        case RecordEvent::Kind::SessionEnded:
            endSession({ErrorCode::Closed, "The channel's session ended.", std::move(event->reason)});
            break;
        case RecordEvent::Kind::Data:
            if (const auto session = m_http2) {
                auto fed = session->feed(event->data);
                if (!fed || session->isOver()) {
                    endSession(fed ? Error{ErrorCode::Protocol, "The channel's session ended.", "GOAWAY"} : fed.error());
                }
            }
            break;
        }
    }
    m_outputSignal.notify();
}

void ConnectionCore::fillOutput()
{
    while (m_http2 && m_records.output().size() < kRefillBelow) {
        m_frames.clear();
        auto produced = m_http2->produce(m_frames, kRefillBelow);
        if (!m_frames.empty()) {
            m_records.sendData(m_frames);
        }
        if (!produced || m_http2->isOver()) {
            endSession({ErrorCode::Protocol, "The channel's session ended.", produced ? "GOAWAY" : produced.error().detail});
            return;
        }
        if (m_frames.empty()) {
            return;
        }
    }
}

void ConnectionCore::startSession()
{
    ++m_sessionNumber;
    m_isUnannounced = true;
    Http2Session::Events events;
    events.incoming = [this](const Http2StreamPtr& stream) {
        m_accepted.push_back(std::make_shared<ChannelStream>(m_io, m_http2, stream));
        m_acceptSignal.notify();
    };
    events.closed = [this](const Http2StreamPtr& stream) { forget(stream); };
    events.outputWanted = [this] { m_outputSignal.notify(); };
    m_http2 = std::make_shared<Http2Session>(m_options.role, m_options, std::move(events));
    logDebug(kLogCategory, "session " + std::to_string(m_sessionNumber) + " established");
    m_stateSignal.notify();
    m_outputSignal.notify();
}

void ConnectionCore::endSession(Error reason)
{
    m_lastError = std::move(reason);
    m_records.end();
    if (const auto session = std::exchange(m_http2, nullptr)) {
        logDebug(kLogCategory, "session " + std::to_string(m_sessionNumber) + " ended: " + m_lastError.detail);
        session->abandon();
        m_accepted.clear();
        m_accepted.push_back(nullptr);
    }
    m_stateSignal.notify();
    m_acceptSignal.notify();
    m_outputSignal.notify();
}

/// A stream reset before anyone accepted it is of interest to nobody; what it holds is freed now.
void ConnectionCore::forget(const Http2StreamPtr& stream)
{
    if (stream->errorCode != kHttp2NoError) {
        std::erase_if(m_accepted, [&stream](const auto& waiting) { return waiting && waiting->state() == stream; });
    }
}

asio::awaitable<Result<void>> ConnectionCore::establish(std::shared_ptr<ConnectionCore> self)
{
    if (self->m_isShut) {
        co_return tl::unexpected(self->m_lastError);
    }
    if (self->m_options.side == Side::Guest) {
        while (!self->isAlive() && !self->m_isShut) {
            co_await self->m_stateSignal.wait();
        }
        if (self->m_isShut) {
            co_return tl::unexpected(self->m_lastError);
        }
        co_return Result<void>{};
    }
    if (self->isAlive() && self->m_isUnannounced) {
        // The echo came after an earlier call had given up waiting: that session is as good as a new one.
        self->m_isUnannounced = false;
        co_return Result<void>{};
    }
    if (self->isAlive()) {
        self->endSession({ErrorCode::Closed, "The channel's session ended.", "replaced by a new one"});
    }
    // Whoever asks for a new session knows that the old one is gone.
    self->m_accepted.clear();
    SessionId session{};
    fillRandom(session);
    self->m_records.begin(session);
    self->m_outputSignal.notify();
    const auto deadline = std::chrono::steady_clock::now() + self->m_options.helloTimeout;
    asio::steady_timer repeat(self->m_io);
    while (!self->isAlive() && !self->m_isShut) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= deadline) {
            const Error late{ErrorCode::Timeout, "The sandbox does not answer: its port is held or it hangs.",
                             "no HELLO_ACK"};
            self->m_lastError = late;
            co_return tl::unexpected(late);
        }
        // The echo wakes this at once through the state signal; the timer only sets the pace of HELLO.
        repeat.expires_at(std::min<std::chrono::steady_clock::time_point>(now + kHelloInterval, deadline));
        repeat.async_wait([self](const asio::error_code& cancelled) {
            if (!cancelled) {
                self->m_stateSignal.notify();
            }
        });
        co_await self->m_stateSignal.wait();
        repeat.cancel();
        if (!self->isAlive() && !self->m_isShut) {
            self->m_records.repeatHello();
            self->m_outputSignal.notify();
        }
    }
    if (self->m_isShut) {
        co_return tl::unexpected(self->m_lastError);
    }
    self->m_isUnannounced = false;
    co_return Result<void>{};
}

asio::awaitable<Result<StreamPtr>> ConnectionCore::accept(std::shared_ptr<ConnectionCore> self)
{
    while (self->m_accepted.empty() && !self->m_isShut) {
        co_await self->m_acceptSignal.wait();
    }
    if (self->m_isShut) {
        co_return tl::unexpected(self->m_lastError);
    }
    const StreamPtr stream = std::move(self->m_accepted.front());
    self->m_accepted.pop_front();
    if (!stream) {
        co_return fail(ErrorCode::Closed, "The channel's session ended.");
    }
    co_return stream;
}

asio::awaitable<Error> ConnectionCore::closed(std::shared_ptr<ConnectionCore> self)
{
    const auto session = self->m_sessionNumber;
    while (self->isAlive() && self->m_sessionNumber == session) {
        co_await self->m_stateSignal.wait();
    }
    co_return self->m_lastError;
}

Result<StreamPtr> ConnectionCore::open(const Headers& headers, bool endStream)
{
    if (!m_http2) {
        return tl::unexpected(m_lastError);
    }
    if (m_options.role != Role::Client) {
        return fail(ErrorCode::InvalidArgument, "Only the client of a channel opens streams.");
    }
    COLDFRAME_TRY(auto state, m_http2->request(headers, endStream));
    return StreamPtr(std::make_shared<ChannelStream>(m_io, m_http2, std::move(state)));
}

namespace {

class PortConnection final : public Connection
{
public:
    PortConnection(asio::io_context& io, int fd, Options options) : m_core(std::make_shared<ConnectionCore>(io, options))
    {
        m_core->start(fd);
    }
    ~PortConnection() override { close(); }
    PortConnection(const PortConnection&) = delete;
    PortConnection& operator=(const PortConnection&) = delete;

    asio::awaitable<Result<void>> establish() override { return ConnectionCore::establish(m_core); }
    Result<StreamPtr> open(const Headers& headers, bool endStream) override { return m_core->open(headers, endStream); }
    asio::awaitable<Result<StreamPtr>> accept() override { return ConnectionCore::accept(m_core); }
    bool isAlive() const override { return m_core->isAlive(); }
    asio::awaitable<Error> closed() override { return ConnectionCore::closed(m_core); }
    void close() override { m_core->shutDown({ErrorCode::Unavailable, "The channel was closed.", "close()"}); }
    std::uint64_t sessionNumber() const override { return m_core->sessionNumber(); }

private:
    std::shared_ptr<ConnectionCore> m_core;
};

} // namespace

std::unique_ptr<Connection> makeConnection(asio::io_context& io, int fd, Options options)
{
    return std::make_unique<PortConnection>(io, fd, options);
}

asio::awaitable<Result<std::string>> readBody(Stream& stream, std::size_t maxBytes)
{
    std::string body;
    std::array<std::uint8_t, 16 * 1024> buffer{};
    for (;;) {
        const auto count = co_await stream.read(buffer);
        if (!count) {
            co_return tl::unexpected(count.error());
        }
        if (*count == 0) {
            co_return body;
        }
        if (body.size() + *count > maxBytes) {
            co_return fail(ErrorCode::Protocol, "The message on the channel is too long.");
        }
        body.append(reinterpret_cast<const char*>(buffer.data()), *count);
    }
}

} // namespace coldframe::channel
