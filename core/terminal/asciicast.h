// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::terminal {

/// A recording in the format asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a JSON object in the first line, then an event
/// a line, [seconds, "o" | "r", text]. Input is never recorded.
struct CastHeader
{
    int rows = 24;
    int columns = 80;
    std::int64_t timestamp = 0; ///< seconds since 1970; 0: not known
    std::string title;
};

struct CastEvent
{
    enum class Kind : std::uint8_t { Output, Resize };
    Kind kind = Kind::Output;
    std::int64_t microseconds = 0; ///< since the beginning; never less than the event's before
    std::string output;
    int rows = 0;
    int columns = 0;
};

/// Makes the lines of a recording. A character that is cut by the end of a piece of output waits for the rest of it, as JSON
/// holds whole characters; bytes that are none become U+FFFD.
class CastWriter
{
public:
    /// At most this many bytes; what would be more is not recorded.
    static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

    /// The first line.
    std::string begin(const CastHeader& header);
    std::string output(std::int64_t microseconds, std::string_view bytes);
    std::string resize(std::int64_t microseconds, int rows, int columns);
    /// What is left of a character that never came whole.
    std::string end(std::int64_t microseconds);
    bool isFull() const { return m_written >= kMaxBytes; }

private:
    std::string line(std::int64_t microseconds, char kind, std::string_view text);

    std::string m_cut;
    std::int64_t m_last = 0;
    std::uint64_t m_written = 0;
};

/// Reads a recording line by line, which may come from anybody: everything is bounded. Events of other kinds (input, marks) are left out.
class CastReader
{
public:
    static constexpr std::size_t kMaxLine = 4 << 20;
    static constexpr std::size_t kMaxEvents = 2'000'000;
    static constexpr std::size_t kMaxOutput = 256 << 20; ///< bytes of all events

    static Result<CastReader> read(std::string_view text);

    const CastHeader& header() const { return m_header; }
    const std::vector<CastEvent>& events() const { return m_events; }
    std::int64_t duration() const { return m_events.empty() ? 0 : m_events.back().microseconds; }
    /// The end was left out: it was too much, or damaged.
    bool isCut() const { return m_isCut; }

private:
    bool takeEvent(std::string_view line);

    CastHeader m_header;
    std::vector<CastEvent> m_events;
    std::size_t m_bytes = 0;
    bool m_isCut = false;
};

} // namespace coldframe::terminal
