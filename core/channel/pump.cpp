// SPDX-License-Identifier: Apache-2.0
#include "channel/pump.h"

#include "channel/http2_session.h"

#include <asio/experimental/awaitable_operators.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace coldframe::channel {

namespace {

constexpr std::size_t kPumpBytes = 32 * 1024;

struct PumpState
{
    Stream& stream;
    asio::posix::stream_descriptor& descriptor;
    bool isSocket = false;
    bool hasFailed = false;
    PumpTotals totals;

    /// Ends the other direction too, wherever it waits.
    void abort()
    {
        if (hasFailed) {
            return;
        }
        hasFailed = true;
        stream.reset(kHttp2ConnectError);
        if (isSocket) {
            const linger now{1, 0};
            ::setsockopt(descriptor.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        asio::error_code ignored;
        descriptor.close(ignored);
    }
};

asio::awaitable<bool> waitFor(PumpState& state, asio::posix::stream_descriptor::wait_type what)
{
    asio::error_code error;
    co_await state.descriptor.async_wait(what, asio::redirect_error(asio::use_awaitable, error));
    co_return !error && !state.hasFailed;
}

asio::awaitable<bool> writeAll(PumpState& state, std::span<const std::uint8_t> bytes)
{
    while (!bytes.empty()) {
        const int fd = state.descriptor.native_handle();
        const ssize_t count = state.isSocket ? ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                             : ::write(fd, bytes.data(), bytes.size());
        if (count > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(count));
            state.totals.fromStream += static_cast<std::uint64_t>(count);
            continue;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            co_return false;
        }
        const bool ready = co_await waitFor(state, asio::posix::stream_descriptor::wait_write);
        if (!ready) {
            co_return false;
        }
    }
    co_return true;
}

asio::awaitable<void> fromStream(PumpState& state)
{
    std::vector<std::uint8_t> buffer(kPumpBytes);
    for (;;) {
        const auto count = co_await state.stream.read(buffer);
        if (state.hasFailed) {
            co_return;
        }
        if (!count) {
            state.abort();
            co_return;
        }
        if (*count == 0) {
            if (state.isSocket) {
                ::shutdown(state.descriptor.native_handle(), SHUT_WR);
            }
            co_return;
        }
        const bool written = co_await writeAll(state, std::span(buffer).first(*count));
        if (!written) {
            state.abort();
            co_return;
        }
    }
}

asio::awaitable<void> toStream(PumpState& state)
{
    std::vector<std::uint8_t> buffer(kPumpBytes);
    while (!state.hasFailed) {
        const ssize_t count = ::read(state.descriptor.native_handle(), buffer.data(), buffer.size());
        const int error = errno;
        if (count > 0) {
            const auto size = static_cast<std::size_t>(count);
            const auto written = co_await state.stream.write(std::span(buffer).first(size));
            if (!written) {
                state.abort();
                co_return;
            }
            state.totals.toStream += size;
        } else if (count == 0 || (error == EIO && !state.isSocket)) { // EIO: the last holder of a PTY's other end left
            state.stream.finish();
            co_return;
        } else if (error == EAGAIN) {
            const bool ready = co_await waitFor(state, asio::posix::stream_descriptor::wait_read);
            if (!ready) {
                state.abort();
                co_return;
            }
        } else if (error != EINTR) {
            state.abort();
            co_return;
        }
    }
}

} // namespace

asio::awaitable<PumpTotals> pump(Stream& stream, asio::posix::stream_descriptor& descriptor)
{
    using namespace asio::experimental::awaitable_operators;
    PumpState state{stream, descriptor, false, false, {}};
    struct stat status{};
    asio::error_code error;
    descriptor.non_blocking(true, error);
    state.isSocket = ::fstat(descriptor.native_handle(), &status) == 0 && S_ISSOCK(status.st_mode);
    co_await (fromStream(state) && toStream(state));
    state.totals.isClean = !state.hasFailed;
    asio::error_code ignored;
    descriptor.close(ignored);
    co_return state.totals;
}

} // namespace coldframe::channel
