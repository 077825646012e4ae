// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "channel/connection.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::channel {

using SessionId = std::array<std::uint8_t, 16>;

enum class RecordType : std::uint8_t { Hello = 1, HelloAck = 2, Data = 3, Ping = 4, Pong = 5 };

inline constexpr std::size_t kRecordHeaderBytes = 36;
inline constexpr std::size_t kMaxRecordPayload = 64 * 1024;
inline constexpr std::uint16_t kRecordVersion = 1;
/// The session of a HELLO_ACK that says "this guest is in no session".
inline constexpr SessionId kNoSession{};

/// Appends one record as core/ARCHITECTURE.md describes it ("Record layer"). At most kMaxRecordPayload bytes.
void appendRecord(std::string& out, RecordType type, const SessionId& session, std::uint32_t sequence,
                  std::string_view payload);

struct RecordEvent
{
    enum class Kind { SessionStarted, Data, SessionEnded };
    Kind kind{};
    std::span<const std::uint8_t> data; ///< of Data; valid until the next call of the layer
    std::string reason;                 ///< of SessionEnded
};

/// Which session the byte stream is in, on either side, without any I/O: bytes in, events and bytes out.
///
/// Idle (guest: waiting for HELLO; host: nothing announced) → [host: begin()] HelloSent → Established → Idle.
/// Out of a session only the one expected handshake record is looked for, byte by byte, so that the work stays
/// linear and nothing left over from another session can be taken for data. In a session each byte must belong
/// to a valid record; the first that does not ends the session. DATA, PING and PONG are numbered from 1 in each
/// direction; handshake records carry 0.
///
/// Two things follow from a stream that may be cut anywhere without either end noticing (HAZARDS 3):
/// - A host puts as many zero bytes as a record may be long before the first HELLO of a session. Whatever half
///   record the guest was waiting for is then complete, wrong, and ends the guest's old session.
/// - A guest that starts, or drops a session over an error, says so by a HELLO_ACK of kNoSession after as many zero
///   bytes, so a host that still believes in an older session learns of it.
class RecordLayer
{
public:
    enum class State { Idle, HelloSent, Established };

    explicit RecordLayer(Side side);

    State state() const { return m_state; }

    /// Host: ends any session without an event and announces this one.
    void begin(const SessionId& session);
    /// Host: says HELLO again, unless much is unsent already.
    void repeatHello();
    /// Ends an Established session by our own decision (HTTP/2 error), without an event.
    void end();

    void feed(std::span<const std::uint8_t> bytes);
    /// The next event of the bytes fed so far; none = feed more.
    std::optional<RecordEvent> next();

    /// Established only. At most kMaxRecordPayload bytes.
    void sendData(std::string_view payload);
    void sendPing();

    /// What is to be written to the descriptor, in order. A new session drops what an older one left.
    std::string_view output() const { return std::string_view(m_output).substr(m_outputBegin); }
    void consumeOutput(std::size_t count);

private:
    std::optional<RecordEvent> nextHandshake();
    std::optional<RecordEvent> nextInSession(bool& progress);
    std::optional<RecordEvent> acceptInSession(RecordType type, const SessionId& session, std::uint32_t sequence,
                                               std::span<const std::uint8_t> payload, std::size_t recordBytes);
    std::optional<RecordEvent> endWith(std::string reason);
    std::span<const std::uint8_t> unread() const;
    void dropOutput();
    void appendFlush();
    void appendNoSession();

    Side m_side;
    State m_state = State::Idle;
    SessionId m_session{};
    std::uint32_t m_nextOut = 1;
    std::uint32_t m_nextIn = 1;
    std::vector<std::uint8_t> m_input;
    std::size_t m_inputBegin = 0;
    std::string m_output;
    std::size_t m_outputBegin = 0;
};

} // namespace coldframe::channel
