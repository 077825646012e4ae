// SPDX-License-Identifier: Apache-2.0
#include "api/attachment_io.h"

#include <array>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <cstring>

namespace coldframe::api {

namespace {

constexpr std::chrono::seconds kSecretDeadline{30};

/// Plain bytes on the heap that are wiped whatever way the scope is left.
struct WipedBytes
{
    std::array<char, kExecHeaderSize + SecretBuffer::kMaxSize> bytes{};
    WipedBytes() = default;
    WipedBytes(const WipedBytes&) = delete;
    WipedBytes& operator=(const WipedBytes&) = delete;
    ~WipedBytes() { ::explicit_bzero(bytes.data(), bytes.size()); }
};

/// Cancels the socket's operations when time is up, unless destroyed before. A timer's handler may be queued already
/// when the timer is cancelled, so it looks at a flag that outlives both.
class ReadDeadline
{
public:
    ReadDeadline(AttachmentSocket& socket, std::chrono::steady_clock::duration time)
        : m_timer(socket.get_executor(), time)
    {
        m_timer.async_wait([&socket, armed = m_armed](std::error_code error) {
            if (!error && *armed) {
                std::error_code ignored;
                socket.cancel(ignored);
            }
        });
    }
    ReadDeadline(const ReadDeadline&) = delete;
    ReadDeadline& operator=(const ReadDeadline&) = delete;
    ~ReadDeadline() { *m_armed = false; }

private:
    std::shared_ptr<bool> m_armed = std::make_shared<bool>(true);
    asio::steady_timer m_timer;
};

} // namespace

asio::awaitable<Result<SecretBuffer>> receiveSecret(AttachmentSocket& socket)
{
    auto buffer = std::make_unique<WipedBytes>();
    const ReadDeadline deadline(socket, kSecretDeadline);
    std::error_code error;
    co_await asio::async_read(socket, asio::buffer(buffer->bytes.data(), kExecHeaderSize),
                              asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        co_return fail(ErrorCode::Closed, "The key was not sent; nothing was stored.", error.message());
    }
    std::size_t length = 0;
    for (std::size_t i = 1; i < kExecHeaderSize; ++i) {
        length = (length << 8) | static_cast<unsigned char>(buffer->bytes[i]);
    }
    if (static_cast<ExecFrameType>(buffer->bytes[0]) != ExecFrameType::Stdin || length == 0 ||
        length > SecretBuffer::kMaxSize) {
        co_return fail(ErrorCode::Protocol, "What was sent is not a key of 1 to 65536 bytes; nothing was stored.");
    }
    co_await asio::async_read(socket, asio::buffer(buffer->bytes.data() + kExecHeaderSize, length),
                              asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        co_return fail(ErrorCode::Closed, "The key arrived only in part; nothing was stored.", error.message());
    }
    co_return SecretBuffer(std::string_view(buffer->bytes.data() + kExecHeaderSize, length));
}

asio::awaitable<Result<void>> writeFrames(AttachmentSocket& socket, std::string frames)
{
    std::error_code error;
    co_await asio::async_write(socket, asio::buffer(frames), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        co_return fail(ErrorCode::Closed, "The terminal's window is gone.", error.message());
    }
    co_return Result<void>{};
}

asio::awaitable<void> answerSecret(AttachmentSocket& socket, Result<void> outcome)
{
    std::string frame =
        outcome ? encodeExit(0, 0) : encodeExecFrame(ExecFrameType::Failure, encodeFailure(outcome.error()));
    // Nobody is left to tell when this fails.
    [[maybe_unused]] const Result<void> sent = co_await writeFrames(socket, std::move(frame));
}

} // namespace coldframe::api
