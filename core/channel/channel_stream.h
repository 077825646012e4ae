// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/http2_session.h"
#include "channel/signal.h"

#include <memory>

namespace coldframe::channel {

/// The Stream that users hold: coroutines around one Http2Stream. The session may go before it.
class ChannelStream final : public Stream
{
public:
    ChannelStream(asio::io_context& io, std::weak_ptr<Http2Session> session, Http2StreamPtr state);
    ~ChannelStream() override;

    std::uint32_t id() const override { return static_cast<std::uint32_t>(m_state->id); }
    const Headers& peerHeaders() const override { return m_state->peerHeaders; }
    asio::awaitable<Result<Headers>> responseHeaders() override;
    Result<void> respond(const Headers& headers, bool endStream) override;
    asio::awaitable<Result<std::size_t>> read(std::span<std::uint8_t> buffer) override;
    asio::awaitable<Result<void>> write(std::span<const std::uint8_t> data) override;
    void finish() override;
    void reset(std::uint32_t code) override;
    std::optional<std::uint32_t> resetCode() const override;

    const Http2StreamPtr& state() const { return m_state; }

private:
    tl::unexpected<Error> whyClosed() const;

    std::weak_ptr<Http2Session> m_session;
    Http2StreamPtr m_state;
    Signal m_readerSignal;
    Signal m_writerSignal;
};

} // namespace coldframe::channel
