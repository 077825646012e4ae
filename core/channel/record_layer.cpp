// SPDX-License-Identifier: Apache-2.0
#include "channel/record_layer.h"

#include <algorithm>
#include <cstring>
#define XXH_STATIC_LINKING_ONLY // the state lives on the stack; the library is linked statically
#include <xxhash.h>

namespace coldframe::channel {

namespace {

constexpr std::array<std::uint8_t, 4> kMagic{'C', 'F', 'R', '1'};
constexpr std::size_t kSessionOffset = 8;
constexpr std::size_t kSequenceOffset = 24;
constexpr std::size_t kLengthOffset = 28;
constexpr std::size_t kChecksumOffset = 32;
constexpr std::size_t kHelloPayloadBytes = 2;
/// Beyond this the answers to PING and repeated HELLO wait: the peer is not reading.
constexpr std::size_t kEnoughUnsent = 16 * 1024;

std::uint32_t loadU32(std::span<const std::uint8_t> bytes, std::size_t offset)
{
    return (static_cast<std::uint32_t>(bytes[offset]) << 24) | (static_cast<std::uint32_t>(bytes[offset + 1]) << 16) |
           (static_cast<std::uint32_t>(bytes[offset + 2]) << 8) | static_cast<std::uint32_t>(bytes[offset + 3]);
}

void storeU32(std::span<std::uint8_t> bytes, std::size_t offset, std::uint32_t value)
{
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[offset + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
    }
}

/// XXH32 of the header with its checksum field 0, then the payload.
std::uint32_t checksum(std::span<const std::uint8_t> header, const void* payload, std::size_t payloadBytes)
{
    std::array<std::uint8_t, kRecordHeaderBytes> plain{};
    std::copy_n(header.begin(), kChecksumOffset, plain.begin());
    XXH32_state_t state;
    XXH32_reset(&state, 0);
    XXH32_update(&state, plain.data(), plain.size());
    XXH32_update(&state, payload, payloadBytes);
    return XXH32_digest(&state);
}

struct Header
{
    std::uint8_t type = 0;
    SessionId session{};
    std::uint32_t sequence = 0;
    std::uint32_t length = 0;
    bool isSane = false; ///< magic, flags, reserved, type and length are as they must be
};

Header parseHeader(std::span<const std::uint8_t> bytes)
{
    Header header;
    header.type = bytes[4];
    std::copy_n(bytes.begin() + kSessionOffset, header.session.size(), header.session.begin());
    header.sequence = loadU32(bytes, kSequenceOffset);
    header.length = loadU32(bytes, kLengthOffset);
    const bool plainFlags = bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0;
    header.isSane = std::equal(kMagic.begin(), kMagic.end(), bytes.begin()) && plainFlags && header.type >= 1 &&
                    header.type <= 5 && header.length <= kMaxRecordPayload;
    return header;
}

bool checksumMatches(std::span<const std::uint8_t> record)
{
    return loadU32(record, kChecksumOffset) == checksum(record.first(kRecordHeaderBytes),
                                                        record.data() + kRecordHeaderBytes,
                                                        record.size() - kRecordHeaderBytes);
}

constexpr std::string_view kHelloPayload{"\x00\x01", kHelloPayloadBytes};
static_assert(kRecordVersion == 1);

} // namespace

void appendRecord(std::string& out, RecordType type, const SessionId& session, std::uint32_t sequence,
                  std::string_view payload)
{
    std::array<std::uint8_t, kRecordHeaderBytes> header{};
    std::copy(kMagic.begin(), kMagic.end(), header.begin());
    header[4] = static_cast<std::uint8_t>(type);
    std::copy(session.begin(), session.end(), header.begin() + kSessionOffset);
    storeU32(header, kSequenceOffset, sequence);
    storeU32(header, kLengthOffset, static_cast<std::uint32_t>(payload.size()));
    storeU32(header, kChecksumOffset, checksum(header, payload.data(), payload.size()));
    out.append(reinterpret_cast<const char*>(header.data()), header.size());
    out.append(payload);
}

RecordLayer::RecordLayer(Side side) : m_side(side)
{
    if (m_side == Side::Guest) {
        appendNoSession();
    }
}

void RecordLayer::begin(const SessionId& session)
{
    m_session = session;
    m_state = State::HelloSent;
    dropOutput();
    appendFlush();
    appendRecord(m_output, RecordType::Hello, m_session, 0, kHelloPayload);
}

void RecordLayer::repeatHello()
{
    if (m_state == State::HelloSent && output().size() < kEnoughUnsent) {
        appendRecord(m_output, RecordType::Hello, m_session, 0, kHelloPayload);
    }
}

void RecordLayer::end()
{
    if (m_state == State::Established) {
        m_state = State::Idle;
        dropOutput();
        if (m_side == Side::Guest) {
            appendNoSession();
        }
    }
}

void RecordLayer::feed(std::span<const std::uint8_t> bytes)
{
    if (m_inputBegin > 0) {
        m_input.erase(m_input.begin(), m_input.begin() + static_cast<std::ptrdiff_t>(m_inputBegin));
        m_inputBegin = 0;
    }
    m_input.insert(m_input.end(), bytes.begin(), bytes.end());
}

std::span<const std::uint8_t> RecordLayer::unread() const
{
    return std::span<const std::uint8_t>(m_input).subspan(m_inputBegin);
}

std::optional<RecordEvent> RecordLayer::next()
{
    bool progress = true;
    while (m_state == State::Established && progress) {
        if (auto event = nextInSession(progress)) {
            return event;
        }
    }
    return m_state == State::Established ? std::nullopt : nextHandshake();
}

std::optional<RecordEvent> RecordLayer::nextHandshake()
{
    if (m_side == Side::Host && m_state == State::Idle) {
        m_inputBegin = m_input.size();
        return std::nullopt;
    }
    const auto wanted = static_cast<std::uint8_t>(m_side == Side::Guest ? RecordType::Hello : RecordType::HelloAck);
    const std::size_t wantedLength = m_side == Side::Guest ? kHelloPayloadBytes : 0;
    for (;;) {
        const auto bytes = unread();
        const void* found = bytes.empty() ? nullptr : ::memmem(bytes.data(), bytes.size(), kMagic.data(), kMagic.size());
        if (found == nullptr) {
            // The last three bytes may be the beginning of a magic number.
            m_inputBegin = m_input.size() - std::min(bytes.size(), kMagic.size() - 1);
            return std::nullopt;
        }
        m_inputBegin += static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes.data());
        const auto rest = unread();
        if (rest.size() < kRecordHeaderBytes) {
            return std::nullopt;
        }
        const Header header = parseHeader(rest);
        if (!header.isSane || header.type != wanted || header.length != wantedLength || header.sequence != 0) {
            m_inputBegin += kMagic.size();
            continue;
        }
        if (rest.size() < kRecordHeaderBytes + wantedLength) {
            return std::nullopt;
        }
        const auto record = rest.first(kRecordHeaderBytes + wantedLength);
        const bool rightPayload = std::equal(record.begin() + kRecordHeaderBytes, record.end(), kHelloPayload.begin(),
                                             kHelloPayload.begin() + static_cast<std::ptrdiff_t>(wantedLength),
                                             [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
        const bool rightSession = m_side == Side::Guest ? header.session != kNoSession : header.session == m_session;
        if (!checksumMatches(record) || !rightPayload || !rightSession) {
            m_inputBegin += kMagic.size();
            continue;
        }
        m_inputBegin += record.size();
        m_nextIn = 1;
        m_nextOut = 1;
        m_state = State::Established;
        if (m_side == Side::Guest) {
            m_session = header.session;
            dropOutput();
            appendRecord(m_output, RecordType::HelloAck, m_session, 0, {});
        }
        return RecordEvent{RecordEvent::Kind::SessionStarted, {}, {}};
    }
}

std::optional<RecordEvent> RecordLayer::nextInSession(bool& progress)
{
    progress = false;
    const auto bytes = unread();
    const std::size_t prefix = std::min(bytes.size(), kMagic.size());
    if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(prefix), kMagic.begin())) {
        return endWith("bytes between records");
    }
    if (bytes.size() < kRecordHeaderBytes) {
        return std::nullopt;
    }
    const Header header = parseHeader(bytes);
    if (!header.isSane) {
        return endWith("a record header that cannot be");
    }
    const std::size_t recordBytes = kRecordHeaderBytes + header.length;
    if (bytes.size() < recordBytes) {
        return std::nullopt;
    }
    const auto record = bytes.first(recordBytes);
    if (!checksumMatches(record)) {
        return endWith("a record with a wrong checksum");
    }
    progress = true;
    return acceptInSession(static_cast<RecordType>(header.type), header.session, header.sequence,
                           record.subspan(kRecordHeaderBytes), recordBytes);
}

std::optional<RecordEvent> RecordLayer::acceptInSession(RecordType type, const SessionId& session,
                                                        std::uint32_t sequence, std::span<const std::uint8_t> payload,
                                                        std::size_t recordBytes)
{
    if (type == RecordType::Hello) {
        if (m_side == Side::Host) {
            return endWith("HELLO from a guest");
        }
        if (session != m_session) {
            // Left unread: the search for a HELLO begins with it.
            m_state = State::Idle;
            dropOutput();
            return RecordEvent{RecordEvent::Kind::SessionEnded, {}, "the host began another session"};
        }
        // The host had not seen our echo yet.
        m_inputBegin += recordBytes;
        if (output().size() < kEnoughUnsent) {
            appendRecord(m_output, RecordType::HelloAck, m_session, 0, {});
        }
        return std::nullopt;
    }
    if (type == RecordType::HelloAck) {
        if (m_side == Side::Guest) {
            return endWith("HELLO_ACK from a host");
        }
        m_inputBegin += recordBytes;
        if (session != m_session) {
            m_state = State::Idle;
            dropOutput();
            return RecordEvent{RecordEvent::Kind::SessionEnded, {}, "the guest left the session"};
        }
        return std::nullopt;
    }
    m_inputBegin += recordBytes;
    if (session != m_session) {
        return std::nullopt; // left over from another session
    }
    if (sequence != m_nextIn) {
        return endWith("a record out of sequence");
    }
    ++m_nextIn;
    if (type == RecordType::Ping && output().size() < kEnoughUnsent) {
        appendRecord(m_output, RecordType::Pong, m_session, m_nextOut++, {});
    }
    if (type == RecordType::Data && !payload.empty()) {
        return RecordEvent{RecordEvent::Kind::Data, payload, {}};
    }
    return std::nullopt;
}

std::optional<RecordEvent> RecordLayer::endWith(std::string reason)
{
    end();
    return RecordEvent{RecordEvent::Kind::SessionEnded, {}, std::move(reason)};
}

void RecordLayer::sendData(std::string_view payload)
{
    if (m_state == State::Established) {
        appendRecord(m_output, RecordType::Data, m_session, m_nextOut++, payload.substr(0, kMaxRecordPayload));
    }
}

void RecordLayer::sendPing()
{
    if (m_state == State::Established) {
        appendRecord(m_output, RecordType::Ping, m_session, m_nextOut++, {});
    }
}

void RecordLayer::consumeOutput(std::size_t count)
{
    m_outputBegin += std::min(count, m_output.size() - m_outputBegin);
    if (m_outputBegin == m_output.size()) {
        dropOutput();
    }
}

void RecordLayer::dropOutput()
{
    m_output.clear();
    m_outputBegin = 0;
}

void RecordLayer::appendFlush()
{
    m_output.append(kRecordHeaderBytes + kMaxRecordPayload, '\0');
}

void RecordLayer::appendNoSession()
{
    appendFlush();
    appendRecord(m_output, RecordType::HelloAck, kNoSession, 0, {});
}

} // namespace coldframe::channel
