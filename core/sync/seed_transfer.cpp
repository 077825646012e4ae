// SPDX-License-Identifier: Apache-2.0
#include "sync/seed_transfer.h"

#include "base/log.h"

#include <algorithm>

namespace coldframe::sync {

Result<void> SeedTransfer::send(std::string_view bytes)
{
    while (!bytes.empty()) {
        if (!m_hasRoom) {
            return m_stream.send(MessageType::ApplyContent, bytes);
        }
        while (m_sent - m_taken >= kSeedPlaces) {
            COLDFRAME_TRY(const Message message, m_receive());
            COLDFRAME_CHECK(taken(message));
        }
        const std::string_view part = bytes.substr(0, kSeedPieceBytes - m_open);
        if (auto written = m_window->write(m_sent, m_open, part); !written) {
            logInfo("sync", written.error().message + " " + written.error().detail + " The rest goes by the stream.");
            COLDFRAME_CHECK(sendPiece());
            m_hasRoom = false;
            continue;
        }
        m_open += static_cast<std::uint32_t>(part.size());
        bytes.remove_prefix(part.size());
        if (m_open == kSeedPieceBytes) {
            COLDFRAME_CHECK(sendPiece());
        }
    }
    return {};
}

Result<void> SeedTransfer::endFile() { return sendPiece(); }

Result<void> SeedTransfer::sendPiece()
{
    if (m_open == 0) {
        return {};
    }
    Writer out;
    out.u64(m_window->offsetOf(m_sent));
    out.u32(m_open);
    ++m_sent;
    m_bytes += m_open;
    m_open = 0;
    COLDFRAME_CHECK(m_stream.send(MessageType::ApplySeed, out.data()));
    return m_stream.flush(); // the guest reads it while the next one is written
}

Result<void> SeedTransfer::taken(const Message& message)
{
    if (message.type != MessageType::SeedTaken || !message.payload.empty() || isDone()) {
        return fail(ErrorCode::Protocol, "The sandbox broke the rules of the workspace sync; the connection was dropped.",
                    "seed disk");
    }
    ++m_taken;
    return {};
}

} // namespace coldframe::sync
