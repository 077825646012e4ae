// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "sync/wire.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace coldframe::sync {

/// The sync protocol, version 1, over one byte stream: u32 length (of type and payload) | u8 type | payload,
/// big-endian. The host asks, the guest answers, and only one of them speaks at a time, so neither can block the
/// other for ever; the one exception is Changed, of which at most one is on its way between two scans.
///
///     host                                   guest
///     Hello   magic u32, version u16      →  HelloReply  version u16, watching u8, size of the seed disk u64 (0 or left
///                                             out: none)
///     Scan    full u8                     →  Progress*, ScanBatch (records)*, ScanEnd (watching u8)
///                                             (only what differs from what was told before in this connection)
///     Fetch   count u32, (path, entry)*   →  (Content index u32, bytes)*, ContentEnd index u32, ok u8, text …
///                                             for each index in order, then FetchEnd
///     Apply   index u32, path, before entry, after entry, mtime u64, executable …
///     (ApplyContent bytes | ApplySeed offset u64, length u32)*, ApplyContentEnd
///                                         (after an Apply whose new entry is a file with other content)
///                                         →  SeedTaken for each ApplySeed: its place may be used again. At most
///                                             kSeedPlaces are on their way, so they never fill the stream
///     Commit                              →  Progress*, Results (index u32, outcome u8, text)*, ResultsEnd
///     Flush                               →  FlushDone after syncfs(2)
///                                            Changed: something moved since the last scan
///     either: Failed text; then the stream ends.
///
/// Everything that comes from the guest is hostile: lengths, paths, kinds, counts, order and digests are checked, and
/// content is hashed again on the host before it is used.
enum class MessageType : std::uint8_t {
    Hello = 1,
    HelloReply = 2,
    Scan = 3,
    ScanBatch = 4,
    ScanEnd = 5,
    Changed = 6,
    Fetch = 7,
    Content = 8,
    ContentEnd = 9,
    FetchEnd = 10,
    Apply = 11,
    ApplyContent = 12,
    ApplyContentEnd = 13,
    Commit = 14,
    Results = 15,
    ResultsEnd = 16,
    Flush = 17,
    FlushDone = 18,
    Progress = 19,
    Failed = 20,
    ApplySeed = 21,
    SeedTaken = 22,
};

inline constexpr auto kLastMessageType = MessageType::SeedTaken;

inline constexpr std::uint32_t kProtocolMagic = 0x43465359; // "CFSY"
inline constexpr std::uint16_t kProtocolVersion = 1;
inline constexpr std::size_t kMaxMessageBytes = 512u << 10;
inline constexpr std::size_t kChunkBytes = 128u << 10;
inline constexpr std::size_t kBatchBytes = 192u << 10;

struct Message
{
    MessageType type = MessageType::Failed;
    std::string payload;
};

/// Cuts a byte stream into messages without any I/O. feed() then next() until it returns false; an error is final.
class MessageParser
{
public:
    void feed(std::string_view bytes) { m_buffer.append(bytes); }
    Result<bool> next(Message& message);
    std::size_t buffered() const { return m_buffer.size() - m_consumed; }

private:
    std::string m_buffer;
    std::size_t m_consumed = 0;
};

/// Messages over a socket. Writes are gathered until flush() or 256 KiB. Not thread-safe; another thread may call
/// shutdown(2) on the descriptor to end every wait with Closed.
class MessageStream
{
public:
    /// `idleLimit`: how long the peer may be silent or not take our bytes while we wait for it.
    MessageStream(int fd, std::chrono::milliseconds idleLimit) : m_fd(fd), m_idleLimit(idleLimit) {}

    Result<void> send(MessageType type, std::string_view payload);
    Result<void> flush();
    Result<Message> receive();
    /// True when receive() would not block: a whole message is buffered, or bytes (or the end) wait in the socket.
    Result<bool> pending();
    int fd() const { return m_fd; }

private:
    Result<void> fill(std::chrono::milliseconds wait);

    int m_fd;
    std::chrono::milliseconds m_idleLimit;
    MessageParser m_parser;
    std::string m_out;
    Message m_ready;
    bool m_hasReady = false;
};

} // namespace coldframe::sync
