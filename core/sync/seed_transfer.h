// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/protocol.h"
#include "sync/seed_disk.h"

#include <functional>
#include <optional>

namespace coldframe::sync {

/// Contents of one exchange on their way by the seed disk, piece by piece and never more than the window has places.
/// Where the host has no room (any more), what follows goes by the stream; the order is the same. The session's thread.
class SeedTransfer
{
public:
    /// `receive` gives the guest's next answer.
    SeedTransfer(MessageStream& stream, std::function<Result<Message>()> receive, std::optional<SeedWindow> window)
        : m_stream(stream), m_receive(std::move(receive)), m_window(std::move(window)), m_hasRoom(m_window.has_value())
    {
    }

    bool isUsable() const { return m_hasRoom; }
    /// More of the present file's content.
    Result<void> send(std::string_view bytes);
    Result<void> endFile();
    /// For each SeedTaken that comes. Protocol when nothing is on its way.
    Result<void> taken(const Message& message);
    bool isDone() const { return m_sent == m_taken; }
    std::uint64_t bytes() const { return m_bytes; }

private:
    Result<void> sendPiece();

    MessageStream& m_stream;
    std::function<Result<Message>()> m_receive;
    std::optional<SeedWindow> m_window;
    bool m_hasRoom;
    std::uint64_t m_sent = 0; ///< pieces
    std::uint64_t m_taken = 0;
    std::uint32_t m_open = 0; ///< bytes of the piece that is being written
    std::uint64_t m_bytes = 0;
};

} // namespace coldframe::sync
